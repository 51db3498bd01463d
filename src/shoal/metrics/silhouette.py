"""How well rows lie within their clusters."""

from numbers import Integral
from typing import Any

import numpy as np
import sklearn.metrics
from sklearn.utils import check_random_state

from shoal._typing import AnyArray
from shoal.cluster.center_model import CenterModel, opened
from shoal.data.open import open_dataset
from shoal.engines.current import current_engine
from shoal.exceptions import DataError, ParameterError
from shoal.statistics.keyed_sample import KeyedSample, Sample
from shoal.statistics.nearest_center import nearest_center
from shoal.statistics.purpose import Purpose


def silhouette_score(
    X: Any,
    labels_or_model: Any,
    *,
    sample_size: int = 10_000,
    random_state: int | np.random.RandomState | None = None,
) -> float:
    r"""Mean silhouette coefficient of a random sample of rows.

    The coefficient of a row is :math:`(b - a) / \max(a, b)`, where :math:`a` is its mean distance
    to the other rows of its cluster and :math:`b` that to the rows of the nearest other cluster:
    1 deep within a cluster, 0 between two, negative in the wrong one.

    It is an estimate, unless there are no more rows than `sample_size`. Over seeds its standard
    deviation is :math:`s / \sqrt m` to :math:`2 s / \sqrt m`, where :math:`s \le 1` is that of the
    coefficients and :math:`m` the size of the sample: 0.002 to 0.02 for 10,000 rows. It is more
    than that of a mean because the rows that rows are compared with are drawn, too. A cluster of
    which few rows are drawn has little to say.

    One pass, on any engine with the same sample; memory of the sample, and O(sample_size^2) time
    in scikit-learn's ``silhouette_score``, which takes all rows by default and this one never.

    Parameters
    ----------
    X : path, array-like, sparse matrix, data frame, Dask collection or Dataset
    labels_or_model : array-like of shape (n_rows,) or estimator
        A label for each row of `X`, or a fitted model of cluster centres that labels the sample,
        with rows of unit length if it has ``metric="cosine"``.
    sample_size : int, default=10_000
        Rows to draw; all of them, where there are fewer.
    random_state : int, RandomState instance or None, default=None
        Seed of the sample.

    Returns
    -------
    score : float
        Between -1 and 1.

    Raises
    ------
    DataError
        There is not one label a row.
    ParameterError
        `sample_size` is not positive, or the estimator is no model of cluster centres.
    ValueError
        The sample has one label only, or as many as rows.
    NotFittedError, FileError

    References
    ----------
    P. Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of cluster
    analysis", J. Comput. Appl. Math. 20 (1987).

    Examples
    --------
    >>> from shoal.metrics import silhouette_score
    >>> round(silhouette_score([[0.0], [1.0], [10.0], [11.0]], [0, 0, 1, 1]), 4)
    0.8997
    """
    _check_size(sample_size)
    if isinstance(labels_or_model, CenterModel):
        sample, labels = _labelled_by(labels_or_model, X, sample_size, random_state)
    elif hasattr(labels_or_model, "fit"):
        raise ParameterError(
            f"labels_or_model={labels_or_model!r} has no cluster centers: give a model of "
            "shoal.cluster, or the labels that this one predicts."
        )
    else:
        sample, labels = _labelled(X, np.asarray(labels_or_model), sample_size, random_state)
    return float(sklearn.metrics.silhouette_score(sample.X, labels))


def _check_size(size: Any) -> None:
    if not isinstance(size, Integral) or size < 1:
        raise ParameterError(f"sample_size={size!r}: give a number of rows, 1 or more.")


def _labelled_by(
    model: Any, X: Any, size: int, random_state: int | np.random.RandomState | None
) -> tuple[Sample, AnyArray]:
    """Sampled rows, with the model's label of each."""
    dataset, centers = opened(model, X)
    sample = _sample(dataset, size, random_state)
    labels, _ = nearest_center(sample.X, centers, centers.mean(axis=0, dtype=np.float64))
    return sample, labels


def _labelled(
    X: Any, labels: AnyArray, size: int, random_state: int | np.random.RandomState | None
) -> tuple[Sample, AnyArray]:
    """Sampled rows, with the given label of each."""
    dataset = open_dataset(X)
    if labels.shape != (dataset.n_rows,):
        raise DataError(
            f"labels has shape {labels.shape}, but there are {dataset.n_rows} rows: give one "
            "label a row."
        )
    sample = _sample(dataset, size, random_state)
    return sample, labels[sample.rows]


def _sample(dataset: Any, size: int, random_state: int | np.random.RandomState | None) -> Sample:
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    drawn = KeyedSample(size, dataset.n_features, dataset.dtype, seed, Purpose.SILHOUETTE)
    return current_engine().fold(dataset, drawn)

"""What approximate neighbours miss."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from shoal.engines.current import current_engine
from shoal.exceptions import ParameterError
from shoal.neighbors.brute import Brute
from shoal.neighbors.choice import build_index
from shoal.neighbors.k_neighbors import KNeighbors
from shoal.statistics.keyed_sample import KeyedSample
from shoal.statistics.purpose import Purpose

_SEED = 0


def recall(
    model: KNeighbors, X: Any, n_neighbors: int | None = None, *, n_queries: int = 1000
) -> float:
    r"""Measure the share of true neighbours that a model finds.

    For a sample :math:`Q` of the queries it is :math:`\frac{1}{k |Q|} \sum_{q \in Q}
    |\{i \le k : d_i(q) \le t(q)\}|`, where :math:`d_i(q)` are the distances of what the model's
    index finds and :math:`t(q)` is that of the k-th neighbour among all rows. It is 1 for exact
    indexes.

    Parameters
    ----------
    model : NearestNeighbors, KNeighborsClassifier or KNeighborsRegressor
        Fitted.
    X : path, array-like, sparse matrix, data frame, Dask collection or Dataset
        Queries such as will be asked. Not the model's own rows: each would find itself.
    n_neighbors : int, default=None
        By default those of the constructor.
    n_queries : int, default=1000
        Size of the sample; it is the same for the same `X`.

    Returns
    -------
    recall : float
        Between 0 and 1.

    Raises
    ------
    NotFittedError, DataError, FileError
    ParameterError
        `n_queries` is not positive, or `n_neighbors` more than there are rows.

    Notes
    -----
    A pass over the queries, and one over the model's rows.

    Examples
    --------
    >>> import numpy as np
    >>> from shoal.neighbors import NearestNeighbors, recall
    >>> X = np.random.default_rng(0).normal(size=(2000, 4))
    >>> model = NearestNeighbors(algorithm="partition", n_probe=3).fit(X[:1500])
    >>> 0.5 < recall(model, X[1500:], n_neighbors=3) < 1
    True
    >>> recall(NearestNeighbors().fit(X[:1500]), X[1500:])
    1.0
    """
    check_is_fitted(model, "index_")
    if n_queries < 1:
        raise ParameterError(f"n_queries={n_queries} leaves no query to ask. Give at least 1.")
    index = model.index_
    dataset = model.query_dataset(X)
    k = model.checked_n_neighbors(n_neighbors, dataset.n_rows)
    sample = KeyedSample(n_queries, dataset.n_features, dataset.dtype, _SEED, Purpose.RECALL)
    queries = current_engine().fold(dataset, sample).X
    found = index.query(queries, k).distances
    exact = build_index(Brute.name, index.database, index.metric, model.leaf_size)
    truth = exact.query(queries, k).distances
    return float(np.mean(found <= truth[:, -1:]))

"""Classification by all rows within a radius."""

import warnings
from collections.abc import Callable, Iterator
from os import PathLike
from typing import Any

import numpy as np

from shoal._typing import AnyArray, Float64Array, Int64Array
from shoal.data.block import Block
from shoal.exceptions import DataError, ParameterError
from shoal.neighbors.radius_neighbors import QUERY_BYTES, RadiusNeighbors
from shoal.neighbors.targets import Targets
from shoal.neighbors.voting import VotingClassifier
from shoal.neighbors.weights import Weights, pair_weights


class RadiusNeighborsClassifier(VotingClassifier, RadiusNeighbors):
    r"""Classification by the votes of all rows within a radius, exact, among data of any size.

    The label of a query is the class :math:`c` of the largest :math:`\sum_i w_i [y_i = c]` over
    the rows at a distance of at most `radius`, the first of equal ones.

    Parameters
    ----------
    radius : float, default=1.0
    weights : {"uniform", "distance"} or callable, default="uniform"
        What neighbours count for: the same; :math:`1 / d`, where neighbours at distance 0 leave
        nothing to others; or what a function makes of the array of a query's distances: a finite
        number for each, as many as there are neighbours.
    algorithm : {"auto", "brute", "kd_tree", "partition", "hnsw"}, default="auto"
        As for `NearestNeighbors`.
    leaf_size : int, default=30
        Rows of a leaf of ``"kd_tree"``.
    n_probe : int, default=None
        Groups of ``"partition"`` that a query looks at, as for `NearestNeighbors`; None: exact.
    p : float, default=2
        Power of ``"minkowski"``: 2 is euclidean.
    metric : str or callable, default="minkowski"
        As for `NearestNeighbors`.
    outlier_label : label, "most_frequent", list of labels or None, default=None
        The class of queries that nobody votes for: a label, one for each output, or the most
        frequent class of the rows. None: such queries are an error.
    metric_params : dict, default=None
        More arguments of the metric.
    n_jobs : int, default=None
        Accepted for scikit-learn's sake: the engine decides on threads and workers.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,), or list of one for each output
        Ascending.
    outlier_label_ : list, one for each output, or None
    outputs_2d_ : bool
        Whether there are several outputs.
    algorithm_ : str
        The index in use: what ``"auto"`` chose.
    index_ : Index
        The rows, and how neighbours are found among them. ``pickle`` stores it; `save_model`
        stores rows that are in memory, to build it again.
    effective_metric_ : str or callable
    effective_metric_params_ : dict
    n_samples_fit_ : int
        Rows that the model has.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the features, if the data have names.

    Raises
    ------
    DataError, FileError, MemoryBudgetError, EngineError
        See `shoal.exceptions`. A query without neighbours is a DataError unless there is an
        `outlier_label`.

    Warns
    -----
    UserWarning
        By `predict_proba`, where the outliers' label is no class: their shares are all 0.
    DataConversionWarning
        Targets are a matrix of one column, and are taken as a vector.

    Notes
    -----
    A fit reads every row once, and keeps targets in memory; a prediction is a pass over the
    model's rows for every 32 MB of queries. Votes are added in the order of the
    neighbours, so predictions are the same to the last bit for any engine, budget and index.

    Unlike scikit-learn's, it takes rows and queries on disk or on a cluster, and rows can be added
    (`partial_fit`) and taken away (`forget`).

    References
    ----------
    T. M. Cover and P. E. Hart, "Nearest neighbor pattern classification", IEEE Trans. Inf. Theory
    13 (1967).

    Examples
    --------
    >>> from shoal.neighbors import RadiusNeighborsClassifier
    >>> model = RadiusNeighborsClassifier(1.0, outlier_label="c")
    >>> model.fit([[0.0], [1.0], [2.0], [3.0]], ["a", "a", "b", "b"]).predict([[0.1], [9]]).tolist()
    ['a', 'c']
    """

    def __init__(
        self,
        radius: float = 1.0,
        *,
        weights: Weights = "uniform",
        algorithm: str = "auto",
        leaf_size: int = 30,
        n_probe: int | None = None,
        p: float = 2,
        metric: str | Callable[..., float] = "minkowski",
        outlier_label: Any = None,
        metric_params: dict[str, Any] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.radius = radius
        self.weights = weights
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.n_probe = n_probe
        self.p = p
        self.metric = metric
        self.outlier_label = outlier_label
        self.metric_params = metric_params
        self.n_jobs = n_jobs

    def predict_proba(self, X: Any) -> Any:
        shares = super().predict_proba(X)
        labels = self.outlier_label_ or []
        for output, (label, classes) in enumerate(zip(labels, self._classes, strict=False)):
            one = shares if self._targets.is_1d else shares[output]
            if label not in classes and not one.any(axis=1).all():
                warnings.warn(
                    f"Outlier label {label} is not in training classes. All class probabilities "
                    "of outliers will be assigned with 0.",
                    stacklevel=2,
                )
        return shares

    def _voters(self, own: bool) -> Callable[[Block], tuple[Int64Array, Int64Array, Float64Array]]:
        def voters(block: Block) -> tuple[Int64Array, Int64Array, Float64Array]:
            found = self._found(block, None, own)
            weights = pair_weights(self.weights, found.distances, found.queries, block.n_rows)
            return found.queries, found.rows, weights

        return voters

    def _batches(self, X: Any, out: str | PathLike[str] | None) -> tuple[int, Iterator[Block]]:
        n_queries, batches = self._queries(X, out)
        return n_queries, batches(QUERY_BYTES + 16 * sum(map(len, self._classes)))

    def _counted(
        self,
        output: int,
        n_queries: int,
        queries: Int64Array,
        rows: Int64Array,
        weights: Float64Array,
    ) -> Float64Array:
        votes = super()._counted(output, n_queries, queries, rows, weights)
        outliers = ~votes.any(axis=1)
        if not outliers.any():
            return votes
        if self.outlier_label_ is None:
            raise DataError(
                f"No neighbors found for {np.count_nonzero(outliers)} of the queries, the first "
                f"of them {int(outliers.argmax())} rows into a batch. You can try using larger "
                "radius, giving a label for outliers, or considering removing them from your "
                "dataset."
            )
        votes[outliers] += self._classes[output] == self.outlier_label_[output]
        return votes

    def _labels(self, votes: list[Float64Array]) -> AnyArray:
        labels = super()._labels(votes).reshape(len(votes[0]), -1)
        for output, one in enumerate(votes):
            outliers = ~one.any(axis=1)
            if outliers.any():
                assert self.outlier_label_ is not None
                label = np.asarray(self.outlier_label_[output])
                if labels.dtype.kind in "US":
                    labels = labels.astype(np.result_type(labels, label))
                labels[outliers, output] = label
        return self._targets.shaped(labels)

    def _keep_targets(self, targets: Targets) -> None:
        super()._keep_targets(targets)
        self.outlier_label_ = self._outlier_labels()

    def _outlier_labels(self) -> list[Any] | None:
        """The label of outliers of each output."""
        label, classes = self.outlier_label, self._classes
        if label is None:
            return None
        if isinstance(label, str) and label == "most_frequent":
            counts = (np.bincount(codes) for codes in self._codes.T)
            return [one[count.argmax()] for one, count in zip(classes, counts, strict=True)]
        labels = [label] * len(classes) if np.ndim(label) == 0 else list(label)
        if len(labels) != len(classes):
            raise ParameterError(
                f"The length of outlier_label: {labels} is inconsistent with the output length: "
                f"{len(classes)}"
            )
        for one, kind in zip(labels, classes, strict=True):
            if np.ndim(one) or (np.asarray(one).dtype.kind in "US") != (kind.dtype.kind in "USO"):
                raise ParameterError(
                    f"The outlier_label of classes {kind} is supposed to be a scalar of their "
                    f"kind, but got {one!r}."
                )
        return labels

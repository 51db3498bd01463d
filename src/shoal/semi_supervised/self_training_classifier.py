"""A classifier that learns from its own confident predictions."""

import warnings
from collections.abc import Callable, Sequence
from os import PathLike
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from shoal._typing import AnyArray, Int32Array, Int64Array
from shoal._validation import check_choice, check_number
from shoal.callbacks import logger, make_log_visible
from shoal.data.validation import fit_dataset, predict_dataset, target_role
from shoal.engines.current import current_engine
from shoal.exceptions import ParameterError
from shoal.neighbors.targets import scored_rows
from shoal.semi_supervised.affinity import require_all
from shoal.semi_supervised.graph_model import in_memory
from shoal.semi_supervised.training_rows import HeldRows, StreamedRows, TrainingRows
from shoal.solvers.fitting import restored_on_error
from shoal.statistics.known_targets import UNKNOWN, KnownLabels
from shoal.statistics.range import look_at_all_rows


def _estimator_has(name: str) -> Callable[[Any], bool]:
    """Whether the estimator inside has such a method."""

    def check(model: Any) -> bool:
        return hasattr(getattr(model, "estimator_", model.estimator), name)

    return check


class SelfTrainingClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Self-training: a classifier that is fitted again and again, to its own predictions too.

    The classifier is fitted to the labelled rows. Unlabelled rows of whose class it is most
    confident are given that label, and it is fitted to them as well, until there are no such rows
    or steps left.

    Parameters
    ----------
    estimator : estimator
        A classifier with ``predict_proba``, of Shoal's or of scikit-learn's kind. Shoal's are
        fitted in passes over rows that may be on disk or on a cluster; others to arrays in memory.
    threshold : float, default=0.75
        With ``criterion="threshold"``, rows whose likeliest class is more probable than this are
        labelled; in [0, 1).
    criterion : {"threshold", "k_best"}, default="threshold"
        Whether confident rows are those above `threshold`, or the `k_best` most confident ones.
    k_best : int, default=10
        How many rows are labelled in a step, with ``criterion="k_best"``.
    max_iter : int or None, default=10
        Most steps; None for as many as label a row. 0 fits to the labelled rows alone.
    verbose : bool, default=False
        Whether a line a step goes to the logger ``"shoal"``.

    Attributes
    ----------
    estimator_ : estimator
        The fitted classifier.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    transduction_ : ndarray of shape (n_rows,)
        The label of each row in the last fit; -1, or None for labels that are no signed numbers,
        where it has none.
    labeled_iter_ : ndarray of shape (n_rows,), int64
        The step in which each row was labelled: 0 where it had a label, -1 where it has none.
    n_iter_ : int
        Steps taken.
    termination_condition_ : {"max_iter", "no_change", "all_labeled"}
        Why the fit ended: after `max_iter` steps, as no row was confident enough, or as all rows
        are labelled.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the features, if the data have names.

    Raises
    ------
    DataError
        No label is known, targets are no labels, or values are missing.
    ParameterError
        A parameter makes no sense, or the estimator has no ``predict_proba``.

    Warns
    -----
    UserWarning
        All rows are labelled, or `k_best` is more than the rows that are not.

    Notes
    -----
    Passes: one to find bad values, and in each step those of a fit to the labelled rows and one
    over the others. Memory, beside that of the classifier: 50 bytes a row for labels, masks and
    confidences, and probabilities of about a million rows at a time. With a classifier of Shoal,
    the result is the same to the last bit for any engine, threads, workers, budget and files.

    Unlike scikit-learn's, labels may be missing instead of -1, and arrays of text are taken; of
    equally confident rows the first are labelled; missing features are an error with any
    estimator; metadata are not routed.

    References
    ----------
    D. Yarowsky, "Unsupervised word sense disambiguation rivaling supervised methods", ACL 1995.

    Examples
    --------
    >>> from shoal.linear_model import LogisticRegression
    >>> from shoal.semi_supervised import SelfTrainingClassifier
    >>> X = [[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]]
    >>> model = SelfTrainingClassifier(LogisticRegression()).fit(X, [0, -1, -1, 1, -1, -1])
    >>> model.transduction_.tolist(), model.labeled_iter_.tolist()
    ([0, 0, 0, 1, 1, 1], [0, 1, 1, 0, 1, 1])
    >>> model.termination_condition_
    'all_labeled'
    """

    def __init__(
        self,
        estimator: Any = None,
        threshold: float = 0.75,
        criterion: str = "threshold",
        k_best: int = 10,
        max_iter: int | None = 10,
        verbose: bool = False,
    ) -> None:
        self.estimator = estimator
        self.threshold = threshold
        self.criterion = criterion
        self.k_best = k_best
        self.max_iter = max_iter
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, *, features: Sequence[str | int] | None = None) -> Self:
        """Fit the classifier to labelled rows, and to those that it labels.

        Parameters
        ----------
        X : path, glob, folder, array-like, sparse matrix, data frame, Dask collection or Dataset
            Whatever `shoal.open_dataset` takes, of shape (n_rows, n_features).
        y : array-like of shape (n_rows,), or column name
            The label of each row: -1, None, NaN or null where it is unknown. Not needed where a
            Dataset has a target.
        features : sequence of str or int, default=None
            The columns to learn from; all but `y` by default.

        Returns
        -------
        self
        """
        self._check_parameters()
        with restored_on_error(self):
            dataset = fit_dataset(self, X, target=target_role(self, X, y), features=features)
            found = KnownLabels.of(dataset)
            self._warn(found)
            dataset = dataset.with_target(None)
            # Bad values are found now, while messages can say in which row.
            require_all(look_at_all_rows(dataset), dataset.n_rows)
            current_engine().release(dataset)
            self.estimator_ = clone(self.estimator)
            is_ours = _is_ours(self.estimator_)
            rows = StreamedRows(dataset) if is_ours else HeldRows(in_memory(dataset))
            self._train(rows, found.classes, found.codes)
            if is_ours and not hasattr(self, "feature_names_in_"):
                # Of datasets, whose columns always have names.
                del self.estimator_.feature_names_in_
        return self

    @available_if(_estimator_has("predict"))
    def predict(self, X: Any, *, out: str | PathLike[str] | None = None) -> Any:
        """Predict the label of each row.

        Parameters
        ----------
        X : path, array-like, sparse matrix, data frame, Dask collection or Dataset
            Rows with the features of the fit. Files may have more columns.
        out : path, default=None
            A Parquet file to write instead, by a classifier of Shoal: one column, ``label``, one
            row a row of `X`, null where a row was dropped. It appears whole or not at all.

        Returns
        -------
        labels : ndarray of shape (n_rows,), or pathlib.Path
            The path, with `out`.

        Raises
        ------
        ParameterError
            `out` is given, and the classifier is not one of Shoal.
        """
        if out is None:
            return self._ask("predict", X)
        check_is_fitted(self)
        if not _is_ours(self.estimator_):
            raise ParameterError(
                f"out={str(out)!r}: {type(self.estimator_).__name__} predicts in memory. Write "
                "what predict returns."
            )
        return self.estimator_.predict(predict_dataset(self, X), out=out)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Give the share of rows whose label is predicted.

        Memory of the targets and of as many predictions.

        Parameters
        ----------
        X : as for `predict`
        y : array-like of shape (n_rows,), or column name
            None where `X` is a Dataset with a target.
        sample_weight : array-like of shape (n_rows,), default=None

        Returns
        -------
        accuracy : float

        Raises
        ------
        NotFittedError, DataError, FileError
        """
        check_is_fitted(self)
        X, y = scored_rows(self, X, y)
        return float(super().score(X, y, sample_weight))

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X: Any) -> Any:
        """Give the probability of each class.

        Parameters
        ----------
        X : as for `predict`

        Returns
        -------
        probabilities : ndarray of shape (n_rows, n_classes)
        """
        return self._ask("predict_proba", X)

    @available_if(_estimator_has("predict_log_proba"))
    def predict_log_proba(self, X: Any) -> Any:
        """Give the logarithm of the probability of each class.

        Parameters
        ----------
        X : as for `predict`

        Returns
        -------
        log_probabilities : ndarray of shape (n_rows, n_classes)
        """
        return self._ask("predict_log_proba", X)

    @available_if(_estimator_has("decision_function"))
    def decision_function(self, X: Any) -> Any:
        """Give the decision function of the classifier.

        Parameters
        ----------
        X : as for `predict`

        Returns
        -------
        decisions : ndarray of shape (n_rows,) or (n_rows, n_classes)
        """
        return self._ask("decision_function", X)

    def _train(self, rows: TrainingRows, classes: AnyArray, codes: Int32Array) -> None:
        """Fit `estimator_`, and set the attributes that say how."""
        labeled_iter = np.where(codes == UNKNOWN, -1, 0)
        self.n_iter_, self.termination_condition_ = 0, "max_iter"
        while True:
            known = codes != UNKNOWN
            rows.fit(self.estimator_, known, classes[codes[known]])
            if known.all():
                self.termination_condition_ = "all_labeled"
                break
            if self.n_iter_ == self.max_iter:
                break
            self._require_probabilities()
            self.n_iter_ += 1
            chosen, found = self._confident(rows, np.flatnonzero(~known), ~known)
            if not len(chosen):
                if self.n_iter_ != self.max_iter:
                    self.termination_condition_ = "no_change"
                break
            codes[chosen] = np.searchsorted(classes, self.estimator_.classes_)[found]
            labeled_iter[chosen] = self.n_iter_
            self._log(len(chosen))
        self.labeled_iter_ = labeled_iter
        self.transduction_ = _labels(classes, codes)
        self.classes_ = self.estimator_.classes_

    def _confident(
        self, rows: TrainingRows, numbers: Int64Array, unknown: AnyArray
    ) -> tuple[Int64Array, Int32Array]:
        """Numbers of the rows to be labelled, and which class of the estimator each is of."""
        confidence, found = np.empty(len(numbers)), np.empty(len(numbers), dtype=np.int32)
        start = 0
        for probabilities in rows.probabilities(self.estimator_, unknown):
            here = slice(start, start := start + len(probabilities))
            found[here] = probabilities.argmax(axis=1)
            confidence[here] = probabilities.max(axis=1)
        if self.criterion == "threshold":
            chosen = np.flatnonzero(confidence > self.threshold)
        else:
            # Of equally confident rows, the first.
            chosen = np.argsort(-confidence, kind="stable")[: self.k_best]
        return numbers[chosen], found[chosen]

    def _ask(self, method: str, X: Any) -> Any:
        """What a method of the fitted classifier makes of rows."""
        check_is_fitted(self)
        dataset = predict_dataset(self, X)
        rows = dataset if _is_ours(self.estimator_) else in_memory(dataset)
        return getattr(self.estimator_, method)(rows)

    def _check_parameters(self) -> None:
        check_number(self, "threshold", 0)
        if not self.threshold < 1:
            raise ParameterError(
                "The 'threshold' parameter of SelfTrainingClassifier must be a float in the range "
                f"[0, 1). Got {self.threshold!r} instead."
            )
        check_choice(self, "criterion", ("threshold", "k_best"))
        check_number(self, "k_best", 1, integer=True)
        check_number(self, "max_iter", 0, integer=True, optional=True)
        if not hasattr(self.estimator, "fit"):
            raise ParameterError(f"estimator={self.estimator!r}: give a classifier.")

    def _require_probabilities(self) -> None:
        # Some have the method once they are fitted.
        if not hasattr(self.estimator_, "predict_proba"):
            raise ParameterError(
                f"{type(self.estimator_).__name__} has no predict_proba, which says how confident "
                "it is. Give a classifier that has, or calibrate this one."
            )

    def _warn(self, found: KnownLabels) -> None:
        n_unknown = len(found.codes) - found.n_known
        if not n_unknown:
            warnings.warn("y contains no unlabeled samples", UserWarning, stacklevel=3)
        if self.criterion == "k_best" and self.k_best > n_unknown:
            warnings.warn(
                "k_best is larger than the amount of unlabeled samples. All unlabeled samples will "
                "be labeled in the first iteration",
                UserWarning,
                stacklevel=3,
            )

    def _log(self, n_labelled: int) -> None:
        if self.verbose:
            make_log_visible()
            logger.info(
                "SelfTrainingClassifier: step %d labelled %d rows", self.n_iter_, n_labelled
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if self.estimator is not None:
            tags.input_tags.sparse = get_tags(self.estimator).input_tags.sparse
        return tags


def _is_ours(estimator: Any) -> bool:
    """Whether an estimator takes datasets."""
    return type(estimator).__module__.startswith("shoal.")


def _labels(classes: AnyArray, codes: Int32Array) -> AnyArray:
    """The label of each row; -1, or None where that is no label's type, where it has none."""
    unknown = codes == UNKNOWN
    labels = classes[codes]
    if unknown.any() and classes.dtype.kind not in "if":
        labels = labels.astype(object)
        labels[unknown] = None
    else:
        labels[unknown] = UNKNOWN
    return labels

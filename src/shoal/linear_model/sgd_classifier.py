"""Classification by stochastic gradient descent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Self

import numpy as np
from sklearn.utils.metaestimators import available_if

from shoal._typing import AnyArray, Float64Array
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.target_classes import without_objects
from shoal.data.validation import fit_dataset, predict_dataset, target_role
from shoal.engines.row_values import gathered
from shoal.exceptions import DataError, ParameterError
from shoal.linear_model.linear_classifier import LinearClassifier
from shoal.linear_model.linear_predictor import RawPredictions
from shoal.linear_model.sgd_model import REGRESSION_LOSSES, SGDModel, Task
from shoal.linear_model.target import (
    ClassWeight,
    coded,
    found_classes,
    present_classes,
)
from shoal.losses import HalfBinomial, Hinge, Loss, ModifiedHuber, Perceptron, SquaredHinge
from shoal.solvers.fitting import restored_on_error
from shoal.statistics.classes import ClassWeights

#: Losses of two classes by scikit-learn's names, given epsilon; numbers of classes are -1 and 1 for
#: the others.
CLASSIFICATION_LOSSES: dict[str, Callable[[float], Loss]] = {
    "hinge": lambda epsilon: Hinge(),
    "log_loss": lambda epsilon: HalfBinomial(),
    "modified_huber": lambda epsilon: ModifiedHuber(),
    "squared_hinge": lambda epsilon: SquaredHinge(),
    "perceptron": lambda epsilon: Perceptron(),
    **REGRESSION_LOSSES,
}


def _has_probabilities(model: Any) -> bool:
    """Whether raw predictions say how probable classes are."""
    if model.loss not in ("log_loss", "modified_huber"):
        raise AttributeError(f"probability estimates are not available for loss={model.loss!r}")
    return True


class SGDClassifier(LinearClassifier, SGDModel):
    r"""Linear classification by stochastic gradient descent, on data of any size.

    Every step goes down the gradient of the loss of one row, or of a few,

    .. math:: w \leftarrow w - \eta_t \left( s_i \, \ell'(y_i, w x_i + b) \, x_i
              + \alpha \nabla R(w) \right), \qquad
              b \leftarrow b - \eta_t \, s_i \, \ell'(y_i, w x_i + b)

    Of more than two classes, each is told from all others by coefficients of its own, all in the
    same pass. Every fitted attribute is the same to the last bit for any engine, number of threads
    or workers and memory budget, and after any worker's death.

    Parameters
    ----------
    loss : {"hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron", \
            "squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive"}, \
            default="hinge"
        ``"hinge"`` makes a linear support vector machine, ``"log_loss"`` logistic regression; those
        of regression take the classes for -1 and 1.
    penalty : {"l2", "l1", "elasticnet"} or None, default="l2"
        The intercept is not penalised. L1 makes weights zero: what it asks of each weight is
        counted and taken as far as there is weight to take (Tsuruoka et al., 2009).
    alpha : float, default=1e-4
        Strength of the penalty; also the rate of ``learning_rate="optimal"``.
    l1_ratio : float, default=0.15
        The share of L1 in ``"elasticnet"``, in [0, 1].
    fit_intercept : bool, default=True
    max_iter : int, default=1000
        Most epochs.
    tol : float or None, default=1e-3
        The fit ends once the mean loss has not fallen by `tol` below its least so far in
        `n_iter_no_change` epochs in a row. None: never.
    shuffle : bool, default=True
        Whether rows are visited in another random order in each epoch. Windows of up to 65,536
        rows (and 4 MiB) come in row order, so that data on disk are read in long runs; within one,
        any row may come anywhere. False: in row order.
    verbose : int, default=0
        1 logs a line an epoch to the logger ``"shoal"``.
    epsilon : float, default=0.1
        Of the losses that have one: errors up to it are free, or square (Huber).
    n_jobs : ignored
        Engines have threads: ``with LocalEngine(n_threads=...):``.
    random_state : int, RandomState or None, default=None
        Key of the orders and of what is held out.
    learning_rate : {"constant", "optimal", "invscaling", "adaptive"}, default="optimal"
        The rate :math:`\eta_t` of step t: `eta0`; ``1 / (alpha (t_0 + t))`` with Bottou's
        :math:`t_0`; ``eta0 / t ** power_t``; or `eta0`, divided by 5 instead of ending the fit,
        until it is 1e-6.
    eta0 : float, default=0.01
    power_t : float, default=0.5
    early_stopping : bool, default=False
        Whether the loss that must fall is the mean loss of held-out rows: of `validation` given to
        ``fit``, else of `validation_fraction` of the rows. It costs a pass an epoch.
    validation_fraction : float, default=0.1
        Share of the rows that are held out, chosen by random keys of row numbers.
    n_iter_no_change : int, default=5
    class_weight : dict or "balanced", default=None
        Weight of each label, 1 for those not named; or in inverse proportion to the weight of its
        rows, in `partial_fit` of all rows so far, which scikit-learn refuses. Of more than two
        classes, a row weighs the same in telling any of them apart, as in `LogisticRegression`;
        scikit-learn has the others of a class weigh 1.
    warm_start : bool, default=False
        Whether ``fit`` begins with the coefficients of the last fit, if they are of the same shape.
    average : bool or int, default=False
        Whether coefficients are averaged over steps: all, or those from step `average` on. With
        L1 they are as each step leaves them; scikit-learn takes what L1 cuts off from all earlier
        steps too, so that its average is not that of its steps.
    batch_size : int, default=1
        Rows of a step, whose gradients are averaged; the last of a window may have fewer.
    optimizer : {"sgd", "momentum", "adagrad", "adam"}, default="sgd"
        How steps follow gradients. All but ``"sgd"`` touch every coefficient in every step: use a
        larger `batch_size`, and ``learning_rate="constant"`` with AdaGrad and Adam.
    momentum : float, default=0.9
        Of ``"momentum"``.
    nesterovs_momentum : bool, default=True
        Whether ``"momentum"`` looks ahead.
    n_replicas : int or None, default=None
        Groups of rows that are learnt from side by side, each beginning an epoch with the same
        coefficients, which are averaged at its end. They are what threads and workers share, and
        the result depends on their number, not on that of threads or workers. None: a power of two,
        one for every 4 cells of the data (row groups, or 65,536 rows of an array), at most 64.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Of the type of the data.
    intercept_ : ndarray of shape (1,) or (n_classes,), float64
    n_iter_ : int
        Epochs.
    t_ : float
        Steps made, and 1; of several replicas, those of one of them.
    loss_curve_ : list of float
        Mean loss that each epoch met before its steps, without penalty, summed over the classes.
    class_weights_ : ndarray of shape (n_classes,), float64
        Weight of the rows of each class that were learnt from.
    solver_state_ : dict
        What `partial_fit` goes on from.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the features, if the data have names.

    Raises
    ------
    DataError
        One class, targets that are no labels, labels unseen in `partial_fit`; see
        `shoal.exceptions` for others.
    DivergenceError
        The loss rises without bound; names a rate that is safe for the data.

    Warns
    -----
    ConvergenceWarning
        `max_iter` epochs were not enough.

    Notes
    -----
    Passes: one over the targets, one an epoch, two with early stopping. Memory: some
    :math:`O(n\_outputs \cdot n\_features)` a thread, and 4 MiB for data in column order.
    What is communicated an epoch is the coefficients, to each replica and back.

    Coefficients and dot products are of the type of the data, float32 or float64, as in
    scikit-learn. Products and sums are rounded one by one in a fixed order, so every processor
    computes the same bits. Differences to scikit-learn: rows are weighted in the loss that is
    watched; early stopping watches the loss, not the score; all classes
    stop together; other random orders, so
    coefficients agree as closely as those of two seeds do.

    References
    ----------
    H. Robbins and S. Monro, "A stochastic approximation method", Ann. Math. Stat. 22 (1951).
    L. Bottou, "Stochastic gradient descent tricks", Neural Networks: Tricks of the Trade (2012).
    Y. Tsuruoka, J. Tsujii and S. Ananiadou, "Stochastic gradient descent training for
    L1-regularized log-linear models with cumulative penalty", ACL 2009.
    M. Zinkevich, M. Weimer, A. Smola and L. Li, "Parallelized stochastic gradient descent",
    NIPS 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from shoal.linear_model import SGDClassifier
    >>> X = np.random.default_rng(0).normal(size=(1000, 2))
    >>> y = np.where(X @ [1.0, -2.0] > 0, "yes", "no")
    >>> model = SGDClassifier(random_state=0).fit(X, y)
    >>> model.predict([[3.0, 0.0], [0.0, 3.0]]).tolist()
    ['yes', 'no']
    """

    def __init__(
        self,
        loss: str = "hinge",
        *,
        penalty: str | None = "l2",
        alpha: float = 0.0001,
        l1_ratio: float = 0.15,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = 1e-3,
        shuffle: bool = True,
        verbose: int = 0,
        epsilon: float = 0.1,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        learning_rate: str = "optimal",
        eta0: float = 0.01,
        power_t: float = 0.5,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        class_weight: ClassWeight = None,
        warm_start: bool = False,
        average: bool | int = False,
        batch_size: int = 1,
        optimizer: str = "sgd",
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        n_replicas: int | None = None,
    ) -> None:
        self.loss = loss
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.shuffle = shuffle
        self.verbose = verbose
        self.epsilon = epsilon
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.power_t = power_t
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.average = average
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.n_replicas = n_replicas

    def fit(
        self,
        X: Any,
        y: Any = None,
        coef_init: Any = None,
        intercept_init: Any = None,
        sample_weight: Any = None,
        *,
        features: Sequence[str | int] | None = None,
        validation: Any = None,
        checkpoint: str | PathLike[str] | None = None,
    ) -> Self:
        """Find the coefficients.

        Parameters
        ----------
        X : path, glob, folder, array-like, sparse matrix, data frame, Dask collection or Dataset
            Whatever `shoal.open_dataset` takes, of shape (n_rows, n_features).
        y : array-like of shape (n_rows,), or column name
            Labels: whole numbers, booleans or text. None where `X` is a Dataset with a target.
        coef_init, intercept_init : array-like, default=None
            Where the descent begins; zeros by default.
        sample_weight : array-like of shape (n_rows,) or column name, default=None
            What the gradient of each row is multiplied by, not negative.
        features : sequence of str or int, default=None
            The columns to learn from; all but target and weight by default.
        validation : (X, y) or Dataset, default=None
            Rows whose loss ``early_stopping`` watches.
        checkpoint : path, default=None
            A file that the fit goes on from if it exists, and that it keeps up to date: a fit
            that was killed and is called again ends with the same bits.

        Returns
        -------
        self
        """
        self._check_parameters(CLASSIFICATION_LOSSES)
        with restored_on_error(self):
            dataset = fit_dataset(
                self,
                X,
                target=target_role(self, X, y),
                sample_weight=sample_weight,
                features=features,
            )
            found = found_classes(dataset)
            task = self._task(len(found.labels))
            dataset = coded(dataset, found, _codes(task, len(found.labels)), self.class_weight)
            start = self._start(dataset, task, coef_init, intercept_init)
            held_out = self._validation_dataset(validation, found, task)
            self._run(dataset, X, task, start, checkpoint=checkpoint, validation=held_out)
            self.classes_, self.class_weights_ = found.labels, found.weights
        return self

    def partial_fit(
        self, X: Any, y: Any = None, classes: Any = None, sample_weight: Any = None
    ) -> Self:
        """Make one epoch over the rows of `X`, from where the last call ended.

        Parameters
        ----------
        X : as for `fit`
            The next rows of a stream: a matrix, or files that need not fit in memory.
        y : as for `fit`
        classes : array-like of shape (n_classes,), default=None
            All labels there will ever be; needed in the first call.
        sample_weight : as for `fit`

        Returns
        -------
        self
        """
        self._check_parameters(CLASSIFICATION_LOSSES, partial_fit=True)
        labels = self._labels(classes)
        if hasattr(self, "solver_state_"):
            predict_dataset(self, X)
        with restored_on_error(self):
            dataset = fit_dataset(
                self, X, target=target_role(self, X, y), sample_weight=sample_weight
            )
            seen = self._seen(labels, present_classes(dataset))
            task = self._task(len(labels))
            dataset = coded(dataset, seen, _codes(task, len(labels)), self.class_weight)
            start = self._going_on(dataset, task)
            self._run(dataset, X, task, start, max_iter=1)
            self.classes_, self.class_weights_ = seen.labels, seen.weights
        return self

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> Float64Array:
        r"""Give the probability of each class.

        For ``loss="log_loss"``, :math:`1 / (1 + e^{-r})`; for ``"modified_huber"``, r from -1 to 1
        moved to 0 to 1 (Zadrozny and Elkan, KDD 2002). Of more than two classes these are divided
        by their sum. One pass, memory of the result.

        Parameters
        ----------
        X : as for `decision_function`

        Returns
        -------
        probabilities : ndarray of shape (n_rows, n_classes), float64
            In the order of ``classes_``; NaN for rows dropped by ``missing="drop"``.
        """
        dataset = self._opened(X)
        probabilities = _Probabilities(self._raw(), self.loss)
        return gathered(dataset, probabilities, np.float64, np.nan, self.classes_.shape)

    @available_if(_has_probabilities)
    def predict_log_proba(self, X: Any) -> Float64Array:
        """Give the logarithm of the probability of each class.

        One pass, memory of the result.

        Parameters
        ----------
        X : as for `decision_function`

        Returns
        -------
        log_probabilities : ndarray of shape (n_rows, n_classes), float64
        """
        probabilities: Float64Array = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return np.log(probabilities)

    def _task(self, n_classes: int) -> Task:
        """What is learnt: a side for each row, or for each row and class."""
        loss = CLASSIFICATION_LOSSES[self.loss](self.epsilon)
        return Task(loss, loss.labels or (-1.0, 1.0), 1 if n_classes == 2 else n_classes)

    def _labels(self, classes: Any) -> AnyArray:
        """The labels that `partial_fit` tells apart."""
        known: AnyArray | None = getattr(self, "classes_", None)
        if classes is None and known is None:
            raise ParameterError("classes must be passed on the first call to partial_fit.")
        if classes is None:
            assert known is not None
            return known
        labels = np.unique(without_objects(np.asarray(classes)))
        if known is not None and not np.array_equal(labels, known):
            raise ParameterError(
                f"classes={classes!r} is not the same as on last call to partial_fit, was: "
                f"{known!r}."
            )
        if len(labels) < 2:
            raise DataError(f"classes must name at least 2 classes, got one class: {classes!r}.")
        return labels

    def _seen(self, labels: AnyArray, found: ClassWeights) -> ClassWeights:
        """The labels, and weights of their rows up to now."""
        places = np.minimum(np.searchsorted(labels, found.labels), len(labels) - 1)
        unseen = labels[places] != found.labels
        if unseen.any():
            raise DataError(
                f"The target contains the label {found.labels[unseen].tolist()[0]!r}, which is "
                f"none of the classes {labels.tolist()} that the first call to partial_fit named."
            )
        weights = np.zeros(len(labels))
        weights += getattr(self, "class_weights_", 0.0)
        np.add.at(weights, places, found.weights)
        return ClassWeights(labels, weights)

    def _validation_dataset(
        self, validation: Any, found: ClassWeights, task: Task
    ) -> Dataset | None:
        if validation is None:
            return None
        X, y = (validation, None) if isinstance(validation, Dataset) else validation
        dataset = predict_dataset(self, X, target=target_role(self, X, y))
        return coded(dataset, found, _codes(task, len(found.labels)), None)


def _codes(task: Task, n_classes: int) -> Float64Array:
    """What stands for each class: its side where there are two, else its number."""
    if task.n_outputs == 1:
        return np.array(task.labels)
    return np.arange(n_classes, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class _Probabilities:
    """Probabilities of the classes for a block's rows, shape (n_rows, n_classes), float64."""

    raw: RawPredictions
    loss: str

    def __call__(self, block: Block) -> Float64Array:
        raw = self.raw(block)
        if raw.shape[1] == 1:
            return np.hstack([self._of(-raw), self._of(raw)])
        found = self._of(raw)
        total = found.sum(axis=1, keepdims=True)
        # Rows that are of no class for all outputs are as likely of any.
        found[total[:, 0] == 0] = 1.0
        normalised: Float64Array = found / np.where(total == 0, raw.shape[1], total)
        return normalised

    def _of(self, raw: Float64Array) -> Float64Array:
        if self.loss == "log_loss":
            return HalfBinomial().inverse_link(raw)
        return (np.clip(raw, -1.0, 1.0) + 1.0) / 2.0

"""Regression by stochastic gradient descent."""

from collections.abc import Sequence
from os import PathLike
from typing import Any, Self

import numpy as np

from shoal.data.dataset import Dataset
from shoal.data.validation import fit_dataset, predict_dataset, target_role
from shoal.linear_model.linear_regressor import LinearRegressor
from shoal.linear_model.sgd_model import REGRESSION_LOSSES, SGDModel, Task
from shoal.linear_model.target import check_numeric_column, numeric_target
from shoal.solvers.fitting import restored_on_error


class SGDRegressor(LinearRegressor, SGDModel):
    r"""Linear regression by stochastic gradient descent, on data of any size.

    Every step goes down the gradient of the loss of one row, or of a few,

    .. math:: w \leftarrow w - \eta_t \left( s_i \, \ell'(y_i, w x_i + b) \, x_i
              + \alpha \nabla R(w) \right), \qquad
              b \leftarrow b - \eta_t \, s_i \, \ell'(y_i, w x_i + b)

    Every fitted attribute is the same to the last bit for any engine, number of threads or
    workers and memory budget, and after any worker's death.

    Parameters
    ----------
    loss : {"squared_error", "huber", "epsilon_insensitive", "squared_epsilon_insensitive"}, \
            default="squared_error"
        ``"squared_error"`` is half of it, as in scikit-learn.
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
    random_state : int, RandomState or None, default=None
        Key of the orders and of what is held out.
    learning_rate : {"constant", "optimal", "invscaling", "adaptive"}, default="invscaling"
        The rate :math:`\eta_t` of step t: `eta0`; ``1 / (alpha (t_0 + t))`` with Bottou's
        :math:`t_0`; ``eta0 / t ** power_t``; or `eta0`, divided by 5 instead of ending the fit,
        until it is 1e-6.
    eta0 : float, default=0.01
    power_t : float, default=0.25
    early_stopping : bool, default=False
        Whether the loss that must fall is the mean loss of held-out rows: of `validation` given to
        ``fit``, else of `validation_fraction` of the rows. It costs a pass an epoch.
    validation_fraction : float, default=0.1
        Share of the rows that are held out, chosen by random keys of row numbers.
    n_iter_no_change : int, default=5
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
    coef_ : ndarray of shape (n_features,)
        Of the type of the data.
    intercept_ : ndarray of shape (1,), float64
    n_iter_ : int
        Epochs.
    t_ : float
        Steps made, and 1; of several replicas, those of one of them.
    loss_curve_ : list of float
        Mean loss that each epoch met before its steps, without penalty.
    solver_state_ : dict
        What `partial_fit` goes on from.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the features, if the data have names.

    Raises
    ------
    DataError
        Targets that are missing; see `shoal.exceptions` for others.
    DivergenceError
        The loss rises without bound; names a rate that is safe for the data.

    Warns
    -----
    ConvergenceWarning
        `max_iter` epochs were not enough.

    Notes
    -----
    Passes: one an epoch, two with early stopping. Memory: some
    :math:`O(n\_outputs \cdot n\_features)` a thread, and 4 MiB for data in column order.
    What is communicated an epoch is the coefficients, to each replica and back.

    Coefficients and dot products are of the type of the data, float32 or float64, as in
    scikit-learn. Products and sums are rounded one by one in a fixed order, so every processor
    computes the same bits. Differences to scikit-learn: rows are weighted in the loss that is
    watched; early stopping watches the loss, not the score; other random orders, so
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
    >>> from shoal.linear_model import SGDRegressor
    >>> X = np.random.default_rng(0).normal(size=(1000, 2))
    >>> model = SGDRegressor(random_state=0).fit(X, X @ [1.0, -2.0] + 3)
    >>> model.coef_.round(1).tolist(), model.intercept_.round(1).tolist()
    ([1.0, -2.0], [3.0])
    """

    def __init__(
        self,
        loss: str = "squared_error",
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
        random_state: int | np.random.RandomState | None = None,
        learning_rate: str = "invscaling",
        eta0: float = 0.01,
        power_t: float = 0.25,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
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
        self.random_state = random_state
        self.learning_rate = learning_rate
        self.eta0 = eta0
        self.power_t = power_t
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
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
            Numbers. None where `X` is a Dataset with a target.
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
        self._check_parameters(REGRESSION_LOSSES)
        with restored_on_error(self):
            dataset = self._dataset(X, y, sample_weight, features)
            task = self._task()
            start = self._start(dataset, task, coef_init, intercept_init)
            held_out = self._validation_dataset(validation)
            self._run(dataset, X, task, start, checkpoint=checkpoint, validation=held_out)
            self.coef_ = self.coef_[0]
        return self

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Make one epoch over the rows of `X`, from where the last call ended.

        Parameters
        ----------
        X : as for `fit`
            The next rows of a stream: a matrix, or files that need not fit in memory.
        y : as for `fit`
        sample_weight : as for `fit`

        Returns
        -------
        self
        """
        self._check_parameters(REGRESSION_LOSSES, partial_fit=True)
        if hasattr(self, "solver_state_"):
            predict_dataset(self, X)
        with restored_on_error(self):
            dataset = self._dataset(X, y, sample_weight, None)
            task = self._task()
            self._run(dataset, X, task, self._going_on(dataset, task), max_iter=1)
            self.coef_ = self.coef_[0]
        return self

    def _task(self) -> Task:
        return Task(REGRESSION_LOSSES[self.loss](self.epsilon))

    def _validation_dataset(self, validation: Any) -> Dataset | None:
        if validation is None:
            return None
        X, y = (validation, None) if isinstance(validation, Dataset) else validation
        return predict_dataset(self, X, target=numeric_target(target_role(self, X, y)))

    def _dataset(
        self, X: Any, y: Any, sample_weight: Any, features: Sequence[str | int] | None
    ) -> Dataset:
        role = numeric_target(target_role(self, X, y))
        dataset = fit_dataset(self, X, target=role, sample_weight=sample_weight, features=features)
        check_numeric_column(dataset)
        return dataset

"""What the classifier and the regressor by stochastic gradient descent share."""

import warnings
from abc import ABC
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from functools import partial
from os import PathLike
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from shoal import _archive
from shoal._typing import Float64Array
from shoal._validation import check_choice, check_number
from shoal.data.dataset import Dataset
from shoal.data.plan import row_bytes
from shoal.engines.current import current_engine
from shoal.engines.engine import Engine
from shoal.exceptions import DataError, ParameterError
from shoal.linear_model.held_out_loss import HeldOutLoss
from shoal.linear_model.linear_predictor import LinearPredictor
from shoal.losses import (
    EpsilonInsensitive,
    HalfSquaredError,
    Huber,
    Loss,
    SquaredEpsilonInsensitive,
)
from shoal.solvers.checkpoint import Checkpoint
from shoal.solvers.driver import run
from shoal.solvers.fitting import passes_over
from shoal.solvers.sgd import SGD, SGDState
from shoal.solvers.sgd_replica import Learning, Weights, Windows
from shoal.solvers.solver import Status
from shoal.statistics.range import Range

#: Replicas have so many cells each, but are no more than so many.
_CELLS_A_REPLICA, _MOST_REPLICAS = 4, 64
#: Intercepts learn so much slower from sparse rows, as every row moves them (Bottou, 2012).
_SPARSE_INTERCEPT = 0.01


#: Losses of numbers by scikit-learn's names, given epsilon.
REGRESSION_LOSSES: dict[str, Callable[[float], Loss]] = {
    "squared_error": lambda epsilon: HalfSquaredError(),
    "huber": Huber,
    "epsilon_insensitive": EpsilonInsensitive,
    "squared_epsilon_insensitive": SquaredEpsilonInsensitive,
}


@dataclass(frozen=True, slots=True)
class Task:
    """What is learnt.

    Parameters
    ----------
    loss : Loss
    labels : (float, float)
        Targets of the rows that are not, and are, of an output's class.
    n_outputs : int
    """

    loss: Loss
    labels: tuple[float, float] = (-1.0, 1.0)
    n_outputs: int = 1


class SGDModel(LinearPredictor, ABC):
    """Fits linear models by `shoal.solvers.sgd`, whole or a batch of rows at a time."""

    loss: str
    penalty: str | None
    alpha: float
    l1_ratio: float
    fit_intercept: bool
    max_iter: int
    tol: float | None
    shuffle: bool
    verbose: int
    epsilon: float
    random_state: Any
    learning_rate: str
    eta0: float
    power_t: float
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    warm_start: bool
    average: bool | int
    batch_size: int
    optimizer: str
    momentum: float
    nesterovs_momentum: bool
    n_replicas: int | None
    solver_state_: dict[str, Any]

    def _check_parameters(self, losses: Iterable[str], *, partial_fit: bool = False) -> None:
        check_choice(self, "loss", tuple(losses))
        if self.penalty is not None:
            check_choice(self, "penalty", ("l2", "l1", "elasticnet"))
        check_choice(self, "learning_rate", ("constant", "optimal", "invscaling", "adaptive"))
        check_choice(self, "optimizer", ("sgd", "momentum", "adagrad", "adam"))
        for name in ("alpha", "power_t", "epsilon", "eta0", "momentum"):
            check_number(self, name, 0)
        for name in ("max_iter", "batch_size", "n_iter_no_change"):
            check_number(self, name, 1, integer=True)
        check_number(self, "tol", 0, optional=True)
        check_number(self, "n_replicas", 1, integer=True, optional=True)
        if not isinstance(self.average, bool | np.bool_):
            check_number(self, "average", 0, integer=True)
        self._check_rate()
        if self.penalty == "elasticnet":
            self._check_share("l1_ratio", closed=True)
        if self.early_stopping:
            self._check_share("validation_fraction", closed=False)
            if partial_fit:
                raise ParameterError(
                    "early_stopping should be False with partial_fit: there are no epochs."
                )

    def _check_rate(self) -> None:
        if self.learning_rate == "optimal" and not self.alpha:
            raise ParameterError(
                "alpha must be > 0 since learning_rate is 'optimal'. alpha is used to compute the "
                "optimal learning rate."
            )
        if self.learning_rate != "optimal" and not self.eta0:
            raise ParameterError(
                f"eta0 must be > 0 with learning_rate={self.learning_rate!r}: it is the rate."
            )

    def _check_share(self, name: str, *, closed: bool) -> None:
        """Raise ParameterError unless a parameter lies in [0, 1], or within (0, 1)."""
        check_number(self, name, 0)
        value = getattr(self, name)
        if not (0 <= value <= 1 if closed else 0 < value < 1):
            brackets = "[0, 1]" if closed else "(0, 1)"
            raise ParameterError(f"{name} must lie in {brackets}, got {value!r}.")

    def _learning(self, task: Task, *, is_sparse: bool) -> Learning:
        """How steps change weights, as the parameters say."""
        share = {"l1": 1.0, "elasticnet": self.l1_ratio}.get(self.penalty or "", 0.0)
        alpha = self.alpha if self.penalty else 0.0
        name, parameter = task.loss.kernel
        schedule = "constant" if self.learning_rate == "adaptive" else self.learning_rate
        optimizer = self.optimizer
        if optimizer == "momentum" and self.nesterovs_momentum:
            optimizer = "nesterov"
        negative, positive = task.labels
        return Learning(
            name,
            parameter,
            negative=negative,
            positive=positive,
            schedule=schedule,
            rate=self.alpha if schedule == "optimal" else self.eta0,
            power=self.power_t,
            offset=self._optimal_offset(task) if schedule == "optimal" else 0.0,
            l2=alpha * (1 - share),
            l1=alpha * share,
            intercept_factor=(_SPARSE_INTERCEPT if is_sparse else 1.0)
            if self.fit_intercept
            else 0.0,
            average_from=float(self.average) if self.average else np.inf,
            batch_size=self.batch_size,
            optimizer=optimizer,
            momentum=self.momentum,
        )

    def _optimal_offset(self, task: Task) -> float:
        """The t0 of rates 1 / (alpha (t0 + t)): weights of typical size are within a step's reach.

        Bottou's heuristic, as scikit-learn has it.
        """
        typical = np.sqrt(1 / np.sqrt(self.alpha))
        slope = float(task.loss.gradient([task.labels[1]], [-typical])[0])
        first_rate = typical / max(1.0, slope)
        return float(1 / (first_rate * self.alpha))

    def _rate_in_words(self, rate: float) -> str:
        name = "alpha" if self.learning_rate == "optimal" else "eta0"
        return f"{name}={rate:g} (with learning_rate={self.learning_rate!r})"

    def _grouped(
        self, dataset: Dataset, seed: int, *, is_held_out: bool
    ) -> tuple[Dataset, Windows]:
        """The data as a cell for each replica, and the order in which their rows are visited."""
        features = replace(dataset, target=None, sample_weight=None, missing="error", classes=None)
        held_out = self.validation_fraction if self.early_stopping and is_held_out else 0.0
        windows = Windows.of(row_bytes(features), seed, held_out, shuffle=self.shuffle)
        n_replicas = self.n_replicas or default_replicas(len(dataset.cells))
        # Weights that a row moved are finite only if the row is: that is found out later for free,
        # but for rows that are not visited and for files, which would be read another time.
        measured = bool(held_out) or not dataset.source.in_memory
        visited = replace(dataset, window_rows=windows.rows, measured=measured)
        return visited.grouped(n_replicas), windows

    def _run(
        self,
        dataset: Dataset,
        X: Any,
        task: Task,
        start: Weights,
        *,
        checkpoint: str | PathLike[str] | None = None,
        validation: Dataset | None = None,
        max_iter: int | None = None,
    ) -> None:
        """Fit from `start` to the targets of `dataset`, and set the fitted attributes."""
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        grouped, windows = self._grouped(dataset, seed, is_held_out=validation is None)
        validate = None
        if self.early_stopping:
            validate = HeldOutLoss(task.loss, task.labels, seed, windows.held_out, validation)
        engine = current_engine()
        learning = self._learning(task, is_sparse=dataset.source.is_sparse)
        solver = SGD(
            partial(engine.map_cells, grouped),
            learning,
            windows,
            start,
            max_iter=max_iter or self.max_iter,
            tol=-np.inf if self.tol is None else self.tol,
            n_iter_no_change=self.n_iter_no_change,
            adaptive=self.learning_rate == "adaptive",
            validate=validate,
            curvature=task.loss.curvature_bound or 1.0,
            rate_name=self._rate_in_words(learning.rate),
            check_rows=None if grouped.measured else partial(_check_rows, engine, grouped),
        )
        with passes_over(grouped, self, X, max_iter=solver.max_iter, verbose=self.verbose) as (
            fold,
            progress,
        ):
            state, status, self.loss_curve_ = run(
                solver,
                fold,
                checkpoint=self._checkpoint(checkpoint, grouped, solver, seed),
                progress=progress,
                attributes=_attributes,
            )
            if state.has_diverged:
                assert state.loss is not None
                warnings.warn(solver.advice(state.loss, fold), ConvergenceWarning, stacklevel=3)
            elif status is Status.MAX_ITER and self.tol is not None and max_iter is None:
                warnings.warn(_too_few_epochs(state), ConvergenceWarning, stacklevel=3)
        self._keep(state)

    def _checkpoint(
        self, path: str | PathLike[str] | None, dataset: Dataset, solver: SGD, seed: int
    ) -> Checkpoint | None:
        """The checkpoint of a fit, refused for other data or another course of it."""
        if path is None:
            return None
        course = (
            type(self).__name__,
            repr((solver.learning, solver.windows, solver.tol, solver.n_iter_no_change)),
            repr((solver.adaptive, seed)),
            solver.start.coef,
            solver.start.intercept,
        )
        parameters = _archive.fingerprint(course)
        return Checkpoint(path, data=dataset.fingerprint, parameters=parameters)

    def _keep(self, state: SGDState) -> None:
        """Set the fitted attributes."""
        coef, intercept = state.weights.model
        self.coef_ = coef.astype(state.coef.dtype)
        self.intercept_ = intercept
        self.n_iter_ = state.n_iter
        self.t_ = float(state.n_steps + 1)
        names = [field.name for field in fields(Weights)]
        self.solver_state_ = {name: getattr(state, name) for name in names}

    def _start(
        self,
        dataset: Dataset,
        task: Task,
        coef_init: Any = None,
        intercept_init: Any = None,
    ) -> Weights:
        """Where a fit begins: as given, with ``warm_start`` at the last model, else at zeros."""
        shape = (task.n_outputs, dataset.n_features)
        if self.warm_start and np.atleast_2d(getattr(self, "coef_", ())).shape == shape:
            coef_init = self.coef_ if coef_init is None else coef_init
            intercept_init = self.intercept_ if intercept_init is None else intercept_init
        coef = _initial(coef_init, shape, "coef_init").astype(dataset.dtype)
        intercept = _initial(intercept_init, (task.n_outputs,), "intercept_init")
        learning = self._learning(task, is_sparse=dataset.source.is_sparse)
        return Weights.zeros(coef, intercept, learning)

    def _going_on(self, dataset: Dataset, task: Task) -> Weights:
        """Where `partial_fit` goes on: what the last call has left, if there was one."""
        zeros = self._start(dataset, task)
        if not hasattr(self, "solver_state_"):
            return zeros
        state = dict(self.solver_state_)
        for name in ("received", "total", "intercept_total", "first", "second"):
            if (getattr(zeros, name) is None) != (state[name] is None):
                state[name] = getattr(zeros, name)
        state["coef"] = np.ascontiguousarray(state["coef"], dtype=dataset.dtype)
        return Weights(**state)


def default_replicas(n_cells: int) -> int:
    """A power of two, so that threads and workers share them evenly."""
    most = max(1, min(_MOST_REPLICAS, n_cells // _CELLS_A_REPLICA))
    return 1 << (most.bit_length() - 1)


def _check_rows(engine: Engine, dataset: Dataset) -> None:
    """Raise NonFiniteError where a value of the data is not finite. One pass."""
    measured = replace(dataset, measured=True)
    engine.release(dataset)
    try:
        engine.fold(measured, Range(dataset.n_features))
    finally:
        engine.release(measured)


def _too_few_epochs(state: SGDState) -> str:
    return (
        f"Maximum number of iteration reached before convergence: {state.n_iter} epochs were not "
        f"enough, the mean loss is {state.loss:.6g}. Consider increasing max_iter to improve the "
        "fit."
    )


def _attributes(state: SGDState) -> dict[str, Any]:
    """The fitted attributes of a model that ended at `state`, for callbacks."""
    coef, intercept = state.weights.model
    return {"coef_": coef, "intercept_": intercept, "n_iter_": state.n_iter}


def _initial(values: Any, shape: tuple[int, ...], name: str) -> Float64Array:
    """Given weights of this shape, or zeros."""
    if values is None:
        return np.zeros(shape)
    array: Float64Array = np.asarray(values, dtype=np.float64)
    if array.size != np.prod(shape):
        raise DataError(f"{name} has shape {array.shape}, expected {shape}.")
    return array.reshape(shape).copy()

"""Linear and logistic regression to convergence, to the same objective."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from harness import Goal, Options, Row, interleaved, medians, progress, seconds
from labelled import Shape, dense, logistic_objective, squared_objective
from peers import SHOAL, SKLEARN, SKLEARNEX, accelerated, equal_threads
from sklearn import linear_model as sklearn_linear

from shoal import linear_model

SHAPE = Shape(1_000_000, 64)
OBJECTIVE_TARGET = 1e-6
LOGISTIC_TARGET = 5.0
SKLEARNEX_TARGET, SKLEARN_TARGET = 3.0, 20.0

#: Inverse strength of the penalty, and what the gradient may be at the end.
C, TOL, MAX_ITER = 1.0, 1e-4, 1000

Fit = Callable[[np.ndarray, np.ndarray], Any]


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a library found: coefficients, intercept, and in how many iterations."""

    coef: np.ndarray
    intercept: float
    n_iter: str


def rows(options: Options) -> Iterator[Row]:
    shape = SHAPE.reduced(options.quick)
    progress(f"{shape}: drawing rows")
    X, y, labels = dense(shape)
    with equal_threads(options.threads):
        yield from _compared(
            f"Logistic regression, {shape}",
            _logistic_fits(),
            X,
            labels,
            partial(logistic_objective, C=C),
            _logistic_goals,
            options.repetitions,
        )
        yield from _compared(
            f"Linear regression, {shape}",
            _linear_fits(),
            X,
            y,
            squared_objective,
            _linear_goals,
            options.repetitions,
        )


def _compared(
    work: str,
    fits: dict[str, Fit],
    X: np.ndarray,
    y: np.ndarray,
    objective: Callable[..., float],
    goals: Callable[[dict[str, float]], Iterator[Goal]],
    repetitions: int,
) -> Iterator[Row]:
    """A row for each library, with its excess over the least objective that any has found."""
    found: dict[str, Fitted] = {}
    times = interleaved(
        {name: partial(_seconds, found, name, fit, X, y) for name, fit in fits.items()},
        repetitions,
    )
    objectives = {name: objective(X, y, of.coef, of.intercept) for name, of in found.items()}
    least = min(objectives.values())
    excess = {name: value / least - 1 for name, value in objectives.items()}
    for name in fits:
        note = f"{found[name].n_iter}; objective {excess[name]:.1e} over the least"
        ours = ()
        if name == SHOAL:
            limit = Goal("excess of objective", excess[name], OBJECTIVE_TARGET, at_most=True)
            ours = (*goals(medians(times)), limit)
        yield Row(work, name, times[name], "s", note, ours)


def _seconds(found: dict[str, Fitted], name: str, fit: Fit, X: np.ndarray, y: np.ndarray) -> float:
    def run() -> None:
        model = fit(X, y)
        n_iter = getattr(model, "n_iter_", None)
        iterations = "direct" if n_iter is None else f"{int(np.max(n_iter))} iterations"
        found[name] = Fitted(
            np.ravel(model.coef_), float(np.ravel(model.intercept_)[0]), iterations
        )

    return seconds(run)


def _logistic_fits() -> dict[str, Fit]:
    parameters = {"C": C, "tol": TOL, "max_iter": MAX_ITER}
    fits: dict[str, Fit] = {
        SHOAL: lambda X, y: linear_model.LogisticRegression(**parameters).fit(X, y)
    }
    for solver in ("lbfgs", "newton-cholesky"):
        model = sklearn_linear.LogisticRegression(solver=solver, **parameters)
        fits[f"{SKLEARN}, {solver}"] = model.fit
    if find_spec("sklearnex"):
        from sklearnex.linear_model import LogisticRegression as OneDalLogistic

        # The only solver that it does not hand back to scikit-learn.
        fits[f"{SKLEARNEX}, lbfgs"] = _onedal(OneDalLogistic(solver="lbfgs", **parameters))
    return fits


def _linear_fits() -> dict[str, Fit]:
    fits: dict[str, Fit] = {
        SHOAL: lambda X, y: linear_model.LinearRegression().fit(X, y),
        SKLEARN: sklearn_linear.LinearRegression().fit,
    }
    if find_spec("sklearnex"):
        from sklearnex.linear_model import LinearRegression as OneDalLinear

        fits[SKLEARNEX] = _onedal(OneDalLinear())
    return fits


def _onedal(model: Any) -> Fit:
    """A fit by oneDAL; one that is handed back to scikit-learn is an error."""

    def fit(X: np.ndarray, y: np.ndarray) -> Any:
        with accelerated(type(model).__name__):
            return model.fit(X, y)

    return fit


def _logistic_goals(median: dict[str, float]) -> Iterator[Goal]:
    peers = min(time for name, time in median.items() if name != SHOAL)
    yield Goal("x the fastest peer", peers / median[SHOAL], LOGISTIC_TARGET)


def _linear_goals(median: dict[str, float]) -> Iterator[Goal]:
    for peer, target in ((SKLEARNEX, SKLEARNEX_TARGET), (SKLEARN, SKLEARN_TARGET)):
        if peer in median:
            yield Goal(f"x {peer}", median[peer] / median[SHOAL], target)

"""Epochs of one-sample stochastic gradient descent, from the same data to the same accuracy."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from harness import Goal, Options, Row, interleaved, medians, progress, seconds
from labelled import Shape, dense, in_sparse_rows
from peers import SHOAL, SKLEARN, equal_threads
from sklearn import linear_model as sklearn_linear

from shoal import linear_model

SHAPE = Shape(1_000_000, 64)
SPARSE_SHAPE, STORED_A_ROW = Shape(1_000_000, 10_000), 50
ROWS_TARGET, THREADS_TARGET, SPARSE_TARGET = 10.0, 1.7, 5.0
SCORE_TARGET = 0.2

#: Of the rows, held out to be scored.
TEST_SHARE = 0.1
EPOCHS = 5

#: The same for all libraries; ``tol=None`` runs all epochs.
PARAMETERS = {"max_iter": EPOCHS, "tol": None, "random_state": 0, "alpha": 1e-4}
RATES = {"learning_rate": "invscaling", "eta0": 0.001}


def rows(options: Options) -> Iterator[Row]:
    shape = SHAPE.reduced(options.quick)
    progress(f"{shape}: drawing rows")
    X, y, labels = dense(shape)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    logistic = {"loss": "log_loss"} | PARAMETERS
    yield from _dense("SGDClassifier", logistic, X, labels, options)
    yield from _dense("SGDRegressor", PARAMETERS | RATES, X, y, options)
    shape = SPARSE_SHAPE.reduced(options.quick)
    progress(f"{shape}: drawing rows")
    X_sparse, labels = in_sparse_rows(shape, STORED_A_ROW)
    yield from _sparse(logistic, X_sparse, labels, options, f"{shape} CSR")


def _dense(
    estimator: str, parameters: dict[str, Any], X: np.ndarray, y: np.ndarray, options: Options
) -> Iterator[Row]:
    """One thread beside scikit-learn, and as many as there are beside one."""
    work = f"{estimator}, {len(X):,} x {X.shape[1]}"
    several = f"{SHOAL}, {options.threads} threads"
    models = _models(estimator, parameters)
    threads = {SHOAL: 1, several: options.threads, SKLEARN: 1}
    rates, scores = _measured(models | {several: models[SHOAL]}, threads, X, y, options)
    median = medians(rates)
    points = 100 * (scores[SKLEARN] - scores[SHOAL])
    goals = {
        SHOAL: (
            Goal("x scikit-learn", median[SHOAL] / median[SKLEARN], ROWS_TARGET),
            Goal("points below scikit-learn's score", points, SCORE_TARGET, at_most=True),
        ),
        several: (Goal("x one thread", median[several] / median[SHOAL], THREADS_TARGET),),
    }
    for name, of_name in rates.items():
        note = f"score {scores[name]:.4f} after {EPOCHS} epochs"
        yield Row(work, name, of_name, "M rows/s", note, goals.get(name, ()))


def _sparse(
    parameters: dict[str, Any], X: Any, y: np.ndarray, options: Options, shape: str
) -> Iterator[Row]:
    """One thread, and as many as there are beside scikit-learn."""
    several = f"{SHOAL}, {options.threads} threads"
    models = _models("SGDClassifier", parameters)
    threads = {SHOAL: 1, several: options.threads, SKLEARN: 1}
    rates, scores = _measured(models | {several: models[SHOAL]}, threads, X, y, options)
    median = medians(rates)
    for name, of_name in rates.items():
        note = f"score {scores[name]:.4f} after {EPOCHS} epochs"
        goal = Goal("x scikit-learn", median[name] / median[SKLEARN], SPARSE_TARGET)
        goals = () if name == SKLEARN else (goal,)
        yield Row(f"SGDClassifier, {shape}", name, of_name, "M rows/s", note, goals)


def _models(estimator: str, parameters: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    return {
        SHOAL: lambda: getattr(linear_model, estimator)(**parameters),
        SKLEARN: lambda: getattr(sklearn_linear, estimator)(**parameters),
    }


def _measured(
    models: dict[str, Callable[[], Any]],
    threads: dict[str, int],
    X: Any,
    y: np.ndarray,
    options: Options,
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Millions of rows a second of each fit, and the score on rows that no fit has seen."""
    n_train = round(X.shape[0] * (1 - TEST_SHARE))
    # Of sparse rows these are copies, which take about as long as a fit.
    X_train, y_train, X_test, y_test = X[:n_train], y[:n_train], X[n_train:], y[n_train:]
    scores: dict[str, float] = {}

    def run(name: str) -> float:
        model = models[name]()
        with equal_threads(threads[name]):
            time = seconds(lambda: model.fit(X_train, y_train))
        scores[name] = model.score(X_test, y_test)
        return EPOCHS * n_train / time / 1e6

    rates = interleaved({name: partial(run, name) for name in models}, options.repetitions)
    return rates, scores

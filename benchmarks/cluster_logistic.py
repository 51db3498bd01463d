"""Logistic regression on a local Dask cluster of two workers, and by Dask-ML and Spark MLlib."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from dask_cluster import (
    DASK,
    DASK_ML,
    LOCAL,
    N_WORKERS,
    PEER_TARGET,
    SPARK,
    inside,
    spark_rows,
    two_workers,
)
from harness import Goal, Options, Row, interleaved, medians, progress, seconds
from labelled import Shape, dense, logistic_objective
from peers import equal_threads

import shoal
from shoal.linear_model import LogisticRegression

SHAPE = Shape(1_000_000, 64)
C = 1.0

#: Coefficients and intercept of a fit.
Model = tuple[np.ndarray, float]
Fit = Callable[[], Model]


def rows(options: Options) -> Iterator[Row]:
    shape = SHAPE.reduced(options.quick)
    X, _, labels = dense(shape)
    peers = {DASK_ML: (_dask_ml, "dask_ml"), SPARK: (_spark, "pyspark")} if options.cluster else {}
    found: dict[str, Model] = {}
    with equal_threads(options.threads), ExitStack() as stack:
        client = stack.enter_context(two_workers())
        engines = {LOCAL: shoal.LocalEngine(options.threads), DASK: shoal.DaskEngine(client)}
        fits = {
            name: stack.enter_context(_shoal(X, labels, engine)) for name, engine in engines.items()
        }
        for name, (start, module) in peers.items():
            if find_spec(module):
                progress(f"starting {name}")
                fits[name] = stack.enter_context(start(X, labels, client, options.threads))
        times = interleaved(
            {name: _timed(found, name, fit) for name, fit in fits.items()}, options.repetitions
        )
    objectives = {name: logistic_objective(X, labels, *of, C=C) for name, of in found.items()}
    least = min(objectives.values())
    for name in (LOCAL, DASK, *peers):
        goals = tuple(_goals(medians(times))) if name == DASK else ()
        excess = f"objective {objectives[name] / least - 1:.1e} over the least"
        note = excess if name in fits else "not installed"
        work = f"Logistic regression on a local cluster, {shape}"
        yield Row(work, name, times.get(name, ()), "s", note, goals)


def _timed(found: dict[str, Model], name: str, fit: Fit) -> Callable[[], float]:
    def run() -> None:
        found[name] = fit()

    return lambda: seconds(run)


def _goals(times: dict[str, float]) -> Iterator[Goal]:
    for peer in (DASK_ML, SPARK):
        if peer in times:
            yield Goal(f"x {peer}", times[peer] / times[DASK], PEER_TARGET)


@contextmanager
def _shoal(X: np.ndarray, labels: np.ndarray, engine: Any) -> Iterator[Fit]:
    """Fits on rows that are sent once, as peers' are."""
    dataset = shoal.open_dataset(X, target=labels)

    def fit() -> Model:
        model = LogisticRegression(C=C).fit(dataset)
        return model.coef_[0], model.intercept_[0]

    with inside(engine) as run:
        yield partial(run, fit)


@contextmanager
def _dask_ml(X: np.ndarray, labels: np.ndarray, client: Any, n_threads: int) -> Iterator[Fit]:
    """One block of rows a worker, persisted there."""
    import dask.array as da
    from dask_ml.linear_model import LogisticRegression as DaskLogisticRegression
    from distributed import wait

    n_rows = -(-len(X) // N_WORKERS)
    rows = client.persist(da.from_array(X, chunks=(n_rows, X.shape[1])))
    target = client.persist(da.from_array(labels, chunks=n_rows))
    wait([rows, target])

    def fit() -> Model:
        model = DaskLogisticRegression(solver="lbfgs", C=C, max_iter=1000).fit(rows, target)
        return np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])

    yield fit


@contextmanager
def _spark(X: np.ndarray, labels: np.ndarray, client: Any, n_threads: int) -> Iterator[Fit]:
    """One process of as many threads, rows persisted in memory."""
    from pyspark.ml.classification import LogisticRegression as SparkLogisticRegression

    features = {f"x{j}": X[:, j] for j in range(X.shape[1])}
    with spark_rows(features, n_threads, labels) as frame:
        model = SparkLogisticRegression(
            regParam=1 / (C * len(X)), elasticNetParam=0.0, maxIter=1000, standardization=False
        )

        def fit() -> Model:
            fitted = model.fit(frame)
            return fitted.coefficients.toArray(), fitted.intercept

        yield fit

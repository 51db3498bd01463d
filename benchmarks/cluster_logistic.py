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

from shoal import DaskEngine, LocalEngine, open_dataset
from shoal.data.dataset import Dataset
from shoal.linear_model import LogisticRegression

SHAPE = Shape(1_000_000, 64)
C = 1.0

SENT = "Shoal, Dask engine, rows of this process sent in each fit"

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
        on_workers = _persisted(client, X)
        local, dask, other = LocalEngine(options.threads), DaskEngine(client), DaskEngine(client)
        fits = {
            LOCAL: stack.enter_context(_shoal(open_dataset(X, target=labels), local)),
            DASK: stack.enter_context(_shoal(open_dataset(on_workers, target=labels), dask)),
            SENT: stack.enter_context(_shoal_sending(X, labels, other)),
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
    for name in (LOCAL, DASK, SENT, *peers):
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
def _shoal(dataset: Dataset, engine: Any) -> Iterator[Fit]:
    """Fits on rows that lie where they are worked on, as peers' do."""
    with inside(engine) as run:
        yield partial(run, _fitted, dataset)


@contextmanager
def _shoal_sending(X: np.ndarray, labels: np.ndarray, engine: Any) -> Iterator[Fit]:
    """Fits whose workers know nothing of the rows before."""
    with inside(engine) as run:
        yield lambda: run(_fitted, open_dataset(X, target=labels))


def _fitted(dataset: Dataset) -> Model:
    model = LogisticRegression(C=C).fit(dataset)
    return model.coef_[0], model.intercept_[0]


def _persisted(client: Any, values: np.ndarray) -> Any:
    """A Dask array of one row block a worker, persisted there."""
    import dask.array as da
    from distributed import wait

    row_blocks = (-(-len(values) // N_WORKERS), *values.shape[1:])
    array = client.persist(da.from_array(values, chunks=row_blocks))
    wait(array)
    return array


@contextmanager
def _dask_ml(X: np.ndarray, labels: np.ndarray, client: Any, n_threads: int) -> Iterator[Fit]:
    from dask_ml.linear_model import LogisticRegression as DaskLogisticRegression

    rows, target = _persisted(client, X), _persisted(client, labels)

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

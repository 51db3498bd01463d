"""Classification by neighbours on a local Dask cluster of two workers, against the local engine."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from functools import partial
from typing import Any

import numpy as np
from dask_cluster import DASK, LOCAL, N_WORKERS, two_workers
from harness import Goal, Options, Row, interleaved, medians, seconds
from neighbors import N_NEIGHBORS, Task
from peers import equal_threads

import shoal
from shoal.neighbors import KNeighborsClassifier

#: On two cores over two seconds of work.
TASK = Task(400_000, 64, 10_000, "brute", (), 1.3)


def rows(options: Options) -> Iterator[Row]:
    task = TASK.reduced(options.quick)
    X, queries = task.data()
    labels = (X[:, 0] > 0).astype(np.int64)
    with equal_threads(options.threads), ExitStack() as stack:
        client = stack.enter_context(two_workers())
        engines = {LOCAL: shoal.LocalEngine(options.threads), DASK: shoal.DaskEngine(client)}
        predicts = {
            name: stack.enter_context(_fitted(X, labels, engine))
            for name, engine in engines.items()
        }
        found = {name: predict(queries) for name, predict in predicts.items()}
        assert np.array_equal(found[LOCAL], found[DASK])
        works = {
            name: partial(seconds, partial(predict, queries)) for name, predict in predicts.items()
        }
        times = interleaved(works, options.repetitions)
    median = medians(times)
    goal = Goal("x the local engine", median[DASK] / median[LOCAL], task.target, at_most=True)
    work = f"KNeighborsClassifier.predict, {task}"
    yield Row(work, LOCAL, times[LOCAL], "s")
    yield Row(work, DASK, times[DASK], "s", f"{N_WORKERS} workers, the same labels", (goal,))


@contextmanager
def _fitted(
    X: np.ndarray, labels: np.ndarray, engine: Any
) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
    """``predict`` of a model fitted on an engine, where its rows stay between predictions.

    Each engine is the current one in a context of its own, so that they can take turns.
    """
    context = copy_context()
    context.run(engine.__enter__)
    try:
        model = KNeighborsClassifier(N_NEIGHBORS, algorithm=TASK.algorithm)
        context.run(model.fit, X, labels)
        yield partial(context.run, model.predict)
    finally:
        context.run(engine.__exit__, None, None, None)

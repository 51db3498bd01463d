"""A pass of logistic loss and gradient against plain reads of the same matrix, two threads."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from harness import Goal, Options, Row, interleaved, medians, seconds
from labelled import Shape, dense
from peers import equal_threads
from threadpoolctl import threadpool_limits

import shoal
from shoal.losses import HalfBinomial
from shoal.statistics.loss_gradient import LossGradient
from shoal.statistics.range import Range

SHAPE = Shape(1_000_000, 64)
SHARE_TARGET = 80.0

#: Passes of one measurement.
PASSES = 10

READS = ("read by matrix-vector product", "read by sums of columns")


def rows(options: Options) -> Iterator[Row]:
    shape = SHAPE.reduced(options.quick)
    X, _, labels = dense(shape)
    works = {"Shoal": _loss_passes(X, labels, options.threads)}
    works |= dict(zip(READS, _reads(X, options.threads), strict=True))
    with equal_threads(options.threads):
        times = interleaved(
            {name: lambda work=work: seconds(work) / PASSES for name, work in works.items()},
            options.repetitions,
        )
    speeds = {name: [X.nbytes / time / 1e9 for time in of] for name, of in times.items()}
    median = medians(speeds)
    fastest = max(median[name] for name in READS)
    goal = Goal("% of a plain read", 100 * median["Shoal"] / fastest, SHARE_TARGET)
    for name, of_name in speeds.items():
        goals = (goal,) if name == "Shoal" else ()
        yield Row(f"Logistic loss and gradient, {shape}", name, of_name, "GB/s", goals=goals)


def _loss_passes(X: np.ndarray, labels: np.ndarray, n_threads: int) -> Callable[[], None]:
    """Passes of the statistic that all full-batch solvers fold."""
    dataset = shoal.open_dataset(X, target=labels.astype(np.float64))
    engine = shoal.LocalEngine(n_threads)
    found = engine.fold(dataset, Range(dataset.n_features))
    d = dataset.n_features
    coef = np.random.default_rng(0).normal(0, 0.1, (1, d))
    statistic = LossGradient.within(
        found,
        HalfBinomial(),
        coef,
        np.zeros(1),
        X.mean(axis=0, dtype=np.float64).astype(X.dtype).astype(np.float64),
        dtype=X.dtype,
        is_sparse=False,
        target_range=(0.0, 1.0),
    )

    def passes() -> None:
        for _ in range(PASSES):
            engine.fold(dataset, statistic)

    return passes


def _reads(X: np.ndarray, n_threads: int) -> Iterator[Callable[[], None]]:
    """Passes that do nothing but read, half of the rows a thread."""
    pieces = np.array_split(X, n_threads)
    vector = np.ones(X.shape[1], np.float32)
    pool = ThreadPoolExecutor(n_threads)

    def passes(read: Callable[[np.ndarray], object]) -> None:
        with threadpool_limits(1, user_api="blas"):
            for _ in range(PASSES):
                list(pool.map(read, pieces))

    yield lambda: passes(lambda piece: piece @ vector)
    yield lambda: passes(lambda piece: piece.sum(axis=0))

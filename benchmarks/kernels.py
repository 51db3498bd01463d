"""Arithmetic rate of the assignment kernel against the BLAS's sgemm, one thread, interleaved.

Run as ``python benchmarks/kernels.py``; ``--sklearn`` adds scikit-learn's Lloyd iteration.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from harness import Goal, Options, Row, interleaved, medians
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from shoal import _kernels

SHAPES = (
    (400_000, 16, 32),
    (400_000, 8, 10),
    (100_000, 64, 256),
    (20_000, 128, 1000),
    (5_000, 1000, 1000),
    (50_000, 64, 64),
)

#: Per cent of sgemm's rate that the kernel has to reach from 64 features and 256 centres on.
RATE_TARGET = 90.0


def seconds(work: Callable[[], object]) -> float:
    """Processor time of this thread, which other processes' load does not lengthen."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


def lloyd_seconds(X: np.ndarray, centers: np.ndarray) -> float:
    """One iteration of scikit-learn, as the difference of two fits."""

    def fit(n_iter: int) -> float:
        model = KMeans(len(centers), init=centers, n_init=1, max_iter=n_iter, tol=0)
        return seconds(lambda: model.fit(X))

    return (fit(6) - fit(1)) / 5


def measure(
    n: int, d: int, k: int, dtype: type, repetitions: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds and GFLOP/s of every repetition of sgemm, and of the kernel on C and Fortran rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d)).astype(dtype)
    centers = X[:k].copy()
    shift, labels = X.mean(0, dtype=np.float64), np.empty(n, np.int32)
    a, b = rng.normal(size=(2, 1536, 1536)).astype(dtype)
    in_columns = np.asfortranarray(X)
    works = {
        "gemm": (2 * 1536**3, lambda: a @ b),
        "C": (2 * n * d * k, lambda: _kernels.assign(X, centers, shift, labels)),
        "F": (2 * n * d * k, lambda: _kernels.assign(in_columns, centers, shift, labels)),
    }
    times = interleaved(
        {name: partial(seconds, work) for name, (_, work) in works.items()}, repetitions
    )
    rates = {name: [works[name][0] / time / 1e9 for time in of] for name, of in times.items()}
    return times, rates


def report(n: int, d: int, k: int, dtype: type, repetitions: int, sklearn: bool) -> None:
    times, rates = measure(n, d, k, dtype, repetitions)
    median, milliseconds = medians(rates), medians(times)["C"] * 1e3
    line = f"{n:>8} x {d:<5} k={k:<6}{np.dtype(dtype).name:<8}"
    line += "".join(f"{name} {rate:6.1f} GFLOP/s  " for name, rate in median.items())
    line += f"C/gemm {median['C'] / median['gemm']:.2f}  {milliseconds:.2f} ms"
    if sklearn:
        X = np.random.default_rng(0).normal(size=(n, d)).astype(dtype)
        lloyd = statistics.median(lloyd_seconds(X, X[:k].copy()) for _ in range(3))
        line += f"  scikit-learn/C {lloyd * 1e3 / milliseconds:.2f}"
    print(line, flush=True)


def rows(options: Options) -> Iterator[Row]:
    """The section of a run: float32, where features and centres are enough to fill registers."""
    for n, d, k in SHAPES:
        if d < 64 or k < 256:
            continue
        with threadpool_limits(1):
            _, rates = measure(
                max(n // 10, k) if options.quick else n, d, k, np.float32, options.repetitions
            )
        median = medians(rates)
        goal = Goal("% of sgemm", 100 * median["C"] / median["gemm"], RATE_TARGET)
        work = f"Arithmetic rate, d = {d}, k = {k}"
        yield Row(work, "Shoal's kernel", rates["C"], "GFLOP/s", "C order", (goal,))
        yield Row(work, "Shoal's kernel", rates["F"], "GFLOP/s", "Fortran order")
        yield Row(work, "sgemm", rates["gemm"], "GFLOP/s", "1536 x 1536 x 1536")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--sklearn", action="store_true")
    options = parser.parse_args()
    print(_kernels.instruction_set)
    with threadpool_limits(1):
        for dtype in (np.float32, np.float64):
            for n, d, k in SHAPES:
                report(n, d, k, dtype, options.repetitions, options.sklearn)


if __name__ == "__main__":
    main()

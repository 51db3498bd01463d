"""Arithmetic rate of the assignment kernel against the BLAS's sgemm, one thread, interleaved.

Run as ``python benchmarks/kernels.py``; ``--sklearn`` adds scikit-learn's Lloyd iteration.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
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


def report(n: int, d: int, k: int, dtype: type, repetitions: int, sklearn: bool) -> None:
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
    times = {name: [] for name in works}
    for _ in range(repetitions):
        for name, (_, work) in works.items():
            times[name].append(seconds(work))
    rates = {name: works[name][0] / statistics.median(t) / 1e9 for name, t in times.items()}
    line = f"{n:>8} x {d:<5} k={k:<6}{np.dtype(dtype).name:<8}"
    line += "".join(f"{name} {rate:6.1f} GFLOP/s  " for name, rate in rates.items())
    line += f"C/gemm {rates['C'] / rates['gemm']:.2f}  {statistics.median(times['C']) * 1e3:.2f} ms"
    if sklearn:
        lloyd = statistics.median(lloyd_seconds(X, centers) for _ in range(3))
        line += f"  scikit-learn/C {lloyd / statistics.median(times['C']):.2f}"
    print(line, flush=True)


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

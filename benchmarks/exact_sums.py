"""What exact fixed-point sums cost a pass: one thread, kernels alone."""

from collections.abc import Callable, Iterator

import numpy as np
from blobs import Shape, blobs
from harness import Goal, Options, Row, interleaved, medians, progress
from kernels import seconds
from peers import equal_threads, with_shoal
from scipy import sparse

from shoal import _kernels
from shoal.statistics.fixed_point import choose_scale

SHAPES = (Shape(1_000_000, 16, 32), Shape(1_000_000, 8, 10), Shape(1_000_000, 64, 256))
TARGET = 10.0

#: The pass whose moved rows are summed.
ITERATION = 6


def rows(options: Options) -> Iterator[Row]:
    for shape in SHAPES:
        yield from _rows(shape.reduced(options.quick), options)


def _rows(shape: Shape, options: Options) -> Iterator[Row]:
    progress(f"{shape}: drawing rows")
    X, centers = blobs(shape)
    with equal_threads(options.threads):
        before = with_shoal(X, centers, ITERATION - 2, 0.0).centers
        now = with_shoal(X, centers, ITERATION - 1, 0.0).centers
    works = dict(_works(X, before, now))
    times = interleaved(
        {name: lambda work=work: seconds(work) * 1e3 for name, work in works.items()},
        options.repetitions,
    )
    median = medians(times)
    for name, milliseconds in times.items():
        goals = ()
        if name.startswith("exact"):
            share = median[name] / (median[name] + median["assignment alone"])
            goals = (Goal("% of a pass", 100 * share, TARGET, at_most=True),)
        yield Row(f"Sums, {shape}", name, milliseconds, goals=goals)


def _works(
    X: np.ndarray, before: np.ndarray, now: np.ndarray
) -> Iterator[tuple[str, Callable[[], object]]]:
    shift = X.mean(axis=0, dtype=np.float64).astype(np.float32).astype(np.float64)
    labels = np.empty(len(X), np.int32)
    labels_before = np.empty(len(X), np.int32)
    _kernels.assign(X, before, shift, labels_before)
    _kernels.assign(X, now, shift, labels)
    nowhere = np.full(len(X), -1, np.int32)
    scale = choose_scale(np.abs(X - shift).max(axis=0), len(X), X.dtype)
    sums = np.zeros((scale.limbs, *now.shape), np.int64)
    counts = np.zeros(len(now), np.int64)

    def exact(labels_before: np.ndarray) -> int:
        return _kernels.sum_moved_rows(
            X, shift, labels_before, labels, scale.exponents, sums, counts, low_bits=scale.low_bits
        )

    moved = exact(labels_before) / len(X)
    # SciPy's compiled loop adds each row to the sum of its cluster, in float64.
    memberships = sparse.csc_array(
        (np.ones(len(X)), labels, np.arange(len(X) + 1)), shape=(len(now), len(X))
    )
    doubles = X.astype(np.float64)
    yield "assignment alone", lambda: _kernels.assign(X, now, shift, labels)
    yield f"exact, moved rows of iteration {ITERATION} ({moved:.1%})", lambda: exact(labels_before)
    yield "exact, all rows", lambda: exact(nowhere)
    yield "plain float64, all rows", lambda: memberships @ doubles

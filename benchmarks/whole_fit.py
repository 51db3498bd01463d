"""Whole fits to convergence, from the same centres to the same inertia."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from blobs import Shape, blobs, inertia
from harness import Goal, Options, Row, interleaved, medians, progress, seconds
from peers import SHOAL_AUTO, SKLEARN, Fit, Fitted, equal_threads, installed

SHAPES = (Shape(1_000_000, 16, 64), Shape(500_000, 64, 256))
MAX_ITER = 2000

#: Until no label changes: a tolerance ends float32 fits on a plateau where one rounding decides how
#: long they stay. -intelex, which looks at centres alone, has no such end.
TOL = 0.0
TARGET = 8.0
INERTIA_TARGET = 1e-6

#: Each takes minutes.
MOST_REPETITIONS = 3


def rows(options: Options) -> Iterator[Row]:
    repetitions = min(options.repetitions, MOST_REPETITIONS)
    with equal_threads(options.threads):
        for shape in SHAPES:
            yield from _rows(shape.reduced(options.quick), repetitions)


def _rows(shape: Shape, repetitions: int) -> Iterator[Row]:
    progress(f"{shape}: drawing rows")
    X, centers = blobs(shape)
    names = (SHOAL_AUTO, SKLEARN)
    found: dict[str, Fitted] = {}
    times = interleaved(
        {
            name: partial(_seconds, found, name, fit, X, centers)
            for name, fit in installed(*names).items()
        },
        repetitions,
    )
    inertias = {name: inertia(X, fitted.centers) for name, fitted in found.items()}
    median, ours, theirs = medians(times), inertias[SHOAL_AUTO], inertias[SKLEARN]
    goals = (
        Goal("x scikit-learn", median[SKLEARN] / median[SHOAL_AUTO], TARGET),
        Goal(
            "relative difference in inertia", abs(ours / theirs - 1), INERTIA_TARGET, at_most=True
        ),
    )
    for name in names:
        note = "not installed"
        if name in found:
            note = f"{found[name].n_iter} iterations, inertia {inertias[name]:.9g}"
        yield Row(
            f"Fit to convergence, {shape}",
            name,
            times.get(name, ()),
            "s",
            note,
            goals if name == SHOAL_AUTO else (),
        )


def _seconds(
    found: dict[str, Fitted], name: str, fit: Fit, X: np.ndarray, centers: np.ndarray
) -> float:
    def run() -> None:
        found[name] = fit(X, centers, MAX_ITER, TOL)

    time = seconds(run)
    assert found[name].n_iter < MAX_ITER, f"{name} has not converged"
    return time

"""One Lloyd iteration: a fit of eleven less a fit of one, over ten."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
from blobs import Shape, blobs, inertia
from harness import Goal, Options, Row, interleaved, medians, progress, seconds
from peers import FAISS, FITS, SHOAL, SKLEARN, SKLEARNEX, Fitted, equal_threads, installed

N_ITER = 10

#: How many times faster than the faster of scikit-learn and scikit-learn-intelex; than faiss.
TARGETS = {
    Shape(1_000_000, 16, 32): (3.0, None),
    Shape(1_000_000, 8, 10): (2.5, None),
    Shape(1_000_000, 64, 256): (2.0, None),
    Shape(200_000, 128, 1000): (1.8, 1.4),
}


def rows(options: Options) -> Iterator[Row]:
    with equal_threads(options.threads):
        for shape, targets in TARGETS.items():
            yield from _rows(shape.reduced(options.quick), *targets, options.repetitions)


def _rows(
    shape: Shape, target: float, faiss_target: float | None, repetitions: int
) -> Iterator[Row]:
    progress(f"{shape}: drawing rows")
    X, centers = blobs(shape)
    found: dict[str, Fitted] = {}
    fits = {
        name: partial(_fit, found, name, fit, X, centers) for name, fit in installed(*FITS).items()
    }
    milliseconds = per_iteration(fits, repetitions)
    for name in FITS:
        goals = ()
        if name == SHOAL:
            goals = tuple(_goals(medians(milliseconds), target, faiss_target))
        yield Row(
            f"Lloyd iteration, {shape}",
            name,
            milliseconds.get(name, ()),
            note=f"inertia {inertia(X, found[name].centers):.9g}"
            if name in found
            else "not installed",
            goals=goals,
        )


def per_iteration(
    fits: Mapping[str, Callable[[int], object]], repetitions: int
) -> dict[str, list[float]]:
    """Milliseconds of an iteration; ``fit(max_iter)`` has to use all its iterations."""
    for fit in fits.values():
        fit(1)
    return interleaved(
        {name: partial(_milliseconds, fit) for name, fit in fits.items()}, repetitions
    )


def _milliseconds(fit: Callable[[int], object]) -> float:
    one = seconds(lambda: fit(1))
    return (seconds(lambda: fit(1 + N_ITER)) - one) / N_ITER * 1e3


def _fit(
    found: dict[str, Fitted],
    name: str,
    fit: Callable[..., Fitted],
    X: np.ndarray,
    centers: np.ndarray,
    max_iter: int,
) -> None:
    found[name] = fit(X, centers, max_iter, 0.0)
    assert found[name].n_iter == max_iter, f"{name} stopped after {found[name].n_iter} iterations"


def _goals(
    milliseconds: Mapping[str, float], target: float, faiss_target: float | None
) -> Iterator[Goal]:
    fastest = min(milliseconds.get(name, np.inf) for name in (SKLEARN, SKLEARNEX))
    yield Goal("x the faster of scikit-learn and -intelex", fastest / milliseconds[SHOAL], target)
    if faiss_target and FAISS in milliseconds:
        yield Goal("x faiss", milliseconds[FAISS] / milliseconds[SHOAL], faiss_target)

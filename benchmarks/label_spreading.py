"""Label spreading over the graph of neighbours: time, accuracy and peak memory, one process each.

``python benchmarks/label_spreading.py STAGE ARGUMENTS`` runs one stage.
"""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from blobs import draw, true_centers
from harness import Goal, Options, Row, progress
from out_of_core import peak_bytes, run_stage, stage
from peers import SHOAL, SKLEARN, equal_threads

#: scikit-learn looks at every pair of rows: of the first number it would take over a quarter of an
#: hour, so that both are run on the second.
N_ROWS = 500_000
COMMON_ROWS = 100_000
QUICK_ROWS = 10_000
N_FEATURES = 32
N_CLASSES = 10
N_NEIGHBORS = 10

#: Times the distance between centres that blobs have elsewhere.
SEPARATION = 1.5

#: Of all rows, those whose label is known.
LABELLED_SHARE = 0.01
PEAK_TARGET_MB = 2000.0

STAGES = {SHOAL: "spread_by_shoal", SKLEARN: "spread_by_sklearn"}


def rows(options: Options) -> Iterator[Row]:
    if options.quick:
        yield from _rows(QUICK_ROWS, (SHOAL, SKLEARN), options)
        return
    yield from _rows(N_ROWS, (SHOAL,), options)
    yield from _rows(COMMON_ROWS, (SHOAL, SKLEARN), options)


def _rows(n_rows: int, names: tuple[str, ...], options: Options) -> Iterator[Row]:
    arguments = {"n_rows": n_rows, "threads": options.threads}
    found = {}
    for name in names:
        progress(f"{name}, {n_rows:,} rows")
        found[name] = stage(STAGES[name], arguments, __file__)
    work = f"Label spreading, {n_rows // 1000}k x {N_FEATURES}, {N_NEIGHBORS} neighbors"
    for name, one in found.items():
        note = f"{one['accuracy']:.2%} of unknown labels right"
        yield Row(work, name, [one["seconds"]], "s", note)
    for name, one in found.items():
        peak = one["peak"] / 1e6
        goal = Goal("MB", peak, PEAK_TARGET_MB, at_most=True)
        yield Row(f"{work}, peak memory", name, [peak], "MB", "", (goal,) if name == SHOAL else ())


# --- Stages ---------------------------------------------------------------------------------


def spread_by_shoal(n_rows: int, threads: int) -> dict[str, float]:
    from shoal.semi_supervised import LabelSpreading

    return _spread(LabelSpreading(kernel="knn", n_neighbors=N_NEIGHBORS), n_rows, threads)


def spread_by_sklearn(n_rows: int, threads: int) -> dict[str, float]:
    from sklearn.semi_supervised import LabelSpreading

    model = LabelSpreading(kernel="knn", n_neighbors=N_NEIGHBORS, n_jobs=threads)
    return _spread(model, n_rows, threads)


def _spread(model: Any, n_rows: int, threads: int) -> dict[str, float]:
    """Seconds of a fit, the share of hidden labels that it finds, peak memory."""
    rng = np.random.default_rng(0)
    centers = SEPARATION * true_centers(N_FEATURES, N_CLASSES, rng)
    labels = np.repeat(np.arange(N_CLASSES), -(-n_rows // N_CLASSES))[:n_rows]
    X = draw(np.zeros((1, N_FEATURES), dtype=np.float32), n_rows, rng)
    X += centers[labels]
    is_known = rng.random(n_rows) < LABELLED_SHARE
    with equal_threads(threads):
        began = time.perf_counter()
        model.fit(X, np.where(is_known, labels, -1))
        seconds = time.perf_counter() - began
    accuracy = (model.transduction_ == labels)[~is_known].mean()
    return {"seconds": seconds, "accuracy": float(accuracy), "peak": peak_bytes()}


if __name__ == "__main__":
    run_stage(spread_by_shoal, spread_by_sklearn)

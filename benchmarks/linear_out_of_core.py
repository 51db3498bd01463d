"""Logistic regression and SGD over Parquet files that do not fit the budget.

The files are those of K-means (`out_of_core`). ``python benchmarks/linear_out_of_core.py STAGE
ARGUMENTS`` runs one stage.
"""

import json
import statistics
from collections.abc import Iterator
from typing import Any

import out_of_core
from harness import Goal, Options, Row, progress
from out_of_core import (
    COLD,
    FEATURES,
    LIBRARIES_BYTES,
    ROW_BYTES,
    SPEED_TARGET,
    WARM,
    TimedPasses,
    folder_of,
    peak_bytes,
    run_stage,
    scale_of,
    stage,
    written,
)

import shoal
from shoal.linear_model import LogisticRegression, SGDClassifier

#: Passes, of which half find the cache file's pages in memory.
MAX_ITER = 6

FITS = {"logistic": "a gradient pass", "sgd": "an epoch of SGD"}


def rows(options: Options) -> Iterator[Row]:
    with folder_of(options) as folder:
        scale = scale_of(options, folder)
        parquet = written(folder, scale)
        n_bytes = ROW_BYTES * sum(json.loads((parquet / "rows.json").read_text()))
        common = {"parquet": str(parquet), "threads": options.threads, "cache": str(folder)}
        found = {}
        for name in FITS:
            progress(f"{name} within {scale.memory / 1e6:g} MB")
            found[name] = stage(name, common | {"memory": scale.memory}, __file__)
        progress("reading a file like the block cache's alone")
        n_cached = found["logistic"]["cached"]
        alone = out_of_core.stage("read_alone", common | {"n_bytes": n_cached})
    work = f"Out of core, {n_bytes / 1e9:.3g} GB within {scale.memory / 1e6:g} MB"
    for name, what in FITS.items():
        for state in (COLD, WARM):
            speeds = [n_cached / time / 1e9 for time in alone[state]]
            yield from _passes(f"{work}, {what}, cache file {state}", found[name], state, speeds)
        peak = found[name]["peak"] / 1e6
        limit = Goal("MB", peak, (scale.memory + LIBRARIES_BYTES) / 1e6, at_most=True)
        yield Row(f"{work}, peak memory of {name}", "Shoal", [peak], "MB", goals=(limit,))


def _passes(work: str, fit: dict[str, Any], state: str, alone: list[float]) -> Iterator[Row]:
    """Bytes of the cache file over the time of a pass, beside a file of about that size alone."""
    speeds = [fit["cached"] / time / 1e9 for time in fit[state]]
    share = 100 * statistics.median(speeds) / statistics.median(alone)
    goal = Goal("% of what the file alone reads", share, SPEED_TARGET)
    yield Row(work, "Shoal", speeds, "GB/s", f"a file of {fit['cached'] / 1e9:.3g} GB", (goal,))
    yield Row(work, "pread alone", alone, "GB/s")


# --- Stages ---------------------------------------------------------------------------------


def logistic(parquet: str, threads: int, memory: int, cache: str) -> dict[str, Any]:
    """Passes of loss and gradient."""
    model = LogisticRegression(max_iter=MAX_ITER, tol=0)
    return _fitted(model, "LossGradient", parquet, threads, memory, cache)


def sgd(parquet: str, threads: int, memory: int, cache: str) -> dict[str, Any]:
    """Epochs of one-sample stochastic gradient descent."""
    model = SGDClassifier(loss="log_loss", max_iter=MAX_ITER, tol=None, random_state=0)
    return _fitted(model, "Replica", parquet, threads, memory, cache)


def _fitted(
    model: Any, name: str, parquet: str, threads: int, memory: int, cache: str
) -> dict[str, Any]:
    """Seconds of the passes of a name, bytes of the cache file, peak memory."""
    dataset = shoal.open_dataset(parquet, features=FEATURES, target="label")
    with TimedPasses(parquet, cache, threads, memory) as engine:
        model.fit(dataset)
    return {"cached": engine.cached_bytes, "peak": peak_bytes(), **engine.seconds(name)}


if __name__ == "__main__":
    run_stage(logistic, sgd)

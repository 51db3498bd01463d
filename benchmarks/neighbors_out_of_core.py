"""Nearest neighbours among the rows of Parquet files that do not fit the budget.

The files are those of K-means (`out_of_core`). ``python benchmarks/neighbors_out_of_core.py STAGE
ARGUMENTS`` runs one stage.
"""

import json
import os
import statistics
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import numpy as np
import out_of_core
import pyarrow as pa
from blobs import draw, true_centers
from harness import Goal, Options, Row, progress
from out_of_core import (
    COLD,
    FEATURES,
    LIBRARIES_BYTES,
    N_CLUSTERS,
    N_FEATURES,
    ROW_BYTES,
    SPEED_TARGET,
    WARM,
    TimedPasses,
    cache_files,
    evict,
    folder_of,
    parquet_files,
    peak_bytes,
    run_stage,
    scale_of,
    stage,
    written,
)

import shoal
from shoal.data.dataset import Dataset
from shoal.neighbors import NearestNeighbors

N_QUERIES = 1_000
N_NEIGHBORS = 10

#: Searches, each a pass, of which half find the cache file's pages in memory.
N_SEARCHES = 4


def rows(options: Options) -> Iterator[Row]:
    with folder_of(options) as folder:
        scale = scale_of(options, folder)
        parquet = written(folder, scale)
        n_rows = sum(json.loads((parquet / "rows.json").read_text()))
        common = {"parquet": str(parquet), "threads": options.threads, "cache": str(folder)}
        progress(f"searching within {scale.memory / 1e6:g} MB")
        found = stage("search", common | {"memory": scale.memory}, __file__)
        progress("searching by what is chosen for these rows")
        chosen = stage("search_chosen", common | {"memory": scale.memory}, __file__)
        progress("reading a file like the block cache's alone")
        alone = out_of_core.stage("read_alone", common | {"n_bytes": found["cached"]})
    work = (
        f"Out of core, {N_QUERIES:,} queries among {n_rows * ROW_BYTES / 1e9:.3g} GB within "
        f"{scale.memory / 1e6:g} MB"
    )
    auto = f"Shoal, auto ({chosen['algorithm']})"
    beside = f"of brute, the first pass alone: {found['fit']:.3g} s"
    yield Row(f"{work}, fit", auto, [chosen["fit"]], "s", beside)
    by_library = {"Shoal, brute": found, auto: chosen | {"cached": found["cached"]}}
    for state in (COLD, WARM):
        for library, one in by_library.items():
            yield _searches(f"{work}, cache file {state}", library, one, alone, state, n_rows)
        of_file = [found["cached"] / time / 1e9 for time in alone[state]]
        yield Row(f"{work}, cache file {state}", "pread alone", of_file, "GB/s")
    limit = (scale.memory + LIBRARIES_BYTES) / 1e6
    for library, one in by_library.items():
        peak = Goal("MB", one["peak"] / 1e6, limit, at_most=True)
        yield Row(f"{work}, peak memory", library, [one["peak"] / 1e6], "MB", goals=(peak,))


def _searches(
    work: str,
    library: str,
    found: dict[str, Any],
    alone: dict[str, list[float]],
    state: str,
    n_rows: int,
) -> Row:
    """Bytes of the cache file over the time of a search, and its rate of arithmetic."""
    speeds = [found["cached"] / time / 1e9 for time in found[state]]
    of_file = [found["cached"] / time / 1e9 for time in alone[state]]
    share = 100 * statistics.median(speeds) / statistics.median(of_file)
    rate = 2 * n_rows * N_QUERIES * N_FEATURES / statistics.median(found[state]) / 1e9
    note = f"a file of {found['cached'] / 1e9:.3g} GB, {rate:.3g} GFLOP/s"
    goal = Goal("% of what the file alone reads", share, SPEED_TARGET)
    return Row(work, library, speeds, "GB/s", note, (goal,))


# --- Stages ---------------------------------------------------------------------------------


def search(parquet: str, threads: int, memory: int, cache: str) -> dict[str, Any]:
    """By brute force: seconds of the fit and the searches, bytes of the cache file, peak memory."""
    dataset, queries = _work(parquet)
    with TimedPasses(parquet, cache, threads, memory) as engine:
        model = NearestNeighbors(n_neighbors=N_NEIGHBORS, algorithm="brute").fit(dataset)
        for _ in range(N_SEARCHES):
            model.kneighbors(queries)
    times = engine.seconds("NearestRows")
    assert sum(map(len, times.values())) == N_SEARCHES, engine.passes
    fit = engine.passes[0][1]
    return {"fit": fit, "cached": engine.cached_bytes, "peak": peak_bytes(), **times}


def search_chosen(parquet: str, threads: int, memory: int, cache: str) -> dict[str, Any]:
    """By what `auto` chooses: which that is, seconds of the fit and the searches, peak memory."""
    os.environ["SHOAL_CACHE_DIR"] = cache
    dataset, queries = _work(parquet)
    times: dict[str, list[float]] = {COLD: [], WARM: []}
    with shoal.LocalEngine(threads, memory):
        evict(parquet_files(parquet))
        began = perf_counter()
        model = NearestNeighbors(n_neighbors=N_NEIGHBORS).fit(dataset)
        fit = perf_counter() - began
        for number in range(N_SEARCHES):
            state = WARM if number % 2 else COLD
            files = cache_files(cache) if state == COLD else []
            evict([*parquet_files(parquet), *files])
            began = perf_counter()
            model.kneighbors(queries)
            times[state].append(perf_counter() - began)
    return {"algorithm": model.algorithm_, "fit": fit, "peak": peak_bytes(), **times}


def _work(parquet: str) -> tuple[Dataset, pa.Table]:
    """The rows to search and the queries."""
    centers = true_centers(N_FEATURES, N_CLUSTERS, np.random.default_rng(0))
    drawn = draw(centers, N_QUERIES, np.random.default_rng(1))
    queries = pa.table(list(np.ascontiguousarray(drawn.T)), FEATURES)
    return shoal.open_dataset(parquet, features=FEATURES), queries


if __name__ == "__main__":
    run_stage(search, search_chosen)

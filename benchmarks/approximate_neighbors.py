"""Approximate nearest neighbours: build and search at equal recall, beside faiss' HNSW."""

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec

import numpy as np
from harness import Goal, Options, Row, interleaved, medians, progress
from neighbor_peers import FAISS_HNSW, Build, Search, faiss_hnsw, shoal_index
from neighbors import N_NEIGHBORS, Answer, Task, answered, recall
from peers import SHOAL, equal_threads

RECALL = 0.95
TARGET = 3.0
TASKS = (
    Task(200_000, 64, 10_000, "partition", (), TARGET),
    Task(200_000, 64, 10_000, "partition", (), TARGET, n_blobs=200),
)

#: Links of a node of HNSW: of these, the one that is faster at its own smallest `efSearch`.
N_LINKS = (16, 32)

#: Queries that a setting is looked for with, before all of them confirm it: gaussian rows take HNSW
#: hundreds of candidates a query.
N_CHOOSING = 1000

#: What builds an index of rows, as a function of how thoroughly it is to be searched.
Searches = Callable[[np.ndarray], Callable[[int], Search]]

#: HNSW takes a minute to build.
MOST_REPETITIONS = 3


def rows(options: Options) -> Iterator[Row]:
    with equal_threads(options.threads):
        for task in TASKS:
            yield from _rows(task.reduced(options.quick), options)


def _rows(task: Task, options: Options) -> Iterator[Row]:
    X, queries = task.data()
    progress(f"{task}: exact neighbours")
    nearest = shoal_index(X, options.threads, algorithm="auto")(queries, N_NEIGHBORS)
    chosen: dict[str, tuple[str, Build]] = {}
    for name, (setting, searches) in methods().items():
        progress(f"choosing {setting} of {name}")
        value = smallest_setting(searches(X), queries, nearest)
        chosen[name] = f"{setting}={value}", partial(_built, searches, value)
    answers: dict[str, Answer] = {}
    works = {
        name: partial(answered, answers, name, build, X, queries, options.threads)
        for name, (_, build) in chosen.items()
    }
    seconds = interleaved(works, min(MOST_REPETITIONS, options.repetitions))
    work = f"Approximate neighbors, recall {RECALL}, {task}"
    for name, answer in answers.items():
        share = recall(answer.rows, nearest)
        note = f"{chosen[name][0]}, {np.median(answer.building):.3g} s to build, recall {share:.4f}"
        goals = tuple(_goals(medians(seconds), share)) if name == SHOAL else ()
        yield Row(work, name, seconds[name], "s", note, goals)
    if not find_spec("faiss"):
        yield Row(work, FAISS_HNSW, note="not installed")


def methods() -> dict[str, tuple[str, Searches]]:
    """Ways to search, with the name of the setting that says how thoroughly."""
    ours: dict[str, tuple[str, Searches]] = {SHOAL: ("n_probe", _shoal)}
    if not find_spec("faiss"):
        return ours
    hnsw = {
        f"{FAISS_HNSW}, M = {n_links}": ("efSearch", partial(faiss_hnsw, n_links=n_links))
        for n_links in N_LINKS
    }
    return ours | hnsw


def _shoal(X: np.ndarray) -> Callable[[int], Search]:
    """On the threads of the engine that is current."""
    return lambda n_probe: shoal_index(X, 0, algorithm="partition", n_probe=n_probe)


def _built(searches: Searches, setting: int, X: np.ndarray, n_threads: int) -> Search:
    return searches(X)(setting)


def smallest_setting(
    search_with: Callable[[int], Search], queries: np.ndarray, nearest: np.ndarray
) -> int:
    """The smallest setting that reaches the recall, to a sixteenth; more never finds less."""

    def reaches(setting: int, n_queries: int = N_CHOOSING) -> bool:
        found = search_with(setting)(queries[:n_queries], N_NEIGHBORS)
        return recall(found, nearest[:n_queries]) >= RECALL

    too_small, enough = 0, 1
    while not reaches(enough):
        too_small, enough = enough, 2 * enough
    while enough - too_small > max(1, enough // 16):
        middle = (too_small + enough) // 2
        too_small, enough = (too_small, middle) if reaches(middle) else (middle, enough)
    while not reaches(enough, len(queries)):
        enough += max(1, enough // 16)
    return enough


def _goals(seconds: dict[str, float], share: float) -> Iterator[Goal]:
    yield Goal("of the nearest rows found", share, RECALL)
    peers = [time for name, time in seconds.items() if name != SHOAL]
    if peers:
        yield Goal("x faiss HNSW, build and search", min(peers) / seconds[SHOAL], TARGET)

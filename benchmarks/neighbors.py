"""Exact nearest neighbours: fit and search, and how near to sgemm looking at all rows comes."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from harness import Goal, Options, Row, interleaved, medians, progress
from neighbor_peers import CKDTREE, SKLEARN_TREE, Build, builds
from peers import FAISS, SHOAL, SKLEARN, SKLEARNEX, equal_threads
from scipy.spatial.distance import cdist
from sklearn.datasets import make_blobs

from shoal.neighbors import NearestNeighbors

N_NEIGHBORS = 10

#: Queries whose neighbours are looked up in float64, to judge those of each library.
N_JUDGED = 100

RATE_TARGET = 90.0
GEMM = "sgemm"
GEMM_SIDE = 1536


@dataclass(frozen=True, slots=True)
class Task:
    """Float32 rows and queries, gaussian or in blobs; what answers; what is asked of it."""

    n_rows: int
    n_features: int
    n_queries: int
    algorithm: str
    peers: tuple[str, ...]
    target: float
    n_blobs: int = 0

    def reduced(self, quick: bool) -> "Task":
        if not quick:
            return self
        return replace(self, n_rows=self.n_rows // 20, n_queries=self.n_queries // 20)

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and queries."""
        n = self.n_rows + self.n_queries
        if self.n_blobs:
            X, _ = make_blobs(n, self.n_features, centers=self.n_blobs, random_state=0)
            X = X.astype(np.float32)
        else:
            rng = np.random.default_rng(0)
            X = rng.standard_normal((n, self.n_features), dtype=np.float32)
        return X[: self.n_rows], X[self.n_rows :]

    @property
    def flops(self) -> float:
        """A multiplication and an addition a value of each row and query."""
        return 2.0 * self.n_rows * self.n_queries * self.n_features

    def __str__(self) -> str:
        where = f" in {self.n_blobs} blobs" if self.n_blobs else ""
        return (
            f"{self.n_rows // 1000:,}k x {self.n_features}{where}, {self.n_queries:,} queries, "
            f"{self.algorithm}"
        )


BRUTE = (SKLEARN, SKLEARNEX, FAISS)
TASKS = (
    Task(100_000, 128, 5_000, "brute", BRUTE, 1.4),
    Task(200_000, 64, 10_000, "brute", BRUTE, 1.7),
    Task(200_000, 64, 10_000, "auto", (*BRUTE, SKLEARN_TREE, CKDTREE), 5.0, n_blobs=200),
    Task(200_000, 8, 10_000, "auto", (CKDTREE, SKLEARN_TREE), 1.0),
)


@dataclass(slots=True)
class Answer:
    """What a library found, and the seconds of each building and each search."""

    rows: np.ndarray
    building: list[float]
    searching: list[float]


def rows(options: Options) -> Iterator[Row]:
    with equal_threads(options.threads):
        for task in TASKS:
            yield from _rows(task.reduced(options.quick), options)


def _rows(task: Task, options: Options) -> Iterator[Row]:
    progress(f"{task}: drawing rows")
    X, queries = task.data()
    answers: dict[str, Answer] = {}
    made = builds(task.algorithm, *task.peers)
    for build in made.values():
        # Imports, threads and the like.
        build(X[:1000], options.threads)(queries[:10], N_NEIGHBORS)
    works = {
        name: partial(answered, answers, name, build, X, queries, options.threads)
        for name, build in made.items()
    }
    is_brute = task.algorithm == "brute"
    if is_brute:
        works[GEMM] = gemm_work()
    seconds = interleaved(works, options.repetitions)
    truth = cdist(queries[:N_JUDGED].astype(np.float64), X.astype(np.float64))
    nearest = truth.argsort(axis=1, kind="stable")[:, :N_NEIGHBORS]
    index = NearestNeighbors(algorithm=task.algorithm).fit(X).algorithm_
    work = f"Neighbors, {task}"
    for name in (SHOAL, *task.peers):
        answer = answers.get(name)
        goals = tuple(_goals(task, medians(seconds), answer)) if answer and name == SHOAL else ()
        note = said(answer, nearest) if answer else "not installed"
        if name == SHOAL:
            note = f"{index}, {note}"
        yield Row(work, name, seconds.get(name, ()), "s", note, goals)
    if is_brute:
        rates = [2 * GEMM_SIDE**3 / time / 1e9 for time in seconds[GEMM]]
        yield Row(work, GEMM, rates, "GFLOP/s", f"{GEMM_SIDE} cubed, {options.threads} threads")


def answered(
    answers: dict[str, Answer],
    name: str,
    build: Build,
    X: np.ndarray,
    queries: np.ndarray,
    n_threads: int,
) -> float:
    """Seconds to build an index of the rows and to search it, which is also noted."""
    began = time.perf_counter()
    search = build(X, n_threads)
    built = time.perf_counter()
    found = search(queries, N_NEIGHBORS)
    ended = time.perf_counter()
    answer = answers.setdefault(name, Answer(found, [], []))
    answer.building.append(built - began)
    answer.searching.append(ended - built)
    return ended - began


def said(answer: Answer, nearest: np.ndarray) -> str:
    """How long building took, and the share of the nearest rows that were found."""
    share = recall(answer.rows[: len(nearest)], nearest)
    return f"{np.median(answer.building):.3g} s to build, recall {share:.4f}"


def recall(found: np.ndarray, nearest: np.ndarray) -> float:
    """The share of the nearest rows that are among those found."""
    hits = (found[:, :, None] == nearest[:, None, :]).any(axis=2)
    return float(hits.mean())


def gemm_work() -> "partial[float]":
    """Seconds of a product of two square matrices, on all threads."""
    a, b = np.random.default_rng(0).standard_normal((2, GEMM_SIDE, GEMM_SIDE), dtype=np.float32)
    return partial(_product_seconds, a, b)


def _product_seconds(a: np.ndarray, b: np.ndarray) -> float:
    began = time.perf_counter()
    _ = a @ b
    return time.perf_counter() - began


def _goals(task: Task, seconds: Mapping[str, float], ours: Answer) -> Iterator[Goal]:
    fastest = min(time for name, time in seconds.items() if name in task.peers)
    yield Goal("x the fastest peer", fastest / seconds[SHOAL], task.target)
    if GEMM in seconds:
        rate, of_gemm = (
            task.flops / float(np.median(ours.searching)),
            2 * GEMM_SIDE**3 / seconds[GEMM],
        )
        yield Goal("% of sgemm's rate, searching", 100 * rate / of_gemm, RATE_TARGET)

"""How far a search is."""

import io

import numpy as np
import pytest
from rich.console import Console
from tests.neighbors.rows import blobs

from shoal import LocalEngine, callbacks
from shoal._fit_display import table_of
from shoal.callbacks import row_counter
from shoal.data.open import open_dataset
from shoal.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    NearestNeighbors,
    search_progress,
)
from shoal.neighbors.database import Database, query_batches
from shoal.neighbors.search_progress import SearchProgress


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass when a test says so."""
    now = [100.0]
    monkeypatch.setattr(search_progress, "monotonic", lambda: now[0])
    return now


def batches(*lengths):
    for length in lengths:
        yield from query_batches(open_dataset(np.zeros((length, 2))), 0)


def test_queries_count_batch_by_batch_and_within_one_by_rows_read(clock):
    search = SearchProgress("NearestNeighbors", 40, 1000)
    assert search.pass_seconds_left is None
    blocks = search.over(batches(30, 10))
    next(blocks)
    clock[0] += 5
    with callbacks.counted_by(search):
        for n_rows in (200, 300):
            row_counter()(n_rows)
    assert (search.pass_rows, search.n_answered) == (15, 0)
    assert (search.rows_per_second, search.pass_seconds_left) == (3, 25 / 3)
    next(blocks)
    assert (search.pass_rows, search.n_answered) == (30, 30)
    search.count_rows(5000)
    assert search.pass_rows == 40
    assert list(blocks) == []
    assert search.n_answered == 40


def answers(X):
    y = np.arange(len(X)) % 3
    return {
        "kneighbors": NearestNeighbors(algorithm="brute").fit(X).kneighbors,
        "radius": NearestNeighbors(algorithm="brute").fit(X).radius_neighbors,
        "label": KNeighborsClassifier(algorithm="brute").fit(X, y).predict,
        "share": KNeighborsClassifier(algorithm="brute").fit(X, y).predict_proba,
        "average": KNeighborsRegressor(algorithm="brute").fit(X, y).predict,
    }


@pytest.mark.parametrize("name", answers(blobs(20)))
def test_every_search_is_shown(name, monkeypatch):
    monkeypatch.setattr("shoal.neighbors.database._BATCH_BYTES", 1)
    X = blobs(300)
    answer = answers(X)[name]
    shown, seen = [], []
    counted_by, fold = callbacks.counted_by, LocalEngine.fold

    def noted(search):
        shown.append(search)
        return counted_by(search)

    def folded(*arguments):
        found = fold(*arguments)
        seen.append(shown[-1].pass_rows)
        return found

    monkeypatch.setattr(search_progress, "counted_by", noted)
    monkeypatch.setattr(LocalEngine, "fold", folded)
    answer(X[:200])
    # After the pass of each batch of 64, before the next is asked for.
    assert seen == [64, 128, 192, 200]
    assert shown[-1].n_answered == 200


def test_nothing_is_counted_after_an_error(monkeypatch):
    model = NearestNeighbors(algorithm="brute").fit(blobs())
    monkeypatch.setattr(Database, "nearest", lambda *all: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model.kneighbors()
    assert row_counter() is callbacks._count_nothing


def test_a_line_says_how_many_queries_are_answered(clock):
    search = SearchProgress("NearestNeighbors", 40_000, 1000)
    blocks = search.over(batches(30_000, 10_000))
    next(blocks)
    clock[0] += 3
    next(blocks)
    console = Console(file=io.StringIO(), width=120)
    console.print(table_of((search,)))
    line = console.file.getvalue().rstrip()
    assert line.startswith("NearestNeighbors  search  ━")
    assert line.endswith("10k queries/s  left 0:01")

"""faiss's graph, approximate, with exact distances."""

import pickle
import sys
from dataclasses import replace

import numpy as np
import pytest
from tests.neighbors.rows import blobs, nearest, pairwise

from shoal import LocalEngine, open_dataset
from shoal.neighbors import KNeighborsClassifier, NearestNeighbors, recall
from shoal.neighbors.brute import Brute
from shoal.neighbors.database import Database
from shoal.neighbors.hnsw import HNSW
from shoal.statistics.metric import Metric
from shoal.testing.bits import bits

faiss = pytest.importorskip("faiss")

X, QUERIES = blobs(3000, 12), blobs(200, 12, seed=0) + 0.1


def built(X, metric="euclidean", kind=HNSW):
    return kind.build(Database.of(open_dataset(X)), Metric(metric))


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "cosine"])
def test_most_neighbours_are_found_and_distances_are_exact(metric):
    queries = QUERIES / np.linalg.norm(QUERIES, axis=1, keepdims=True)
    found, exact = (built(X, metric, kind).query(queries, 10) for kind in (HNSW, Brute))
    same = found.rows == exact.rows
    assert same.mean() > 0.95
    assert bits(found.distances[same]) == bits(exact.distances[same])
    assert (np.diff(found.distances, axis=1) >= 0).all()


@pytest.mark.parametrize("change", [lambda X: X + 1e7, lambda X: X * 1e-100, lambda X: X * 1e150])
def test_float32_does_not_matter(change):
    found = built(change(X)).query(change(QUERIES), 5)
    assert (found.rows == nearest(QUERIES, X, 5)[1]).mean() > 0.95


def test_the_same_rows_give_the_same_answers():
    answers = set()
    for n_threads in (1, 2, 2):
        with LocalEngine(n_threads):
            before = faiss.omp_get_max_threads()
            answers.add(str(bits(built(X).query(QUERIES, 7))))
            assert faiss.omp_get_max_threads() == before
    assert len(answers) == 1


def test_adding_and_removing():
    index = built(X[:2000])
    grown = index.add(open_dataset(X[2000:]))
    assert index.graph.ntotal == 2000
    assert (grown.query(X, 1).rows[:, 0] == np.arange(3000)).mean() > 0.99
    left = grown.remove(np.arange(0, 3000, 2))
    assert left.graph.ntotal == 1500
    assert (left.query(X[1::2].copy(), 1).rows[:, 0] == np.arange(1500)).mean() > 0.99


class Blind:
    """A graph whose walks meet nobody, as in one that fell apart."""

    def search(self, queries, n_neighbors, params):
        shape = len(queries), n_neighbors
        return np.full(shape, np.inf, np.float32), np.full(shape, -1)


def test_queries_whose_walk_meets_too_few_look_at_all_rows():
    index = built(X)
    found = replace(index, graph=Blind()).query(QUERIES, 7)
    assert bits(found) == bits(built(X, kind=Brute).query(QUERIES, 7))
    every = built(X[:300]).query(QUERIES, 300)
    assert (np.sort(every.rows, axis=1) == np.arange(300)).all()


def test_rows_within_a_radius_are_exact():
    pairs = built(X).query_radius(QUERIES, 2.0)
    np.testing.assert_array_equal(
        (pairs.queries, pairs.rows), np.nonzero(pairwise(QUERIES, X) <= 4.0)
    )


def test_as_an_estimator():
    y = X[:, 0] > 0
    model = KNeighborsClassifier(algorithm="hnsw").fit(X, y)
    assert model.algorithm_ == "hnsw"
    assert recall(model, QUERIES) > 0.95
    again = pickle.loads(pickle.dumps(model))
    assert bits(again.predict_proba(QUERIES)) == bits(model.predict_proba(QUERIES))
    assert model.partial_fit(X, y).forget([0, 3]).n_samples_fit_ == 5998


def test_without_faiss(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r"needs faiss.*pip install 'shoal\[hnsw\]'"):
        NearestNeighbors(algorithm="hnsw").fit(X)

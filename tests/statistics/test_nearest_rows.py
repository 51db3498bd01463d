"""The k rows nearest to each of some queries."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.statistics.rows import FORMS, blobs, fold, forms

from shoal import open_dataset
from shoal.statistics.metric import Metric
from shoal.statistics.nearest_rows import NO_ROW, NearestRows, Neighbors, middle
from shoal.testing import check_statistic


def pairwise(queries, X, name):
    """What is compared: squares, for euclidean distances."""
    Q, X = queries.astype(np.float64)[:, None], X.astype(np.float64)[None]
    return {
        "sqeuclidean": ((Q - X) ** 2).sum(axis=-1),
        "inner_product": -(Q * X).sum(axis=-1),
        "manhattan": np.abs(Q - X).sum(axis=-1),
        "chebyshev": np.abs(Q - X).max(axis=-1),
    }["sqeuclidean" if name == "euclidean" else name]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["euclidean", "sqeuclidean", "inner_product", "manhattan"])
@pytest.mark.parametrize("form", FORMS)
def test_is_a_sort_of_all_pairs_in_any_split(form, name, dtype):
    X, queries = blobs(dtype=dtype), blobs(20, seed=5, dtype=dtype)
    dataset = replace(forms(X)[form], dtype=np.dtype(dtype))
    statistic = NearestRows(queries, 6, Metric(name))
    check_statistic(statistic, dataset)
    found = fold(statistic, dataset)
    truth = pairwise(queries, X, name)
    order = np.argsort(truth, axis=1, kind="stable")[:, :6]
    np.testing.assert_allclose(
        found.distances, np.take_along_axis(truth, order, axis=1), rtol=1e-12, atol=1e-12
    )
    if form != "dropped":
        np.testing.assert_array_equal(found.rows, order)


@pytest.mark.parametrize("name", ["euclidean", "chebyshev"])
def test_many_ties_go_to_the_lowest_rows(name):
    X = np.random.default_rng(0).integers(-1, 2, (600, 2)).astype(np.float32)
    queries = X[:9] + np.float32(1)
    statistic = NearestRows(queries, 100, Metric(name))
    check_statistic(statistic, open_dataset(X))
    expected = np.argsort(pairwise(queries, X, name), axis=1, kind="stable")[:, :100]
    np.testing.assert_array_equal(fold(statistic, open_dataset(X), 7).rows, expected)


@pytest.mark.parametrize("name", ["sqeuclidean", "manhattan"])
def test_removed_rows_and_the_first_rows_number(name):
    X = blobs()
    removed = np.arange(0, 150, 4)
    statistic = NearestRows(X[:30].copy(), 8, Metric(name), 1000, removed)
    check_statistic(statistic, open_dataset(X))
    truth = pairwise(X[:30], X, name)
    truth[:, removed] = np.inf
    expected = np.argsort(truth, axis=1, kind="stable")[:, :8]
    np.testing.assert_array_equal(fold(statistic, open_dataset(X)).rows, expected + 1000)


def test_fewer_rows_than_neighbours():
    X = np.arange(3.0)[:, None]
    for name in ("euclidean", "manhattan"):
        found = fold(NearestRows(X[:1], 5, Metric(name), 10), open_dataset(X), 2)
        assert found.rows.tolist() == [[10, 11, 12, NO_ROW, NO_ROW]]
        assert found.distances.tolist() == [[0, 1, 4 if name == "euclidean" else 2, np.inf, np.inf]]


@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(1, 9),
    n_values=st.sampled_from([1, 2, 5, 1000]),
    widths=st.lists(st.integers(1, 30), min_size=1, max_size=5),
)
def test_nearer_is_a_sort_whatever_comes_first(seed, k, n_values, widths):
    generator = np.random.default_rng(seed)
    values = np.append(np.arange(n_values, dtype=float), np.inf)
    starts = np.cumsum([0, *widths])
    distances = generator.choice(values, (4, starts[-1]))
    found = Neighbors.none(4, k)
    for part in generator.permutation(len(widths)):
        numbers = np.arange(starts[part], starts[part + 1])
        found = found.nearer(distances[:, numbers], numbers)
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    n_found = order.shape[1]
    np.testing.assert_array_equal(found.rows[:, :n_found], order)
    expected = np.take_along_axis(distances, order, axis=1)
    np.testing.assert_array_equal(found.distances[:, :n_found], expected)
    assert (found.rows[:, n_found:] == NO_ROW).all()


def test_pairs_in_any_order():
    pairs = np.array([[1, 0, 1, 1], [9, 5, 2, 7], [3.0, 1.0, 3.0, 3.0]])
    found = Neighbors.of_pairs(*pairs[:2].astype(np.int64), pairs[2], (3, 2))
    assert found.rows.tolist() == [[5, NO_ROW], [2, 7], [NO_ROW, NO_ROW]]
    assert found.distances.tolist() == [[1, np.inf], [3, 3], [np.inf, np.inf]]


def test_middle_is_finite():
    assert middle(np.array([[1.0, 2.0], [3.0, 6.0]])).tolist() == [2.0, 4.0]
    with np.errstate(over="ignore"):
        assert middle(np.full((4, 1), 1e308)).tolist() == [0.0]

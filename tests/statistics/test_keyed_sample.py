"""Samples that do not depend on how rows are split, with the probabilities they promise."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from tests.statistics.rows import FORMS, blobs, blocks, fold, fold_blocks, forms, weights

from shoal import _kernels, open_dataset
from shoal.statistics.keyed_sample import KeyedSample, Sample, keyed_uniform
from shoal.testing import check_statistic

ALPHA = 1e-3


def sample_of(dataset, size, seed=0, purpose=1, **options):
    return KeyedSample(size, dataset.n_features, dataset.dtype, seed, purpose, **options)


def row_numbers(n_rows):
    """A dataset whose only feature is the row's number."""
    return open_dataset(np.arange(n_rows, dtype=np.float64)[:, None])


@pytest.mark.parametrize("size", [1, 40, 200])
@pytest.mark.parametrize("form", FORMS)
def test_is_the_same_in_any_split(form, size):
    X, weight = blobs(), weights()
    dataset = forms(X, weight)[form]
    options = {"by_weight": True, "centers": X[:3].copy(), "shift": X.mean(axis=0)}
    check_statistic(sample_of(dataset, size), dataset)
    check_statistic(sample_of(dataset, size, **options), dataset)


def test_of_equal_keys_the_lowest_rows_are_drawn():
    """Whichever of them comes first to where samples are merged."""
    rows = np.array([7, 3, 9, 1, 4])
    keys = np.array([0.5, 0.5, 0.1, 0.5, 0.5])
    sample = Sample(rows, np.zeros((5, 1)), None, keys)
    assert sorted(sample.smallest(3).rows) == [1, 3, 9]


@pytest.mark.parametrize("form", FORMS)
def test_gives_the_rows_that_it_names(form):
    X, weight = blobs(dtype=np.float32), weights()
    found = fold(sample_of(open_dataset(X), 30), forms(X, weight)[form])
    rows = found.rows
    if form == "dropped":  # three rows are missing: the first, one in the middle, the last
        rows = rows - 1 - (rows > len(X) // 2)
    assert len(rows) == 30
    assert (np.diff(found.rows) > 0).all()
    np.testing.assert_array_equal(found.X, X[rows])
    np.testing.assert_array_equal(found.sample_weight, weight[rows])
    assert found.X.dtype == np.float32
    assert found.X.flags.c_contiguous


def test_all_rows_are_drawn_where_there_are_fewer():
    found = fold(sample_of(row_numbers(10), 11), row_numbers(10))
    np.testing.assert_array_equal(found.rows, np.arange(10))


def test_seed_and_purpose_each_change_the_sample():
    dataset = row_numbers(1000)
    drawn = {
        tuple(fold(sample_of(dataset, 10, seed, purpose), dataset).rows)
        for seed, purpose in [(0, 1), (0, 2), (1, 1), (1, 2), (2**31 - 2, 2**32 + 9)]
    }
    assert len(drawn) == 5


def test_every_subset_is_as_likely():
    dataset = row_numbers(6)
    block = next(blocks(dataset))
    subsets = list(combinations(range(6), 3))
    counts = dict.fromkeys(subsets, 0)
    for seed in range(4000):
        counts[tuple(fold_blocks(sample_of(dataset, 3, seed), [block]).rows)] += 1
    assert stats.chisquare(list(counts.values())).pvalue > ALPHA


def test_the_first_row_is_drawn_by_weight():
    weight = np.array([1.0, 2.0, 0.0, 4.0, 0.5])
    dataset = open_dataset(np.zeros((5, 1)), sample_weight=weight)
    block = next(blocks(dataset))
    statistics = (sample_of(dataset, 1, seed, by_weight=True) for seed in range(4000))
    rows = [fold_blocks(statistic, [block]).rows[0] for statistic in statistics]
    counts = np.bincount(rows, minlength=5)
    assert counts[2] == 0
    expected = 4000 * weight / weight.sum()
    assert stats.chisquare(counts[weight > 0], expected[weight > 0]).pvalue > ALPHA


def test_the_second_row_is_drawn_by_weight_among_those_left():
    weight = np.array([1.0, 2.0, 4.0])
    dataset = open_dataset(np.zeros((3, 1)), sample_weight=weight)
    block = next(blocks(dataset))
    pairs = [(0, 1), (0, 2), (1, 2)]
    share = weight / weight.sum()
    expected = [share[i] * share[j] * (1 / (1 - share[i]) + 1 / (1 - share[j])) for i, j in pairs]
    counts = dict.fromkeys(pairs, 0)
    for seed in range(4000):
        statistic = sample_of(dataset, 2, seed, by_weight=True)
        counts[tuple(fold_blocks(statistic, [block]).rows)] += 1
    assert stats.chisquare(list(counts.values()), 4000 * np.array(expected)).pvalue > ALPHA


def test_rows_are_drawn_by_squared_distance():
    dataset = open_dataset(np.array([[0.0], [1.0], [3.0], [-2.0]]))
    block = next(blocks(dataset))
    options = {"centers": np.zeros((1, 1)), "shift": np.zeros(1)}
    statistics = (sample_of(dataset, 1, seed, **options) for seed in range(4000))
    rows = [fold_blocks(statistic, [block]).rows[0] for statistic in statistics]
    counts = np.bincount(rows, minlength=4)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:], 4000 * np.array([1, 9, 4]) / 14).pvalue > ALPHA


def test_weights_only_leave_rows_out_unless_they_are_asked_for():
    X, weight = np.zeros((50, 1)), np.tile([0.0, 1.0, 1e9, 1e-9, 3.0], 10)
    plain = fold(sample_of(open_dataset(X), 50), open_dataset(X))
    weighted = open_dataset(X, sample_weight=weight)
    found = fold(sample_of(weighted, 50), weighted)
    np.testing.assert_array_equal(found.rows, np.flatnonzero(weight))
    np.testing.assert_array_equal(found.keys, plain.keys[weight > 0])


def test_equal_keys_go_to_the_lower_row():
    dataset = row_numbers(4)
    found = fold(sample_of(dataset, 4), dataset)
    tied = found.__class__(found.rows, found.X, None, np.array([1.0, 0.5, 0.5, 0.5]))
    np.testing.assert_array_equal(tied.smallest(2).rows, [1, 2])


@given(st.integers(0, 2**31), st.integers(0, 2**33), st.integers(1, 60), st.data())
def test_a_key_is_a_function_of_the_row_number_alone(seed, purpose, n_rows, data):
    dataset = row_numbers(n_rows)
    whole = np.concatenate([keyed_uniform(seed, purpose, block) for block in blocks(dataset, 100)])
    size = data.draw(st.integers(1, n_rows))
    parts = np.concatenate([keyed_uniform(seed, purpose, block) for block in blocks(dataset, size)])
    np.testing.assert_array_equal(whole, parts)


@pytest.mark.parametrize("word", [0, 1, 2**52, 2**64 - 1])
def test_uniform_numbers_lie_between_0_and_1(monkeypatch, word):
    def philox(seed, purpose, first_row, out):
        out[:] = word

    monkeypatch.setattr(_kernels, "philox", philox)
    (uniform,) = set(keyed_uniform(0, 0, next(blocks(row_numbers(3)))))
    assert 0 < uniform < 1


def test_uniform_numbers_are_uniform():
    uniform = np.concatenate([keyed_uniform(5, 7, block) for block in blocks(row_numbers(20_000))])
    assert stats.kstest(uniform, "uniform").pvalue > ALPHA
    assert abs(np.corrcoef(uniform[:-1], uniform[1:])[0, 1]) < 4 / np.sqrt(len(uniform))

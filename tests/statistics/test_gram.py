"""Second moments against exact arithmetic, in any blocks."""

from dataclasses import replace

import numpy as np
import pytest
from tests.statistics.rows import FORMS, blobs, fold, forms, weights

from shoal import open_dataset
from shoal.exceptions import DataError
from shoal.statistics.gram import GROUP_ROWS, Gram
from shoal.statistics.range import Range
from shoal.statistics.target_range import TargetRange
from shoal.testing import check_statistic

N_ROWS = 2 * GROUP_ROWS + 22


def targets(n_rows=N_ROWS, n_outputs=2):
    return np.random.default_rng(5).normal(40, 3, (n_rows, n_outputs))


def with_targets(dataset, Y):
    return replace(dataset, target=Y)


def gram_of(dataset, n_outputs=2, dtype=np.float64):
    found = fold(Range(dataset.n_features), dataset)
    bounds = fold(TargetRange(n_outputs), dataset)
    middle = np.concatenate([(found.minimum + found.maximum) / 2, bounds.middle])
    return Gram.within(found, bounds, middle, np.dtype(dtype))


def longdouble_moments(X, Y, w):
    """Means and second moments about them, in extended precision."""
    z = np.column_stack([X, Y]).astype(np.longdouble)
    w = np.asarray(w, dtype=np.longdouble)
    mean = (w @ z) / w.sum()
    z = z - mean
    return mean, (z * w[:, None]).T @ z / w.sum()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_is_the_exact_value_in_any_blocks(form, weighted):
    X, Y = blobs(N_ROWS), targets()
    weight = weights(N_ROWS) if weighted else None
    holes = np.insert(Y, [0, len(Y) // 2, len(Y)], 0.0, axis=0) if form == "dropped" else Y
    dataset = with_targets(forms(X, weight)[form], holes)
    statistic = gram_of(dataset)
    check_statistic(statistic, dataset)
    found = fold(statistic, dataset)
    mean, second = longdouble_moments(X, Y, np.ones(N_ROWS) if weight is None else weight)
    np.testing.assert_allclose(found.mean, mean[:3].astype(float), rtol=1e-13)
    np.testing.assert_allclose(found.target_mean, mean[3:].astype(float), rtol=1e-13)
    whole = np.block([[found.gram, found.cross], [found.cross.T, found.target_gram]])
    np.testing.assert_allclose(whole, second.astype(float), rtol=1e-12, atol=1e-12)
    assert found.weight == pytest.approx(N_ROWS if weight is None else weight.sum(), rel=1e-14)


def test_float32_rows_keep_the_digits_of_float32_far_from_zero():
    X = blobs(5000, dtype=np.float32) + np.float32(1e4)
    dataset = open_dataset(X, target=targets(5000))
    found = fold(gram_of(dataset, dtype=np.float32), dataset)
    _, second = longdouble_moments(X, targets(5000), np.ones(5000))
    np.testing.assert_allclose(found.gram, second[:3, :3].astype(float), rtol=1e-6, atol=1e-6)
    assert found.offset.max() < 3


@pytest.mark.parametrize("size", [2.0**-120, 2.0**80])
def test_columns_of_any_size_keep_their_digits(size):
    """Squares of float32 values that lie beyond float32."""
    X, Y = blobs(300, dtype=np.float32), targets(300)
    sizes = np.array([1.0, size, 1.0])
    plain = open_dataset(X, target=Y)
    scaled = open_dataset(X * sizes.astype(np.float32), target=Y * size)
    expected, found = (
        fold(gram_of(dataset, dtype=np.float32), dataset) for dataset in (plain, scaled)
    )
    np.testing.assert_array_equal(found.gram, expected.gram * np.outer(sizes, sizes))
    np.testing.assert_array_equal(found.cross, expected.cross * sizes[:, None] * size)


def test_columns_too_small_for_their_power_of_two_leave_others_alone():
    X = blobs(300, dtype=np.float32)
    X[:, 1] *= np.float32(2.0**-148)
    dataset = open_dataset(X, target=targets(300))
    found = fold(gram_of(dataset, dtype=np.float32), dataset)
    others = np.delete(np.arange(3), 1)
    np.testing.assert_allclose(
        found.gram[np.ix_(others, others)], np.cov(X[:, others].T, bias=True), rtol=1e-5
    )
    assert np.abs(found.gram[1]).max() < 2.0**-140


def test_sums_fill_their_words():
    """What rows at the ends of their range add up to: no overflow, and no bits left unused."""
    X = np.tile(np.float32([[-3.0], [3.0]]), (2**16, 1))
    dataset = open_dataset(X, target=X.astype(np.float64))
    statistic = gram_of(dataset, n_outputs=1, dtype=np.float32)
    (sums,) = statistic.update(statistic.zero(), next(dataset.read(dataset.cells[0], len(X))))
    assert 2**59 <= sums.max() <= 2**62
    assert fold(statistic, dataset).gram == 9


def test_squares_beyond_float64_are_refused():
    with pytest.raises(DataError, match="Scale the columns down"):
        gram_of(open_dataset(blobs() * 1e160, target=targets()))


def test_a_mean_far_from_the_shift_is_told():
    X = np.r_[np.zeros((5000, 1)), [[1e6]]]
    found = fold(
        gram_of(open_dataset(X, target=targets(5001))), open_dataset(X, target=targets(5001))
    )
    assert found.offset[0] == pytest.approx(np.abs(X.mean() - 5e5) / X.std(), rel=1e-9)
    assert found.offset[0] > 30


def test_a_constant_column_has_no_second_moments():
    X = np.c_[np.full(100, 0.1), blobs(100, 1)]
    dataset = open_dataset(X, target=targets(100))
    found = fold(gram_of(dataset), dataset)
    np.testing.assert_array_equal(found.gram[0], [0.0, 0.0])
    np.testing.assert_array_equal(found.cross[0], [0.0, 0.0])
    assert found.mean[0] == 0.1
    assert found.offset[0] == 0


def test_features_alone():
    X = blobs()
    found_range = fold(Range(3), open_dataset(X))
    nothing = fold(TargetRange(0), open_dataset(X, target=np.empty((150, 0))))
    statistic = Gram.within(found_range, nothing, np.zeros(3), np.dtype(np.float64))
    found = fold(statistic, open_dataset(X))
    np.testing.assert_allclose(found.gram, np.cov(X.T, bias=True), rtol=1e-12)
    assert found.cross.shape == (3, 0)

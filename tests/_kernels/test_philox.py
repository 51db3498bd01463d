"""The kernel's random words are numpy's Philox, addressed by row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal import _kernels

words = st.integers(0, 2**64 - 1)


def numpy_philox(seed, purpose, row):
    # numpy adds one to its counter before each block of four words.
    key = np.array([seed, purpose], dtype=np.uint64)
    return np.random.Philox(key=key, counter=(row - 1) % 2**256).random_raw()


@given(words, words, words)
def test_philox_is_numpys(seed, purpose, row):
    out = np.zeros(1, np.uint64)
    _kernels.philox(seed, purpose, row, out)
    assert out[0] == numpy_philox(seed, purpose, row)


def test_philox_rows_are_addressed_not_drawn():
    run = np.zeros(100, np.uint64)
    _kernels.philox(7, 3, 50, run)
    rows = np.random.default_rng(0).permutation(100)
    drawn = np.zeros(100, np.uint64)
    _kernels.philox_rows(7, 3, rows + 50, drawn)
    np.testing.assert_array_equal(drawn, run[rows])
    assert len(np.unique(run)) == 100


@pytest.mark.parametrize("name", _kernels.available_instruction_sets())
def test_philox_is_the_same_for_every_instruction_set(name):
    expected, out = np.zeros(1000, np.uint64), np.zeros(1000, np.uint64)
    _kernels.load("generic").philox(1, 2, 0, expected)
    _kernels.load(name).philox(1, 2, 0, out)
    np.testing.assert_array_equal(out, expected)


def test_philox_refuses_rows_and_out_of_different_length():
    with pytest.raises(ValueError, match="out has length 2, expected 3"):
        _kernels.philox_rows(1, 2, np.arange(3), np.zeros(2, np.uint64))


def test_philox_refuses_a_negative_seed():
    with pytest.raises(TypeError):
        _kernels.philox(-1, 2, 0, np.zeros(2, np.uint64))

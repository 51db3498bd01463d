"""Pieces cut again at windows: the same rows, whatever the source's own pieces."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from shoal.data.windows import cut_at_windows, length, rows_between, whole_windows

FORMS = {
    "matrix": lambda X: X,
    "CSR": sparse.csr_array,
    "columns": lambda X: [X[:, 0], X[:, 1].astype(object)],
}


def as_matrix(rows):
    if isinstance(rows, list):
        return np.stack([column.astype(float) for column in rows], axis=1)
    return rows.toarray() if sparse.issparse(rows) else rows


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.integers(1, 60), st.data())
def test_any_pieces_come_out_at_windows(lengths, window_rows, data):
    n_rows, form = sum(lengths), FORMS[data.draw(st.sampled_from(sorted(FORMS)))]
    max_rows = window_rows * data.draw(st.integers(1, 5))
    X = np.arange(2.0 * n_rows).reshape(n_rows, 2)
    bounds = np.cumsum([0, *lengths])
    pieces = (form(X[start:stop]) for start, stop in pairwise(bounds))
    found = list(cut_at_windows(pieces, n_rows, window_rows, max_rows))
    np.testing.assert_array_equal(np.vstack([as_matrix(rows) for rows in found]), X)
    assert all(length(rows) % window_rows == 0 for rows in found[:-1])
    assert all(0 < length(rows) <= max_rows for rows in found)


def test_pieces_that_are_whole_windows_are_not_copied():
    X = np.arange(200.0).reshape(100, 2)
    pieces = iter([X[:64], X[64:]])
    found = list(cut_at_windows(pieces, 100, 32, 64))
    assert [len(rows) for rows in found] == [64, 36]
    assert all(np.shares_memory(rows, X) for rows in found)


def test_rows_that_wait_do_not_hold_their_piece():
    X = np.arange(200.0).reshape(100, 2)
    pieces = cut_at_windows(iter([X[:70], X[70:]]), 100, 64, 64)
    assert np.shares_memory(next(pieces), X)
    assert not np.shares_memory(next(pieces), X)


def test_columns_with_missing_integers_join():
    pieces = iter([[np.arange(3)], [np.array([np.nan, 4.0])]])
    ((column,),) = cut_at_windows(pieces, 5, 5, 5)
    np.testing.assert_array_equal(column, [0, 1, 2, np.nan, 4])


@pytest.mark.parametrize(("n_rows", "expected"), [(0, 64), (63, 64), (64, 64), (200, 192)])
def test_whole_windows(n_rows, expected):
    assert whole_windows(n_rows, 64) == expected


def test_all_rows_between_are_the_rows_themselves():
    X = np.ones((3, 2))
    assert rows_between(X, 0, 3) is X

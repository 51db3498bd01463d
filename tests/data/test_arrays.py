"""Arrays are viewed, not copied."""

import numpy as np
import pytest
from scipy import sparse

from shoal.data.arrays import ArraySource, matrix_of

rng = np.random.default_rng(3)


def first_piece(source, columns, max_rows=10):
    return next(iter(source.read(source.cells()[0], columns, max_rows)))


@pytest.mark.parametrize(
    "view",
    [
        lambda X: X,
        np.asfortranarray,
        lambda X: X[::3],
        lambda X: X[::-1, ::-1],
        lambda X: X.astype(np.float32),
    ],
)
def test_pieces_are_views(view):
    X = view(rng.normal(size=(100, 4)))
    piece = first_piece(ArraySource(X), range(4))
    assert np.shares_memory(piece, X)
    np.testing.assert_array_equal(piece, X[:10])
    assert np.shares_memory(first_piece(ArraySource(X), [1, 2]), X)


def test_read_only_and_mapped_arrays_are_views(tmp_path):
    X = rng.normal(size=(100, 4))
    X.flags.writeable = False
    assert np.shares_memory(first_piece(ArraySource(X), range(4)), X)
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.shares_memory(first_piece(ArraySource(mapped), range(4)), mapped)


def test_sparse_pieces_are_views():
    X = sparse.random_array((100, 4), density=0.5, rng=rng, format="csr")
    piece = first_piece(ArraySource(X), range(4))
    assert np.shares_memory(piece.data, X.data)
    assert np.shares_memory(piece.indices, X.indices)


@pytest.mark.parametrize("columns", [[0], [4], [8], [3, 7], [5, 2]])
def test_columns_of_sparse_rows(columns):
    X = sparse.random(50, 9, 0.3, "csr", random_state=0).multiply(np.arange(9) < 8).tocsr()
    found = first_piece(ArraySource(X), columns, 50)
    assert found.shape == (50, len(columns))
    np.testing.assert_array_equal(found.toarray(), X.toarray()[:, columns])


def test_masked_entries_are_nan():
    X = np.ma.masked_equal(np.arange(6).reshape(3, 2), 4)
    np.testing.assert_array_equal(
        first_piece(ArraySource(X), [0, 1]), [[0, 1], [2, 3], [np.nan, 5]]
    )


def test_fingerprint_is_of_the_values():
    X = rng.normal(size=(10_000, 3))
    prints = {ArraySource(layout).fingerprint() for layout in (X, np.asfortranarray(X), X.copy())}
    assert len(prints) == 1
    X[9_999, 2] = 0
    assert ArraySource(X).fingerprint() not in prints
    assert ArraySource(X[:, :2]).fingerprint() != ArraySource(X[:, 1:]).fingerprint()
    S = sparse.csr_array(np.eye(3))
    moved = sparse.csr_array(np.eye(3)[::-1])
    assert ArraySource(S).fingerprint() != ArraySource(moved).fingerprint()


@pytest.mark.parametrize("order", ["C", "F"])
def test_matrix_of_its_columns(order):
    X = np.asarray(rng.normal(size=(20, 5)), order=order)
    for positions in ([0, 1, 2, 3, 4], [1, 3], [4, 2, 0], [2]):
        matrix = matrix_of([X[:, position] for position in positions])
        assert np.shares_memory(matrix, X)
        np.testing.assert_array_equal(matrix, X[:, positions])


def test_no_matrix_of_other_columns():
    X = rng.normal(size=(20, 5))
    a, b = np.ones(20), np.ones(20)
    assert matrix_of([]) is None
    assert matrix_of([a, b]) is None  # some distance apart, but not in one allocation
    assert matrix_of([X[:, 0], X[:, 1], X[:, 3]]) is None
    assert matrix_of([X[:, 0], a]) is None
    assert matrix_of([a, a.astype(np.float32)]) is None

"""Blocks know their row numbers and their size."""

import numpy as np
from scipy import sparse

from shoal.data.block import Block

NOTHING = np.zeros(2)


def test_row_numbers_count_on_from_the_first():
    block = Block(np.ones((3, 2)), 2**40, NOTHING, NOTHING)
    np.testing.assert_array_equal(block.row_numbers, 2**40 + np.arange(3))
    assert block.row_numbers.dtype == np.int64
    assert block.n_rows == 3


def test_row_numbers_among_dropped_rows_are_given():
    block = Block(np.ones((3, 2)), 10, NOTHING, NOTHING, rows=np.array([10, 13, 14]))
    np.testing.assert_array_equal(block.row_numbers, [10, 13, 14])


def test_counts_the_bytes_of_all_its_parts():
    X = np.ones((3, 2), dtype=np.float32)
    assert Block(X, 0, NOTHING, NOTHING).n_bytes == 24
    parts = {"target": np.ones(3), "sample_weight": np.ones(3), "rows": np.arange(3)}
    assert Block(X, 0, NOTHING, NOTHING, **parts).n_bytes == 24 + 3 * 24
    csr = sparse.csr_array(np.eye(3))
    expected = csr.data.nbytes + csr.indices.nbytes + csr.indptr.nbytes
    assert Block(csr, 0, NOTHING, NOTHING).n_bytes == expected


def test_each_block_has_a_place_of_its_own_beside_it():
    one, other = (Block(np.ones((1, 2)), 0, NOTHING, NOTHING) for _ in range(2))
    one.beside["labels"] = 1
    assert other.beside == {}

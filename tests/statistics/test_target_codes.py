"""Targets as numbers, kept beside blocks where they are classes."""

from dataclasses import replace

import numpy as np
import pytest
from tests.statistics.rows import blocks

from shoal import open_dataset
from shoal.exceptions import DataError
from shoal.statistics.target_codes import BESIDE, TargetCodes


def block_of(target):
    target = np.asarray(target)
    (block,) = blocks(replace(open_dataset(np.zeros((len(target), 1))), target=target))
    return block


@pytest.mark.parametrize("dtype", [np.int32, np.float32, np.float64, bool])
def test_numbers_are_taken_as_they_are(dtype):
    codes = TargetCodes()(block_of(np.array([0, 1, 1], dtype)))
    assert codes.dtype == np.float64
    np.testing.assert_array_equal(codes, [[0.0], [1.0], [1.0]])
    assert TargetCodes().beside_row_bytes == 0


def test_several_targets_stay_side_by_side():
    target = np.asfortranarray(np.arange(6.0).reshape(3, 2))
    codes = TargetCodes()(block_of(target))
    assert codes.flags.c_contiguous
    np.testing.assert_array_equal(codes, target)


@pytest.mark.parametrize("classes", [["a", "b", "c"], [-1, 0, 7]])
def test_classes_become_their_codes(classes):
    encode = TargetCodes(np.array(classes), np.array([0.5, 1.0, 2.0]))
    block = block_of([classes[i] for i in (2, 0, 1, 1)])
    np.testing.assert_array_equal(encode(block).ravel(), [2.0, 0.5, 1.0, 1.0])
    assert encode.beside_row_bytes == 8


def test_what_stands_beside_a_block_is_used_by_the_same_codes_only():
    classes = np.array([0, 1])
    block = block_of([0, 1, 1])
    first = TargetCodes(classes, np.array([0.0, 1.0]))(block)
    assert TargetCodes(classes.copy(), np.array([0.0, 1.0]))(block) is first
    margins = TargetCodes(classes, np.array([-1.0, 1.0]))(block)
    np.testing.assert_array_equal(margins.ravel(), [-1.0, 1.0, 1.0])
    assert block.beside[BESIDE][1] is margins


@pytest.mark.parametrize("bad", [-1, 1, 9])
def test_a_label_that_is_no_class_is_named(bad):
    encode = TargetCodes(np.array([0, 2]), np.array([0.0, 1.0]))
    with pytest.raises(DataError, match=rf"row 2 has the label.*{bad}.*classes \[0, 2\]"):
        encode(block_of([0, 2, bad]))

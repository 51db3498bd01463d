"""Labels as numbers, alone and as a dataset is read."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shoal import open_dataset
from shoal.data.plan import row_bytes
from shoal.data.target_classes import (
    TargetClasses,
    check_labels,
    label_counts,
    label_values,
    without_objects,
)
from shoal.exceptions import DataError

LABELS = np.array(["b", "c", "a", "b"], dtype=object)
CLASSES = TargetClasses(np.array(["a", "b", "c"], dtype=object), np.array([0.0, 1.0, 2.0]))


def read(dataset):
    (block,) = [block for cell in dataset.cells for block in dataset.read(cell, 100)]
    return block


@pytest.mark.parametrize(
    "labels",
    [
        np.array([-1, 5, 7]),
        np.array([False, True]),
        np.array(["x", "yy"]),
        np.arange(-30, 30, 3),
        np.array(list("abcdefghijkl"), dtype=object),
    ],
)
def test_positions(labels):
    classes = TargetClasses(labels, np.zeros(len(labels)))
    np.testing.assert_array_equal(classes.positions(labels[::-1]), range(len(labels))[::-1])


@pytest.mark.parametrize("unknown", [-9, 6, 99])
def test_unknown_labels(unknown):
    for labels in (np.array([-1, 5, 7]), np.array([-1, 5, *range(7, 90, 2)])):
        classes = TargetClasses(labels, np.zeros(len(labels)))
        np.testing.assert_array_equal(classes.positions(np.array([5, unknown + 0.5])), [1, -1])
        np.testing.assert_array_equal(classes.positions(np.array([5, 2 * unknown])), [1, -1])


@pytest.mark.parametrize(
    "labels",
    [
        np.array([-1, 5, 7]),
        np.array([-1, 5, 7], np.int16),
        np.array([-1, 5, 7], ">i4"),
        np.array([-1.0, 5.0], np.float32),
        np.array([False, True]),
        np.array(["x", "yy"]),
        np.arange(-30, 30, 3),
        np.array(list("abc"), dtype=object),
    ],
)
def test_labels_are_counted_and_valued(labels):
    places = np.random.default_rng(0).integers(0, len(labels), 5000)
    for target in (labels[places], np.repeat(labels[places], 2)[::2]):
        values = np.linspace(-1.0, 1.0, len(labels))
        np.testing.assert_array_equal(label_counts(labels, target), np.bincount(places))
        np.testing.assert_array_equal(label_values(labels, values, target), values[places])
        # Of labels that are not known:
        assert label_counts(labels[1:], target) is None
        assert label_values(labels[1:], values[1:], target) is None
    assert label_counts(labels, labels[:0]).tolist() == [0] * len(labels)


@pytest.mark.parametrize("weighted", [False, True])
def test_targets_are_coded_and_rows_weighed_as_they_are_read(weighted):
    weight = np.array([1.0, 2.0, 3.0, 4.0]) if weighted else None
    dataset = open_dataset(np.zeros((4, 1)), target=LABELS, sample_weight=weight)
    np.testing.assert_array_equal(read(dataset.with_classes(CLASSES)).sample_weight, weight)
    of_class = TargetClasses(CLASSES.labels, CLASSES.codes, np.array([1.0, 10.0, 100.0]))
    coded = dataset.with_classes(of_class)
    block = read(coded)
    np.testing.assert_array_equal(block.target, [1, 2, 0, 1])
    expected = np.array([10.0, 100, 1, 10]) * (weight if weighted else 1)
    np.testing.assert_array_equal(block.sample_weight, expected)
    assert coded.is_weighted
    assert dataset.is_weighted == weighted
    assert row_bytes(coded) == 8 * 3


def test_a_label_that_no_class_has_is_named_with_its_place(tmp_path):
    table = pa.table({"x": np.zeros(4), "kind": ["a", "b", "d", "a"]})
    pq.write_table(table, tmp_path / "rows.parquet")
    dataset = open_dataset(tmp_path / "rows.parquet", target="kind").with_classes(CLASSES)
    with pytest.raises(
        DataError, match=r"'d' is none of the 3 .*rows\.parquet, column 'kind', row 2"
    ):
        read(dataset)


def test_the_fingerprint_follows_the_classes():
    dataset = open_dataset(np.zeros((4, 1)), target=LABELS)
    others = [
        CLASSES,
        TargetClasses(CLASSES.labels, -CLASSES.codes),
        TargetClasses(CLASSES.labels, CLASSES.codes, np.ones(3)),
    ]
    found = {dataset.fingerprint, *(dataset.with_classes(one).fingerprint for one in others)}
    assert len(found) == 4


@pytest.mark.parametrize(
    ("objects", "kind"),
    [([True, np.False_], "b"), ([1, np.int8(2)], "i"), ([1, 2.5], "f"), ([[1, 2], [3, 4]], "i")],
)
def test_objects_that_are_numbers_become_so(objects, kind):
    found = without_objects(np.array(objects, dtype=object))
    assert found.dtype.kind == kind
    assert found.tolist() == objects


@pytest.mark.parametrize("objects", [["a", "b"], [True, 2], [1, None], []])
def test_other_objects_stay(objects):
    array = np.array(objects, dtype=object)
    assert without_objects(array) is array


@pytest.mark.parametrize(
    ("labels", "types"),
    [
        (np.array([b"x", b"y"]), "bytes"),
        (np.array([b"x", b"y"], dtype=object), "bytes"),
        (np.array([1, "a", True], dtype=object), "bool, int, str"),
        (np.array([dt.date(2020, 1, 1)], dtype=object), "date"),
    ],
)
def test_what_names_no_class_is_refused(labels, types):
    with pytest.raises(DataError, match=f"all of one kind, but there are {types}. Convert"):
        check_labels(labels)


@pytest.mark.parametrize("labels", [["a"], [True], [1, 2.0], np.array(["2020"], dtype="M8[D]")])
def test_what_names_a_class_is_not(labels):
    check_labels(np.asarray(labels))
    check_labels(np.asarray(labels, dtype=object) if isinstance(labels, list) else labels)

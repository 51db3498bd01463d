"""Datasets: recipes that read nothing until they are asked to."""

import pickle
from dataclasses import replace

import numpy as np
from tests.data.synthetic import synthetic_dataset

from shoal import open_dataset

X = np.arange(12.0).reshape(6, 2)


def test_making_one_reads_no_rows():
    dataset = synthetic_dataset(10_000, 3)
    assert (dataset.n_rows, dataset.n_features, dataset.feature_names) == (
        10_000,
        3,
        ("x0", "x1", "x2"),
    )
    assert len(dataset.cells) == 10
    print(dataset.plan("1GB", 2))
    assert dataset.source.read_cells == []


def test_reads_one_cell_in_pieces():
    dataset = synthetic_dataset(2500, 2)
    found = list(dataset.read(dataset.cells[2], 320))
    assert [(block.first_row, block.n_rows) for block in found] == [(2000, 320), (2320, 180)]


def test_blocks_are_of_whole_windows():
    dataset = synthetic_dataset(2500, 2)
    for window_rows, max_rows, expected in (
        (64, 300, [256, 256, 256, 232]),
        (64, 7, [64] * 15 + [40]),
        (700, 999, [700, 300]),
        (3, 998, [996, 4]),
        (2000, 5, [1000]),
    ):
        blocks = replace(dataset, window_rows=window_rows).read(dataset.cells[1], max_rows)
        assert [block.n_rows for block in blocks] == expected


def test_a_row_takes_its_features_target_and_weight():
    plain = open_dataset(X)
    assert plain.row_bytes == 16
    with_roles = open_dataset(X, target=X[:, 0], sample_weight=X[:, 1])
    assert with_roles.row_bytes == 32


def test_describes_itself():
    assert repr(open_dataset(X)) == ("<Dataset of 6 rows x 2 features, float64, from ArraySource>")


def test_with_unit_rows_is_another_dataset_of_the_same_rows():
    dataset = open_dataset(X + 1)
    unit = dataset.with_unit_rows()
    assert unit.unit_rows
    assert not dataset.unit_rows
    assert unit.source is dataset.source
    assert unit != dataset


def test_the_fingerprint_follows_everything_that_blocks_hold():
    dataset = open_dataset(X, target=X[:, 0], sample_weight=X[:, 1])
    others = [
        open_dataset(X + 1, target=X[:, 0], sample_weight=X[:, 1]),
        open_dataset(X, target=X[:, 1], sample_weight=X[:, 1]),
        open_dataset(X, target=X[:, 0], sample_weight=X[:, 0]),
        open_dataset(X, target=0, sample_weight=X[:, 1]),
        replace(dataset, features=(1, 0)),
        replace(dataset, dtype=np.dtype(np.float32)),
        replace(dataset, missing="drop"),
        dataset.with_unit_rows(),
    ]
    assert len({other.fingerprint for other in [dataset, *others]}) == 9
    again = open_dataset(X.copy(), target=X[:, 0], sample_weight=X[:, 1])
    assert again.fingerprint == dataset.fingerprint


def test_pickles():
    again = pickle.loads(pickle.dumps(open_dataset(X, sample_weight=1)))
    (block,) = again.read(again.cells[0], 100)
    np.testing.assert_array_equal(block.X, X[:, :1])
    np.testing.assert_array_equal(block.sample_weight, X[:, 1])

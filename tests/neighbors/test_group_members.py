"""The rows of a dataset by group, in memory or on disk."""

import numpy as np
import pytest
from scipy import sparse
from tests.neighbors.rows import blobs, parquet

from shoal import LocalEngine, open_dataset
from shoal.neighbors.group_members import members_of

X = blobs(3000)
CENTERS = X[::100].copy()
LABELS = np.linalg.norm(X[:, None] - CENTERS, axis=2).argmin(axis=1)

KINDS = {
    "array": (lambda folder: X, "1GB", False),
    "sparse": (lambda folder: sparse.csr_array(X), "1GB", False),
    "few rows of a file": (lambda folder: parquet(X, folder / "x.parquet"), "1GB", False),
    "many rows of a file": (lambda folder: parquet(X, folder / "x.parquet"), "300kB", True),
    "many rows": (lambda folder: X, "300kB", False),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_group_has_its_rows(kind, tmp_path, no_leaks):
    made, memory, is_on_disk = KINDS[kind]
    with LocalEngine(n_threads=2, memory=memory):
        members, radii = members_of(open_dataset(made(tmp_path)), CENTERS, 50)
    assert members.is_on_disk == is_on_disk
    assert members.n_places == 3000
    for group in range(30):
        strips = list(members.read(group))
        rows, places = (np.concatenate(parts) for parts in zip(*strips, strict=True))
        here = np.flatnonzero(group == LABELS)
        np.testing.assert_array_equal(places, here + 50)
        np.testing.assert_array_equal(rows, X[here])
        farthest = np.linalg.norm(rows - CENTERS[group], axis=1).max()
        assert radii[group] == pytest.approx(farthest)


def test_groups_without_rows_and_dropped_rows():
    centers = np.vstack([CENTERS, np.full(4, 1e6)])
    with_gaps = np.insert(X, [0, 5, 3000], np.nan, axis=0)
    members, radii = members_of(open_dataset(with_gaps, missing="drop"), centers, 0)
    assert not list(members.read(30))
    assert radii[30] == -np.inf
    assert members.n_places == 3003
    places = np.sort(np.concatenate([p for g in range(30) for _, p in members.read(g)]))
    np.testing.assert_array_equal(places, np.flatnonzero(~np.isnan(with_gaps[:, 0])))

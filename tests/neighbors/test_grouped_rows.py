"""Rows in groups, of which most are skipped."""

import gc
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from tests.full_disk import no_room
from tests.neighbors.rows import blobs, parquet, ties

from shoal import LocalEngine, _kernels, open_dataset
from shoal.data import row_storage
from shoal.exceptions import CorruptFileError, DiskFullError
from shoal.neighbors import group_members, grouped_rows
from shoal.neighbors.brute import Brute
from shoal.neighbors.database import Database
from shoal.neighbors.grouped_rows import GroupedRows
from shoal.statistics.metric import Metric
from shoal.testing.bits import bits


def built(X):
    return GroupedRows.build(Database.of(open_dataset(X)), Metric("euclidean"))


def members(index, group):
    """Rows and places of a group."""
    return (np.concatenate(parts) for parts in zip(*index.strips(group), strict=True))


def share_visited(X, monkeypatch):
    """The share of the rows that some of them look at among all of them."""
    index, seen = built(X), []
    nearest_rows = _kernels.nearest_rows

    def counted(rows, places, queries, *rest):
        seen.append(len(rows) * len(queries))
        nearest_rows(rows, places, queries, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(_kernels, "nearest_rows", counted)
        index.query(X[::100], 5)
    return sum(seen) / (len(X) * len(X[::100]))


def test_most_groups_are_skipped_where_rows_are_grouped(monkeypatch):
    generator = np.random.default_rng(0)
    middles = generator.uniform(-30, 30, (40, 16))
    X = middles[generator.integers(40, size=4000)] + generator.normal(size=(4000, 16))
    assert share_visited(X, monkeypatch) < 0.05
    noise = generator.normal(size=(4000, 16))
    assert share_visited(noise, monkeypatch) > 0.5


@pytest.mark.parametrize("n_probe", [1, 3])
def test_probes_go_to_the_nearest_centers_and_of_ties_to_the_first(n_probe):
    X, queries = ties(300, 5), ties(200, 5, seed=1)
    centers = X[::7].copy()
    index = GroupedRows.around(Database.of(open_dataset(X)), Metric("euclidean"), centers, n_probe)
    found = index.query(queries, 1)
    to_centers = cdist(queries, centers, "sqeuclidean")
    labels = cdist(X, centers, "sqeuclidean").argmin(axis=1)
    probed = np.argsort(to_centers, axis=1, kind="stable")[:, :n_probe]
    here = (probed[:, :, None] == labels).any(axis=1)
    assert here.any(axis=1).all()
    distances = np.where(here, cdist(queries, X, "sqeuclidean"), np.inf)
    np.testing.assert_array_equal(found.rows[:, 0], distances.argmin(axis=1))


def test_no_row_is_outside_its_groups_radius():
    index = built(blobs(1000))
    for group in np.flatnonzero(np.isfinite(index.radii)):
        rows, _ = members(index, group)
        distances = np.linalg.norm(rows - index.centers[group], axis=1)
        assert (distances <= index.radii[group]).all()


def test_radii_grow_with_rows_that_are_added():
    index = built(blobs(200))
    far = np.full((1, 4), 1e4)
    grown = index.add(open_dataset(far))
    assert grown.radii.max() > 9e3 > index.radii.max()
    assert grown.query(far + 1, 1).rows.tolist() == [[200]]


def test_rows_of_several_types_are_added():
    X = [blobs(200, dtype=dtype, seed=seed) for seed, dtype in enumerate(("f4", "f8", "f4"))]
    index = built(X[0]).add(open_dataset(X[1])).add(open_dataset(X[2]))
    index = index.remove(np.arange(100, 500))
    left = np.concatenate([X[0][:100], X[2][100:]]).astype("f8")
    expected = Brute.build(Database.of(open_dataset(left)), Metric("euclidean"))
    assert bits(index.query(X[1], 6)) == bits(expected.query(X[1], 6))
    assert bits(index.query_radius(X[1], 1.0)) == bits(expected.query_radius(X[1], 1.0))


@pytest.fixture(name="on_disk")
def index_on_disk(tmp_path, monkeypatch, no_leaks):
    """Builds an index of 900 rows on disk."""
    monkeypatch.setattr(group_members, "_MEMORY_SHARE", 0)
    monkeypatch.setenv("SHOAL_CACHE_DIR", str(tmp_path / "cache"))

    def on_disk():
        index = built(parquet(blobs(900), tmp_path / "x.parquet"))
        assert [one.is_on_disk for one in index.members] == [True]
        return index

    return on_disk


@pytest.mark.parametrize("few_groups", [0, 1000])
def test_groups_on_disk_are_read_once_for_all_queries(on_disk, monkeypatch, few_groups):
    """Or (0) the nearest ones first, then others: three times."""
    X, index, read = blobs(900), on_disk(), []
    monkeypatch.setattr(grouped_rows, "_FEW_GROUPS", few_groups)
    original = row_storage.RowFile.read

    def counting(self, run):
        read.append(run)
        return original(self, run)

    monkeypatch.setattr(row_storage.RowFile, "read", counting)
    with LocalEngine(n_threads=2):
        found = index.query(X[::3], 2)
    assert len(set(read)) > 5
    assert max(map(read.count, read)) == (1 if few_groups else 3)
    assert bits(found) == bits(built(X).query(X[::3], 2))


def files(folder):
    return [path for path in folder.rglob("*") if path.name == "rows"]


def test_an_index_on_disk_answers_as_one_in_memory(on_disk, tmp_path):
    X, queries = blobs(900), blobs(50, seed=1)
    index, expected = on_disk(), built(X)
    for change in (
        lambda index: index,
        lambda index: index.remove(np.arange(3, 300)),
        lambda index: index.add(open_dataset(parquet(queries, tmp_path / "more.parquet"))),
        lambda index: index.remove(np.arange(590, 610)),
    ):
        index, expected = change(index), change(expected)
        assert bits(index.query(queries, 7)) == bits(expected.query(queries, 7))
        one, other = (each.query_radius(queries, 1.5) for each in (index, expected))
        assert bits(one) == bits(other)
    # What was added comes from a file for the other, too.
    assert len(files(tmp_path)) == 3
    del index, expected
    gc.collect()
    assert not files(tmp_path)


def test_pickle_writes_no_rows_of_an_index_on_disk(on_disk, tmp_path):
    index = replace(on_disk(), n_probe=2)
    pickled = pickle.dumps(index)
    assert len(pickled) < 20_000
    again = pickle.loads(pickled)
    assert len(files(tmp_path)) == 2
    queries = blobs(50, seed=1)
    assert bits(again.query(queries, 7)) == bits(index.query(queries, 7))


def test_a_file_cut_short(on_disk, tmp_path):
    index = on_disk()
    (path,) = files(tmp_path)
    os.truncate(path, 900)
    with pytest.raises(CorruptFileError, match="cut short"):
        index.query(blobs(50, seed=1), 7)


def test_a_full_disk_leaves_no_index(tmp_path, monkeypatch, no_leaks):
    monkeypatch.setattr(group_members, "_MEMORY_SHARE", 0)
    monkeypatch.setenv("SHOAL_CACHE_DIR", str(tmp_path / "cache"))
    path = parquet(blobs(900), tmp_path / "x.parquet")
    with no_room(), pytest.raises(DiskFullError, match="No room for the file of grouped rows"):
        built(path)
    assert not files(tmp_path)


def probed(index, queries, n_probe, k):
    """Rows of the groups with the nearest centres, by the definition."""
    centers = np.linalg.norm(queries[:, None] - index.centers, axis=2)
    for query, group in zip(queries, np.argsort(centers, axis=1)[:, :n_probe], strict=True):
        parts = [members(index, one) for one in group]
        rows, places = (np.concatenate(some) for some in zip(*parts, strict=True))
        nearest = np.lexsort((places, ((rows - query) ** 2).sum(axis=1)))[:k]
        yield places[nearest]


def test_only_the_nearest_groups_are_probed():
    X, queries = blobs(2000, 8), blobs(40, 8, seed=0) + 0.5
    index = replace(built(X), n_probe=3)
    np.testing.assert_array_equal(index.query(queries, 4).rows, [*probed(index, queries, 3, 4)])
    found = index.query_radius(queries, 1e9)
    for query, places in enumerate(probed(index, queries, 3, 2000)):
        np.testing.assert_array_equal(found.rows[found.queries == query], np.sort(places))
    exact = built(X)
    assert bits(replace(index, n_probe=10**6).query(queries, 4)) == bits(exact.query(queries, 4))


def test_groups_are_ranked_by_distances_in_float64():
    """Two centres about as far from a query, told apart by the difference form alone: the third is
    so far that products of centred coordinates lose what tells them apart."""
    centers = np.array([[3.0, 0, 0, 0], [0, 3.0 + 2**-24, 0, 0], [0, 0, 1e7, 0]])
    index = GroupedRows.around(
        Database.of(open_dataset(np.repeat(centers, 50, axis=0))),
        Metric("euclidean"),
        centers,
        n_probe=1,
    )
    queries = np.array([[0.0, 0, 0, 0], [0, 2**-20, 0, 0]])
    assert (index.query(queries, 3).rows // 50 == [[0] * 3, [1] * 3]).all()


def test_further_groups_are_probed_where_rows_are_too_few():
    X = blobs(300)
    index = replace(built(X), n_probe=1)
    found = index.query(X[:20], 250)
    assert bits(found) == bits(built(X).query(X[:20], 250))


@pytest.mark.parametrize("kind", ["array", "file"])
def test_approximate_answers_are_the_same_anywhere(kind, tmp_path):
    X, queries = blobs(3000), blobs(300, seed=1)
    source = X if kind == "array" else parquet(X, tmp_path / "x.parquet")
    expected = replace(built(X), n_probe=2).query(queries, 5)
    for n_threads, memory in ((1, "250kB"), (3, "1GB")):
        with LocalEngine(n_threads, memory):
            assert bits(replace(built(source), n_probe=2).query(queries, 5)) == bits(expected)


@pytest.mark.parametrize("scale", [1e-200, 1e160])
def test_magnitudes_whose_squares_overflow_or_vanish(scale):
    X = blobs(300) * scale
    with np.errstate(over="ignore"):
        found = built(X).query(X[:9].copy(), 1).rows[:, 0]
    truth = ((X[:9, None] - X[None]) ** 2 if scale < 1 else (X[:9, None] != X[None])).sum(-1)
    np.testing.assert_array_equal(found, truth.argmin(axis=1))


def test_rows_of_one_value():
    index = built(np.ones((500, 3)))
    assert index.query(np.ones((1, 3)), 4).rows.tolist() == [[0, 1, 2, 3]]


def test_blocks_of_queries_join_up():
    X = blobs(9000)
    index = built(X)
    with LocalEngine(n_threads=1):
        one = index.query(X, 3), index.query_radius(X, 0.1)
    with LocalEngine(n_threads=3):
        other = index.query(X, 3), index.query_radius(X, 0.1)
    assert one[0].rows.tobytes() == other[0].rows.tobytes()
    assert one[1].queries.tobytes() == other[1].queries.tobytes()
    assert (one[0].rows[:, 0] == np.arange(9000)).all()

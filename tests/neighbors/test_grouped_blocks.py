"""Rows in groups, of which most are skipped, where an engine has them."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from tests.neighbors.rows import blobs, parquet, ties

from shoal import LocalEngine, open_dataset
from shoal.engines import local
from shoal.neighbors import grouped_blocks
from shoal.neighbors.brute import Brute
from shoal.neighbors.database import Database
from shoal.neighbors.grouped_blocks import GroupedBlocks
from shoal.neighbors.grouped_rows import GroupedRows
from shoal.statistics import row_groups
from shoal.statistics.metric import Metric
from shoal.statistics.nearest_in_groups import NearestInGroups
from shoal.testing.bits import bits

EUCLIDEAN = Metric("euclidean")


def built(X, kind=GroupedBlocks, **parameters):
    return kind.build(Database.of(open_dataset(X)), EUCLIDEAN, **parameters)


def clusters(n_rows=4000, n_features=16, seed=0):
    """Forty blobs far from each other."""
    generator = np.random.default_rng(seed)
    middles = np.random.default_rng(1).uniform(-30, 30, (40, n_features))
    return middles[generator.integers(40, size=n_rows)] + generator.normal(
        size=(n_rows, n_features)
    )


@pytest.fixture(name="folded")
def statistics_that_are_folded(monkeypatch):
    """The statistics that local engines fold from now on."""
    folded, fold = [], local.LocalEngine.fold

    def noted(self, dataset, statistic):
        folded.append(statistic)
        return fold(self, dataset, statistic)

    monkeypatch.setattr(local.LocalEngine, "fold", noted)
    return folded


def test_queries_look_at_few_rows_where_rows_are_in_clusters(folded):
    X, queries = clusters(), clusters(500, seed=2)
    index, brute = built(X), built(X, Brute)
    folded.clear()
    assert bits(index.query(queries, 5)) == bits(brute.query(queries, 5))
    grouped = [one for one in folded if isinstance(one, NearestInGroups)]
    n_visits = sum(len(one.visits.queries) for one in grouped)
    assert 4 * 500 <= n_visits < 6 * 500
    assert len(folded) <= 2 + 1


def test_queries_that_bounds_spare_little_look_at_all_rows(folded):
    noise = np.random.default_rng(0).normal(size=(3000, 16))
    index, brute = built(noise[:2000]), built(noise[:2000], Brute)
    folded.clear()
    assert bits(index.query(noise[2000:], 5)) == bits(brute.query(noise[2000:], 5))
    first, *others = folded[:-1]
    assert len(first.visits.queries) == 4 * 1000
    everywhere = [one for one in others if not isinstance(one, NearestInGroups)]
    assert len(everywhere) == 1
    assert len(everywhere[0].queries) > 800


@pytest.mark.parametrize("make", [blobs, ties])
@pytest.mark.parametrize("n_probe", [1, 2, 4, 10**6])
def test_probes_find_what_they_find_among_copied_rows(make, n_probe):
    X, queries = make(2000), make(100, seed=1)
    one, other = (built(X, kind, n_probe=n_probe) for kind in (GroupedBlocks, GroupedRows))
    assert one.groups.centers.tobytes() == other.centers.tobytes()
    assert one.radii.tobytes() == other.radii.tobytes()
    for k in (1, 5, 300):
        assert bits(one.query(queries, k)) == bits(other.query(queries, k))
    for radius in (0.0, 1.0, 1e3):
        assert bits(one.query_radius(queries, radius)) == bits(other.query_radius(queries, radius))
    exact = bits(built(X).query(queries, 5))
    assert (bits(one.query(queries, 5)) == exact) == (n_probe == 10**6 or make is ties)


def test_rows_of_several_types_are_added_and_removed():
    X = [blobs(200, dtype=dtype, seed=seed) for seed, dtype in enumerate(("f4", "f8", "f4"))]
    index = built(X[0]).add(open_dataset(X[1])).add(open_dataset(X[2]))
    for one in (index, replace(index, n_probe=2)):
        left = one.remove(np.arange(100, 500))
        rows = np.concatenate([X[0][:100], X[2][100:]]).astype("f8")
        expected = built(X[0], GroupedRows).add(open_dataset(X[1])).add(open_dataset(X[2]))
        expected = replace(expected, n_probe=one.n_probe).remove(np.arange(100, 500))
        assert bits(left.query(X[1], 6)) == bits(expected.query(X[1], 6))
        if one.n_probe is None:
            assert bits(left.query(X[1], 6)) == bits(built(rows, Brute).query(X[1], 6))


def test_centres_of_a_finer_type_than_the_rows_that_are_left():
    fine, coarse = blobs(500, offset=1e6), blobs(500, seed=1, offset=1e6, dtype="f4")
    queries = blobs(100, seed=2, offset=1e6, dtype="f4")
    one, other = (
        built(fine, kind, n_probe=1).add(open_dataset(coarse)).remove(np.arange(500))
        for kind in (GroupedBlocks, GroupedRows)
    )
    assert one.database.dtype == np.float32
    assert bits(one.query(queries, 3)) == bits(other.query(queries, 3))


def test_many_probes_are_no_reason_to_look_at_all_rows():
    noise = np.random.default_rng(0).normal(size=(2100, 16))
    X, queries = noise[:2000], noise[2000:]
    one, other = (built(X, kind, n_probe=20) for kind in (GroupedBlocks, GroupedRows))
    assert bits(one.query(queries, 5)) == bits(other.query(queries, 5))
    assert bits(one.query_radius(queries, 5.0)) == bits(other.query_radius(queries, 5.0))
    assert bits(one.query(queries, 5)) != bits(built(X, Brute).query(queries, 5))


def test_radii_grow_with_rows_that_are_added():
    far = np.full((1, 4), 1e4)
    index = built(blobs(200))
    grown = index.add(open_dataset(far))
    assert grown.radii.max() > 9e3 > index.radii.max()
    assert grown.query(far + 1, 1).rows.tolist() == [[200]]


@pytest.mark.parametrize("scale", [1e-200, 1e160])
@pytest.mark.parametrize("n_probe", [None, 2])
def test_magnitudes_whose_squares_overflow_or_vanish(scale, n_probe):
    X = blobs(300) * scale
    with np.errstate(over="ignore"):
        one, other = (built(X, kind, n_probe=n_probe) for kind in (GroupedBlocks, GroupedRows))
        assert bits(one.query(X[:9].copy(), 3)) == bits(other.query(X[:9].copy(), 3))


def test_more_neighbours_than_rows_that_are_left():
    X = blobs(300)
    X[::2] = np.nan
    database = Database.of(open_dataset(X, missing="drop"))
    queries = blobs(20, seed=1)
    one, other = (kind.build(database, EUCLIDEAN) for kind in (GroupedBlocks, Brute))
    assert bits(one.query(queries, 200)) == bits(other.query(queries, 200))


def test_many_queries_are_bounded_in_parts(monkeypatch):
    X, queries = clusters(), clusters(300, seed=2)
    expected = bits([built(X).query(queries, 5), built(X).query_radius(queries, 5.0)])
    monkeypatch.setattr(grouped_blocks, "_PART_QUERIES", 7)
    assert bits([built(X).query(queries, 5), built(X).query_radius(queries, 5.0)]) == expected


@pytest.mark.parametrize("memory", ["250kB", "1GB"])
@pytest.mark.parametrize("kind", ["file", "sparse"])
def test_answers_are_the_same_with_any_memory(kind, memory, tmp_path, monkeypatch, no_leaks):
    X, queries = clusters(3000), clusters(100, seed=2)
    source = parquet(X, tmp_path / "x.parquet") if kind == "file" else sparse.csr_array(X)
    expected = bits(built(X, Brute).query(queries, 5))
    labelled, nearest_center = [], row_groups.nearest_center
    monkeypatch.setattr(
        row_groups,
        "nearest_center",
        lambda X, *others: labelled.append(X.shape[0]) or nearest_center(X, *others),
    )
    with LocalEngine(n_threads=2, memory=memory):
        index = built(source)
        for _ in range(3):
            assert bits(index.query(queries, 5)) == expected
    # Where there is room, groups are found once.
    assert (sum(labelled) == 3000) == (memory == "1GB" or kind == "sparse")


def test_pickle_keeps_where_rows_come_from(tmp_path):
    index = built(parquet(clusters(3000), tmp_path / "x.parquet"), n_probe=2)
    pickled = pickle.dumps(index)
    assert len(pickled) < 20_000
    queries = clusters(50, seed=2)
    assert bits(pickle.loads(pickled).query(queries, 7)) == bits(index.query(queries, 7))

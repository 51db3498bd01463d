"""Which index answers."""

import numpy as np
import pytest
from scipy import sparse
from tests.neighbors.rows import blobs, parquet

from shoal import LocalEngine, open_dataset
from shoal.engines.engine import Engine
from shoal.exceptions import ParameterError
from shoal.neighbors import choice
from shoal.neighbors.choice import build_index
from shoal.neighbors.database import Database
from shoal.neighbors.grouped_blocks import GroupedBlocks
from shoal.neighbors.grouped_rows import GroupedRows
from shoal.statistics.metric import Metric
from shoal.testing.bits import bits


def chosen(source, name="euclidean", algorithm="auto"):
    return build_index(algorithm, Database.of(open_dataset(source)), Metric(name), 30).name


@pytest.mark.parametrize("algorithm", ["brute", "kd_tree", "partition"])
def test_a_name_is_a_name(algorithm):
    assert chosen(blobs(), algorithm=algorithm) == algorithm


def test_a_tree_for_many_rows_of_few_features():
    assert chosen(blobs(10_588, 2)) == "kd_tree"
    assert chosen(blobs(10_588, 2), "cosine") == "kd_tree"
    assert chosen(blobs(10_587, 2)) == "brute"
    assert chosen(blobs(14_400, 3)) == "brute"
    assert chosen(blobs(3000, 2000, "f4")) == "brute"


def test_groups_where_a_sample_skips_most(monkeypatch):
    monkeypatch.setattr(choice, "_GROUPED_ROWS", 2000)
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(3000, 12))
    assert chosen(noise) == "brute"
    assert chosen(noise + 20 * noise[generator.integers(40, size=3000)]) == "partition"


def test_groups_of_rows_in_files(monkeypatch, tmp_path):
    monkeypatch.setattr(choice, "_GROUPED_ROWS", 2000)
    generator = np.random.default_rng(0)
    middles = 20 * generator.normal(size=(40, 12))
    X = generator.normal(size=(3000, 12)) + middles[generator.integers(40, size=3000)]
    path = parquet(X, tmp_path / "x.parquet")
    assert chosen(path) == "partition"
    with LocalEngine(n_threads=2, memory="1MB"):
        index = build_index("auto", Database.of(open_dataset(path)), Metric("cosine"), 30)
    assert index.name == "partition"
    assert index.members[0].is_on_disk


class Elsewhere(Engine):
    """An engine that is not of this process, as far as anybody can tell."""

    def __init__(self):
        super().__init__()
        self._engine = LocalEngine(n_threads=1)

    def fold(self, dataset, statistic):
        return self._engine.fold(dataset, statistic)

    def map_blocks(self, dataset, function):
        raise AssertionError("rows do not travel to who asks")

    map_cells = map_blocks

    def release(self, dataset):
        self._engine.release(dataset)

    def close(self):
        self._engine.close()


def test_groups_stay_where_the_engine_has_rows(monkeypatch, tmp_path):
    monkeypatch.setattr(choice, "_GROUPED_ROWS", 2000)
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(3000, 12))
    X = noise + 20 * noise[generator.integers(40, size=3000)]
    for source in (X, parquet(X, tmp_path / "x.parquet")):
        here = build_index("auto", Database.of(open_dataset(source)), Metric("euclidean"), 30)
        assert isinstance(here, GroupedRows)
        with Elsewhere():
            for algorithm in ("auto", "partition"):
                there = build_index(
                    algorithm, Database.of(open_dataset(source)), Metric("euclidean"), 30
                )
                assert isinstance(there, GroupedBlocks)
                assert there.groups.centers.tobytes() == here.centers.tobytes()
            assert bits(there.query(X[:9], 3)) == bits(here.query(X[:9], 3))
            assert chosen(noise) == "brute"
            assert chosen(blobs(10_588, 2)[:, :1]) != "kd_tree"


def test_copies_of_rows_that_lie_elsewhere_are_refused(tmp_path):
    X = blobs(300)
    path = parquet(X, tmp_path / "x.parquet")
    with Elsewhere():
        with pytest.raises(ParameterError, match="Use algorithm='partition', 'brute' or 'auto'"):
            chosen(path, algorithm="kd_tree")
        assert chosen(X, algorithm="kd_tree") == "kd_tree"


def test_probes_are_for_groups():
    database = Database.of(open_dataset(blobs()))
    assert build_index("partition", database, Metric("euclidean"), 30, 2).n_probe == 2
    for algorithm in ("auto", "brute", "kd_tree", "hnsw"):
        with pytest.raises(ParameterError, match="n_probe=2 is for algorithm='partition'"):
            build_index(algorithm, database, Metric("euclidean"), 30, 2)


def test_brute_force_for_what_lies_elsewhere(tmp_path):
    X = blobs(10_588, 2)
    assert chosen(X, "manhattan") == "brute"
    assert chosen(sparse.csr_array(X)) == "brute"
    assert chosen(parquet(X, tmp_path / "x.parquet")) == "brute"

"""Which index answers."""

import numpy as np
import pytest
from scipy import sparse
from tests.neighbors.rows import blobs, parquet

from shoal import LocalEngine, open_dataset
from shoal.exceptions import ParameterError
from shoal.neighbors import choice
from shoal.neighbors.choice import build_index
from shoal.neighbors.database import Database
from shoal.statistics.metric import Metric


def chosen(source, name="euclidean", algorithm="auto"):
    return build_index(algorithm, Database.of(open_dataset(source)), Metric(name), 30).name


@pytest.mark.parametrize("algorithm", ["brute", "kd_tree", "partition"])
def test_a_name_is_a_name(algorithm):
    assert chosen(blobs(), algorithm=algorithm) == algorithm


def test_a_tree_for_many_rows_of_few_features():
    assert chosen(blobs(14_400, 2)) == "kd_tree"
    assert chosen(blobs(14_400, 2), "cosine") == "kd_tree"
    assert chosen(blobs(14_399, 2)) == "brute"
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


def test_probes_are_for_groups():
    database = Database.of(open_dataset(blobs()))
    assert build_index("partition", database, Metric("euclidean"), 30, 2).n_probe == 2
    for algorithm in ("auto", "brute", "kd_tree", "hnsw"):
        with pytest.raises(ParameterError, match="n_probe=2 is for algorithm='partition'"):
            build_index(algorithm, database, Metric("euclidean"), 30, 2)


def test_brute_force_for_what_lies_elsewhere(tmp_path):
    X = blobs(14_400, 2)
    assert chosen(X, "manhattan") == "brute"
    assert chosen(sparse.csr_array(X)) == "brute"
    assert chosen(parquet(X, tmp_path / "x.parquet")) == "brute"

"""Which index answers."""

import numpy as np
import pytest
from scipy import sparse
from tests.neighbors.rows import blobs, parquet

from shoal import open_dataset
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
    assert chosen(blobs(12_000, 3)) == "kd_tree"
    assert chosen(blobs(12_000, 3), "cosine") == "kd_tree"
    assert chosen(blobs(3000, 3)) == "brute"
    assert chosen(blobs(12_000, 30)) == "brute"


def test_groups_where_a_sample_skips_most(monkeypatch):
    monkeypatch.setattr(choice, "_GROUPED_ROWS", 2000)
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(3000, 12))
    assert chosen(noise) == "brute"
    assert chosen(noise + 20 * noise[generator.integers(40, size=3000)]) == "partition"


def test_brute_force_for_what_lies_elsewhere(tmp_path):
    X = blobs(12_000, 3)
    assert chosen(X, "manhattan") == "brute"
    assert chosen(sparse.csr_array(X)) == "brute"
    assert chosen(parquet(X, tmp_path / "x.parquet")) == "brute"

"""Centres to group rows around."""

import numpy as np
import pytest
from tests.neighbors.rows import blobs, parquet

from shoal import LocalEngine, open_dataset
from shoal.neighbors import group_centers as module
from shoal.neighbors.database import Database
from shoal.neighbors.group_centers import group_centers, row_sample
from shoal.statistics.metric import Metric

EUCLIDEAN = Metric("euclidean")


def test_centers_depend_on_the_rows_alone(tmp_path):
    X = blobs(5000)
    found = set()
    for source in (X, np.asfortranarray(X), parquet(X, tmp_path / "x.parquet")):
        for n_threads, memory in ((1, "1GB"), (3, "20MB")):
            with LocalEngine(n_threads, memory):
                centers = group_centers(Database.of(open_dataset(source)), EUCLIDEAN)
            assert centers.shape == (50, 4)
            found.add(centers.tobytes())
    assert len(found) == 1


def test_no_blob_is_without_a_center():
    generator = np.random.default_rng(0)
    middles = generator.uniform(-30, 30, (50, 16))
    X = middles[generator.integers(50, size=10_000)] + generator.normal(size=(10_000, 16))
    centers = group_centers(Database.of(open_dataset(X)), EUCLIDEAN)
    nearest = np.linalg.norm(middles[:, None] - centers, axis=2).min(axis=1)
    assert nearest.max() < 4


def test_samples_are_bounded_and_of_all_parts(monkeypatch):
    monkeypatch.setattr(module, "_SAMPLE_BYTES", 200 * 4 * 8)
    one, other = np.zeros((4000, 4)), np.ones((4000, 4))
    sample = row_sample(Database.of(open_dataset(one), open_dataset(other)), EUCLIDEAN)
    assert len(sample) == 200
    assert 0.3 < sample.mean() < 0.7
    assert len(group_centers(Database.of(open_dataset(blobs(4000))), EUCLIDEAN)) == 25


@pytest.mark.parametrize("n_rows", [1, 2, 9])
def test_few_rows_are_one_group(n_rows):
    X = blobs(n_rows)
    centers = group_centers(Database.of(open_dataset(X)), EUCLIDEAN)
    np.testing.assert_allclose(centers, X.mean(axis=0)[None], rtol=1e-12)

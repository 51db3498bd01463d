"""Fits a model with nothing but the installed wheel: what a user does first."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import shoal
from shoal.cluster import KMeans


def fit_parquet(folder: Path) -> KMeans:
    """Two groups of rows, far apart, in a Parquet file; the model of them."""
    values = np.repeat([[0.0, 0.0], [10.0, 10.0]], 50, axis=0)
    values += np.random.default_rng(0).normal(scale=0.1, size=values.shape)
    path = folder / "points.parquet"
    pq.write_table(pa.table({"x": values[:, 0], "y": values[:, 1]}), path)
    return KMeans(2, random_state=0).fit(str(path))


if __name__ == "__main__":
    shoal.show_versions()
    with tempfile.TemporaryDirectory() as folder:
        model = fit_parquet(Path(folder))
    centers = np.sort(model.cluster_centers_, axis=0)
    np.testing.assert_allclose(centers, [[0, 0], [10, 10]], atol=0.1)
    print("The wheel works.")

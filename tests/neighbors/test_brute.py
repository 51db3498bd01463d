"""Looking at every row."""

import numpy as np
from scipy import sparse
from tests.neighbors.rows import blobs, nearest, parquet

from shoal import open_dataset
from shoal.neighbors.brute import Brute
from shoal.neighbors.database import Database
from shoal.statistics.metric import Metric


def test_rows_stay_where_they_are(tmp_path):
    X, queries = blobs(), blobs(20, seed=1)
    expected = nearest(queries, X, 4)[1]
    for source in (sparse.csr_array(X), parquet(X, tmp_path / "x.parquet"), np.asfortranarray(X)):
        index = Brute.build(Database.of(open_dataset(source)), Metric("euclidean"))
        np.testing.assert_array_equal(index.query(queries, 4).rows, expected)

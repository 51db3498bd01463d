"""SciPy's k-d tree."""

import numpy as np

from shoal import LocalEngine, open_dataset
from shoal.neighbors.brute import Brute
from shoal.neighbors.database import Database
from shoal.neighbors.kd_tree import KdTree
from shoal.statistics.metric import Metric
from shoal.testing.bits import bits


def test_rows_that_only_rounding_tells_apart():
    """The tree's distances are rounded otherwise: the truth decides among near ties."""
    generator = np.random.default_rng(0)
    directions = generator.normal(size=(2000, 3))
    X = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    queries = generator.normal(size=(20, 3)) * 1e-15
    tree, brute = (
        kind.build(Database.of(open_dataset(X)), Metric("euclidean")) for kind in (KdTree, Brute)
    )
    assert bits(tree.query(queries, 10)) == bits(brute.query(queries, 10))


def test_leaf_size_and_threads_change_no_result():
    X = np.random.default_rng(0).normal(size=(500, 2))
    results = set()
    for leaf_size, n_threads in ((1, 1), (30, 2), (500, 1)):
        index = KdTree.build(Database.of(open_dataset(X)), Metric("euclidean"), leaf_size=leaf_size)
        assert index.tree.leafsize == leaf_size
        with LocalEngine(n_threads=n_threads):
            results.add(index.query(X, 5).rows.tobytes())
    assert len(results) == 1

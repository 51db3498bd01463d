"""The graphs that labels spread on."""

import numpy as np
import pytest
import sklearn.neighbors
from scipy import sparse
from scipy.sparse.csgraph import laplacian
from sklearn.metrics.pairwise import rbf_kernel
from tests.semi_supervised.rows import blobs

from shoal import LocalEngine, open_dataset
from shoal.exceptions import DataError, MemoryBudgetError, ParameterError
from shoal.semi_supervised.affinity import (
    KernelAffinity,
    NeighborAffinity,
    normalised,
    require_memory,
    transition,
)

X = blobs(200)[0]


def neighbours(n_neighbors=5, X=X, **options):
    return NeighborAffinity.of(open_dataset(X, **options), n_neighbors)


def test_neighbours_are_scikit_learns():
    reference = sklearn.neighbors.NearestNeighbors(n_neighbors=5).fit(X)
    found = neighbours()
    np.testing.assert_array_equal(
        found.among_rows().toarray(), reference.kneighbors_graph(X).toarray()
    )
    queries = X[:7] + 0.1
    np.testing.assert_array_equal(
        found.to(queries).toarray(), reference.kneighbors_graph(queries).toarray()
    )


def test_graphs_are_small():
    graph = neighbours().among_rows()
    assert graph.nnz == 5 * len(X)
    assert graph.indices.dtype == graph.indptr.dtype == np.int32


def test_equal_rows_are_neighbours_by_number():
    graph = neighbours(2, np.array([[1.0], [1.0], [1.0]])).among_rows()
    assert graph.toarray().tolist() == [[1, 1, 0]] * 3


def test_rbf():
    affinity = KernelAffinity.rbf(X, 0.3)
    np.testing.assert_array_equal(affinity.among_rows(), rbf_kernel(X, gamma=0.3))
    np.testing.assert_array_equal(affinity.to(X[:3]), rbf_kernel(X, X[:3], gamma=0.3).T)


def test_functions_keep_what_they_return():
    kept = np.ones((200, 200))
    weights = KernelAffinity(X, lambda A, B: kept).among_rows()
    transition(weights)
    assert (kept == 1).all()
    kept = sparse.csr_array(kept)
    transition(KernelAffinity(X, lambda A, B: kept).among_rows())
    assert (kept.data == 1).all()


@pytest.mark.parametrize("kind", [np.array, sparse.csr_array])
def test_normalised_is_scikit_learns(kind):
    """That is, the opposite of SciPy's Laplacian without its diagonal."""
    W = neighbours().among_rows().toarray() * rbf_kernel(X, gamma=0.1)
    W[:, 3] = 0
    expected = -laplacian(W, normed=True)
    np.fill_diagonal(expected, 0)
    found = normalised(kind(W))
    found = found if kind is np.array else found.toarray()
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize("kind", [np.array, sparse.csr_array])
def test_transition_takes_means(kind):
    W = neighbours().among_rows().toarray()
    W[4] = 0
    found = transition(kind(W))
    sums = np.asarray(found.sum(axis=1)).ravel()
    np.testing.assert_allclose(sums, np.arange(200) != 4, rtol=1e-14)


def test_too_many_neighbours():
    with pytest.raises(ParameterError, match="n_neighbors = 5, n_samples_fit = 3"):
        neighbours(5, X[:3])


def test_dropped_rows():
    holes = X.copy()
    holes[5, 1] = np.nan
    with pytest.raises(DataError, match="1 rows with missing values were dropped"):
        neighbours(X=holes, missing="drop").among_rows()
    with pytest.raises(DataError, match="too few are left"):
        neighbours(200, holes, missing="drop").among_rows()


def test_dense_graphs_are_refused_beyond_the_budget():
    with LocalEngine(memory="1MB"):
        require_memory(200)
        with pytest.raises(MemoryBudgetError, match="kernel='knn'"):
            require_memory(300)


def test_functions_of_another_shape():
    with pytest.raises(ParameterError, match="must give a weight for each two"):
        KernelAffinity(X, lambda A, B: np.ones(len(A))).among_rows()

"""One function a library: an index of rows, as a function of queries and their number."""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import numpy as np
from peers import FAISS, SHOAL, SKLEARN, SKLEARNEX, accelerated
from sklearn import neighbors

from shoal.neighbors import NearestNeighbors

CKDTREE = "scipy cKDTree"
SKLEARN_TREE = "scikit-learn, kd_tree"
FAISS_HNSW = "faiss HNSW"

#: Numbers of the rows, nearest first: ``search(queries, n_neighbors)``.
Search = Callable[[np.ndarray, int], np.ndarray]

#: ``build(X, n_threads)``
Build = Callable[[np.ndarray, int], Search]


def shoal_index(X: np.ndarray, n_threads: int, **parameters: object) -> Search:
    """On the engine that is current, with its threads."""
    return _rows_of(NearestNeighbors(**parameters).fit(X))


def sklearn_index(X: np.ndarray, n_threads: int, algorithm: str = "brute") -> Search:
    assert neighbors.NearestNeighbors.__module__.startswith("sklearn."), "it has been patched"
    # "brute" has OpenMP's threads, whatever n_jobs; the tree has joblib's.
    return _rows_of(neighbors.NearestNeighbors(algorithm=algorithm, n_jobs=n_threads).fit(X))


def sklearnex_index(X: np.ndarray, n_threads: int) -> Search:
    # Imported from its own module: scikit-learn stays as it is.
    from sklearnex.neighbors import NearestNeighbors as OneDalNearestNeighbors

    with accelerated("NearestNeighbors"):
        model = OneDalNearestNeighbors(algorithm="brute").fit(X)

    def search(queries: np.ndarray, n_neighbors: int) -> np.ndarray:
        with accelerated("NearestNeighbors", "kneighbors"):
            return _rows_of(model)(queries, n_neighbors)

    return search


def faiss_flat(X: np.ndarray, n_threads: int) -> Search:
    import faiss

    index = faiss.IndexFlatL2(X.shape[1])
    index.add(X)
    return lambda queries, n_neighbors: index.search(queries, n_neighbors)[1]


def faiss_hnsw(X: np.ndarray, n_links: int) -> Callable[[int], Search]:
    """A search for each `efSearch`, all of one index of so many links a node."""
    import faiss

    index = faiss.IndexHNSWFlat(X.shape[1], n_links)
    index.add(X)

    def with_ef(ef_search: int) -> Search:
        index.hnsw.efSearch = ef_search
        return lambda queries, n_neighbors: index.search(queries, n_neighbors)[1]

    return with_ef


def ckdtree(X: np.ndarray, n_threads: int) -> Search:
    from scipy.spatial import cKDTree

    tree = cKDTree(X)
    return lambda queries, n_neighbors: tree.query(queries, n_neighbors, workers=n_threads)[1]


BUILDS: dict[str, tuple[Build, str]] = {
    SKLEARN: (sklearn_index, "sklearn"),
    SKLEARN_TREE: (partial(sklearn_index, algorithm="kd_tree"), "sklearn"),
    SKLEARNEX: (sklearnex_index, "sklearnex"),
    FAISS: (faiss_flat, "faiss"),
    CKDTREE: (ckdtree, "scipy"),
}


def builds(algorithm: str, *peers: str) -> dict[str, Build]:
    """Shoal by an algorithm, and those of the peers that are there."""
    ours: dict[str, Build] = {SHOAL: partial(shoal_index, algorithm=algorithm)}
    return ours | {name: BUILDS[name][0] for name in peers if find_spec(BUILDS[name][1])}


def _rows_of(model: NearestNeighbors | neighbors.NearestNeighbors) -> Search:
    return lambda queries, n_neighbors: model.kneighbors(
        queries, n_neighbors, return_distance=False
    )

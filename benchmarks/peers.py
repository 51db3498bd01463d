"""One function a library: Lloyd's algorithm from given centres, with all rows and equal threads."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from sklearn import cluster
from threadpoolctl import threadpool_limits

import shoal
from shoal.cluster import KMeans

SHOAL = "Shoal"
SHOAL_AUTO = "Shoal, auto"
SKLEARN = "scikit-learn"
SKLEARNEX = "scikit-learn-intelex"
FAISS = "faiss"


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a library found, and in how many iterations."""

    centers: np.ndarray
    n_iter: int


#: ``fit(X, centers, max_iter, tol)``
Fit = Callable[[np.ndarray, np.ndarray, int, float], Fitted]


def with_shoal(
    X: np.ndarray, centers: np.ndarray, max_iter: int, tol: float, algorithm: str = "lloyd"
) -> Fitted:
    model = KMeans(
        len(centers), init=centers, n_init=1, max_iter=max_iter, tol=tol, algorithm=algorithm
    ).fit(X)
    return Fitted(model.cluster_centers_, model.n_iter_)


def with_shoal_auto(X: np.ndarray, centers: np.ndarray, max_iter: int, tol: float) -> Fitted:
    return with_shoal(X, centers, max_iter, tol, "auto")


def with_sklearn(X: np.ndarray, centers: np.ndarray, max_iter: int, tol: float) -> Fitted:
    assert cluster.KMeans.__module__.startswith("sklearn."), "scikit-learn has been patched"
    model = cluster.KMeans(
        len(centers), init=centers, n_init=1, max_iter=max_iter, tol=tol, algorithm="lloyd"
    ).fit(X)
    return Fitted(model.cluster_centers_, model.n_iter_)


def with_sklearnex(X: np.ndarray, centers: np.ndarray, max_iter: int, tol: float) -> Fitted:
    # Imported from its own module: scikit-learn stays as it is.
    from sklearnex.cluster import KMeans as OneDalKMeans

    model = OneDalKMeans(
        len(centers), init=centers, n_init=1, max_iter=max_iter, tol=tol, algorithm="lloyd"
    )
    with accelerated("KMeans"):
        model.fit(X)
    return Fitted(model.cluster_centers_, model.n_iter_)


def with_faiss(X: np.ndarray, centers: np.ndarray, max_iter: int, tol: float) -> Fitted:
    """All iterations: faiss has no tolerance, and would train on a sample by default."""
    import faiss

    kmeans = faiss.Kmeans(
        X.shape[1],
        len(centers),
        niter=max_iter,
        min_points_per_centroid=1,
        max_points_per_centroid=len(X),
    )
    kmeans.train(X, init_centroids=centers)
    return Fitted(kmeans.centroids, max_iter)


FITS: dict[str, tuple[Fit, str]] = {
    SHOAL: (with_shoal, "shoal"),
    SHOAL_AUTO: (with_shoal_auto, "shoal"),
    SKLEARN: (with_sklearn, "sklearn"),
    SKLEARNEX: (with_sklearnex, "sklearnex"),
    FAISS: (with_faiss, "faiss"),
}


def installed(*names: str) -> dict[str, Fit]:
    """How each of the libraries fits, of those that are there."""
    return {name: FITS[name][0] for name in names if find_spec(FITS[name][1])}


@contextmanager
def equal_threads(n_threads: int) -> Iterator[None]:
    """All libraries with as many threads; each has its own switch."""
    if find_spec("daal4py"):
        import daal4py

        daal4py.daalinit(n_threads)
    if find_spec("faiss"):
        import faiss

        faiss.omp_set_num_threads(n_threads)
    with threadpool_limits(n_threads), shoal.LocalEngine(n_threads=n_threads):
        yield


@contextmanager
def accelerated(estimator: str, method: str = "fit") -> Iterator[None]:
    """Make sure that scikit-learn-intelex does not hand the work to scikit-learn."""
    messages: list[str] = []
    logger = logging.getLogger("sklearnex")
    level, propagate, handlers = logger.level, logger.propagate, logger.handlers
    listener = logging.Handler()
    listener.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logger.handlers, logger.propagate = [listener], False
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)
    ran = [message for message in messages if f"{estimator}.{method}" in message]
    assert ran, messages
    assert all("accelerated" in message for message in ran), messages

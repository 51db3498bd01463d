"""An iteration on a local Dask cluster of two workers against the local engine's, and peers'."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from blobs import Shape, blobs
from harness import Goal, Options, Row, medians, progress
from lloyd_iteration import per_iteration
from peers import equal_threads

import shoal
from shoal.cluster import KMeans

SHAPE = Shape(1_000_000, 16, 32)
N_WORKERS = 2
LATENCY_TARGET = 25.0
PEER_TARGET = 20.0

LOCAL = "Shoal, local engine"
DASK = "Shoal, Dask engine"
DASK_ML = "Dask-ML"
SPARK = "Spark MLlib"

Run = Callable[[int], object]


def rows(options: Options) -> Iterator[Row]:
    shape = SHAPE.reduced(options.quick)
    X, centers = blobs(shape)
    peers = {DASK_ML: (_dask_ml, "dask_ml"), SPARK: (_spark, "pyspark")} if options.cluster else {}
    with equal_threads(options.threads), ExitStack() as stack:
        cluster = stack.enter_context(two_workers())
        runs = {LOCAL: stack.enter_context(_shoal(X, centers, shoal.LocalEngine(options.threads)))}
        runs[DASK] = stack.enter_context(_shoal(X, centers, shoal.DaskEngine(cluster)))
        for name, (start, module) in peers.items():
            if find_spec(module):
                progress(f"starting {name}")
                runs[name] = stack.enter_context(start(X, centers, cluster, options.threads))
        milliseconds = per_iteration(runs, options.repetitions)
    for name in (LOCAL, DASK, *peers):
        goals = tuple(_goals(medians(milliseconds))) if name == DASK else ()
        note = "" if name in runs else "not installed"
        yield Row(f"Local cluster, {shape}", name, milliseconds.get(name, ()), "ms", note, goals)


def _goals(milliseconds: dict[str, float]) -> Iterator[Goal]:
    over = milliseconds[DASK] - milliseconds[LOCAL]
    yield Goal("ms over the local engine", over, LATENCY_TARGET, at_most=True)
    for peer in (DASK_ML, SPARK):
        if peer in milliseconds:
            yield Goal(f"x {peer}", milliseconds[peer] / milliseconds[DASK], PEER_TARGET)


@contextmanager
def two_workers() -> Iterator[Any]:
    """Two workers of one thread, as `shoal.DaskEngine` starts them on two cores."""
    from distributed import Client

    from shoal.engines.local_cluster import local_cluster

    with local_cluster(N_WORKERS, threads_per_worker=1) as cluster, Client(cluster) as client:
        client.wait_for_workers(N_WORKERS)
        yield client


@contextmanager
def _shoal(X: np.ndarray, centers: np.ndarray, engine: Any) -> Iterator[Run]:
    """Fits on rows that are sent once: a dataset of the caller's is kept between fits."""
    dataset = shoal.open_dataset(X)

    def fit(max_iter: int) -> None:
        model = KMeans(
            len(centers), init=centers, n_init=1, max_iter=max_iter, tol=0, algorithm="lloyd"
        )
        assert model.fit(dataset).n_iter_ == max_iter

    with inside(engine) as run:
        yield partial(run, fit)


@contextmanager
def inside(engine: Any) -> Iterator[Callable[..., Any]]:
    """Calls functions with this engine.

    It is the current one in a context of its own, so that engines can take turns.
    """
    context = copy_context()
    context.run(engine.__enter__)
    try:
        yield context.run
    finally:
        context.run(engine.__exit__, None, None, None)


@contextmanager
def _dask_ml(X: np.ndarray, centers: np.ndarray, client: Any, n_threads: int) -> Iterator[Run]:
    """One block of rows a worker, persisted there."""
    import dask.array as da
    from dask_ml.cluster import KMeans as DaskKMeans
    from distributed import wait

    rows = client.persist(da.from_array(X, chunks=(-(-len(X) // N_WORKERS), X.shape[1])))
    wait(rows)
    yield lambda max_iter: DaskKMeans(len(centers), init=centers, max_iter=max_iter, tol=0).fit(
        rows
    )


@contextmanager
def _spark(X: np.ndarray, centers: np.ndarray, client: Any, n_threads: int) -> Iterator[Run]:
    """One process of as many threads, rows persisted in memory.

    spark.ml takes no centres: its fits begin at random rows, which does not change what an
    iteration costs.
    """
    from pyspark.ml.clustering import KMeans as SparkKMeans

    with spark_rows({f"x{j}": X[:, j] for j in range(X.shape[1])}, n_threads) as frame:
        kmeans = partial(SparkKMeans, k=len(centers), initMode="random", seed=0, tol=0.0)
        yield lambda max_iter: kmeans(maxIter=max_iter).fit(frame)


@contextmanager
def spark_rows(
    features: dict[str, np.ndarray], n_threads: int, target: np.ndarray | None = None
) -> Iterator[Any]:
    """A data frame of ``features`` (and ``label``), persisted in one process of as many threads."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyspark.ml.feature import VectorAssembler
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master(f"local[{n_threads}]")
        .config("spark.driver.memory", "4g")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    columns = features if target is None else features | {"label": target}
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pa.table(columns), Path(folder) / "rows.parquet")
        frame = session.read.parquet(folder).repartition(n_threads)
        vectors = VectorAssembler(inputCols=list(features), outputCol="features").transform(frame)
        vectors = vectors.select("features", *(["label"] if target is not None else [])).persist()
        vectors.count()
    yield vectors
    session.stop()

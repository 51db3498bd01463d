"""``shoal neighbors``: the nearest rows of queries, or of all rows."""

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shoal.cli.fit import check_out
from shoal.cli.options import (
    Columns,
    Debug,
    EngineName,
    Memory,
    Missing,
    MissingRows,
    Threads,
    engine,
    names,
)
from shoal.cli.outcome import reported

if TYPE_CHECKING:
    from shoal.data.dataset import Dataset


class Metric(StrEnum):
    """What distance is: the names of `shoal.neighbors`, whose import would slow ``--help``."""

    EUCLIDEAN = "euclidean"
    SQUARED_EUCLIDEAN = "sqeuclidean"
    COSINE = "cosine"
    INNER_PRODUCT = "inner_product"
    MANHATTAN = "manhattan"
    CHEBYSHEV = "chebyshev"
    CANBERRA = "canberra"
    BRAYCURTIS = "braycurtis"
    CORRELATION = "correlation"
    HAMMING = "hamming"
    JACCARD = "jaccard"
    DICE = "dice"
    ROGERS_TANIMOTO = "rogerstanimoto"
    RUSSELL_RAO = "russellrao"
    SOKAL_SNEATH = "sokalsneath"
    YULE = "yule"
    HAVERSINE = "haversine"


class Algorithm(StrEnum):
    """How neighbours are found, likewise."""

    AUTO = "auto"
    BRUTE = "brute"
    KD_TREE = "kd_tree"
    GROUPED_ROWS = "partition"
    HNSW = "hnsw"


MetricName = Annotated[
    Metric,
    typer.Option(
        metavar="NAME",
        help="Distance: euclidean, sqeuclidean, cosine, inner_product, manhattan, chebyshev, "
        "hamming or haversine.",
    ),
]
AlgorithmName = Annotated[
    Algorithm,
    typer.Option(
        metavar="NAME",
        help="How neighbors are found: auto, brute, kd_tree or partition, which all find the "
        "same, or hnsw, which misses some.",
    ),
]
NProbe = Annotated[
    int | None,
    typer.Option(
        "--n-probe",
        min=1,
        metavar="N",
        help="With --algorithm partition: look at the N nearest groups alone, and miss some.",
        show_default=False,
    ),
]


def neighbors(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="The rows to look among: a file, folder, URL or, in quotes, a glob.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The neighbors, as Parquet.", show_default=False)
    ],
    queries: Annotated[
        str | None,
        typer.Argument(
            metavar="QUERIES",
            help="The rows to look from, likewise. Each row of DATA, among all others, if not "
            "given.",
            show_default=False,
        ),
    ] = None,
    n_neighbors: Annotated[
        int, typer.Option("--n-neighbors", "-k", min=1, metavar="N", help="Neighbors of a query.")
    ] = 5,
    radius: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            help="Instead of N, all neighbors at a distance of at most X.",
            show_default=False,
        ),
    ] = None,
    columns: Columns = None,
    metric: MetricName = Metric.EUCLIDEAN,
    algorithm: AlgorithmName = Algorithm.AUTO,
    n_probe: NProbe = None,
    missing: MissingRows = Missing.ERROR,
    engine_name: EngineName = "local",
    memory: Memory = None,
    threads: Threads = None,
    debug: Debug = False,
) -> None:
    """Find the nearest rows of queries, or of all rows.

    FILE gets a row a query and neighbor, by query and nearest first:
    query and neighbor, the row numbers from 0, and their distance. It
    appears whole or not at all. Columns count by their size.

    For example:
      shoal neighbors rows/ queries.parquet -k 10 --out neighbors.parquet
      shoal neighbors rows.parquet --columns a,b --out graph.parquet
      shoal neighbors rows.parquet --radius 0.5 --out graph.parquet
    """
    with reported(debug):
        from shoal.neighbors import NearestNeighbors

        rows = _opened(data, names(columns), missing)
        asked = None if queries is None else _opened(queries, list(rows.feature_names), missing)
        check_out(out, rows.files if asked is None else rows.files | asked.files)
        model = NearestNeighbors(
            n_neighbors=n_neighbors,
            metric=metric.value,
            algorithm=algorithm.value,
            n_probe=n_probe,
        )
        began = time.monotonic()
        with engine(engine_name, memory, threads):
            _write(model.fit(rows), asked, radius, out)
        n_queries = (rows if asked is None else asked).n_rows
        typer.echo(
            f"Neighbors of {n_queries:,} rows among {rows.n_rows:,} by {model.algorithm_}, "
            f"{time.monotonic() - began:.1f} s. Saved to {out}."
        )


def _opened(data: str, features: list[str] | None, missing: Missing) -> "Dataset":
    from shoal.data.open import open_dataset

    return open_dataset(data, features=features, missing=missing.value)


def _write(model: Any, queries: "Dataset | None", radius: float | None, out: Path) -> None:
    if radius is None:
        model.kneighbors(queries, out=out)
    else:
        model.radius_neighbors(queries, radius, sort_results=True, out=out)

"""``shoal fit``: from data to a model's file."""

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from shoal.cli.options import (
    RUNNING,
    Columns,
    Data,
    Debug,
    EngineName,
    Memory,
    Missing,
    MissingRows,
    Threads,
    engine,
    names,
    paths,
)
from shoal.cli.outcome import reported


class Init(StrEnum):
    """How first centres are chosen."""

    PLUS_PLUS = "k-means++"
    SCALABLE = "k-means||"
    RANDOM = "random"


class Metric(StrEnum):
    """What distance is."""

    EUCLIDEAN = "euclidean"
    COSINE = "cosine"


def kmeans(
    data: Data,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The model.", show_default=False)],
    n_clusters: Annotated[int, typer.Option(min=1, metavar="N", help="Number of clusters.")] = 8,
    columns: Columns = None,
    init: Annotated[
        Init, typer.Option(metavar="NAME", help="First centers: k-means++, k-means|| or random.")
    ] = Init.PLUS_PLUS,
    n_init: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Runs from other first centers, of which the best is kept; 10 with --init "
            "random and 1 otherwise if not given.",
            show_default=False,
        ),
    ] = None,
    max_iter: Annotated[
        int, typer.Option(min=1, metavar="N", help="Most iterations of a run.")
    ] = 300,
    tol: Annotated[
        float,
        typer.Option(
            min=0.0,
            metavar="X",
            help="A run ends when the squared movement of centers is at most X times the mean "
            "variance of the columns.",
        ),
    ] = 1e-4,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of random choices.")] = 0,
    metric: Annotated[
        Metric, typer.Option(metavar="NAME", help="Distance: euclidean or cosine.")
    ] = Metric.EUCLIDEAN,
    sample_weight: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The rows' weights.", show_default=False),
    ] = None,
    missing: MissingRows = Missing.ERROR,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keeps the state of the fit: after an interruption the same command goes on "
            "from there, to the same result.",
            rich_help_panel=RUNNING,
            show_default=False,
        ),
    ] = None,
    engine_name: EngineName = "local",
    memory: Memory = None,
    threads: Threads = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Log each iteration.", rich_help_panel=RUNNING)
    ] = False,
    debug: Debug = False,
) -> None:
    """Find clusters: each row belongs to the nearest of N centers.

    The same data, options and seed give the same model to the last bit,
    on any engine, with any memory and any number of threads.

    For example:
      shoal fit kmeans flights/ --columns air_time,arr_delay --out model
      shoal fit kmeans rows.parquet --memory 2GB --checkpoint state --out model
      shoal fit kmeans rows.parquet --engine tls://host:8786 --out model
    """
    with reported(debug, checkpoint):
        from shoal.cluster import KMeans
        from shoal.data.open import open_dataset
        from shoal.persistence import save_model

        _check_folder(out)
        model = KMeans(
            n_clusters,
            init=init.value,
            n_init="auto" if n_init is None else n_init,
            max_iter=max_iter,
            tol=tol,
            verbose=int(verbose),
            random_state=seed,
            metric=metric.value,
        )
        dataset = open_dataset(
            paths(data),
            features=names(columns),
            sample_weight=sample_weight,
            missing=missing.value,
        )
        began = time.monotonic()
        with engine(engine_name, memory, threads):
            model.fit(dataset, checkpoint=checkpoint)
        save_model(model, out)
        typer.echo(
            f"{dataset.n_rows:,} rows x {dataset.n_features} features in {n_clusters} clusters: "
            f"{model.n_iter_} iterations, inertia {model.inertia_:.6g}, "
            f"{time.monotonic() - began:.1f} s. Saved to {out}."
        )


def _check_folder(out: Path) -> None:
    """Find out before the work if its result can go nowhere."""
    from shoal.exceptions import FileError

    if not out.parent.is_dir():
        raise FileError(f"Cannot write {out}: there is no folder {out.parent}.")

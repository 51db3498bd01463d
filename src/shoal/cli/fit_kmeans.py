"""``shoal fit kmeans``."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from shoal.cli.fit import Seed, Verbose, fits

if TYPE_CHECKING:
    from shoal.cluster import KMeans
    from shoal.data.dataset import Dataset


class Init(StrEnum):
    """How first centres are chosen."""

    PLUS_PLUS = "k-means++"
    SCALABLE = "k-means||"
    RANDOM = "random"


class Metric(StrEnum):
    """What distance is."""

    EUCLIDEAN = "euclidean"
    COSINE = "cosine"


def _clusters(model: "KMeans", dataset: "Dataset") -> str:
    return (
        f"in {model.n_clusters} clusters: {model.n_iter_} iterations, inertia {model.inertia_:.6g}"
    )


@fits(_clusters, without={"target"})
def kmeans(
    *,
    n_clusters: Annotated[int, typer.Option(min=1, metavar="N", help="Number of clusters.")] = 8,
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
    seed: Seed = 0,
    metric: Annotated[
        Metric, typer.Option(metavar="NAME", help="Distance: euclidean or cosine.")
    ] = Metric.EUCLIDEAN,
    verbose: Verbose = False,
) -> "KMeans":
    """Find clusters: each row belongs to the nearest of N centers.

    The same data, options and seed give the same model to the last bit,
    on any engine, with any memory and any number of threads.

    For example:
      shoal fit kmeans flights/ --columns air_time,arr_delay --out model
      shoal fit kmeans rows.parquet --memory 2GB --checkpoint state --out model
      shoal fit kmeans rows.parquet --engine tls://host:8786 --out model
    """
    from shoal.cluster import KMeans

    return KMeans(
        n_clusters,
        init=init.value,
        n_init="auto" if n_init is None else n_init,
        max_iter=max_iter,
        tol=tol,
        verbose=int(verbose),
        random_state=seed,
        metric=metric.value,
    )

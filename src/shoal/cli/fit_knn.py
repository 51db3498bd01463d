"""``shoal fit knn``."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shoal.cli.fit import fits
from shoal.cli.neighbors import Algorithm, AlgorithmName, Metric, MetricName, NProbe

if TYPE_CHECKING:
    from shoal.data.dataset import Dataset


class Weights(StrEnum):
    """What neighbours count for."""

    UNIFORM = "uniform"
    DISTANCE = "distance"


def _kept(model: Any, dataset: "Dataset") -> str:
    model.checked_n_neighbors(None, n_queries=1)  # Else it could answer none.
    labels = f"of {len(model.classes_)} labels" if hasattr(model, "classes_") else "of numbers"
    return f"{labels}: {model.n_neighbors} neighbors each, by {model.algorithm_}"


@fits(_kept, without={"sample_weight", "checkpoint"}, keeps_rows=True)
def knn(
    *,
    regression: Annotated[
        bool,
        typer.Option("--regression", help="Predict a number, the neighbors' average; not a label."),
    ] = False,
    n_neighbors: Annotated[
        int, typer.Option("--n-neighbors", "-k", min=1, metavar="N", help="Neighbors of a row.")
    ] = 5,
    weights: Annotated[
        Weights,
        typer.Option(
            metavar="NAME", help="What neighbors count for: uniform, or distance, which is 1 / d."
        ),
    ] = Weights.UNIFORM,
    metric: MetricName = Metric.EUCLIDEAN,
    algorithm: AlgorithmName = Algorithm.AUTO,
    n_probe: NProbe = None,
) -> Any:
    """Predict a label, or a number, from the nearest rows.

    A row's label is that of most of its N nearest rows of DATA. Columns
    count by their size: bring them to about the same one before. The
    model holds all rows, so they have to fit in memory, twice.

    The same data and options give the same predictions to the last bit,
    on any engine, with any memory and any number of threads.

    For example:
      shoal fit knn rows.parquet --target y -k 10 --out model
      shoal fit knn rows/ --target price --regression --out model
      shoal predict model more.parquet --out labels.parquet
    """
    from shoal.neighbors import KNeighborsClassifier, KNeighborsRegressor

    make = KNeighborsRegressor if regression else KNeighborsClassifier
    return make(
        n_neighbors,
        weights=weights.value,
        metric=metric.value,
        algorithm=algorithm.value,
        n_probe=n_probe,
    )

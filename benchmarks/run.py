"""Compares Shoal with its peers on this machine; ``make bench`` runs it.

Writes a Markdown table, with a description of the machine, and a chart to benchmarks/results/.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import approximate_neighbors
import chart
import cluster_logistic
import dask_cluster
import exact_sums
import harness
import import_time
import kernels
import label_spreading
import linear_fit
import linear_out_of_core
import lloyd_iteration
import loss_pass
import machine
import neighbors
import neighbors_cluster
import neighbors_out_of_core
import out_of_core
import sgd_epochs
import whole_fit
from harness import Options, Row

RESULTS = Path(__file__).parent / "results"

SECTIONS: dict[str, Callable[[Options], Iterator[Row]]] = {
    "iteration": lloyd_iteration.rows,
    "rate": kernels.rows,
    "sums": exact_sums.rows,
    "fit": whole_fit.rows,
    "loss": loss_pass.rows,
    "linear": linear_fit.rows,
    "sgd": sgd_epochs.rows,
    "cluster": dask_cluster.rows,
    "linear-cluster": cluster_logistic.rows,
    "disk": out_of_core.rows,
    "linear-disk": linear_out_of_core.rows,
    "neighbors": neighbors.rows,
    "neighbors-approximate": approximate_neighbors.rows,
    "neighbors-disk": neighbors_out_of_core.rows,
    "neighbors-cluster": neighbors_cluster.rows,
    "spreading": label_spreading.rows,
    "import": import_time.rows,
}


def main() -> None:
    arguments = parser().parse_args()
    options = Options(
        quick=arguments.quick,
        repetitions=arguments.repetitions,
        threads=arguments.threads,
        cluster=arguments.cluster,
        gigabytes=arguments.gigabytes,
        data_dir=arguments.data_dir,
    )
    began = datetime.now(UTC)
    rows = list(measured(arguments.only or list(SECTIONS), options))
    write(rows, options, began)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, help="sections (default: all)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all?")
    parser.add_argument("--repetitions", type=int, default=5, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="of each library (%(default)s)")
    parser.add_argument("--cluster", action="store_true", help="with Dask-ML and Spark MLlib")
    parser.add_argument("--gigabytes", type=float, help="of Parquet (default: 12, disk permitting)")
    parser.add_argument("--data-dir", type=Path, help="where Parquet files are kept for next time")
    return parser


def measured(sections: list[str], options: Options) -> Iterator[Row]:
    """The rows of all sections, each printed as soon as it is known."""
    for section in sections:
        print(f"{section}:", file=sys.stderr, flush=True)
        for row in SECTIONS[section](options):
            print("  ".join(cell for cell in row.cells() if cell), flush=True)
            yield row


def write(rows: list[Row], options: Options, began: datetime) -> None:
    """The table and the chart, named by when the run began."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{began:%Y-%m-%d-%H%M%S}"
    title = f"Shoal and its peers, {options.threads} threads, {began:%Y-%m-%d}"
    if options.quick:
        title += " (--quick: sizes too small to say anything)"
    chart.draw(rows, path.with_suffix(".png"), title)
    met = [goal.is_met for row in rows for goal in row.goals]
    path.with_suffix(".md").write_text(
        f"# {title}\n\n{sum(met)} of {len(met)} goals met; medians and ranges of "
        f"{options.repetitions} repetitions.\n\n{harness.markdown(rows)}\n\n"
        f"## Machine\n\n{machine.description()}\n"
    )
    print(f"\n{sum(met)} of {len(met)} goals met: {path}.md and .png")


if __name__ == "__main__":
    main()

"""``shoal info``: what is in a dataset."""

import platform
from typing import TYPE_CHECKING

from shoal.cli.options import Columns, Data, Debug, Memory, Threads, names, paths
from shoal.cli.outcome import reported

if TYPE_CHECKING:
    from rich.table import Table

    from shoal.data.dataset import Dataset
    from shoal.data.source import Source


def info(
    data: Data,
    columns: Columns = None,
    memory: Memory = None,
    threads: Threads = None,
    debug: Debug = False,
) -> None:
    """Show columns and sizes of data, and how a fit would use memory.

    Reads names, types and sizes, not rows.

    For example:
      shoal info flights/
      shoal info flights/*.parquet --columns distance,air_time
    """
    with reported(debug):
        from rich.console import Console

        source, dataset = _opened(paths(data), names(columns))
        console = Console(highlight=False)
        console.print(_sizes(source, dataset))
        console.print(_columns(source, dataset))
        if dataset is not None:
            console.print(f"Plan for {dataset.plan(memory, threads)}")
        console.print(_versions(), style="dim")


def _opened(paths: str | list[str], features: list[str] | None) -> "tuple[Source, Dataset | None]":
    """The source, and a dataset of the columns asked for or of all numbers, if there are any."""
    from shoal.data.open import open_dataset, source_of

    source = source_of(paths)
    numbers = [column.name for column in source.columns if column.is_numeric]
    features = features or numbers
    return source, open_dataset(source, features=features) if features else None


def _sizes(source: "Source", dataset: "Dataset | None") -> "Table":
    from rich.table import Table

    from shoal.data.files import File
    from shoal.data.plan import format_bytes

    cells = source.cells()
    files = {cell.file for cell in cells}
    n_rows = sum(cell.n_rows for cell in cells)
    table = Table(show_header=False, box=None)
    table.add_row("Rows", f"{n_rows:,}")
    table.add_row("Files", f"{len(files):,}, read in {len(cells):,} cells")
    table.add_row("On disk", format_bytes(sum(File.at(name).n_bytes for name in files)))
    if dataset is not None:
        n_bytes = format_bytes(n_rows * dataset.row_bytes)
        table.add_row("Decoded", f"{n_bytes}: {dataset.n_features} features, {dataset.dtype}")
    return table


def _columns(source: "Source", dataset: "Dataset | None") -> "Table":
    from rich.table import Table

    features = () if dataset is None else dataset.feature_names
    table = Table("Column", "Type", "Feature")
    for column in source.columns:
        kind = str(column.dtype) if column.is_numeric else "not a number"
        table.add_row(column.name, kind, "yes" if column.name in features else "")
    return table


def _versions() -> str:
    import numpy as np

    import shoal
    from shoal import _kernels

    return (
        f"Shoal {shoal.__version__}, kernels for {_kernels.instruction_set}, "
        f"NumPy {np.__version__}, Python {platform.python_version()}"
    )

"""Arguments and options that commands share, and what is made of them."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shoal.engines.engine import Engine

#: Heading in --help of the options that do not change the result.
RUNNING = "Running"


class Missing(StrEnum):
    """What happens at a row with a missing value."""

    ERROR = "error"
    DROP = "drop"


Data = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA",
        help="Files, folders, globs or URLs: together one dataset.",
        show_default=False,
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(metavar="A,B,...", help="Columns to use; all if not given.", show_default=False),
]
MissingRows = Annotated[
    Missing,
    typer.Option(
        metavar="error|drop",
        help="What to do at a row with a missing value: stop, or leave it out.",
    ),
]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="ENGINE",
        help="local: this machine's threads. dask: a Dask cluster started for this command. An "
        "address such as tls://host:8786: the Dask cluster there.",
        rich_help_panel=RUNNING,
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Memory for data, such as 2GB; on a cluster, of each worker. Half of what is free "
        "if not given.",
        rich_help_panel=RUNNING,
        show_default=False,
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Threads of the local engine; one a core if not given.",
        rich_help_panel=RUNNING,
        show_default=False,
    ),
]
Debug = Annotated[
    bool,
    typer.Option("--debug", help="Show a traceback if something fails.", rich_help_panel=RUNNING),
]


def paths(data: list[str]) -> str | list[str]:
    """The argument DATA as `open_dataset` takes it: a folder or glob stands alone."""
    return data[0] if len(data) == 1 else data


def names(columns: str | None) -> list[str] | None:
    """The names in a list with commas."""
    return None if columns is None else [name.strip() for name in columns.split(",")]


def engine(name: str, memory: str | None, threads: int | None) -> "Engine":
    """The engine that ``--engine`` names.

    Raises
    ------
    typer.BadParameter
        It names none, or has no threads to set.
    """
    import shoal

    if name == "local":
        return shoal.LocalEngine(threads, memory)
    if name != "dask" and "://" not in name:
        raise typer.BadParameter(
            f"{name!r} is neither local nor dask nor an address such as tls://host:8786.",
            param_hint="--engine",
        )
    if threads is not None:
        raise typer.BadParameter(
            "the local engine alone has threads to set; a cluster's workers bring theirs.",
            param_hint="--threads",
        )
    return shoal.DaskEngine(None if name == "dask" else name, memory)

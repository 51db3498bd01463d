"""How a command ends: one message where something went wrong, and an exit code."""

import re
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

#: Exit codes: something went wrong; interrupted (128 + SIGINT). Wrong usage is typer's 2.
FAILED, INTERRUPTED = 1, 130


@contextmanager
def reported(debug: bool, checkpoint: Path | None = None) -> Iterator[None]:
    """Turn what ends the command early into one message on stderr and an exit code.

    Parameters
    ----------
    debug : bool
        Whether to show tracebacks.
    checkpoint : path, default=None
        From where the work can be resumed.
    """
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"\nshoal: interrupted. {_way_back(checkpoint)}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except (typer.Exit, typer.BadParameter):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, a traceback helps no user
        typer.echo(traceback.format_exc() if debug else f"shoal: {_message(error)}", err=True)
        raise typer.Exit(FAILED) from None


@contextmanager
def say_warnings() -> Iterator[None]:
    """Say warnings as the command says errors, without the place in the code."""
    with warnings.catch_warnings():
        warnings.showwarning = _say_warning
        yield


def _say_warning(message: Warning | str, *where: Any, **source: Any) -> None:
    typer.echo(f"shoal: warning: {message}", err=True)


def _way_back(checkpoint: Path | None) -> str:
    if checkpoint is None:
        return "Nothing was saved; a fit with --checkpoint FILE can be resumed."
    # Of several runs, the first one's has a number.
    if not checkpoint.exists() and not checkpoint.with_name(f"{checkpoint.name}.0").exists():
        return "There is no checkpoint yet: the same command begins anew."
    return f"Run the same command again to go on from the checkpoint {checkpoint}."


def _as_options(advice: str) -> str:
    """What a library's user is told to write, as options of the command."""
    advice = advice.replace("open_dataset(..., missing='drop')", "--missing drop")
    return re.sub(
        r"features=\[(.+?)\]",
        lambda found: "--columns " + found[1].replace("', '", ",").replace("'", ""),
        advice,
    )


def _message(error: Exception) -> str:
    """What went wrong, on one line."""
    text = _as_options(" ".join(str(error).split()))
    if text and isinstance(error, ValueError | TypeError | OSError | MemoryError | ImportError):
        return text
    return f"{type(error).__name__}: {text} (--debug shows where)"

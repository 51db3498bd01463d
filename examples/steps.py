"""What the examples print, and what their steps take."""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TypeVar

from rich.console import Console
from rich.table import Table

console = Console(width=100, highlight=False)
steps = Table("Step", box=None, padding=(0, 2, 0, 0), title="Time and memory", title_justify="left")
steps.add_column("Seconds", justify="right")
steps.add_column("Peak memory")

T = TypeVar("T")


def in_own_process(name: str, function: Callable[[], T]) -> T:
    """A step whose memory is not to be counted as this process'."""
    began = time.monotonic()
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        result = pool.submit(function).result()
    seconds = f"{time.monotonic() - began:.1f}"
    steps.add_row(name, seconds, f"{peak_memory_of_children()}, apart")
    return result


@contextmanager
def step(name: str) -> Iterator[None]:
    """Adds a line with what the step took."""
    began = time.monotonic()
    yield
    steps.add_row(name, f"{time.monotonic() - began:.1f}", _peak_memory(resource.RUSAGE_SELF))


def peak_memory_of_children() -> str:
    """Largest resident memory of the largest child that has ended."""
    return _peak_memory(resource.RUSAGE_CHILDREN)


def _peak_memory(who: int) -> str:
    unit = 1 if sys.platform == "darwin" else 1024
    return f"{resource.getrusage(who).ru_maxrss * unit / 1e6:,.0f} MB"

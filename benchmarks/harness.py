"""What every section shares: what is measured, in turns, and what is asked of it."""

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """What a run was asked for."""

    quick: bool
    repetitions: int
    threads: int
    cluster: bool
    gigabytes: float | None
    data_dir: Path | None


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure that has to be reached, at least or, with `at_most`, at most."""

    what: str
    achieved: float
    target: float
    at_most: bool = False

    @property
    def score(self) -> float:
        """1 where the target is just reached, more where it is surpassed."""
        if self.at_most:
            return self.target / self.achieved if self.achieved > 0 else float("inf")
        return self.achieved / self.target

    @property
    def is_met(self) -> bool:
        return self.score >= 1

    def __str__(self) -> str:
        verdict = "met" if self.is_met else "not met"
        sign = "≤" if self.at_most else "≥"
        return f"{self.achieved:.3g} {self.what} (target {sign} {self.target:g}: {verdict})"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: all repetitions of one measurement."""

    work: str
    library: str
    values: Sequence[float] = ()
    unit: str = "ms"
    note: str = ""
    goals: tuple[Goal, ...] = ()

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> str:
        return f"{min(self.values):.4g} to {max(self.values):.4g}" if self.values else ""

    def cells(self) -> tuple[str, ...]:
        value = f"{self.median:.4g} {self.unit}" if self.values else ""
        goals = "; ".join(map(str, self.goals))
        return self.work, self.library, value, self.spread, self.note, goals


COLUMNS = ("Work", "Library", "Median", "Range", "Note", "Goal")

#: Between two libraries.
PAUSE_SECONDS = 0.5


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def interleaved(
    works: Mapping[str, Callable[[], float]], repetitions: int
) -> dict[str, list[float]]:
    """What each work returns, over repetitions that take turns: A B C A B C.

    A machine that slows down for a while so slows all of them. Before each there is a pause: idle
    threads of OpenMP, in one library or another, wait busily for up to 0.2 seconds, on the cores
    that the next library is measured on.
    """
    values: dict[str, list[float]] = {name: [] for name in works}
    for repetition in range(repetitions):
        for name, work in works.items():
            progress(f"repetition {repetition + 1} of {repetitions}: {name}")
            time.sleep(PAUSE_SECONDS)
            values[name].append(work())
    return values


def medians(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: statistics.median(of_name) for name, of_name in values.items()}


def progress(message: str) -> None:
    print(f"  {message}", file=sys.stderr, flush=True)


def markdown(rows: Sequence[Row]) -> str:
    """The table of all rows."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)

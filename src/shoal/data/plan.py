"""How a pass uses memory: a pure function from the budget to the size and number of blocks."""

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
import psutil

from shoal.data.windows import whole_windows
from shoal.exceptions import MemoryBudgetError, ParameterError

if TYPE_CHECKING:
    from shoal.data.dataset import Dataset

_UNITS = {"": 1} | {
    prefix + suffix: base**power
    for power, prefix in enumerate("kmgtp", start=1)
    for suffix, base in (("", 1000), ("b", 1000), ("ib", 1024))
}
_UNITS["b"] = 1

#: Large enough that what a block costs beside its rows vanishes, small enough that a few in
#: flight fit a small budget.
_BLOCK_BYTES = 16 * 2**20

#: A block of fewer rows spends its time on what a block costs beside its rows.
_FEW_ROWS = 4096

#: Beside the block that each thread has in hand, where they are wanted in order: one waits, and
#: one is read.
_BLOCKS_IN_ORDER = 2

#: Smaller blocks are refused.
_LEAST_ROWS = 64

#: Share of the budget left to what no plan sees: allocators round up and give back late.
_SLACK = 1 / 8

#: What Python and the libraries may take on top of a budget.
_ON_TOP_BYTES = 150_000_000

#: What they take more once passes run, such as memory that readers of files keep for themselves.
_IN_USE_BYTES = 24_000_000

#: Of what a process holds before its first pass no more than this, with what may stand on top of a
#: budget, is taken for libraries: the rest is the user's data.
_MOST_LIBRARIES_BYTES = 160_000_000

#: What libraries leave to blocks of any budget of twice as much; of smaller ones, half.
_LEAST_ROOM_BYTES = 48_000_000

#: A Python string with its place in an array.
_OBJECT_BYTES = 72


@dataclass(frozen=True, slots=True)
class Plan:
    """How a pass over a dataset uses memory; ``print(plan)`` explains it.

    A plan decides how fast passes run, never what comes out of them.

    Parameters
    ----------
    memory_bytes : int
        The budget.
    n_threads : int
        Threads that work on blocks.
    n_rows, row_bytes : int
        Size of the dataset, and of one decoded row.
    block_rows : int
        Rows of a block, and rows that are decoded at a time, at most: whole windows, or all rows.
    blocks_in_flight : int
        Blocks being decoded, read back or in hand at a time, at most.
    in_flight_bytes : int
        What these take, with the rows they are decoded from.
    n_readers, reader_bytes : int
        Cells being read at a time, at most, and what a reader takes besides its rows.
    beside_row_bytes : int
        What statistics want to keep beside blocks, a row.
    beside_bytes : int
        Reserved for that. 0: nothing is kept there.
    held_bytes : int
        Reserved for targets that are Python objects, which no cache file can hold.
    kept_bytes : int
        Decoded blocks that stay in memory between passes, at most.
    cached_bytes : int
        Size of the cache file for the blocks that do not. 0: there is none.
    are_views : bool
        Whether blocks are views of data that are in memory anyway.
    """

    memory_bytes: int
    n_threads: int
    n_rows: int
    row_bytes: int
    block_rows: int
    blocks_in_flight: int
    in_flight_bytes: int
    n_readers: int
    reader_bytes: int
    beside_row_bytes: int
    beside_bytes: int
    held_bytes: int
    kept_bytes: int
    cached_bytes: int
    are_views: bool

    def __str__(self) -> str:
        lines = [
            self._title,
            f"  blocks     {self.block_rows:,} rows ({format_bytes(self._block_bytes)}) at most",
            self._in_flight_line,
            self._kept_line,
        ]
        if self.cached_bytes:
            lines.append(f"  cache file {format_bytes(self.cached_bytes)}")
        if self.beside_bytes:
            lines.append(f"  beside     {format_bytes(self.beside_bytes)} for what rows are given")
        if self.held_bytes:
            lines.append(f"  targets    {format_bytes(self.held_bytes)} of Python objects")
        return "\n".join(lines)

    @property
    def kept_rows(self) -> int:
        """Rows that stay in memory between passes."""
        if self.are_views:
            return self.n_rows
        return min(self.n_rows, self.kept_bytes // self.row_bytes)

    @property
    def _title(self) -> str:
        return (
            f"{self.n_rows:,} rows of {format_bytes(self.row_bytes)} within "
            f"{format_bytes(self.memory_bytes)}, {self.n_threads} threads:"
        )

    @property
    def _block_bytes(self) -> int:
        return self.block_rows * self.row_bytes

    @property
    def _in_flight_line(self) -> str:
        if self.are_views:
            return "  in flight  nothing: blocks are views of data in memory"
        line = f"  in flight  {self.blocks_in_flight} blocks, {format_bytes(self.in_flight_bytes)}"
        if self.reader_bytes:
            line += f"; {self.n_readers} readers of {format_bytes(self.reader_bytes)} each"
        return line

    @property
    def _kept_line(self) -> str:
        if self.are_views:
            return "  kept       all rows, where they are"
        share = self.kept_rows / self.n_rows if self.n_rows else 1.0
        kept = format_bytes(self.kept_rows * self.row_bytes)
        return f"  kept       {self.kept_rows:,} rows decoded in memory ({kept}, {share:.0%})"


def plan(dataset: "Dataset", memory_bytes: int, n_threads: int, beside_row_bytes: int = 0) -> Plan:
    """The plan for passes over `dataset`.

    Readers get three quarters of the room at most, blocks in flight a quarter; the rest keeps what
    stands beside blocks and then decoded blocks, the first ones met.

    Parameters
    ----------
    dataset : Dataset
    memory_bytes : int
        The budget.
    n_threads : int
        Threads that will work on blocks.
    beside_row_bytes : int, default=0
        What statistics want to keep beside blocks, a row. Where there is no room for it they
        keep nothing; the size of blocks does not depend on it.

    Returns
    -------
    Plan

    Raises
    ------
    MemoryBudgetError
        Even small blocks do not fit; the message says what would suffice.
    """
    needs = _Needs.of(dataset, n_threads)
    room = _room(memory_bytes) - needs.held
    _check_room(room, needs, dataset, memory_bytes)
    n_readers = n_threads
    if needs.reader:
        small_blocks = _least_rows(dataset) * needs.flight_row
        most = min(room * 3 // 4, room - small_blocks) // needs.reader
        n_readers = max(1, min(n_threads, most))
    rows_that_fit = None
    if needs.flight_row:
        rows_that_fit = min(room // 4, room - n_readers * needs.reader) // needs.flight_row
    block_rows = _block_rows(dataset, needs.row, n_threads, rows_that_fit)
    room -= block_rows * needs.flight_row + n_readers * needs.reader
    beside = beside_row_bytes * dataset.n_rows
    beside = beside if beside <= room else 0
    kept = room - beside
    too_much = max(needs.row * dataset.n_rows - kept, 0)
    return Plan(
        memory_bytes=memory_bytes,
        n_threads=n_threads,
        n_rows=dataset.n_rows,
        row_bytes=needs.row,
        block_rows=block_rows,
        blocks_in_flight=n_threads + _BLOCKS_IN_ORDER,
        in_flight_bytes=block_rows * needs.flight_row,
        n_readers=n_readers,
        reader_bytes=needs.reader,
        beside_row_bytes=beside_row_bytes,
        beside_bytes=beside,
        held_bytes=needs.held,
        kept_bytes=kept,
        cached_bytes=0 if dataset.source.in_memory else too_much,
        are_views=needs.flight_row == 0,
    )


@dataclass(frozen=True, slots=True)
class _Needs:
    """Bytes that passes over a dataset take.

    Of a decoded row; of a row of all blocks in flight (0 where blocks are views); of a reader; and
    of what must stay in memory.
    """

    row: int
    flight_row: int
    reader: int
    held: int

    @classmethod
    def of(cls, dataset: "Dataset", n_threads: int) -> "_Needs":
        source = dataset.source
        columns, positions = source.columns, dataset.columns_read
        row = max(1, row_bytes(dataset))
        source_row = sum(columns[position].dtype.itemsize for position in positions)
        # While a block is read there are the rows it is made from, in memory that grew by
        # doubling, and at times a second copy.
        flight_row = 2 * n_threads * (row + max(row, round(source_row * source.density)))
        return cls(
            row=row,
            flight_row=0 if _are_views(dataset) else flight_row,
            reader=0 if source.in_memory else source.reader_bytes(positions),
            held=_held_row_bytes(dataset) * dataset.n_rows,
        )


def _check_room(room: int, needs: _Needs, dataset: "Dataset", memory_bytes: int) -> None:
    """Refuse a budget that leaves no room for small blocks."""
    least = _least_rows(dataset) * needs.flight_row + needs.reader
    if least > room:
        # The message rounds to three digits: not down.
        suffices = 1.01 * _budget(least + needs.held)
        raise MemoryBudgetError(
            f"A memory budget of {format_bytes(memory_bytes)} is too small for {dataset!r}: small "
            f"blocks and a reader take {format_bytes(least)}, what must stay in memory "
            f"{format_bytes(needs.held)}, Python and its libraries their share. "
            f"{format_bytes(suffices)} would suffice; so may fewer threads or fewer features."
        )


def _least_rows(dataset: "Dataset") -> int:
    """Rows of the smallest blocks that are planned."""
    return min(whole_windows(_LEAST_ROWS, dataset.window_rows), dataset.n_rows)


def _room(memory_bytes: int) -> int:
    """What a budget leaves to blocks and what stands beside them."""
    slack = round(memory_bytes * _SLACK) + _libraries_bytes()
    return max(memory_bytes - slack, min(memory_bytes // 2, _LEAST_ROOM_BYTES))


def _budget(room: int) -> int:
    """The smallest budget that leaves this room."""
    beside_libraries = round((room + _libraries_bytes()) / (1 - _SLACK)) + 1
    return min(2 * room, beside_libraries) if room <= _LEAST_ROOM_BYTES else beside_libraries


@cache
def _libraries_bytes() -> int:
    """What budgets leave to libraries that do not fit beside them.

    scikit-learn imports pandas where it is installed, and what the same libraries take differs by
    60 MB from machine to machine: so it is measured, once in the life of a process.
    """
    held_bytes: int = psutil.Process().memory_info().rss
    return min(max(held_bytes + _IN_USE_BYTES - _ON_TOP_BYTES, 0), _MOST_LIBRARIES_BYTES)


def _block_rows(dataset: "Dataset", row: int, n_threads: int, rows_that_fit: int | None) -> int:
    """Rows of a block: a good size, less where it does not fit, a few at least."""
    rows = _BLOCK_BYTES // row
    if dataset.source.in_memory:
        rows = min(rows, max(_FEW_ROWS, -(-dataset.n_rows // (4 * n_threads))))
        rows = _even_rows(dataset, max(rows, _LEAST_ROWS))
    if rows_that_fit is not None:
        rows = min(rows, rows_that_fit)
    rows = whole_windows(max(rows, _LEAST_ROWS), dataset.window_rows)
    return max(1, min(rows, dataset.n_rows))


def _even_rows(dataset: "Dataset", rows: int) -> int:
    """About so many rows, of which the blocks of a cell have equally many: none is a small rest."""
    cell_rows = max((cell.n_rows for cell in dataset.cells), default=1)
    n_blocks = max(1, round(cell_rows / rows))
    return -(-cell_rows // (n_blocks * dataset.window_rows)) * dataset.window_rows


def _are_views(dataset: "Dataset") -> bool:
    """Whether blocks are views of what is in memory anyway."""
    columns = dataset.source.columns
    return (
        dataset.source.in_memory
        and not dataset.unit_rows
        and all(columns[position].dtype == dataset.dtype for position in dataset.features)
    )


def row_bytes(dataset: "Dataset") -> int:
    """Memory of one decoded row of `dataset`: features, target, weight, row number."""
    density = dataset.source.density
    value = dataset.dtype.itemsize + (np.dtype(np.int32).itemsize if density < 1 else 0)
    n_bytes = round(dataset.n_features * value * density)
    if dataset.classes is not None:
        n_bytes += 8
    elif isinstance(dataset.target, int):
        n_bytes += dataset.source.columns[dataset.target].dtype.itemsize
    elif dataset.target is not None:
        n_bytes += dataset.target.itemsize * int(np.prod(dataset.target.shape[1:]))
    if dataset.is_weighted:
        n_bytes += 8
    if dataset.missing == "drop":
        n_bytes += 8
    return n_bytes


def _held_row_bytes(dataset: "Dataset") -> int:
    """Memory a row of a target that is made of Python objects."""
    target = dataset.target
    if dataset.classes is not None:
        return 0
    if isinstance(target, int) and dataset.source.columns[target].dtype == object:
        return _OBJECT_BYTES
    return 0


def memory_bytes(memory: int | str | None) -> int:
    """A memory budget in bytes.

    Parameters
    ----------
    memory : int, str or None
        Bytes; a text such as ``"2GB"``, ``"512MiB"`` or ``"1.5 gb"``; None for half of what is
        available now to this process, limits of control groups included.

    Raises
    ------
    ParameterError
        `memory` is neither, or not positive.

    Examples
    --------
    >>> memory_bytes("2GB")
    2000000000
    >>> memory_bytes("1.5 MiB")
    1572864
    """
    if memory is None:
        return available_memory_bytes() // 2
    n_bytes = _parsed_bytes(memory) if isinstance(memory, str) else memory
    if not _is_positive_integer(n_bytes):
        raise ParameterError(
            f"memory must be a positive number of bytes, a text such as '2GB' or '512MiB', or "
            f"None, not {memory!r}."
        )
    return int(n_bytes)


def _parsed_bytes(text: str) -> int | None:
    """The bytes that `text` names; None if it names none."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)", text.strip().lower())
    if match is None or match[2] not in _UNITS:
        return None
    return int(float(match[1]) * _UNITS[match[2]])


def format_bytes(n_bytes: float) -> str:
    """`n_bytes` in words, in powers of 1000.

    Examples
    --------
    >>> format_bytes(2_500_000)
    '2.5 MB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:,.3g} TB"


def threads(n_threads: int | None) -> int:
    """How many threads work: `n_threads`, or as many as this process may keep busy.

    Parameters
    ----------
    n_threads : int or None
        None for the cores this process is allowed, quotas of control groups included.

    Raises
    ------
    ParameterError
        `n_threads` is not a positive integer.
    """
    if n_threads is None:
        return _available_threads()
    if not _is_positive_integer(n_threads):
        raise ParameterError(f"n_threads must be a positive integer or None, not {n_threads!r}.")
    return int(n_threads)


def _is_positive_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) > 0


def _available_threads() -> int:
    """Cores this process may use, at least 1."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quotas = [_cpu_quota(group) for group in _control_groups("cpu")]
    return max(1, int(min([n_cores or 1, *(quota for quota in quotas if quota)])))


def _cpu_quota(group: Path) -> float | None:
    """Cores that a control group (version 2, else 1) allows, at least 1; None: all."""
    limit, *period = (_text(group / "cpu.max") or "max").split()
    if limit == "max":
        limit = _text(group / "cpu.cfs_quota_us") or "-1"
        period = [_text(group / "cpu.cfs_period_us") or "100000"]
    return max(1.0, int(limit) / int(period[0])) if int(limit) > 0 else None


def available_memory_bytes() -> int:
    """Memory this process could still take, limits of control groups included."""
    rooms = [_memory_room(group) for group in _control_groups("memory")]
    available: int = psutil.virtual_memory().available
    return max(1, min([available, *(room for room in rooms if room is not None)]))


def _memory_room(group: Path) -> int | None:
    """What a control group (version 2, else 1) still allows; None: no limit."""
    limit = _text(group / "memory.max") or _text(group / "memory.limit_in_bytes") or "max"
    if limit == "max":
        return None
    used = _text(group / "memory.current") or _text(group / "memory.usage_in_bytes") or "0"
    statistics = dict(line.split() for line in (_text(group / "memory.stat") or "").splitlines())
    # Cached file pages count as used, but the kernel takes the inactive ones back first.
    return int(limit) - int(used) + int(statistics.get("inactive_file", 0))


@cache
def _control_groups(controller: str) -> tuple[Path, ...]:
    """Folders of the control groups that bind this process, innermost first."""
    folders: list[Path] = []
    for line in (_text(Path("/proc/self/cgroup")) or "").splitlines():
        _, controllers, name = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = Path("/sys/fs/cgroup", controller if controllers else "")
        inner = root / name.lstrip("/")
        # Within a container the names are those of the host, but only the root is mounted.
        folders += [inner, *inner.parents[: len(inner.parts) - len(root.parts)], root]
    return tuple(dict.fromkeys(folder for folder in folders if folder.is_dir()))


def _text(path: Path) -> str | None:
    """What a small system file says; None where there is none."""
    try:
        return path.read_text().strip()
    except OSError:
        return None

"""Clusters that engines run on, and what tests do there."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import distributed
import numpy as np

from shoal.data.block import Block
from shoal.engines import tenant as tenancy
from shoal.engines.sent_rows import Piece, messages
from shoal.engines.statistic import Statistic

N_ROWS, N_FILES = 6000, 6
Sums = tuple[int, int, int]


def nothing(block: Block) -> None:
    """What most tests do to a block besides summing it."""


@dataclass(frozen=True)
class RowSums(Statistic[Sums, Sums]):
    """Number of rows, sum of row numbers, sum of (whole) values; and something done on the way."""

    do: Callable[[Block], None] = nothing

    def zero(self) -> Sums:
        return 0, 0, 0

    def update(self, partial: Sums, block: Block) -> Sums:
        self.do(block)
        own = block.n_rows, int(block.row_numbers.sum()), int(block.X.sum(dtype=np.int64))
        return self.merge(partial, own)

    def merge(self, partial: Sums, other: Sums) -> Sums:
        return tuple(a + b for a, b in zip(partial, other, strict=True))

    def result(self, partial: Sums) -> Sums:
        return partial


def note_read(folder: str, block: Block) -> None:
    """Leave a note the first time a block is met here."""
    if "met" not in block.beside:
        Path(folder, f"{os.getpid()}-{block.first_row}").touch()
        block.beside["met"] = True


@contextmanager
def connected(cluster: distributed.LocalCluster) -> Iterator[distributed.Client]:
    with distributed.Client(
        cluster.scheduler_address, security=cluster.security, set_as_default=False
    ) as client:
        yield client


def worker_pids(cluster: distributed.LocalCluster) -> dict[str, int]:
    with connected(cluster) as client:
        return client.run(os.getpid)


def tenants() -> list[str]:
    return list(tenancy.tenants)


def eventually(holds: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class SentBytes:
    """Counts what passes send of the driver's rows, under the name of what cuts them up."""

    def __init__(self) -> None:
        self.n_bytes = 0

    def __call__(self, *arguments: Any) -> Iterator[list[Piece]]:
        for message in messages(*arguments):
            self.n_bytes += sum(piece.n_bytes for piece in message)
            yield message

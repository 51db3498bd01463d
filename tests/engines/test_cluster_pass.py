"""What becomes of the cells of a worker that dies.

With real workers, passes are tested beside the engine that runs them.
"""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest

from shoal.data.arrays import CELL_ROWS
from shoal.data.open import open_dataset
from shoal.engines.channel import WorkerLostError, WorkerRecord
from shoal.engines.cluster_pass import MAX_DEATHS, ClusterPass
from shoal.engines.layout import Layout
from shoal.exceptions import WorkersLostError


class FakeCluster:
    """Workers that answer with the cells they were asked for, or die of them.

    Parameters
    ----------
    dies : callable
        ``dies(address, cells)``: whether that worker is lost.
    """

    def __init__(self, dies: Callable[[str, list[int]], bool]) -> None:
        self._dies = dies
        self._there = {address: WorkerRecord(address, 1, address, None) for address in "abcdef"}

    def workers(self) -> dict[str, WorkerRecord]:
        return dict(self._there)

    def lose(self, worker: WorkerRecord) -> None:
        del self._there[worker.address]

    def is_present(self, worker: WorkerRecord) -> bool:
        return worker.address in self._there

    def start(self, call: Callable[..., Any], *arguments: Any) -> Future[Any]:
        ended: Future[Any] = Future()
        try:
            ended.set_result(call(*arguments))
        except WorkerLostError as error:
            ended.set_exception(error)
        return ended

    def call(self, worker: WorkerRecord, method: str, argument: Any, *where: Any) -> Any:
        cells = where[-1] if method == "fold" else []
        if self._dies(worker.address, cells):
            raise WorkerLostError(worker.address)
        return cells


class FakeHoldings:
    """Nothing has to be sent."""

    def layout(self, dataset: object) -> Layout:
        return Layout({}, {})

    def prepare(self, *sent: object) -> None:
        pass


class TestClusterPass:
    def answers(self, dies: Callable[[str, list[int]], bool]) -> list[int]:
        """Indices of the cells that answers came for."""
        dataset = open_dataset(np.zeros((9 * CELL_ROWS, 1)))
        found: list[int] = []
        with ClusterPass[list[int]](
            FakeCluster(dies), FakeHoldings(), dataset, "fold", None
        ) as running:
            running.send(dataset.cells)
            while running.is_waiting:
                cells, answer = running.answer()
                assert answer == [cell.index for cell in cells]
                found += answer
        return sorted(found)

    def test_each_cell_is_answered_for_once(self) -> None:
        assert self.answers(lambda address, cells: False) == list(range(9))

    @pytest.mark.parametrize("lost", ["a", "c", "abc", "bcdef"])
    def test_cells_of_lost_workers_are_asked_for_again(self, lost: str) -> None:
        assert self.answers(lambda address, cells: address in lost) == list(range(9))

    def test_a_cell_that_kills_its_workers_is_named(self) -> None:
        deaths: list[str] = []

        def dies(address: str, cells: list[int]) -> bool:
            deaths.extend([address] if 4 in cells else [])
            return 4 in cells

        with pytest.raises(
            WorkersLostError, match=rf"{MAX_DEATHS} workers have died .* \(rows from"
        ):
            self.answers(dies)
        assert len(deaths) == MAX_DEATHS

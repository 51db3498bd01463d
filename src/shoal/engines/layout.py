"""Which worker has which cells, from pass to pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import lcm
from uuid import uuid4

from shoal.data.dataset import Dataset
from shoal.data.source import Cell
from shoal.engines.sent_rows import DriverRows


@dataclass(eq=False, slots=True)
class Layout:
    """On which workers a dataset's cells live from pass to pass, and what these are sent for it.

    Parameters
    ----------
    root_homes : dict
        Address of the worker by index of the cell of the dataset's root source. All datasets
        that come from it share this, and so the rows that workers hold.
    rows : dict of DriverRows
        What lives in the driver, by role.
    token : str
        Of the dataset.
    homes : dict
        Address of the worker by index of the dataset's cell.
    """

    root_homes: dict[int, str]
    rows: Mapping[str, DriverRows]
    token: str = field(default_factory=lambda: uuid4().hex)
    homes: dict[int, str] = field(default_factory=dict)

    @property
    def names(self) -> set[str]:
        """What workers hold for the dataset is called so."""
        return {self.token, *(rows.name for rows in self.rows.values())}

    def settle(self, dataset: Dataset, n_threads: Mapping[str, int]) -> dict[int, str]:
        """The homes of all cells, on workers with so many threads."""
        roots = {cell.index: dataset.source.root_cells(cell) for cell in dataset.cells}
        known = {
            index: self.root_homes[cells[0].index]
            for index, cells in roots.items()
            if cells[0].index in self.root_homes
        }
        self.homes = balanced(dataset.cells, known | self.homes, n_threads)
        for index, cells in roots.items():
            self.root_homes.update({cell.index: self.homes[index] for cell in cells})
        return self.homes


def balanced(
    cells: Sequence[Cell], homes: Mapping[int, str], n_threads: Mapping[str, int]
) -> dict[int, str]:
    """A worker for each cell: the one it lives on as long as rows a thread stay balanced.

    Cells that live nowhere yet go to the worker of the cell before them, up to an equal share:
    groups of cells that follow each other then find their rows in one place.

    Parameters
    ----------
    cells : sequence of Cell
    homes : dict
        Workers' addresses up to now, by index of the cell; some may be gone.
    n_threads : dict
        Threads of the workers that are there, by address.

    Returns
    -------
    homes : dict
        Moving any one cell would not lower the load of the worker with the most rows a thread.
    """
    loads = _Loads(n_threads)
    living = {index: home for index, home in homes.items() if home in n_threads}
    for cell in cells:
        if cell.index in living:
            loads.put(cell, living[cell.index])
    share = loads.unit * sum(cell.n_rows for cell in cells) / sum(n_threads.values())
    before = min(n_threads)
    for cell in cells:
        if cell.index in living:
            before = living[cell.index]
            continue
        middle = loads.load[before] + cell.n_rows * loads.weight[before] / 2
        before = before if middle <= share else loads.lightest_with(cell)[1]
        loads.put(cell, before)
    while True:
        fullest = loads.fullest()
        cell = min(loads.held[fullest], key=lambda cell: cell.n_rows)
        after, there = loads.lightest_with(cell)
        if after >= loads.load[fullest]:
            return {cell.index: home for home, cells in loads.held.items() for cell in cells}
        loads.take(cell, fullest)
        loads.put(cell, there)


class _Loads:
    """Cells of each worker and its rows a thread, as whole numbers: what is moved adds up.

    Parameters
    ----------
    n_threads : dict
        By address.
    """

    def __init__(self, n_threads: Mapping[str, int]) -> None:
        self.unit = lcm(*n_threads.values())
        self.weight = {address: self.unit // n for address, n in sorted(n_threads.items())}
        self.held: dict[str, list[Cell]] = {address: [] for address in self.weight}
        self.load = dict.fromkeys(self.weight, 0)

    def put(self, cell: Cell, address: str) -> None:
        self.held[address].append(cell)
        self.load[address] += cell.n_rows * self.weight[address]

    def take(self, cell: Cell, address: str) -> None:
        self.held[address].remove(cell)
        self.load[address] -= cell.n_rows * self.weight[address]

    def fullest(self) -> str:
        return max(self.load, key=self.load.__getitem__)

    def lightest_with(self, cell: Cell) -> tuple[int, str]:
        """The least load that a worker has with one more cell, and which."""
        return min((self.load[a] + cell.n_rows * self.weight[a], a) for a in self.held)

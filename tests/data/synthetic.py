"""A source that makes up its rows, of any length, and counts how often it is read."""

import threading
from itertools import pairwise

import numpy as np

from shoal.data.dataset import Dataset
from shoal.data.source import Cell, Column, Source


class SyntheticSource(Source):
    """Row i, column j is ``i % (1000 + j)``; cells are read as lists of columns."""

    def __init__(self, n_rows, n_columns=3, cell_rows=1000, *, dtype=np.float32, in_memory=False):
        self.n_rows, self.n_columns, self.cell_rows = n_rows, n_columns, cell_rows
        self.dtype = np.dtype(dtype)
        self.in_memory = in_memory
        self.read_cells = []
        self.reading_threads = set()

    @property
    def columns(self):
        return tuple(Column(f"x{j}", self.dtype) for j in range(self.n_columns))

    def cells(self):
        bounds = [*range(0, self.n_rows, self.cell_rows), self.n_rows]
        return tuple(
            Cell(index, first, stop - first, "made up", first)
            for index, (first, stop) in enumerate(pairwise(bounds))
        )

    def read(self, cell, columns, max_rows):
        self.read_cells.append(cell.index)
        end = cell.first_row + cell.n_rows
        for start in range(cell.first_row, end, max_rows):
            self.reading_threads.add(threading.get_ident())
            rows = np.arange(start, min(start + max_rows, end))
            yield [(rows % (1000 + j)).astype(self.dtype) for j in columns]

    def fingerprint(self):
        return "synthetic"


def synthetic_dataset(n_rows, n_columns=3, cell_rows=1000, **settings):
    dtype = settings.pop("dtype", np.float32)
    features = tuple(range(n_columns))
    source = SyntheticSource(n_rows, n_columns, cell_rows, **settings)
    return Dataset(source, features, dtype=np.dtype(dtype))


def expected_rows(first_row, n_rows, n_columns=3):
    rows = np.arange(first_row, first_row + n_rows)
    return np.stack([rows % (1000 + j) for j in range(n_columns)], axis=1)

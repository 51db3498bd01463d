"""Which worker gets which cells."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shoal.data.arrays import CELL_ROWS
from shoal.data.open import open_dataset
from shoal.data.source import Cell
from shoal.engines.layout import Layout, balanced


@st.composite
def layouts(draw: st.DrawFn) -> tuple[list[Cell], dict[int, str], dict[str, int]]:
    sizes = draw(st.lists(st.integers(1, 1000), min_size=1, max_size=30))
    cells = [Cell(i, sum(sizes[:i]), size, "file", 0) for i, size in enumerate(sizes)]
    homes = draw(st.dictionaries(st.integers(0, len(cells)), st.sampled_from("abcde")))
    n_threads = st.dictionaries(st.sampled_from("abcd"), st.integers(1, 4), min_size=1)
    return cells, homes, draw(n_threads)


class TestBalanced:
    @given(layouts())
    def test_no_move_would_help(
        self, layout: tuple[list[Cell], dict[int, str], dict[str, int]]
    ) -> None:
        cells, homes, n_threads = layout
        found = balanced(cells, homes, n_threads)
        assert found.keys() == {cell.index for cell in cells}
        load = dict.fromkeys(n_threads, 0.0)
        for cell in cells:
            load[found[cell.index]] += cell.n_rows / n_threads[found[cell.index]]
        fullest = max(load, key=load.__getitem__)
        for cell in cells:
            if found[cell.index] == fullest:
                after = [load[a] + cell.n_rows / n_threads[a] for a in load if a != fullest]
                assert all(load[fullest] <= other + 1e-9 for other in after)

    @given(layouts())
    def test_what_is_balanced_stays(
        self, layout: tuple[list[Cell], dict[int, str], dict[str, int]]
    ) -> None:
        cells, homes, n_threads = layout
        found = balanced(cells, homes, n_threads)
        assert balanced(cells, found, n_threads) == found

    def test_few_cells_move_to_a_worker_that_joins(self) -> None:
        cells = [Cell(i, 10 * i, 10, "file", 0) for i in range(12)]
        before = balanced(cells, {}, {"a": 1, "b": 1})
        after = balanced(cells, before, {"a": 1, "b": 1, "c": 1})
        moved = [cell for cell in after if after[cell] != before[cell]]
        assert len(moved) == 4
        assert {after[cell] for cell in moved} == {"c"}


class TestLayout:
    def test_datasets_of_a_source_live_on_the_same_workers(self) -> None:
        dataset = open_dataset(np.zeros((8 * CELL_ROWS, 1)))
        # Nobody else would lay them out so.
        root_homes = {index: "ab"[index in {0, 3, 5, 6}] for index in range(8)}
        first = Layout(root_homes, {})
        assert first.settle(dataset, {"a": 1, "b": 1}) == root_homes
        first.settle(dataset, {"b": 1, "c": 1})
        other = Layout(root_homes, {})
        assert other.settle(dataset, {"b": 1, "c": 1}) == first.homes
        assert set(first.homes.values()) == {"b", "c"}

    def test_groups_live_where_their_rows_do(self) -> None:
        dataset = open_dataset(np.zeros((4 * CELL_ROWS, 1)))
        root_homes = {0: "b", 1: "b", 2: "a", 3: "a"}
        groups = Layout(root_homes, {}).settle(dataset.grouped(2), {"a": 1, "b": 1})
        assert groups == {0: "b", 1: "a"}

"""What of the driver's rows is sent, and under which names."""

import gc
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from shoal.data.arrays import CELL_ROWS
from shoal.data.dataset import Dataset
from shoal.data.open import open_dataset
from shoal.data.target_classes import TargetClasses
from shoal.engines import sent_rows
from shoal.engines.sent_rows import Piece, Recipe, RowNames, messages
from shoal.testing.source import check_source

N_ROWS = 150_000
VALUES = np.random.default_rng(0).integers(0, 100, (N_ROWS, 3)).astype(np.float32)
TARGET = np.arange(N_ROWS) % 2


def with_arrays() -> Dataset:
    return replace(open_dataset(VALUES), target=TARGET, sample_weight=np.arange(N_ROWS) / 7)


def names(known: RowNames, dataset: Dataset) -> dict[str, str]:
    return {role: rows.name for role, rows in known.needed(dataset).items()}


def source_messages(dataset: Dataset) -> list[list[Piece]]:
    rows = RowNames().needed(dataset)["source"]
    return list(messages(rows, rows.cells(dataset.cells)))


def source_pieces(dataset: Dataset) -> list[Piece]:
    return [piece for message in source_messages(dataset) for piece in message]


class TestNames:
    def test_datasets_of_a_source_share_them(self) -> None:
        known, dataset = RowNames(), with_arrays()
        own = names(known, dataset)
        assert own.keys() == {"source", "target", "sample_weight"}
        coded = dataset.with_classes(TargetClasses(np.array([0, 1]), np.array([-1.0, 1.0])))
        for other in (coded, dataset.grouped(2), replace(dataset, dtype=np.dtype(np.float64))):
            assert names(known, other) == own
        assert names(known, dataset.selected(TARGET == 1))["source"] == own["source"]

    def test_fewer_columns_are_there_with_more(self) -> None:
        known, dataset = RowNames(), open_dataset(VALUES)
        own = names(known, dataset)
        assert names(known, replace(dataset, features=(2, 0))) == own

    def test_more_columns_are_not_there_with_fewer(self) -> None:
        known, dataset = RowNames(), open_dataset(VALUES)
        few = names(known, replace(dataset, features=(1,)))
        assert names(known, dataset) != few
        assert names(known, replace(dataset, features=(1,))) == few

    def test_another_array_has_another_one(self) -> None:
        known, dataset = RowNames(), with_arrays()
        other = dataset.with_target(TARGET.copy())
        assert names(known, other)["target"] != names(known, dataset)["target"]

    def test_they_end_with_the_rows(self) -> None:
        known, dataset = RowNames(), with_arrays()
        own = names(known, dataset)
        assert known.of(dataset.source) == set(own.values())
        dataset = dataset.with_target(None)
        dataset = replace(dataset, sample_weight=None)
        gc.collect()
        # The target of this test lives on with its module.
        assert known.of(dataset.source) == {own["source"], own["target"]}
        del dataset
        gc.collect()
        assert known.of(open_dataset(VALUES).source) == set()

    def test_files_are_not_sent(self, tmp_path) -> None:
        np.save(tmp_path / "rows.npy", VALUES)
        assert RowNames().needed(open_dataset(str(tmp_path / "rows.npy"))) == {}


@pytest.mark.parametrize(
    "dataset",
    [
        with_arrays(),
        with_arrays().grouped(2),
        open_dataset(pd.DataFrame({"a": VALUES[:, 0], "b": TARGET.astype(str)}), target="b"),
    ],
)
def test_a_recipe_holds_no_rows(dataset: Dataset) -> None:
    assert len(pickle.dumps(Recipe.of(dataset, RowNames().needed(dataset)))) < 5000


def test_a_recipe_of_selected_rows_holds_a_bit_for_each() -> None:
    selected = open_dataset(VALUES).selected(TARGET == 1)
    n_bytes = len(pickle.dumps(Recipe.of(selected, RowNames().needed(selected))))
    assert n_bytes < N_ROWS + 5000


def test_messages_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent_rows, "_MESSAGE_BYTES", 100_000)
    found = source_messages(open_dataset(np.asfortranarray(VALUES)))
    sent = [sum(piece.n_bytes for piece in message) for message in found]
    assert sum(sent) == VALUES.nbytes
    assert max(sent) < 200_000


def test_messages_cut_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent_rows, "_MESSAGE_BYTES", 30_000)
    dataset = replace(open_dataset(VALUES), window_rows=1000)
    pieces = source_pieces(dataset)
    starts = {piece.first_row - dataset.cells[piece.cell].first_row for piece in pieces}
    assert len(starts) > 10
    assert all(start % 1000 == 0 for start in starts)


def test_columns_stay_together() -> None:
    for piece in source_pieces(open_dataset(np.asfortranarray(VALUES))):
        assert piece.rows.flags.f_contiguous


def test_columns_of_a_frame_are_sent_as_a_matrix() -> None:
    for piece in source_pieces(open_dataset(pd.DataFrame(VALUES))):
        assert piece.rows.flags.f_contiguous
        assert piece.rows.shape == (piece.n_bytes // 12, 3)


def test_rows_in_one_run_of_memory_are_not_copied() -> None:
    X = VALUES.copy()
    assert all(np.shares_memory(piece.rows, X) for piece in source_pieces(open_dataset(X)))


def test_values_of_a_role_go_with_their_rows() -> None:
    dataset = with_arrays()
    rows = RowNames().needed(dataset)["target"]
    values = rows.empty()
    for message in messages(rows, rows.cells(dataset.cells[1:2])):
        for piece in message:
            values.put(piece)
    assert values.n_bytes == CELL_ROWS * TARGET.itemsize
    here = slice(CELL_ROWS, 2 * CELL_ROWS)
    np.testing.assert_array_equal(values.values[here], TARGET[here])


@pytest.mark.parametrize("X", [VALUES, sparse.csr_array(VALUES * (VALUES > 60))])
def test_sent_rows_are_a_source(X: np.ndarray) -> None:
    dataset = open_dataset(X)
    rows = RowNames().needed(dataset)["source"]
    sent = rows.empty()
    for message in messages(rows, rows.cells(dataset.cells)):
        # What is sent twice, as after an error on the way, is there once.
        for piece in message + message:
            sent.put(piece)
    check_source(sent)

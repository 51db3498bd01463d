"""What workers keep, without a cluster."""

import pickle
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from shoal.data.block import Block
from shoal.data.cache import BlockCache, StoredBlock
from shoal.data.dataset import Dataset
from shoal.data.open import open_dataset
from shoal.engines.sent_rows import Recipe, RowNames, messages
from shoal.engines.tenant import Tenant
from shoal.exceptions import DiskFullError, MemoryBudgetError
from shoal.testing.engine import RowDigest

N_ROWS = 150_000
VALUES = np.random.default_rng(0).integers(0, 100, (N_ROWS, 3)).astype(np.float32)


def column_major(values: np.ndarray) -> Dataset:
    return open_dataset(np.asfortranarray(values))


def strided(values: np.ndarray) -> Dataset:
    return open_dataset(np.repeat(values, 2, axis=0)[::2])


def csr(values: np.ndarray) -> Dataset:
    return open_dataset(sparse.csr_array(values * (values > 60)))


def some_columns(values: np.ndarray) -> Dataset:
    return open_dataset(values, features=["x2", "x0"], target="x1")


def frame(values: np.ndarray) -> Dataset:
    return open_dataset(pd.DataFrame(values, columns=["a", "b", "c"]), target="b")


def with_arrays(values: np.ndarray) -> Dataset:
    target = np.arange(2 * N_ROWS).reshape(N_ROWS, 2)
    return replace(open_dataset(values), target=target, sample_weight=np.arange(N_ROWS) / 7)


SOURCES: list[Callable[[np.ndarray], Dataset]] = [
    open_dataset,
    column_major,
    strided,
    csr,
    some_columns,
    frame,
    with_arrays,
]


def values_of(block: Block) -> dict[str, Any]:
    """Everything a block holds."""
    X = block.X.toarray() if sparse.issparse(block.X) else np.array(block.X)
    return {
        "X": X,
        "target": block.target,
        "sample_weight": block.sample_weight,
        "rows": block.row_numbers,
    }


def furnished(dataset: Dataset, cells: list[int], memory_bytes: int = 10**9) -> Tenant:
    """A tenant that can read these cells, sent as over a wire."""
    tenant = Tenant(memory_bytes, n_threads=2)
    needed = RowNames().needed(dataset)
    tenant.receive("data", pickle.loads(pickle.dumps(Recipe.of(dataset, needed))))
    for rows in needed.values():
        for message in messages(rows, rows.cells([dataset.cells[index] for index in cells])):
            tenant.receive_rows(rows.name, pickle.loads(pickle.dumps(message)))
    return tenant


@pytest.mark.parametrize("make", SOURCES)
def test_rows_arrive_as_they_were(make: Callable[[np.ndarray], Dataset]) -> None:
    dataset = make(VALUES)
    tenant = furnished(dataset, [0, 2])
    answers = tenant.map_blocks("pass", "data", [0, 2], values_of)
    for index in (0, 2):
        cell = dataset.cells[index]
        blocks = [values_of(block) for block in dataset.read(cell, cell.n_rows)]
        for name in blocks[0]:
            if blocks[0][name] is None:
                assert all(found[name] is None for _, found in answers[index])
                continue
            found = np.concatenate([found[name] for _, found in answers[index]])
            expected = np.concatenate([block[name] for block in blocks])
            np.testing.assert_array_equal(found, expected)
            assert found.dtype == expected.dtype


def test_more_rows_than_memory_are_refused() -> None:
    with pytest.raises(MemoryBudgetError, match="do not fit the 1 MB of a worker"):
        furnished(open_dataset(VALUES), [0, 1, 2], memory_bytes=10**6)


def test_a_cancelled_pass_ends() -> None:
    tenant = furnished(open_dataset(VALUES), [0, 1, 2])
    met: list[int] = []

    def cancel(block: Block) -> None:
        met.append(block.first_row)
        canceller = threading.Thread(target=tenant.cancel, args=("pass",))
        canceller.start()
        canceller.join()

    tenant.map_blocks("pass", "data", [0, 1, 2], cancel)
    assert len(met) == 1
    tenant.map_blocks("another pass", "data", [0], met.append)
    assert len(met) > 1


def test_a_closed_tenant_does_nothing() -> None:
    tenant = furnished(open_dataset(VALUES), [0])
    tenant.close()
    tenant.close()
    with pytest.raises(KeyError):
        tenant.map_blocks("pass", "data", [0], values_of)


def test_a_full_disk_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rows.parquet"
    pd.DataFrame(VALUES, columns=["a", "b", "c"]).to_parquet(file, row_group_size=50_000)
    dataset = open_dataset(file)
    tenant = Tenant(1_000_000, n_threads=2, directory=tmp_path)
    tenant.receive("data", Recipe.of(dataset, {}))
    write, n_written = BlockCache.write, count(1)

    def filling(cache: BlockCache, block: Block) -> StoredBlock:
        if next(n_written) > 2:
            raise DiskFullError("No room.")
        return write(cache, block)

    with monkeypatch.context() as patched:
        patched.setattr(BlockCache, "write", filling)
        with pytest.raises(DiskFullError, match="No room"):
            tenant.fold("pass", "data", [0, 1, 2], RowDigest())
    assert not [*tmp_path.rglob("blocks*")]
    assert tenant.fold("next", "data", [0, 1, 2], RowDigest())["n_rows"] == N_ROWS
    tenant.close()


@pytest.mark.parametrize(("memory_bytes", "is_kept"), [(10**8, True), (10**6, False)])
def test_blocks_that_a_fold_has_kept_in_memory_are_mapped(
    memory_bytes: int, is_kept: bool, tmp_path: Path
) -> None:
    file = tmp_path / "rows.parquet"
    pd.DataFrame(VALUES, columns=["a", "b", "c"]).to_parquet(file, row_group_size=50_000)
    tenant = Tenant(memory_bytes, n_threads=2, directory=tmp_path)
    tenant.receive("data", Recipe.of(open_dataset(file), {}))
    tenant.fold("pass", "data", [0, 1, 2], RowDigest())
    with patch.object(Dataset, "read", autospec=True, side_effect=Dataset.read) as read:
        answers = tenant.map_blocks("another", "data", [2, 0], values_of)
    assert (read.call_count == 0) == is_kept
    for cell in (0, 2):
        found = np.concatenate([found["X"] for _, found in answers[cell]])
        np.testing.assert_array_equal(found, VALUES[50_000 * cell : 50_000 * (cell + 1)])
    tenant.close()

"""What workers hold: what is sent once, stays, and goes."""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import distributed
import numpy as np
import pytest
from tests.engines.clusters import (
    N_FILES,
    RowSums,
    SentBytes,
    Sums,
    connected,
    eventually,
    note_read,
    tenants,
    worker_pids,
)

from shoal.data.dataset import Dataset
from shoal.data.open import open_dataset
from shoal.data.target_classes import TargetClasses
from shoal.engines import holdings, sent_rows
from shoal.engines import tenant as tenancy
from shoal.engines.dask import DaskEngine
from shoal.engines.sent_rows import Piece, messages
from shoal.exceptions import (
    EngineError,
    MemoryBudgetError,
)


@dataclass(frozen=True)
class Remembering(RowSums):
    """A statistic that keeps something beside blocks."""

    @property
    def beside_row_bytes(self) -> int:
        return 8


def unreachable(*arguments: Any) -> None:
    raise OSError("No way.")


def n_sent(cluster: distributed.LocalCluster) -> list[int]:
    """Bytes of the driver's rows that each worker holds."""

    def held() -> int:
        return sum(tenant._sent_bytes for tenant in tenancy.tenants.values())

    with connected(cluster) as client:
        return list(client.run(held).values())


def n_held(cluster: distributed.LocalCluster) -> list[int]:
    """Datasets that each worker holds."""

    def held() -> int:
        return sum(len(tenant._held) for tenant in tenancy.tenants.values())

    with connected(cluster) as client:
        return list(client.run(held).values())


class TestKept:
    def test_blocks_stay_where_they_are(
        self, engine: DaskEngine, files: Dataset, tmp_path: Path
    ) -> None:
        statistic = Remembering(partial(note_read, str(tmp_path)))
        engine.fold(files, statistic)
        notes = set(tmp_path.iterdir())
        engine.fold(files, statistic)
        engine.fold(files, RowSums())
        engine.fold(files, statistic)
        assert len(notes) == 2 * N_FILES
        for note in notes:
            note.unlink()
        engine.fold(files, statistic)
        assert not list(tmp_path.iterdir())

    def test_rows_are_sent_once_for_all_datasets_of_a_source(
        self, engine: DaskEngine, many: Dataset, sent: "SentBytes"
    ) -> None:
        first = engine.fold(many, RowSums())
        X_bytes = many.n_rows * many.row_bytes
        assert sent.n_bytes == X_bytes
        target = np.arange(many.n_rows) % 2
        labelled = many.with_target(target)
        classes = TargetClasses(np.array([0, 1]), np.array([-1.0, 1.0]))
        for dataset in (labelled, labelled.with_classes(classes), labelled.grouped(2)):
            assert engine.fold(dataset, RowSums()) == first
            engine.release(dataset)
        assert sent.n_bytes == X_bytes + target.nbytes
        engine.release(many)
        assert engine.fold(replace(many, dtype=np.dtype(np.float32)), RowSums()) == first
        assert sent.n_bytes == X_bytes + target.nbytes

    def test_rows_go_when_those_of_another_source_come(
        self, engine: DaskEngine, cluster: distributed.LocalCluster, many: Dataset, files: Dataset
    ) -> None:
        engine.fold(many.with_target(np.zeros(many.n_rows)), RowSums())
        assert sum(n_sent(cluster)) == many.n_rows * (many.row_bytes + 8)
        engine.fold(files, RowSums())
        assert n_sent(cluster) == [0, 0]

    def test_rows_go_with_their_source(
        self, engine: DaskEngine, cluster: distributed.LocalCluster, values: np.ndarray
    ) -> None:
        staying = open_dataset(np.tile(values, (30, 1)))
        going = open_dataset(np.tile(values, (60, 1)))
        engine.fold(staying, RowSums())
        labelled = going.with_target(np.zeros(going.n_rows))
        engine.fold(labelled, RowSums())
        both = (staying.n_rows + going.n_rows) * staying.row_bytes + 8 * going.n_rows
        assert sum(n_sent(cluster)) == both
        del going, labelled
        assert eventually(lambda: sum(n_sent(cluster)) == staying.n_rows * staying.row_bytes)
        assert eventually(lambda: n_held(cluster) == [1, 1])

    @pytest.mark.parametrize(
        "lacking",
        [
            ("shoal.engines.channel.Channel._direct", unreachable),
            ("shoal.engines.channel._OPERATION", "unheard-of"),
        ],
        ids=["way", "handler"],
    )
    def test_workers_that_cannot_be_reached_are_called_through_the_scheduler(
        self,
        cluster: distributed.LocalCluster,
        many: Dataset,
        lacking: tuple[str, object],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with DaskEngine(cluster, memory="100MB") as engine:
            expected = engine.fold(many, RowSums())
        with DaskEngine(cluster, memory="100MB") as engine:
            monkeypatch.setattr(*lacking)
            assert engine.fold(many, RowSums()) == expected
            assert not any(worker.is_reachable for worker in engine._cluster.workers().values())

    def test_rows_that_do_not_fit_are_refused(
        self, cluster: distributed.LocalCluster, values: np.ndarray
    ) -> None:
        dataset = open_dataset(np.tile(values, (200, 1)))
        with (
            DaskEngine(cluster, memory="10MB") as engine,
            pytest.raises(MemoryBudgetError, match="driver's memory do not fit the 10 MB"),
        ):
            engine.fold(dataset, RowSums())

    def test_nothing_is_kept_of_a_dataset_that_is_gone(
        self, engine: DaskEngine, cluster: distributed.LocalCluster, values: np.ndarray
    ) -> None:
        many = np.tile(values, (30, 1))
        engine.fold(open_dataset(many), RowSums())
        dataset = open_dataset(many)
        engine.fold(dataset, RowSums())
        assert n_held(cluster) == [1, 1]
        engine.release(dataset)
        assert n_held(cluster) == [0, 0]

    def test_nothing_is_kept_of_a_closed_engine(
        self, cluster: distributed.LocalCluster, files: Dataset, expected: Sums
    ) -> None:
        with DaskEngine(cluster) as engine:
            assert engine.fold(files, RowSums()) == expected
            with connected(cluster) as client:
                assert [len(names) for names in client.run(tenants).values()] == [1, 1]
        with connected(cluster) as client:
            assert [len(names) for names in client.run(tenants).values()] == [0, 0]
        engine.close()
        with pytest.raises(EngineError, match="closed"):
            engine.fold(files, RowSums())

    def test_a_worker_dies_while_rows_are_sent(
        self,
        engine: DaskEngine,
        cluster: distributed.LocalCluster,
        many: Dataset,
        values: np.ndarray,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        process_ids = list(worker_pids(cluster).values())[:1]

        def deadly(*arguments: Any) -> Iterator[list[Piece]]:
            for message in messages(*arguments):
                yield message
                if process_ids:
                    os.kill(process_ids.pop(), signal.SIGKILL)

        monkeypatch.setattr(holdings, "messages", deadly)
        monkeypatch.setattr(sent_rows, "_MESSAGE_BYTES", 1 << 20)
        assert engine.fold(many, RowSums())[2] == 60 * int(values.sum())
        assert not process_ids

"""Passes on real clusters, whose workers and schedulers really die."""

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import dask.array as da
import distributed
import numpy as np
import psutil
import pytest
from dask import delayed
from tests.engines.clusters import (
    N_FILES,
    N_ROWS,
    RowSums,
    SentBytes,
    Sums,
    connected,
    eventually,
    tenants,
    worker_pids,
)

from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.open import open_dataset
from shoal.data.source import Cell
from shoal.engines import cluster as clusters
from shoal.engines.cluster_pass import MAX_DEATHS
from shoal.engines.dask import DaskEngine
from shoal.engines.local import LocalEngine
from shoal.exceptions import (
    ClusterUnreachableError,
    EngineError,
    FileChangedError,
    NonFiniteError,
    WorkersLostError,
)
from shoal.testing.engine import check_engine


def die_once(mark: str, row: int, block: Block) -> None:
    """Kill this process when it meets a row for the first time."""
    if row in block.row_numbers and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)


def die(row: int, block: Block) -> None:
    """Kill this process whenever it meets a row."""
    if row in block.row_numbers:
        os.kill(os.getpid(), signal.SIGKILL)


def stop_once(mark: str, row: int, block: Block) -> None:
    """Freeze this process when it meets a row for the first time."""
    if row in block.row_numbers and not Path(mark).exists():
        Path(mark).write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGSTOP)


def note(folder: str, block: Block) -> None:
    """Leave a note of each block."""
    Path(folder, f"{os.getpid()}-{block.first_row}").touch()


def note_and_wait(folder: str, block: Block) -> None:
    """Leave a note of each block, and take a while over it."""
    note(folder, block)
    time.sleep(0.3)


def fail(row: int, kind: type[BaseException], block: Block) -> None:
    if row in block.row_numbers:
        raise kind(f"row {row}")


def test_conformance(cluster: distributed.LocalCluster) -> None:
    check_engine(lambda: DaskEngine(cluster, memory="200MB"))


class TestSameAnswer:
    def test_files(self, engine: DaskEngine, files: Dataset, expected: Sums) -> None:
        assert engine.fold(files, RowSums()) == expected
        assert engine.fold(files, RowSums()) == expected

    @pytest.mark.parametrize("order", ["C", "F"])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
    def test_arrays(
        self, engine: DaskEngine, values: np.ndarray, expected: Sums, order: Any, dtype: Any
    ) -> None:
        dataset = open_dataset(np.asarray(values, dtype=dtype, order=order))
        assert engine.fold(dataset, RowSums()) == expected

    def test_blocks_in_row_order(self, engine: DaskEngine, files: Dataset) -> None:
        mapped = list(engine.map_blocks(files, row_sum))
        local = list(LocalEngine().map_blocks(files, row_sum))
        assert all(block.X.shape == (block.n_rows, 0) for block, _ in mapped)
        for of in (block_rows, block_sums):
            np.testing.assert_array_equal(of(mapped), of(local))

    def test_workers_without_sockets(self, files: Dataset, expected: Sums) -> None:
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0"
            ) as threads,
            DaskEngine(threads) as engine,
        ):
            assert engine.fold(files, RowSums()) == expected


def row_sum(block: Block) -> np.ndarray:
    return block.X.sum(axis=1)


def block_rows(mapped: list[tuple[Block, np.ndarray]]) -> np.ndarray:
    return np.concatenate([block.row_numbers for block, _ in mapped])


def block_sums(mapped: list[tuple[Block, np.ndarray]]) -> np.ndarray:
    return np.concatenate([sums for _, sums in mapped])


class TestLostWorkers:
    def test_in_mid_pass(
        self, engine: DaskEngine, files: Dataset, expected: Sums, tmp_path: Path
    ) -> None:
        mark = tmp_path / "died"
        assert engine.fold(files, RowSums(partial(die_once, str(mark), 1200))) == expected
        assert mark.exists()

    def test_in_mid_pass_over_rows_of_the_driver(
        self, engine: DaskEngine, values: np.ndarray, expected: Sums, tmp_path: Path
    ) -> None:
        mark = tmp_path / "died"
        dataset = open_dataset(np.tile(values, (30, 1)))
        first = engine.fold(dataset, RowSums())
        assert engine.fold(dataset, RowSums(partial(die_once, str(mark), 1200))) == first
        assert mark.exists()
        assert first[0] == 30 * N_ROWS
        assert first[2] == 30 * expected[2]

    def test_between_passes(
        self,
        engine: DaskEngine,
        cluster: distributed.LocalCluster,
        files: Dataset,
        expected: Sums,
    ) -> None:
        assert engine.fold(files, RowSums()) == expected
        os.kill(next(iter(worker_pids(cluster).values())), signal.SIGKILL)
        assert engine.fold(files, RowSums()) == expected

    def test_while_blocks_are_mapped(
        self, engine: DaskEngine, files: Dataset, values: np.ndarray, tmp_path: Path
    ) -> None:
        mark = tmp_path / "died"

        def sums(block: Block) -> np.ndarray:
            die_once(str(mark), 1200, block)
            return block.X.sum(axis=1)

        np.testing.assert_array_equal(
            block_sums(list(engine.map_blocks(files, sums))), values.sum(axis=1)
        )
        assert mark.exists()

    def test_while_cells_are_mapped(
        self, engine: DaskEngine, files: Dataset, values: np.ndarray, tmp_path: Path
    ) -> None:
        mark = tmp_path / "died"

        def total(cell: Cell, blocks: Iterator[Block]) -> tuple[int, int]:
            met = [(die_once(str(mark), 1200, block), int(block.X.sum())) for block in blocks]
            return cell.index, sum(found for _, found in met)

        totals = [int(rows.sum()) for rows in np.split(values, 2 * N_FILES)]
        assert engine.map_cells(files, total) == list(enumerate(totals))
        assert mark.exists()

    def test_only_what_it_held_is_sent_again(
        self, engine: DaskEngine, many: Dataset, sent: "SentBytes", tmp_path: Path
    ) -> None:
        engine.fold(many, RowSums())
        whole = sent.n_bytes
        mark = tmp_path / "died"
        engine.fold(many, RowSums(partial(die_once, str(mark), 1200)))
        assert mark.exists()
        again = sent.n_bytes - whole
        # Some more, as what two workers hold is balanced again when a third one joins.
        assert whole // 3 <= again <= whole * 2 // 3

    def test_frozen(
        self,
        engine: DaskEngine,
        cluster: distributed.LocalCluster,
        files: Dataset,
        expected: Sums,
        tmp_path: Path,
    ) -> None:
        mark = tmp_path / "stopped"
        addresses = {pid: address for address, pid in worker_pids(cluster).items()}

        def give_up() -> None:
            """What the scheduler does when it has not heard of a worker for too long."""
            assert eventually(lambda: mark.exists() and mark.read_text() != "", 30)
            gone = partial(
                cluster.scheduler.remove_worker,
                addresses[int(mark.read_text())],
                stimulus_id="test",
                close=False,
            )
            cluster.loop.add_callback(gone)

        assert cluster.scheduler.worker_ttl <= 30
        watcher = threading.Thread(target=give_up)
        watcher.start()
        assert engine.fold(files, RowSums(partial(stop_once, str(mark), 1200))) == expected
        watcher.join()
        os.kill(int(mark.read_text()), signal.SIGKILL)

    def test_again_and_again(self, engine: DaskEngine, files: Dataset, expected: Sums) -> None:
        with pytest.raises(
            WorkersLostError, match=rf"{MAX_DEATHS} workers .*/1\.parquet \(rows from 1,000\)"
        ):
            engine.fold(files, RowSums(partial(die, 1200)))
        assert engine.fold(files, RowSums()) == expected

    def test_workers_join_and_leave(
        self, cluster: distributed.LocalCluster, files: Dataset, expected: Sums, tmp_path: Path
    ) -> None:
        with DaskEngine(cluster) as engine:
            for n_workers in (1, 3, 2):
                cluster.scale(n_workers)
                assert eventually(lambda n=n_workers: len(cluster.scheduler.workers) == n, 90)
                notes = tmp_path / str(n_workers)
                notes.mkdir()
                assert engine.fold(files, RowSums(partial(note, str(notes)))) == expected
                assert len({path.name.split("-")[0] for path in notes.iterdir()}) == n_workers


class TestBareProcesses:
    """A scheduler and workers that nobody starts again."""

    def test_lost_one_after_the_other(
        self,
        files: Dataset,
        expected: Sums,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with (
            bare_cluster(tmp_path, 2) as (address, scheduler, workers),
            DaskEngine(address) as engine,
        ):
            assert eventually(lambda: len(engine._cluster.workers()) == 2, 30)
            mark = tmp_path / "died"
            assert engine.fold(files, RowSums(partial(die_once, str(mark), 1200))) == expected
            assert mark.exists()
            assert engine.fold(files, RowSums()) == expected
            for worker in workers:
                worker.kill()
            monkeypatch.setattr(clusters, "WORKERS_TIMEOUT_SECONDS", 0.5)
            with pytest.raises(WorkersLostError, match=rf"{address} has had no worker for 0\.5"):
                engine.fold(files, RowSums())
            scheduler.kill()
            scheduler.wait()
            with pytest.raises(ClusterUnreachableError, match="checkpoint"):
                engine.fold(files, RowSums())

    def test_scheduler_lost_in_mid_pass(self, files: Dataset, tmp_path: Path) -> None:
        notes = tmp_path / "notes"
        notes.mkdir()
        with bare_cluster(tmp_path, 1) as (address, scheduler, _), DaskEngine(address) as engine:
            watcher = threading.Thread(
                target=lambda: eventually(lambda: any(notes.iterdir()), 60) and scheduler.kill()
            )
            watcher.start()
            with pytest.raises(ClusterUnreachableError, match=f"{address} is gone.*checkpoint"):
                engine.fold(files, RowSums(partial(note_and_wait, str(notes))))
            watcher.join()
            raised = time.monotonic()
        assert time.monotonic() - raised < 5


@contextmanager
def bare_cluster(
    folder: Path, n_workers: int
) -> Iterator[tuple[str, subprocess.Popen[bytes], list[subprocess.Popen[bytes]]]]:
    """Address and processes of a scheduler and workers without nannies."""
    file = folder / "scheduler.json"
    common = ["--host", "127.0.0.1", "--no-dashboard"]
    arguments = ["scheduler", "--port", "0", "--scheduler-file", str(file), *common]
    processes = [start_dask(*arguments)]
    try:
        assert eventually(file.exists, 60)
        address = json.loads(file.read_text())["address"]
        arguments = ["worker", address, "--no-nanny", "--nthreads", "1", *common]
        processes += [
            start_dask(*arguments, "--local-directory", str(folder)) for _ in range(n_workers)
        ]
        yield address, processes[0], processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def start_dask(command: str, *arguments: str) -> subprocess.Popen[bytes]:
    main = f"from distributed.cli.dask_{command} import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", main, *arguments], stderr=subprocess.DEVNULL, cwd=Path.cwd()
    )


class TestCollections:
    """Rows that lie on the workers."""

    @pytest.fixture
    def client(self, cluster: distributed.LocalCluster) -> Iterator[distributed.Client]:
        with connected(cluster) as client, client.as_current():
            yield client

    @pytest.fixture
    def persisted(self, client: distributed.Client, values: np.ndarray) -> Any:
        """Row blocks that lie on the workers otherwise than an engine would lay them."""
        first, second = client.scheduler_info()["workers"]
        blocks = da.from_array(values, chunks=(N_ROWS // 6, 3)).to_delayed()[:, 0]
        places = [first, second, second, second, first, first]
        held = [
            client.compute(block, workers=[place], allow_other_workers=True)
            for block, place in zip(blocks, places, strict=True)
        ]
        shape = (N_ROWS // 6, 3)
        return da.concatenate(
            [da.from_delayed(delayed(future), shape, values.dtype) for future in held]
        ).persist()

    def test_they_are_read_in_place(
        self, engine: DaskEngine, persisted: Any, expected: Sums, values: np.ndarray
    ) -> None:
        dataset = open_dataset(persisted)
        in_place = engine.map_cells(dataset, is_in_place)
        assert in_place == [True] * 6
        assert engine.fold(dataset, RowSums()) == expected
        labelled = dataset.with_target(np.arange(N_ROWS) % 2)
        assert engine.map_cells(labelled, is_in_place) == in_place

    def test_what_a_lost_worker_held_is_computed_again(
        self, engine: DaskEngine, persisted: Any, expected: Sums, tmp_path: Path
    ) -> None:
        dataset, mark = open_dataset(persisted), tmp_path / "died"
        assert engine.fold(dataset, RowSums()) == expected
        assert engine.fold(dataset, RowSums(partial(die_once, str(mark), 1200))) == expected
        assert mark.exists()


def is_in_place(cell: Cell, blocks: Iterator[Block]) -> bool:
    """Whether all blocks of a cell are views of what a Dask worker of this process holds."""
    held = [
        value for worker in distributed.Worker._instances for value in dict(worker.data).values()
    ]
    arrays = [value for value in held if isinstance(value, np.ndarray)]
    return all(any(np.shares_memory(block.X, array) for array in arrays) for block in blocks)


class TestErrors:
    def test_a_statistic_fails(self, engine: DaskEngine, files: Dataset, expected: Sums) -> None:
        with pytest.raises(ZeroDivisionError, match="row 1200") as caught:
            engine.fold(files, RowSums(partial(fail, 1200, ZeroDivisionError)))
        assert "in fail" in "".join(caught.value.__notes__)
        assert engine.fold(files, RowSums()) == expected

    def test_what_it_raises_of_files_is_not_taken_for_a_lost_way(
        self, engine: DaskEngine, files: Dataset, expected: Sums
    ) -> None:
        for kind in (FileChangedError, BrokenPipeError, SystemExit):
            raised = EngineError if kind is SystemExit else kind
            with pytest.raises(raised, match="row 1200"):
                engine.fold(files, RowSums(partial(fail, 1200, kind)))
        assert engine.fold(files, RowSums()) == expected

    def test_a_function_of_blocks_fails(self, engine: DaskEngine, files: Dataset) -> None:
        with pytest.raises(ZeroDivisionError, match="row 1200"):
            list(engine.map_blocks(files, partial(fail, 1200, ZeroDivisionError)))

    def test_bad_rows(self, engine: DaskEngine, values: np.ndarray) -> None:
        bad = values.copy()
        bad[4321, 2] = np.nan
        with pytest.raises(NonFiniteError, match="column 'x2', row 4321"):
            engine.fold(open_dataset(bad), RowSums())


class TestInterrupt:
    def test_returns_at_once_and_stops_the_workers(
        self, engine: DaskEngine, files: Dataset, expected: Sums, tmp_path: Path
    ) -> None:
        engine.fold(files, RowSums())
        statistic = RowSums(partial(note_and_wait, str(tmp_path)))
        interrupt = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
        interrupt.start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            engine.fold(files, statistic)
        assert time.monotonic() - began < 10
        time.sleep(0.5)
        n_notes = len(list(tmp_path.iterdir()))
        time.sleep(0.7)
        assert len(list(tmp_path.iterdir())) == n_notes < 2 * N_FILES
        assert engine.fold(files, RowSums()) == expected

    def test_a_map_that_is_not_finished(
        self, engine: DaskEngine, files: Dataset, expected: Sums
    ) -> None:
        blocks = engine.map_blocks(files, row_sum)
        next(blocks)
        blocks.close()
        assert engine.fold(files, RowSums()) == expected

    def test_nothing_is_left_of_a_whole_program(self, folder: Path, tmp_path: Path) -> None:
        notes, temporary = tmp_path / "notes", tmp_path / "temporary"
        notes.mkdir()
        temporary.mkdir()
        program = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(folder / "*.parquet"), str(notes)],
            env={**os.environ, "TMPDIR": str(temporary)},
            start_new_session=True,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert eventually(lambda: any(notes.iterdir()), 60)
        family = [program.pid, *(c.pid for c in psutil.Process(program.pid).children(True))]
        os.killpg(program.pid, signal.SIGINT)  # as a terminal does
        errors = program.communicate(timeout=30)[1]
        assert eventually(lambda: not any(psutil.pid_exists(pid) for pid in family))
        assert errors.rstrip().endswith("KeyboardInterrupt")
        assert not list(temporary.rglob("shoal*"))

    def test_a_driver_that_dies_leaves_nothing_on_workers(
        self, cluster: distributed.LocalCluster, folder: Path, tmp_path: Path
    ) -> None:
        notes, security = tmp_path / "notes", tmp_path / "security"
        notes.mkdir()
        security.write_bytes(pickle.dumps(cluster.security))
        driver = subprocess.Popen(
            [
                sys.executable,
                "-c",
                PROGRAM,
                str(folder / "*.parquet"),
                str(notes),
                cluster.scheduler_address,
                str(security),
            ],
        )
        assert eventually(lambda: any(notes.iterdir()), 60)
        driver.kill()
        driver.wait()
        with connected(cluster) as client:
            assert eventually(lambda: not any(client.run(tenants).values()), 5)
        n_notes = len(list(notes.iterdir()))
        time.sleep(0.7)
        assert len(list(notes.iterdir())) == n_notes


PROGRAM = """
import pickle, sys, time
from dataclasses import dataclass, replace
from os import getpid
from pathlib import Path
import distributed
from shoal.data.open import open_dataset
from shoal.engines.dask import DaskEngine
from shoal.engines.statistic import Statistic

@dataclass(frozen=True)
class Slow(Statistic):
    folder: str
    def zero(self):
        return 0
    def update(self, partial, block):
        Path(self.folder, f"{getpid()}-{block.first_row}").touch()
        time.sleep(0.5)
        return partial + block.n_rows
    def merge(self, partial, other):
        return partial + other
    def result(self, partial):
        return partial

def main(files, folder, address=None, security=None):
    if address is not None:
        security = pickle.loads(Path(security).read_bytes())
        address = distributed.Client(address, security=security)
    with DaskEngine(address) as engine:
        while True:
            engine.fold(open_dataset(files), Slow(folder))

if __name__ == "__main__":
    main(*sys.argv[1:])
"""

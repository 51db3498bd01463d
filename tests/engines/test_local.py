"""Folds on threads: what comes out, what is left, what an error or interrupt does."""

import errno
import gc
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter

import pytest
from tests.data.synthetic import synthetic_dataset
from threadpoolctl import threadpool_info

from shoal.callbacks import fit_progress
from shoal.engines.current import current_engine
from shoal.engines.local import LocalEngine
from shoal.engines.statistic import Statistic
from shoal.exceptions import DiskFullError, MemoryBudgetError, ParameterError
from shoal.testing.engine import RowDigest, check_engine
from shoal.testing.statistic import check_statistic

pytestmark = pytest.mark.usefixtures("no_leaks")


def shoal_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("shoal")]


@pytest.mark.parametrize(("n_threads", "memory"), [(1, None), (2, "20MB"), (3, "3MB")], ids=str)
def test_conformance(n_threads, memory):
    check_engine(lambda: LocalEngine(n_threads, memory))


class Visits(Statistic):
    """Which rows each thread has met."""

    beside = 0

    @property
    def beside_row_bytes(self):
        return self.beside

    def zero(self):
        return Counter()

    def update(self, partial, block):
        self.meet(block)
        partial[threading.get_ident()] += block.n_rows
        return partial

    def meet(self, block):
        pass

    def merge(self, partial, other):
        return partial + other

    def result(self, partial):
        return partial


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_all_threads_work_and_the_calling_one_too(n_threads):
    meeting = threading.Barrier(n_threads, timeout=20)

    class Meet(Visits):
        def meet(self, block):
            if block.first_row < n_threads * 1000:
                meeting.wait()

    dataset = synthetic_dataset(50_000, in_memory=True)
    with LocalEngine(n_threads) as engine:
        met = engine.fold(dataset, Meet())
    assert len(met) == n_threads
    assert threading.get_ident() in met
    assert sum(met.values()) == 50_000


def test_threads_end_with_the_fold():
    with LocalEngine(4) as engine:
        engine.fold(synthetic_dataset(50_000), RowDigest())
        assert not shoal_threads()


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("first_row", [0, 3000, 49_000])
def test_the_first_error_is_raised_with_its_traceback(n_threads, first_row):
    class Fails(Visits):
        def meet(self, block):
            if block.first_row == first_row:
                raise LookupError("here")

    with LocalEngine(n_threads) as engine:
        with pytest.raises(LookupError, match="here") as caught:
            engine.fold(synthetic_dataset(50_000), Fails())
        assert any(frame.name == "meet" for frame in traceback.extract_tb(caught.tb))
        assert sum(engine.fold(synthetic_dataset(50_000), Visits()).values()) == 50_000


def test_an_error_ends_the_fold_soon():
    n_met = Counter()

    class Fails(Visits):
        def meet(self, block):
            n_met["blocks"] += 1
            if n_met["blocks"] == 3:
                raise LookupError
            time.sleep(0.01)

    with LocalEngine(2) as engine, pytest.raises(LookupError):
        engine.fold(synthetic_dataset(100_000, cell_rows=100), Fails())
    assert n_met["blocks"] <= 5


def test_an_interrupt_in_a_real_process_leaves_nothing(tmp_path):
    """Ctrl-C in the midst of a fold from a cache file."""
    code = (
        "import sys, threading, time\n"
        "from tests.data.synthetic import synthetic_dataset\n"
        "from tests.engines.test_local import Visits\n"
        "from shoal.engines.local import LocalEngine\n"
        "class Slow(Visits):\n"
        "    def meet(self, block): time.sleep(0.05)\n"
        "engine = LocalEngine(2, '500kB')\n"
        "dataset = synthetic_dataset(500_000)\n"
        "engine.fold(dataset, Visits())\n"
        "print('ready', flush=True)\n"
        "try: engine.fold(dataset, Slow())\n"
        "except KeyboardInterrupt: print('interrupted', threading.active_count(), flush=True)\n"
        "print(sum(engine.fold(dataset, Visits()).values()), flush=True)\n"
    )
    environment = os.environ | {"SHOAL_CACHE_DIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        assert [*tmp_path.rglob("blocks")]
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert process.stdout.readline() == "interrupted 1\n"
        assert time.monotonic() - began < 2
        assert process.stdout.readline() == "500000\n"
    assert process.returncode == 0
    assert not [*tmp_path.rglob("blocks")]


def test_results_do_not_depend_on_threads_or_memory():
    dataset = synthetic_dataset(60_000)
    results = []
    for n_threads, memory in ((1, "1GB"), (2, "300kB"), (3, "700kB"), (8, "2MB")):
        with LocalEngine(n_threads, memory) as engine:
            results += [engine.fold(dataset, RowDigest()) for _ in range(3)]
    digests = {(found["n_rows"], found["digest"]) for found in results}
    assert len(digests) == 1


@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("memory", ["300kB", "1GB"])
def test_map_blocks_keeps_the_order(n_threads, memory):
    dataset = synthetic_dataset(30_000)

    def slower_first(block):
        time.sleep(0.01 if block.first_row % 2000 == 0 else 0)
        return block.X[:, 0].sum()

    with LocalEngine(n_threads, memory) as engine:
        for _ in range(2):
            next_row = 0
            for block, total in engine.map_blocks(dataset, slower_first):
                assert block.first_row == next_row
                assert total == block.X[:, 0].sum()
                next_row += block.n_rows
            assert next_row == 30_000
            engine.fold(dataset, RowDigest())


def test_map_blocks_reads_no_further_ahead_than_its_threads():
    met = []
    dataset = synthetic_dataset(50_000, cell_rows=1000)
    with LocalEngine(2) as engine:
        blocks = engine.map_blocks(dataset, lambda block: met.append(block.first_row))
        next(blocks)
        time.sleep(0.1)
        assert len(met) <= 4
        blocks.close()
    assert not shoal_threads()


def test_a_fold_may_run_within_map_blocks():
    dataset = synthetic_dataset(20_000)
    with LocalEngine(2, "300kB") as engine:
        for _, n_rows in engine.map_blocks(dataset, lambda block: block.n_rows):
            assert n_rows > 0
            assert engine.fold(dataset, RowDigest())["n_rows"] == 20_000


def test_release_and_close_remove_files(no_leaks):
    dataset, other = synthetic_dataset(50_000), synthetic_dataset(50_000)
    engine = LocalEngine(2, "300kB")

    def files():
        return len([*no_leaks.rglob("blocks")])

    engine.fold(dataset, RowDigest())
    engine.fold(other, RowDigest())
    assert files() == 2
    engine.release(dataset)
    assert files() == 1
    engine.release(dataset)
    assert engine.fold(dataset, RowDigest())["n_rows"] == 50_000
    engine.close()
    engine.close()
    assert files() == 0
    engine.fold(dataset, RowDigest())
    assert files() == 1
    del dataset
    gc.collect()
    assert files() == 0


def test_what_stands_beside_blocks_is_there_in_the_next_pass():
    class Remembers(Visits):
        beside = 8

        def meet(self, block):
            found.append(block.beside.get("row"))
            block.beside["row"] = block.first_row

    dataset = synthetic_dataset(50_000)
    for memory in ("2MB", "1GB"):
        with LocalEngine(1, memory) as engine:
            found = []
            engine.fold(dataset, Visits())
            engine.fold(dataset, Remembers())
            assert set(found) == {None}
            found = []
            engine.fold(dataset, Remembers())
            assert None not in found
            engine.fold(dataset, Visits())
            found = []
            engine.fold(dataset, Remembers())
            assert None not in found


def test_a_full_disk_leaves_no_file(no_leaks):
    dataset = synthetic_dataset(50_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with LocalEngine(2, "300kB") as engine:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        try:
            with pytest.raises(DiskFullError, match="needs at least") as caught:
                engine.fold(dataset, RowDigest())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert caught.value.errno == errno.EFBIG
        assert not [*no_leaks.rglob("blocks*")]
        assert engine.fold(dataset, RowDigest())["n_rows"] == 50_000


def test_what_cannot_fit_is_refused_before_work_starts():
    dataset = synthetic_dataset(1000, 5000)
    with LocalEngine(2, 1000) as engine, pytest.raises(MemoryBudgetError, match="would suffice"):
        engine.fold(dataset, RowDigest())
    assert not dataset.source.read_cells


def test_bad_arguments():
    with pytest.raises(ParameterError, match="n_threads"):
        LocalEngine(0)
    with pytest.raises(ParameterError, match="memory"):
        LocalEngine(memory="lots")


def test_arguments_can_be_read_back():
    engine = LocalEngine(3, "2GB")
    assert (engine.n_threads, engine.memory_bytes) == (3, 2 * 10**9)
    assert repr(engine) == "<LocalEngine of 3 threads and 2 GB>"


def test_the_engine_of_the_innermost_with_is_current():
    with LocalEngine(1) as outer, LocalEngine(1) as inner:
        assert current_engine() is inner
        inner.__exit__(None, None, None)
        assert current_engine() is outer
        inner.__enter__()
    assert isinstance(current_engine(), LocalEngine)
    assert current_engine() not in {outer, inner}


def test_rows_are_counted():
    with fit_progress(object(), n_rows=50_000) as progress, LocalEngine(2) as engine:
        dataset = synthetic_dataset(50_000)
        engine.fold(dataset, RowDigest())
        assert (progress.n_passes, progress.pass_rows) == (1, 50_000)
        sum(1 for _ in engine.map_blocks(dataset, lambda block: block.n_rows))
        assert (progress.n_passes, progress.pass_rows) == (2, 50_000)


def test_blas_has_one_thread_inside_and_its_own_afterwards():
    def n_blas_threads():
        return [info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"]

    class Looks(Visits):
        def meet(self, block):
            inside.extend(n_blas_threads())

    inside = []
    before = n_blas_threads()
    with LocalEngine(2) as engine:
        engine.fold(synthetic_dataset(5000), Looks())
        assert set(inside) == {1}
        assert n_blas_threads() == before


LOADS_BLAS_LATE = """
from threading import Barrier
from threadpoolctl import threadpool_info
from tests.data.synthetic import synthetic_dataset
from shoal.engines.local import LocalEngine
from shoal.testing.engine import RowDigest, check_engine

class Looks(RowDigest):
    def update(self, partial, block):
        both.wait()
        inside.append([info["num_threads"] for info in threadpool_info()
                       if info["user_api"] == "blas"])
        return super().update(partial, block)

inside, both = [], Barrier(2)
with LocalEngine(2) as engine:
    engine.fold(synthetic_dataset(2, cell_rows=1), Looks())
    import faiss
    engine.fold(synthetic_dataset(2, cell_rows=1), Looks())
assert len(inside) == 4
assert len(inside[-1]) > len(inside[0]), inside
assert set(inside[-2] + inside[-1]) == {1}, inside
"""


def test_blas_that_is_loaded_between_passes_has_one_thread_too():
    done = subprocess.run(
        [sys.executable, "-c", LOADS_BLAS_LATE],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr


def test_the_digest_is_a_statistic():
    check_statistic(RowDigest(), synthetic_dataset(1500, cell_rows=400))


class FloatSum(RowDigest):
    def update(self, partial, block):
        return partial | {"digest": partial["digest"] + float((block.X / 3).sum())}

    def merge(self, partial, other):
        return partial | {"digest": partial["digest"] + other["digest"]}


class FirstComes(RowDigest):
    def merge(self, partial, other):
        return partial if partial["n_rows"] else super().merge(partial, other)


class CountsBlocks(RowDigest):
    def update(self, partial, block):
        return super().update(partial | {"digest": partial["digest"] + 1}, block)


class TrustsWhatStandsBeside(RowDigest):
    def update(self, partial, block):
        if block.beside:
            return partial
        block.beside["met"] = True
        return super().update(partial, block)


class Changes(RowDigest):
    n_updates = 0

    def update(self, partial, block):
        self.n_updates += 1
        return super().update(partial, block)


@pytest.mark.parametrize(
    ("statistic", "message"),
    [
        (FloatSum, "depends on blocks"),
        (CountsBlocks, "depends on blocks"),
        (FirstComes, "depends on blocks"),
        (TrustsWhatStandsBeside, "depends on blocks|beside"),
        (Changes, "folding changes the statistic"),
    ],
)
def test_the_suite_of_statistics_finds(statistic, message):
    with pytest.raises(AssertionError, match=message):
        check_statistic(statistic(), synthetic_dataset(1500, cell_rows=400))

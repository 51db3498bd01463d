"""K-means over Parquet files that do not fit the budget, each stage in a process of its own.

``python benchmarks/out_of_core.py STAGE ARGUMENTS`` runs one stage; its result is a line of JSON.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import psutil
from harness import Goal, Options, Row, progress

import shoal
from shoal.cluster import KMeans
from shoal.data.dataset import Dataset
from shoal.engines.engine import Engine
from shoal.engines.statistic import Statistic

N_FEATURES = 64
FEATURES = [f"x{j:02}" for j in range(N_FEATURES)]
N_CLUSTERS = 16
ROW_BYTES = 4 * N_FEATURES
ROW_GROUPS = 16

#: Iterations, of which half find the cache file's pages in memory.
MAX_ITER = 6
PIECE_BYTES = 16 << 20

SPEED_TARGET = 70.0
LIBRARIES_BYTES = 150e6

COLD, WARM = "evicted before", "read again at once"


@dataclass(frozen=True, slots=True)
class Scale:
    """How much data, and how little memory."""

    memory: int
    row_group_rows: int
    gigabytes: float


def rows(options: Options) -> Iterator[Row]:
    with folder_of(options) as folder:
        scale = scale_of(options, folder)
        parquet = written(folder, scale)
        n_bytes = ROW_BYTES * sum(json.loads((parquet / "rows.json").read_text()))
        common = {"parquet": str(parquet), "threads": options.threads}
        progress("reading by pyarrow alone")
        alone = stage("read_by_pyarrow", common | {"repetitions": min(3, options.repetitions)})
        progress(f"fitting within {scale.memory / 1e6:g} MB")
        fit = stage("fit", common | {"memory": scale.memory, "cache": str(folder)})
        progress("reading a file like the block cache's alone")
        raw = stage("read_alone", common | {"n_bytes": fit["cached"], "cache": str(folder)})
    work = f"Out of core, {n_bytes / 1e9:.3g} GB within {scale.memory / 1e6:g} MB"
    yield from _first_pass(f"{work}, first pass", alone, fit, n_bytes)
    for state in (COLD, WARM):
        yield from _later_passes(f"{work}, cache file {state}", state, raw, fit)
    peak = Goal("MB", fit["peak"] / 1e6, (scale.memory + LIBRARIES_BYTES) / 1e6, at_most=True)
    yield Row(f"{work}, peak memory", "Shoal", [fit["peak"] / 1e6], "MB", goals=(peak,))


def _first_pass(
    work: str, alone: dict[str, list[float]], fit: dict[str, Any], n_bytes: int
) -> Iterator[Row]:
    """Decoding, checking and writing the cache file, against decoding alone."""
    speed = n_bytes / fit["first"] / 1e9
    speeds = {name: [n_bytes / time / 1e9 for time in times] for name, times in alone.items()}
    fastest = max(statistics.median(of_name) for of_name in speeds.values())
    goal = Goal("% of what pyarrow alone reads", 100 * speed / fastest, SPEED_TARGET)
    yield Row(work, "Shoal", [speed], "GB/s", "writes the cache file, too", (goal,))
    for name, of_name in speeds.items():
        yield Row(work, name, of_name, "GB/s")


def _later_passes(
    work: str, state: str, raw: dict[str, list[float]], fit: dict[str, Any]
) -> Iterator[Row]:
    """Bytes of the file over the time of an iteration; what stayed in memory is not counted."""
    speeds = [fit["cached"] / time / 1e9 for time in fit[state]]
    alone = [fit["cached"] / time / 1e9 for time in raw[state]]
    share = 100 * statistics.median(speeds) / statistics.median(alone)
    goal = Goal("% of what the file alone reads", share, SPEED_TARGET)
    yield Row(work, "Shoal", speeds, "GB/s", f"a file of {fit['cached'] / 1e9:.3g} GB", (goal,))
    yield Row(work, "pread alone", alone, "GB/s", f"pieces of {PIECE_BYTES >> 20} MiB")


@contextmanager
def folder_of(options: Options) -> Iterator[Path]:
    """Where files go: kept if the caller has named it."""
    if options.data_dir is not None:
        options.data_dir.mkdir(parents=True, exist_ok=True)
        yield options.data_dir
        return
    with tempfile.TemporaryDirectory(prefix="shoal-bench-", dir=_roomiest()) as folder:
        yield Path(folder)


def _roomiest() -> str:
    """The writable disk with most room."""
    mounted = [partition.mountpoint for partition in psutil.disk_partitions()]
    folders = [tempfile.gettempdir(), str(Path.home()), *mounted]
    writable = [
        folder for folder in folders if os.access(folder, os.W_OK) and Path(folder).is_dir()
    ]
    return max(writable, key=lambda folder: shutil.disk_usage(folder).free)


def scale_of(options: Options, folder: Path) -> Scale:
    if options.quick:
        return Scale(200_000_000, 1 << 14, options.gigabytes or 0.4)
    gigabytes = options.gigabytes or min(12.0, shutil.disk_usage(folder).free / 4e9)
    return Scale(1_000_000_000, 1 << 17, gigabytes)


def written(folder: Path, scale: Scale) -> Path:
    """The folder of Parquet files, written unless a run before has."""
    parquet = folder / f"blobs-{scale.gigabytes:g}GB-{scale.row_group_rows}"
    if not (parquet / "rows.json").exists():
        progress(f"writing {scale.gigabytes:.3g} GB of Parquet to {parquet}")
        n_files = max(
            1, round(scale.gigabytes * 1e9 / (ROW_GROUPS * scale.row_group_rows * ROW_BYTES))
        )
        arguments = {"n_files": n_files, "row_group_rows": scale.row_group_rows}
        stage("write", {"parquet": str(parquet)} | arguments)
    return parquet


def stage(name: str, arguments: dict[str, Any], script: str = __file__) -> Any:
    """The result of a stage of a script, from a process of its own."""
    command = [sys.executable, script, name, json.dumps(arguments)]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(answer.stdout)


# --- Stages ---------------------------------------------------------------------------------


def write(parquet: str, n_files: int, row_group_rows: int) -> None:
    """Files as pyarrow writes them by default, but for smaller row groups."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from blobs import draw, true_centers

    folder = Path(parquet)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    centers = true_centers(N_FEATURES, N_CLUSTERS, rng)
    weights = rng.standard_normal(N_FEATURES) / 4
    schema = pa.schema([*((name, pa.float32()) for name in FEATURES), ("label", pa.bool_())])
    for number in range(n_files):
        with pq.ParquetWriter(folder / f"{number:04}.parquet", schema) as writer:
            for _ in range(ROW_GROUPS):
                X = draw(centers, row_group_rows, rng)
                label = X @ weights + rng.logistic(size=len(X)) > 0
                columns = [*np.ascontiguousarray(X.T), label]
                table = pa.table([pa.array(column) for column in columns], schema)
                writer.write_table(table, row_group_size=row_group_rows)
    (folder / "rows.json").write_text(json.dumps([ROW_GROUPS * row_group_rows] * n_files))


def read_by_pyarrow(parquet: str, threads: int, repetitions: int) -> dict[str, list[float]]:
    """Seconds to decode all columns, rows let go of at once, in the two ways there are."""
    import pyarrow as pa

    pa.set_cpu_count(threads)
    pa.set_io_thread_count(threads)
    files = parquet_files(parquet)
    ways = {"pyarrow.dataset": _scan_dataset, "pyarrow.parquet": _read_row_groups}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repetitions):
        for name, read in ways.items():
            evict(files)
            times[name].append(_seconds(lambda read=read: read(files, threads)))
    return times


class TimedPasses(Engine):
    """A local engine that notes how long each pass takes; every second begins cold.

    Parameters
    ----------
    parquet, cache : str
        The folders whose files are evicted from memory: Parquet files before each pass, the cache
        file before every second one.
    threads, memory : int
    """

    def __init__(self, parquet: str, cache: str, threads: int, memory: int) -> None:
        super().__init__()
        os.environ["SHOAL_CACHE_DIR"] = cache
        self._engine = shoal.LocalEngine(threads, memory)
        self._files, self._cache = parquet_files(parquet), cache
        self.passes: list[tuple[str, float]] = []
        self.cached_bytes = 0

    def fold(self, dataset: Dataset, statistic: Statistic[Any, Any]) -> Any:
        fold = partial(self._engine.fold, dataset, statistic)
        return self._timed(dataset, type(statistic).__name__, fold)

    def map_cells(self, dataset: Dataset, function: Callable[..., Any]) -> list[Any]:
        run = partial(self._engine.map_cells, dataset, function)
        return self._timed(dataset, type(function).__name__, run)

    def map_blocks(self, dataset: Dataset, function: Callable[..., Any]) -> Iterator[Any]:
        return self._engine.map_blocks(dataset, function)

    def release(self, dataset: Dataset) -> None:
        self._engine.release(dataset)

    def close(self) -> None:
        self._engine.close()

    def seconds(self, name: str) -> dict[str, list[float]]:
        """What passes of that name took, cold and warm."""
        times: dict[str, list[float]] = {COLD: [], WARM: []}
        for number, (of_pass, time) in enumerate(self.passes):
            if of_pass == name:
                times[WARM if number % 2 == 0 else COLD].append(time)
        return times

    def _timed(self, dataset: Dataset, name: str, work: Callable[[], Any]) -> Any:
        is_warm = len(self.passes) % 2 == 0
        evict(self._files if is_warm else [*self._files, *cache_files(self._cache)])
        began = perf_counter()
        result = work()
        self.passes.append((name, perf_counter() - began))
        # The file is laid out ahead of what is written.
        allocated = sum(path.stat().st_size for path in cache_files(self._cache))
        self.cached_bytes = min(allocated, dataset.row_bytes * dataset.n_rows)
        return result


def fit(parquet: str, threads: int, memory: int, cache: str) -> dict[str, Any]:
    """A K-means fit: seconds of its passes, bytes of its cache file, peak memory."""
    first = _first_rows(parquet_files(parquet)[0])
    dataset = shoal.open_dataset(parquet, features=FEATURES)
    with TimedPasses(parquet, cache, threads, memory) as engine:
        model = KMeans(N_CLUSTERS, init=first, n_init=1, max_iter=MAX_ITER, tol=0)
        model.fit(dataset)
    cached = engine.cached_bytes
    times = engine.seconds("CentroidSums")
    assert engine.passes[0][0] == "Range", engine.passes
    assert sum(map(len, times.values())) == MAX_ITER, engine.passes
    return {"first": engine.passes[0][1], "cached": cached, "peak": peak_bytes(), **times}


def read_alone(parquet: str, threads: int, n_bytes: int, cache: str) -> dict[str, list[float]]:
    """Seconds to read a file of `n_bytes`, its pages in memory or not as in the fit."""
    evict(parquet_files(parquet))
    times: dict[str, list[float]] = {COLD: [], WARM: []}
    with tempfile.NamedTemporaryFile(dir=cache) as file:
        piece = np.random.default_rng(0).bytes(PIECE_BYTES)
        for offset in range(0, n_bytes, PIECE_BYTES):
            file.write(piece[: n_bytes - offset])
        file.flush()
        for _ in range(MAX_ITER // 2):
            evict([Path(file.name)])
            for state in (COLD, WARM):
                times[state].append(_seconds(lambda: _read(file.fileno(), n_bytes, threads)))
    return times


def parquet_files(parquet: str) -> list[Path]:
    return sorted(Path(parquet).glob("*.parquet"))


def _first_rows(file: Path) -> np.ndarray:
    """Rows to begin with."""
    import pyarrow.parquet as pq

    batch = next(pq.ParquetFile(file).iter_batches(N_CLUSTERS, columns=FEATURES))
    return np.column_stack([column.to_numpy() for column in batch.columns])


def cache_files(cache: str) -> list[Path]:
    """Of the block cache, or of grouped rows."""
    folders = Path(cache).glob("shoal-*/blocks-*")
    return [path for folder in folders for path in folder.iterdir() if path.name != "owner"]


def evict(files: Sequence[Path]) -> None:
    """Drop the pages of files from memory; only those written to disk can be."""
    for path in files:
        descriptor = os.open(path, os.O_RDWR)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def _scan_dataset(files: Sequence[Path], threads: int) -> None:
    import pyarrow.dataset as ds

    for _ in ds.dataset(list(map(str, files))).to_batches(batch_readahead=threads):
        pass


def _read_row_groups(files: Sequence[Path], threads: int) -> None:
    """A row group at a time in each thread."""
    import pyarrow.parquet as pq

    def read(file: Path) -> None:
        parquet = pq.ParquetFile(file)
        for number in range(parquet.num_row_groups):
            parquet.read_row_group(number, use_threads=False)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(read, files))


def _read(descriptor: int, n_bytes: int, threads: int) -> None:
    """The whole file, front to back, each thread the next piece."""
    pieces = count()

    def read() -> None:
        buffer = np.empty(PIECE_BYTES, np.uint8)
        while (offset := next(pieces) * PIECE_BYTES) < n_bytes:
            os.preadv(descriptor, [buffer.data], offset)

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(read) for _ in range(threads)]:
            done.result()


def peak_bytes() -> int:
    """Largest resident set of this process since it was started.

    Not of getrusage, which also counts what the parent had when it forked.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmHWM")


def _seconds(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return perf_counter() - began


def run_stage(*stages: Callable[..., Any]) -> None:
    """Run the one that the command line names, with its arguments."""
    by_name = {stage.__name__: stage for stage in stages}
    print(json.dumps(by_name[sys.argv[1]](**json.loads(sys.argv[2]))))


if __name__ == "__main__":
    run_stage(write, read_by_pyarrow, fit, read_alone)

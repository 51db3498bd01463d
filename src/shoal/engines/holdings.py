"""What workers hold of datasets: which cells live where, and what has been sent."""

from collections.abc import Callable, Sequence, Set
from threading import RLock
from weakref import WeakKeyDictionary, WeakMethod, finalize

from shoal.data.dask_collections import DaskSource
from shoal.data.dataset import Dataset
from shoal.data.source import Cell, Source
from shoal.engines.channel import Parcel, WorkerRecord
from shoal.engines.cluster import Cluster
from shoal.engines.layout import Layout
from shoal.engines.sent_rows import DriverRows, Recipe, RowNames, messages


class Holdings:
    """What the workers of a cluster hold for an engine. Its methods may be called by any thread.

    Rows that live in this process belong to their source: they stay while a dataset does that
    comes from it and has been worked with, and then until the source is gone or another one is
    worked with.

    Parameters
    ----------
    cluster : Cluster
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._layouts: WeakKeyDictionary[Dataset, Layout] = WeakKeyDictionary()
        self._homes: WeakKeyDictionary[Source, dict[int, str]] = WeakKeyDictionary()
        self._names = RowNames()
        # An iteration over a dictionary does not bear what another thread adds.
        self._lock = RLock()

    def layout(self, dataset: Dataset) -> Layout:
        """Where the cells of `dataset` live; made where there is none. Not for the event loop."""
        root = dataset.source.root
        if root not in self._homes:
            # The cluster is asked, and what it answers comes by a thread that takes the lock.
            found = self._found(root)
            with self._lock:
                self._homes.setdefault(root, found)
            finalize(root, _tidied, WeakMethod(self._tidy)).atexit = False
        with self._lock:
            if dataset not in self._layouts:
                rows = self._names.needed(dataset)
                self._layouts[dataset] = Layout(self._homes[root], rows)
            return self._layouts[dataset]

    def prepare(
        self, worker: WorkerRecord, dataset: Dataset, layout: Layout, cells: Sequence[Cell]
    ) -> None:
        """Give a worker what it lacks to read these cells, and let it forget what nobody needs."""
        with worker.preparing:
            self._cluster.open(worker)
            unused = worker.sent.keys() - self._in_use(dataset.source) - layout.names
            self._forget(worker, unused)
            if layout.token not in worker.sent:
                recipe = Recipe.of(dataset, layout.rows)
                self._cluster.call(worker, "receive", Parcel.of((layout.token, recipe)))
                worker.sent[layout.token] = set()
            for rows in layout.rows.values():
                self._send(worker, rows, cells)

    def release(self, dataset: Dataset) -> None:
        """Forget what is kept of a dataset, but not the rows that were sent for it."""
        with self._lock:
            layout = self._layouts.pop(dataset, None)
        if layout is not None:
            token = layout.token
            self._cluster.everywhere(lambda worker: self._forget(worker, {token}))

    def release_all(self) -> None:
        """Count on nothing that workers hold."""
        with self._lock:
            self._layouts.clear()

    def _found(self, root: Source) -> dict[int, str]:
        """Where rows of a persisted collection lie: addresses by index of the cell."""
        return root.homes(self._cluster.client) if isinstance(root, DaskSource) else {}

    def _tidy(self) -> None:
        """Begin to free on workers what belongs to no source that lives."""
        self._cluster.soon_everywhere(self._forget_unused)

    def _forget_unused(self, worker: WorkerRecord) -> None:
        with worker.preparing:
            with self._lock:
                roots = list(self._homes)
            self._forget(worker, worker.sent.keys() - self._in_use(*roots))

    def _in_use(self, *sources: Source) -> set[str]:
        """What workers are to keep while they work with these sources."""
        with self._lock:
            layouts = list(self._layouts.values())
            names = [self._names.of(source) for source in sources]
        return set().union(*names, *(layout.names for layout in layouts))

    def _send(self, worker: WorkerRecord, rows: DriverRows, cells: Sequence[Cell]) -> None:
        """Send those rows of these cells that a worker lacks."""
        sent = worker.sent.setdefault(rows.name, set())
        lacking = [cell for cell in rows.cells(cells) if cell.index not in sent]
        for pieces in messages(rows, lacking):
            self._cluster.call(worker, "receive_rows", Parcel.of((rows.name, pieces)))
        sent.update(cell.index for cell in lacking)

    def _forget(self, worker: WorkerRecord, names: Set[str]) -> None:
        names = names & worker.sent.keys()
        if names:
            self._cluster.call(worker, "forget", Parcel.of((names,)))
        for name in names:
            # `release` may have been as quick.
            worker.sent.pop(name, None)


def _tidied(tidy: "WeakMethod[Callable[[], None]]") -> None:
    """Tidy up where anybody is left to: a source that outlives an engine does not keep it."""
    if (living := tidy()) is not None:
        living()

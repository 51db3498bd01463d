"""Passes on a Dask cluster.

Each worker reads, decodes and keeps its own cells from one pass to the next, folds them with its
own threads, and sends back one partial a pass; the driver merges these. What a worker keeps is
its *tenant*, which is called beside Dask's tasks (`shoal.engines.channel`): these took ten times as
long on their way through queues.

Only the driver decides: tenants answer calls, and a call whose worker dies is made again
elsewhere for the same cells.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, TypeVar

from shoal.callbacks import row_counter
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.plan import memory_bytes
from shoal.data.source import Cell
from shoal.engines.cluster import Cluster, connection
from shoal.engines.cluster_pass import ClusterPass
from shoal.engines.engine import Engine, check_windows
from shoal.engines.holdings import Holdings
from shoal.engines.local_cluster import local_cluster
from shoal.engines.statistic import Statistic

if TYPE_CHECKING:
    from distributed import Client
    from distributed.deploy.cluster import Cluster as DaskCluster

Partial = TypeVar("Partial")
Result = TypeVar("Result")


class DaskEngine(Engine):
    """Runs passes on the workers of a Dask cluster.

    Workers read their own cells from files, and those of a persisted Dask collection where they
    lie. Rows that live in this process are sent to them once, and again where a worker that had
    them dies: all datasets that come from the same source share them. They stay while a dataset
    that uses them does, and then until their source is gone or rows of another one are worked
    with. The cell is the unit that is given to a worker, so files of few row groups keep few
    workers busy.

    A worker that dies costs time: its cells are folded again by the others within the same pass.
    Workers that join are used from the next pass on.

    Parameters
    ----------
    client_or_address_or_cluster : distributed.Client, str or Cluster, default=None
        A cluster to use and to leave as it is found. An address of the form ``"tls://..."``
        finds its certificates in Dask's configuration (``distributed.comm.tls``); a client or
        a cluster brings its own. By default a cluster is started on this machine, of one process
        a core, with mutual TLS by certificates made for it alone and no HTTP routes; it ends with
        the engine.
    memory : int or str, default=None
        Budget of each worker, in bytes or as text such as ``"2GB"``. By default half of the limit
        that Dask sets a worker, or of what the machine has available.

    Raises
    ------
    ClusterUnreachableError
        No scheduler answers, or it refuses the certificates.
    EngineError
        A cluster is to be started by a process that may start none, such as a worker of Dask.
    ParameterError
        An argument makes no sense.

    Notes
    -----
    A scheduler that dies takes the pass with it (`ClusterUnreachableError`): resume the fit from
    its checkpoint on another one.

    Dask has its workers' ``malloc`` give memory back at once, and fresh pages for each pass cost
    K-means a quarter of its time. The cluster started here keeps them; for workers of your own, set
    ``distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_`` to ``16777216`` and
    ``MALLOC_MMAP_THRESHOLD_`` beside it to ``4194304`` in Dask's configuration.

    Examples
    --------
    >>> from shoal import DaskEngine
    >>> from shoal.cluster import KMeans
    >>> with DaskEngine() as engine:  # doctest: +SKIP
    ...     model = KMeans(8).fit("flights/*.parquet")
    """

    def __init__(
        self,
        client_or_address_or_cluster: "Client | str | DaskCluster | None" = None,
        memory: int | str | None = None,
    ) -> None:
        super().__init__()
        budget = None if memory is None else memory_bytes(memory)
        with ExitStack() as stack:
            target = client_or_address_or_cluster
            if target is None:
                target = stack.enter_context(local_cluster())
                budget = budget or memory_bytes(None) // len(target.workers)
            client = stack.enter_context(connection(target))
            self._cluster = Cluster(client, budget)
            self._holdings = Holdings(self._cluster)
            self._stack = stack.pop_all()

    def fold(self, dataset: Dataset, statistic: Statistic[Partial, Result]) -> Result:
        check_windows(dataset, statistic)
        partials = self._answers(dataset, "fold", statistic)
        return statistic.result(reduce(statistic.merge, partials, statistic.zero()))

    def map_cells(
        self, dataset: Dataset, function: Callable[[Cell, Iterator[Block]], Result]
    ) -> list[Result]:
        results: dict[int, Result] = reduce(or_, self._answers(dataset, "map_cells", function))
        return [results[cell.index] for cell in dataset.cells]

    def map_blocks(
        self, dataset: Dataset, function: Callable[[Block], Result]
    ) -> Iterator[tuple[Block, Result]]:
        count_rows = row_counter()
        unsent = deque(dataset.cells)
        answers: dict[int, list[tuple[Block, Result]]] = {}
        with self._pass(dataset, "map_blocks", function) as running:
            for cell in dataset.cells:
                while cell.index not in answers:
                    while unsent and unsent[0].index <= cell.index + running.n_ahead:
                        running.send([unsent.popleft()])
                    answers |= running.answer()[1]
                yield from answers.pop(cell.index)
                count_rows(cell.n_rows)

    def release(self, dataset: Dataset) -> None:
        self._holdings.release(dataset)

    def close(self) -> None:
        if self._cluster.is_forked:
            return
        self._holdings.release_all()
        self._cluster.close()
        self._stack.close()

    def _answers(self, dataset: Dataset, method: str, argument: Any) -> Iterator[Any]:
        """What each worker answers for all its cells, as soon as it does."""
        count_rows = row_counter()
        with self._pass(dataset, method, argument) as running:
            running.send(dataset.cells)
            while running.is_waiting:
                cells, answer = running.answer()
                yield answer
                count_rows(sum(cell.n_rows for cell in cells))

    def _pass(self, dataset: Dataset, method: str, argument: Any) -> ClusterPass[Any]:
        return ClusterPass(self._cluster, self._holdings, dataset, method, argument)

    def __repr__(self) -> str:
        return f"<DaskEngine on {self._cluster.address}>"

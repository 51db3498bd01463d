"""Faults in mid-fit: a driver or a worker is killed, as the kernel would for want of memory."""

import os
import signal
import time
from threading import Thread

import pytest

from shoal.callbacks import FitListener, IterationEnded


class KillSelf(FitListener):
    """Kills this process at an iteration."""

    def __init__(self, n_iter):
        self.n_iter = n_iter

    def on_event(self, event):
        if isinstance(event, IterationEnded) and event.n_iter == self.n_iter:
            os.kill(os.getpid(), signal.SIGKILL)


class KillWorker(FitListener):
    """Kills a worker in mid-pass, soon after an iteration."""

    def __init__(self, process_id, n_iter):
        self.process_id, self.n_iter = process_id, n_iter

    def on_event(self, event):
        if isinstance(event, IterationEnded) and event.n_iter == self.n_iter:
            Thread(target=self._kill).start()

    def _kill(self):
        time.sleep(0.003)
        os.kill(self.process_id, signal.SIGKILL)


@pytest.fixture(scope="module", name="clusters")
def local_clusters():
    """Local clusters of 1, 2 and 3 workers."""
    distributed = pytest.importorskip("distributed")
    made = {}

    def cluster(n_workers):
        if n_workers not in made:
            made[n_workers] = distributed.LocalCluster(
                n_workers=n_workers, threads_per_worker=1, dashboard_address=":0"
            )
        return made[n_workers]

    yield cluster
    for one in made.values():
        one.close()

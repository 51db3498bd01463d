"""Faults in mid-fit: a driver or a worker is killed, as the kernel would for want of memory."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from shoal.callbacks import FitListener, IterationEnded
from shoal.solvers import driver


class KillSelf(FitListener):
    """Kills this process at an iteration."""

    def __init__(self, n_iter):
        self.n_iter = n_iter

    def on_event(self, event):
        if isinstance(event, IterationEnded) and event.n_iter == self.n_iter:
            os.kill(os.getpid(), signal.SIGKILL)


def leave_checkpoint(fit: Callable[..., Any], path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a process die in ``fit(checkpoint=path)``, after it has saved its last iteration."""
    monkeypatch.setattr(driver, "INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(driver, "LARGEST_SHARE", 1e9)
    child = os.fork()
    if child == 0:
        try:
            fit(checkpoint=path)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert path.exists()


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

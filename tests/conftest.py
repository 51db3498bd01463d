"""What all tests share: settings of hypothesis, and a guard against what tests leave behind."""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["pytester"]

# Examples are the same in every run: a failure is the change's, not the draw's. Other examples
# are looked for with `pytest --hypothesis-profile=search`.
settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("search", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("repeatable")

# Where this was started in the background of a shell, interrupts are ignored, and so they would be
# in the tests that interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Threads and processes that libraries start once and keep as long as the interpreter lives.
KEPT_THREADS = ("Dask-Offload", "IO loop", "Profile", "asyncio_", "TokenCleanup", "fsspecIO")
KEPT_PROCESSES = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
SETTLE_SECONDS = 5.0


@pytest.fixture
def no_leaks(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Fails the test that leaves a thread, process, open file or temporary file behind.

    Modules ask for it by ``pytestmark = pytest.mark.usefixtures("no_leaks")``. Its value is the
    folder for temporary files, and so for block caches, that the test has to itself.
    """
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv("SHOAL_CACHE_DIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    before = _held(folder)
    yield folder
    leaked = _held(folder) - before
    deadline = time.monotonic() + SETTLE_SECONDS
    while leaked and time.monotonic() < deadline:
        time.sleep(0.05)
        leaked = _held(folder) - before
    assert not leaked, f"left behind: {sorted(leaked)}"


def _held(folder: Path) -> set[str]:
    """What this process holds: threads, children, open files, sockets, and files in `folder`."""
    return _threads() | _processes() | _descriptors() | _files(folder)


def _files(folder: Path) -> set[str]:
    """Files below `folder`, but for the lock that stays where a user's block caches go."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        f"file {path}" for path in files if path.parts[-2:] != (f"shoal-{os.geteuid()}", "lock")
    }


def _threads() -> set[str]:
    """Python threads, but for those that libraries keep."""
    return {
        f"thread {thread.name} {thread.ident}"
        for thread in threading.enumerate()
        if not thread.name.startswith(KEPT_THREADS)
    }


def _processes() -> set[str]:
    """Children and their children, but for those that libraries keep."""
    held = set()
    for child in psutil.Process().children(recursive=True):
        try:
            command = " ".join(child.cmdline())
        except psutil.NoSuchProcess:
            continue
        if not any(kept in command for kept in KEPT_PROCESSES):
            held.add(f"process {child.pid} {command}")
    return held


def _descriptors() -> set[str]:
    """Open files and listening or connected sockets."""
    process = psutil.Process()
    files = {f"open file {file.path}" for file in process.open_files()}
    sockets = {
        f"socket {socket.laddr} {socket.raddr}"
        for socket in process.net_connections(kind="inet")
        if socket.status != psutil.CONN_TIME_WAIT
    }
    return files | sockets


@pytest.fixture
def project() -> Path:
    """The root of the checkout."""
    return Path(os.path.realpath(__file__)).parents[1]

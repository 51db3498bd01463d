"""The guard against leaks finds each kind of leak, and nothing where there is none."""

from pathlib import Path

import pytest

TESTS = """
import socket, subprocess, tempfile, threading
import pytest

kept = []

def leak_nothing(folder):
    with tempfile.NamedTemporaryFile() as file:
        assert file.name.startswith(str(folder))
    subprocess.run(["true"], check=True)

def leak_thread(folder):
    threading.Thread(target=threading.Event().wait, daemon=True).start()

def leak_process(folder):
    kept.append(subprocess.Popen(["sleep", "10"]))

def leak_file(folder):
    (folder / "block").touch()

def leak_descriptor(folder):
    kept.append(open(__file__))

def leak_socket(folder):
    kept.append(socket.create_server(("127.0.0.1", 0)))

@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr("conftest.SETTLE_SECONDS", 0.1)

@pytest.mark.parametrize("kind", ["nothing", "thread", "process", "file", "descriptor", "socket"])
def test(kind, no_leaks):
    globals()[f"leak_{kind}"](no_leaks)
"""


def test_each_kind_of_leak_is_found(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text())
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--tb=short")
    result.assert_outcomes(passed=6, errors=5)
    for kind in ("thread", "process", "file /", "open file", "socket"):
        result.stdout.re_match_lines_random([rf""".*left behind: \[['"]{kind}.*"""])

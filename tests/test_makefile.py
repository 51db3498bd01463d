"""What `make` says on a machine that lacks something."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest


def _executable(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder of what every Debian machine has, and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("awk", "bash", "find", "make", "sh"):
        found = shutil.which(tool)
        assert found is not None, f"{tool} is needed to test the Makefile"
        (folder / tool).symlink_to(found)
    return folder


@pytest.fixture
def checkout(tmp_path: Path, project: Path) -> Path:
    """A copy of what the Makefile reads, without an environment."""
    folder = tmp_path / "checkout"
    (folder / "src/shoal/_kernels").mkdir(parents=True)
    for name in ("Makefile", "CMakeLists.txt", "constraints.txt", "pyproject.toml"):
        shutil.copy(project / name, folder)
    return folder


def _make(checkout: Path, tools: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(tools), "HOME": os.environ["HOME"]}
    return subprocess.run(
        ["make", *arguments],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _sentence(run: subprocess.CompletedProcess[str]) -> str:
    """What `make` said, but for its own closing line; nothing may have been done."""
    assert run.returncode != 0
    assert run.stdout == ""
    sentence, closing = run.stderr.splitlines()
    assert closing.startswith("make: ***")
    return sentence


def test_help_is_the_default_and_names_every_target(checkout: Path, tools: Path) -> None:
    run = _make(checkout, tools)
    assert run.returncode == 0
    assert {line.split()[1] for line in run.stdout.splitlines()} >= {
        *("help", "venv", "build", "demo", "test", "lint", "bench", "clean")
    }


def test_no_python(checkout: Path, tools: Path) -> None:
    sentence = _sentence(_make(checkout, tools, "build"))
    assert "needs Python 3.11 or newer and finds no 'python3'" in sentence


def test_old_python(checkout: Path, tools: Path) -> None:
    _executable(tools / "python3", "exit 1")
    sentence = _sentence(_make(checkout, tools, "build"))
    assert "needs Python 3.11 or newer and 'python3' is older" in sentence


@pytest.mark.parametrize(
    ("lacking", "package"), [("ensurepip", "python3-venv"), ("Python.h", "python3-dev")]
)
def test_incomplete_python(checkout: Path, tools: Path, lacking: str, package: str) -> None:
    _executable(tools / "python3", f'case "$2" in *{lacking}*) exit 1;; esac')
    assert f"(Debian: apt install {package})" in _sentence(_make(checkout, tools, "build"))


def test_no_compiler(checkout: Path, tools: Path) -> None:
    _executable(tools / "python3", "exit 0")
    sentence = _sentence(_make(checkout, tools, "build"))
    assert "needs a C++20 compiler and 'c++' is missing or too old" in sentence


def test_old_compiler(checkout: Path, tools: Path) -> None:
    _executable(tools / "python3", "exit 0")
    _executable(tools / "g++-9", "echo unknown option >&2; exit 1")
    sentence = _sentence(_make(checkout, tools, "build", "CXX=g++-9"))
    assert "needs a C++20 compiler and 'g++-9' is missing or too old" in sentence
    assert not (checkout / ".venv").exists()

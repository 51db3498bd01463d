"""The report of versions."""

import importlib.metadata
import itertools
import re
import tomllib
from pathlib import Path

import pytest

import shoal
from shoal import _kernels, _versions


def test_report(capsys: pytest.CaptureFixture[str]) -> None:
    shoal.show_versions()
    report = dict(
        line.strip().split(": ", 1) for line in capsys.readouterr().out.splitlines() if ": " in line
    )
    assert report["numpy"] == importlib.metadata.version("numpy")
    assert report["instruction set"] == _kernels.instruction_set
    assert report["instruction set"] in report["available"].split(", ")


def test_what_is_not_installed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_versions, "OPTIONAL_DEPENDENCIES", ("no-such-distribution",))
    shoal.show_versions()
    assert "no-such-distribution: not installed" in capsys.readouterr().out


def test_names_the_dependencies_that_the_project_declares(project: Path) -> None:
    declared = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    optional = itertools.chain(*declared["optional-dependencies"].values())
    assert set(map(_name, declared["dependencies"])) <= set(_versions.DEPENDENCIES)
    assert set(map(_name, optional)) <= set(_versions.OPTIONAL_DEPENDENCIES)


def _name(requirement: str) -> str:
    """The distribution's name at the start of ``name[extra]>=version``."""
    return re.split(r"[^\w-]", requirement)[0]

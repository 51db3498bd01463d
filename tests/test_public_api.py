"""The top level: honest about its names, and light to import."""

import importlib
import json
import pkgutil
import subprocess
import sys

import pytest

import shoal

HEAVY = ("dask", "distributed", "duckdb", "matplotlib", "pandas", "polars")
MODULES = sorted(module.name for module in pkgutil.walk_packages(shoal.__path__, "shoal."))


@pytest.mark.parametrize("name", shoal.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(shoal, name) is not None


def test_names_are_where_the_top_level_says() -> None:
    assert set(shoal._HOMES) | {"__version__"} == set(shoal.__all__)


def test_dir_lists_names_that_are_not_loaded_yet() -> None:
    assert set(shoal.__all__) <= set(dir(shoal))


def test_unknown_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = shoal.no_such_name


@pytest.mark.parametrize("name", [name for name in MODULES if ".native_" not in name])
def test_all_of_every_module_is_honest(name: str) -> None:
    module = importlib.import_module(name)
    exported = getattr(module, "__all__", [])
    assert len(exported) == len(set(exported))
    assert [name for name in exported if not hasattr(module, name)] == []


@pytest.mark.parametrize("module", ["shoal", "shoal.cluster", "shoal.data.open", "shoal.cli"])
def test_import_is_light(module: str) -> None:
    program = f"import {module}, json, sys; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.check_output([sys.executable, "-c", program], text=True))
    assert [name for name in HEAVY if name in loaded] == []


def test_import_of_the_top_level_loads_no_layer() -> None:
    program = "import shoal, json, sys; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.check_output([sys.executable, "-c", program], text=True))
    assert [name for name in loaded if name.startswith("shoal.")] == []

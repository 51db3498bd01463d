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


def _modules_loaded_by(statement: str, after: str = "pass") -> set[str]:
    """What a new interpreter loads for `statement`, once it has run `after`."""
    program = f"import json, sys; {after}; before = set(sys.modules); {statement}\n"
    program += "print(json.dumps(sorted(set(sys.modules) - before)))"
    return set(json.loads(subprocess.check_output([sys.executable, "-c", program], text=True)))


def test_the_top_level_loads_no_layer() -> None:
    loaded = _modules_loaded_by("import shoal")
    assert [name for name in HEAVY if name in loaded] == []
    assert [name for name in loaded if name.startswith("shoal.")] == []


@pytest.mark.parametrize(
    "module",
    [
        *("cli", "cluster", "data.open", "engines.local", "inspection", "linear_model"),
        *("neighbors", "semi_supervised"),
    ],
)
def test_layers_load_no_optional_package(module: str) -> None:
    # scikit-learn itself imports pandas where it is installed.
    loaded = _modules_loaded_by(f"import shoal.{module}", after="import sklearn.utils.validation")
    assert f"shoal.{module}" in loaded
    assert [name for name in HEAVY if name in loaded] == []

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


def _loaded_in_turn(*modules: str) -> dict[str, set[str]]:
    """What a new interpreter loads for each module, after those before it."""
    program = f"""
import importlib, json, sys

loaded, before = {{}}, set(sys.modules)
for name in {modules}:
    importlib.import_module(name)
    loaded[name], before = sorted(set(sys.modules) - before), set(sys.modules)
print(json.dumps(loaded))
"""
    output = subprocess.check_output([sys.executable, "-c", program], text=True)
    return {name: set(loaded) for name, loaded in json.loads(output).items()}


def test_the_top_level_loads_no_layer() -> None:
    loaded = _loaded_in_turn("shoal")["shoal"]
    assert [name for name in HEAVY if name in loaded] == []
    assert [name for name in loaded if name.startswith("shoal.")] == []


def test_layers_load_no_optional_package() -> None:
    layers = ["data.open", "engines.local", "linear_model", "cluster", "neighbors"]
    layers += ["semi_supervised", "inspection", "cli"]
    # scikit-learn itself imports pandas where it is installed.
    first = "sklearn.utils.validation"
    loaded = _loaded_in_turn(first, *(f"shoal.{name}" for name in layers))
    del loaded[first]
    assert {name: modules & {*HEAVY} for name, modules in loaded.items()} == {
        f"shoal.{name}": set() for name in layers
    }

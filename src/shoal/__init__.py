"""scikit-learn for data that outgrow memory and machines.

Datasets and engines are here; estimators are where scikit-learn keeps its own
(`shoal.cluster.KMeans`). Names are imported when they are first used, so that ``import shoal``
loads neither Dask nor any other optional package.
"""

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoal._versions import show_versions
    from shoal.data.open import open_dataset
    from shoal.engines.current import current_engine
    from shoal.engines.dask import DaskEngine
    from shoal.engines.local import LocalEngine
    from shoal.persistence import load_model, save_model

__all__ = [
    "DaskEngine",
    "LocalEngine",
    "__version__",
    "current_engine",
    "load_model",
    "open_dataset",
    "save_model",
    "show_versions",
]

_HOMES = {
    "DaskEngine": "shoal.engines.dask",
    "LocalEngine": "shoal.engines.local",
    "current_engine": "shoal.engines.current",
    "load_model": "shoal.persistence",
    "open_dataset": "shoal.data.open",
    "save_model": "shoal.persistence",
    "show_versions": "shoal._versions",
}

try:
    __version__ = version("shoal")
except PackageNotFoundError:  # A checkout that is on the path but not installed.
    __version__ = "0+unknown"


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'shoal' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""Models as files: JSON and arrays, without pickle."""

import os
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import sklearn
from sklearn.base import BaseEstimator

import shoal
from shoal import _archive
from shoal.data.dataset import Dataset
from shoal.exceptions import ModelFileError

__all__ = ["load_model", "save_model"]

FORMAT = "shoal model"
VERSION = 1


def save_model(model: BaseEstimator, path: str | os.PathLike[str]) -> None:
    """Save an estimator of Shoal to a file that loading runs no code from.

    Parameters and fitted attributes (those whose names end in ``_``) are stored exactly, with
    the versions of Shoal and scikit-learn. The file is a zip archive: ``tree.json`` and one
    ``.npy`` member an array, so `numpy.load` reads the arrays without Shoal. It is checksummed,
    and appears whole or not at all; a model that was there before stays until then.

    Parameters
    ----------
    model : estimator
        An estimator of Shoal, fitted or not; estimators inside it are saved with it.
    path : str or path-like
        The file to write; its folder must exist.

    Raises
    ------
    ModelFileError
        `model`, or an estimator inside it, is not one of Shoal, or a parameter or attribute
        cannot be stored: a function, a random number generator, rows that are in files.
    FileError
        The file cannot be written; `DiskFullError` where there is no room.

    See Also
    --------
    load_model : The way back.

    Notes
    -----
    Models of neighbours store their rows, if these are in memory, and build their index again as
    they are loaded: exact answers are the same to the last bit.

    scikit-learn itself stores models by pickle, which runs what the file says; ``pickle`` and
    ``joblib`` work with Shoal's estimators too.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from shoal import load_model, save_model
    >>> from shoal.cluster import KMeans
    >>> X = np.array([[0.0], [1.0], [10.0], [11.0]])
    >>> model = KMeans(n_clusters=2, random_state=0).fit(X)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "model.shoal")
    ...     save_model(model, path)
    ...     again = load_model(path)
    >>> bool((again.predict(X) == model.predict(X)).all())
    True
    """
    tree = {
        "format": FORMAT,
        "version": VERSION,
        "shoal_version": shoal.__version__,
        "sklearn_version": sklearn.__version__,
        **_described(model),
    }
    try:
        _archive.write(Path(path), tree)
    except _archive.UnstorableError as error:
        name = type(model).__name__
        raise ModelFileError(f"{name} cannot be saved: {error}; {_advice(error.value)}") from error


def load_model(path: str | os.PathLike[str]) -> Any:
    """Load an estimator that `save_model` saved.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    model : estimator
        As it was saved: class, parameters and fitted attributes, to the last bit.

    Raises
    ------
    ModelFileError
        The file is damaged (every byte is checked), no model file, of a newer format, or of an
        estimator that this Shoal does not have.
    FileError
        The file cannot be read.

    See Also
    --------
    save_model : Its example loads a model too.
    """
    tree = _read(Path(path))
    try:
        return _made(tree)
    except (AttributeError, ImportError, TypeError) as error:
        raise ModelFileError(
            f"{path} holds a {tree['class']} of Shoal {tree['shoal_version']}, which this Shoal "
            f"({shoal.__version__}) cannot make: {error}; use the version that wrote it"
        ) from error


@runtime_checkable
class KeepsRows(Protocol):
    """An estimator that keeps rows in ``index_``, and stores them in its own way."""

    def _stored(self) -> dict[str, Any]: ...

    def _restore(self, stored: Mapping[str, Any]) -> None: ...


def _described(model: BaseEstimator) -> dict[str, Any]:
    """An estimator as values; estimators inside it have trees of their own, by name."""
    tree: dict[str, Any] = {"class": _public_name(type(model))}
    parameters, fitted = model.get_params(deep=False), _fitted(model)
    if isinstance(model, KeepsRows):
        fitted.pop("index_", None)
        tree["stored"] = model._stored()
    inside = {
        name: _described(values.pop(name))
        for values in (parameters, fitted)
        for name in [name for name, value in values.items() if isinstance(value, BaseEstimator)]
    }
    if inside:
        tree["estimators"] = inside
    return tree | {"parameters": parameters, "fitted": fitted}


def _made(tree: Mapping[str, Any]) -> Any:
    """The estimator that a tree describes."""
    inside = {name: _made(one) for name, one in tree.get("estimators", {}).items()}
    fitted = {name: inside.pop(name) for name in list(inside) if _is_fitted_name(name)}
    model = _class(tree["class"])(**tree["parameters"], **inside)
    for name, value in (tree["fitted"] | fitted).items():
        setattr(model, name, value)
    if tree.get("stored"):
        model._restore(tree["stored"])
    return model


def _fitted(model: BaseEstimator) -> dict[str, Any]:
    """What `fit` has learnt: attributes with a trailing underscore."""
    attributes = vars(model).items()
    return {name: value for name, value in attributes if _is_fitted_name(name)}


def _is_fitted_name(name: str) -> bool:
    return name.endswith("_") and not name.startswith("_")


def _public_name(cls: type) -> str:
    """``shoal.cluster.KMeans``: where users import the class from."""
    if not _is_ours(cls):
        raise ModelFileError(
            f"{cls.__module__}.{cls.__qualname__} is not an estimator of Shoal and cannot be "
            "saved by save_model; save Shoal's estimators one by one, or use joblib.dump"
        )
    package = ".".join(cls.__module__.split(".")[:2])
    is_public = getattr(import_module(package), cls.__name__, None) is cls
    return f"{package if is_public else cls.__module__}.{cls.__qualname__}"


def _class(name: str) -> Any:
    """An estimator of Shoal by name, and nothing else."""
    if not re.fullmatch(r"shoal(\.\w+)+\.\w+", name, re.ASCII):
        raise ImportError(f"{name} is not in shoal")
    module, _, class_name = name.rpartition(".")
    cls = getattr(import_module(module), class_name)
    if not (isinstance(cls, type) and _is_ours(cls)):
        raise ImportError(f"{name} is not an estimator of Shoal")
    return cls


def _is_ours(cls: type) -> bool:
    return issubclass(cls, BaseEstimator) and cls.__module__.startswith("shoal.")


def _read(path: Path) -> Mapping[str, Any]:
    try:
        tree = _archive.read(path)
    except _archive.DamagedError as error:
        raise ModelFileError(
            f"model file {path} is damaged or none: {error}; save the model again"
        ) from error
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        raise ModelFileError(f"{path} is not a model file: give one that save_model wrote")
    if tree["version"] > VERSION:
        raise ModelFileError(
            f"model file {path} has format version {tree['version']}, written by Shoal "
            f"{tree['shoal_version']}; this Shoal ({shoal.__version__}) reads up to {VERSION}: "
            "upgrade Shoal"
        )
    return tree


def _advice(value: Any) -> str:
    """What to do about a value that cannot be stored."""
    match value:
        case np.random.RandomState() | np.random.Generator():
            return "set random_state to an int"
        case BaseEstimator():
            return "save that estimator in a file of its own, or use joblib.dump"
        case Dataset():
            return "rows in files stay where they are: use joblib.dump, or fit on rows in memory"
        case _ if callable(value):
            return "set what the function returns in its place, or use joblib.dump"
    return "model files hold numbers, strings, arrays, and lists, tuples and dicts of them"

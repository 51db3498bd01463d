"""Checkpoints: the state of an iterative fit on disk."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import reduce
from pathlib import Path
from typing import Any

from shoal import _archive
from shoal.exceptions import CheckpointError
from shoal.solvers.solver import SolverState

FORMAT = "shoal checkpoint"
VERSION = 1


class Checkpoint:
    """A file that a fit can go on from, to the same bits.

    Replaced atomically and checksummed: a process killed at any moment leaves the last whole
    one. Used only for the data and parameters it was made with.

    Parameters
    ----------
    path : str or path-like
        The file; it need not exist yet, its folder must.
    data, parameters : str
        Fingerprints of what is fitted, as of `Dataset.fingerprint`, and of how: of all that
        changes the course of the fit, and of nothing else (not of ``max_iter``, so that a fit
        can be prolonged).
    """

    def __init__(self, path: str | os.PathLike[str], *, data: str, parameters: str) -> None:
        self.path = Path(path)
        self._made_for = {"data": data, "parameters": parameters}

    def begin(self) -> tuple[Any, tuple[float, ...]] | None:
        """State and loss curve to go on from, or None where there is no file yet.

        Raises
        ------
        FileError
            The checkpoint could not be written: found out here, before the work and not after.
        CheckpointError
            The file is damaged, or of other data or parameters.
        """
        for leftover in _archive.left_over(self.path):
            leftover.unlink(missing_ok=True)
        _archive.check_writable(self.path)
        return self.load() if self.path.exists() else None

    def save(self, state: SolverState, loss_curve: Sequence[float]) -> None:
        """Replace the file by one of this state."""
        tree = {
            "format": FORMAT,
            "version": VERSION,
            **self._made_for,
            "state_class": f"{type(state).__module__}:{type(state).__qualname__}",
            "state": {field.name: getattr(state, field.name) for field in fields(state)},
            "loss_curve": tuple(loss_curve),
        }
        _archive.write(self.path, tree)

    def load(self) -> tuple[Any, tuple[float, ...]]:
        """State and loss curve in the file."""
        tree = self._read()
        for what, fingerprint in self._made_for.items():
            if tree[what] != fingerprint:
                raise CheckpointError(
                    f"checkpoint {self.path} was made with other {what}: give the {what} it was "
                    "made with, another path, or remove it"
                )
        return self._state(tree["state_class"], tree["state"]), tree["loss_curve"]

    def _state(self, class_name: str, values: Mapping[str, Any]) -> SolverState:
        try:
            return _state_class(class_name)(**values)
        except TypeError as error:
            raise CheckpointError(
                f"checkpoint {self.path} is of another method or version: {error}; remove it to "
                "begin anew"
            ) from error

    def _read(self) -> Mapping[str, Any]:
        try:
            tree = _archive.read(self.path)
        except _archive.DamagedError as error:
            raise CheckpointError(
                f"checkpoint {self.path} is damaged or none: {error}; remove it to begin anew"
            ) from error
        if not isinstance(tree, dict) or tree.get("format") != FORMAT:
            raise CheckpointError(f"{self.path} is not a checkpoint; give another path")
        if tree["version"] != VERSION:
            raise CheckpointError(
                f"checkpoint {self.path} has format version {tree['version']}, this Shoal reads "
                f"{VERSION}: use the Shoal that wrote it, or remove it to begin anew"
            )
        return tree


def _state_class(name: str) -> type[SolverState]:
    """A class by name among those loaded: reading a file imports nothing."""
    module, _, qualname = name.partition(":")
    found: Any = reduce(
        lambda scope, part: getattr(scope, part, None), qualname.split("."), sys.modules.get(module)
    )
    if not (isinstance(found, type) and issubclass(found, SolverState)):
        raise TypeError(f"{name} is not the state of a solver that is loaded")
    return found

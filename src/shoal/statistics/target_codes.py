"""Targets as the numbers that losses take."""

from dataclasses import dataclass

import numpy as np

from shoal._typing import AnyArray, Float64Array
from shoal.data.block import Block
from shoal.exceptions import DataError

BESIDE = "target_codes"


@dataclass(frozen=True, slots=True, eq=False)
class TargetCodes:
    """Turns the target of a block into float64, classes into the numbers that stand for them.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,), default=None
        Sorted labels of the classes; None for targets that are numbers already.
    codes : ndarray of shape (n_classes,), float64, default=None
        What stands for each class.

    Raises
    ------
    DataError
        When called, at a label that is not among the classes.

    Examples
    --------
    >>> block = Block(np.zeros((3, 1)), 0, np.zeros(1), np.zeros(1), np.array(["b", "a", "b"]))
    >>> TargetCodes(np.array(["a", "b"]), np.array([-1.0, 1.0]))(block).ravel()
    array([ 1., -1.,  1.])
    """

    classes: AnyArray | None = None
    codes: Float64Array | None = None

    @property
    def beside_row_bytes(self) -> int:
        """Memory a row of what is kept beside blocks."""
        return 0 if self.classes is None else 8

    def __call__(self, block: Block) -> Float64Array:
        """Targets of a block, of shape (n_rows, n_targets)."""
        assert block.target is not None, "the dataset has no target"
        if self.classes is None:
            target = np.ascontiguousarray(block.target, dtype=np.float64)
            return target.reshape(block.n_rows, -1)
        known, target = block.beside.get(BESIDE, (None, None))
        if known is None or not self._same(known):
            target = self._encode(block)
            block.beside[BESIDE] = self, target
        return target

    def _same(self, other: "TargetCodes") -> bool:
        """Whether both give the same."""
        return self is other or (
            np.array_equal(self.classes, other.classes)  # type: ignore[arg-type]
            and np.array_equal(self.codes, other.codes)  # type: ignore[arg-type]
        )

    def _encode(self, block: Block) -> Float64Array:
        """Codes of shape (n_rows, 1)."""
        assert block.target is not None
        assert self.classes is not None
        assert self.codes is not None
        target = block.target.ravel()
        found = np.minimum(np.searchsorted(self.classes, target), len(self.classes) - 1)
        unknown = self.classes[found] != target
        if unknown.any():
            row = int(unknown.argmax())
            raise DataError(
                f"row {block.row_numbers[row]} has the label {target[row]!r}, which is not among "
                f"the classes {self.classes.tolist()}"
            )
        encoded: Float64Array = self.codes[found].reshape(-1, 1)
        return encoded

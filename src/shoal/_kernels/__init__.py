"""Native kernels, one build per instruction set, the best one chosen at import.

``SHOAL_INSTRUCTION_SET`` (``generic``, ``x86_64_v3`` or ``x86_64_v4``) forces a lower one. Every
build computes the same bits.
"""

import importlib
import os
from collections.abc import Callable
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

INSTRUCTION_SETS = ("generic", "x86_64_v3", "x86_64_v4")


def available_instruction_sets() -> tuple[str, ...]:
    """Names of the builds that are installed and that this processor can run, slowest first."""
    best: str = importlib.import_module("shoal._kernels.native_generic").best_instruction_set()
    runs = INSTRUCTION_SETS[: INSTRUCTION_SETS.index(best) + 1]
    return tuple(name for name in runs if find_spec(f"shoal._kernels.native_{name}"))


def load(instruction_set: str) -> ModuleType:
    """The kernels built for one instruction set."""
    if instruction_set not in available_instruction_sets():
        raise ImportError(
            f"SHOAL_INSTRUCTION_SET={instruction_set!r} cannot run here: this installation and "
            f"processor offer {', '.join(available_instruction_sets())}. Unset it, or name one of "
            "these."
        )
    return importlib.import_module(f"shoal._kernels.native_{instruction_set}")


instruction_set = os.environ.get("SHOAL_INSTRUCTION_SET") or available_instruction_sets()[-1]
_native: Any = load(instruction_set)

column_moments: Callable[..., None] = _native.column_moments
column_moments_csr: Callable[..., None] = _native.column_moments_csr
column_range: Callable[..., int] = _native.column_range
column_range_csr: Callable[..., int] = _native.column_range_csr
has_canonical_rows: Callable[..., bool] = _native.has_canonical_rows
copy_columns: Callable[..., None] = _native.copy_columns
copy_rows: Callable[..., None] = _native.copy_rows
philox: Callable[..., None] = _native.philox
philox_rows: Callable[..., None] = _native.philox_rows
sum_moved_rows: Callable[..., int] = _native.sum_moved_rows
sum_moved_rows_csr: Callable[..., int] = _native.sum_moved_rows_csr
sum_values: Callable[..., None] = _native.sum_values
count_labels: Callable[..., bool] = _native.count_labels
label_values: Callable[..., bool] = _native.label_values
gram: Callable[..., None] = _native.gram
gram_csr: Callable[..., None] = _native.gram_csr
assign: Callable[..., None] = _native.assign
assign_and_sum: Callable[..., tuple[int, int]] = _native.assign_and_sum
assign_bounded: Callable[..., int] = _native.assign_bounded
assign_csr: Callable[..., None] = _native.assign_csr
pairwise_min_separation: Callable[..., NDArray[np.float64]] = _native.pairwise_min_separation
own_distances: Callable[..., None] = _native.own_distances
own_distances_csr: Callable[..., None] = _native.own_distances_csr
squared_distances: Callable[..., None] = _native.squared_distances
exp: Callable[..., None] = _native.exp
linear_gradient: Callable[..., None] = _native.linear_gradient
linear_gradient_csr: Callable[..., None] = _native.linear_gradient_csr
linear_predict: Callable[..., None] = _native.linear_predict
linear_predict_csr: Callable[..., None] = _native.linear_predict_csr
log: Callable[..., None] = _native.log
log1p: Callable[..., None] = _native.log1p
loss_terms: Callable[..., None] = _native.loss_terms
sgd: Callable[..., None] = _native.sgd
sgd_csr: Callable[..., None] = _native.sgd_csr
shuffled_rows: Callable[..., None] = _native.shuffled_rows
nearest_rows: Callable[..., None] = _native.nearest_rows
rows_within: Callable[..., tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = (
    _native.rows_within
)

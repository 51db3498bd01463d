"""What all models that spread something on a graph of rows share."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from numbers import Real
from os import PathLike
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning

from shoal._typing import Float64Array, Matrix
from shoal._validation import check_choice, check_number
from shoal.data.block import Block
from shoal.data.dataset import Dataset
from shoal.data.files import check_apart
from shoal.data.open import open_dataset
from shoal.data.validation import predict_dataset
from shoal.exceptions import ParameterError
from shoal.neighbors.database import query_batches
from shoal.semi_supervised.affinity import (
    Affinity,
    Kernel,
    KernelAffinity,
    NeighborAffinity,
    require_all,
    require_memory,
)
from shoal.solvers.diffusion import Diffusion, DiffusionState, arrivals
from shoal.solvers.driver import run
from shoal.solvers.fitting import passes_over
from shoal.solvers.solver import Status


class GraphModel(CallbackSupportMixin, BaseEstimator, ABC):
    """An estimator whose rows are the nodes of a graph."""

    kernel: Kernel
    gamma: float
    n_neighbors: int
    max_iter: int
    tol: float
    X_: Any

    @abstractmethod
    def _shown(self, state: DiffusionState) -> dict[str, Any]:
        """The fitted attributes of a model that ended at `state`."""

    def _diffuse(
        self,
        dataset: Dataset,
        start: Float64Array,
        normalise: Callable[[Any], Any],
        settle: Callable[[Float64Array], Float64Array],
        X: Any,
        y: Any,
    ) -> None:
        """Let `start` spread among the rows, and set the fitted attributes."""
        if self.kernel == "rbf":
            require_memory(dataset.n_rows)
        rows = dataset.with_target(None)
        self.X_ = in_memory(rows) if self._is_held(rows) else rows
        self._affinity = self._built()
        with passes_over(rows, self, X, y, max_iter=self.max_iter) as (fold, progress):
            graph = normalise(self._affinity.among_rows())
            solver = Diffusion(graph, start, settle, self.max_iter, self.tol)
            state, status, _ = run(solver, fold, progress=progress, attributes=self._shown)
        self.__dict__.update(self._shown(state))
        if status is Status.MAX_ITER:
            warnings.warn(
                f"max_iter={self.max_iter} was reached without convergence: values still change "
                f"by {state.change:.3g} a step, in sum, and tol={self.tol}. Raise one of them.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _averages(
        self, X: Any, values: Float64Array, out: str | PathLike[str] | None = None
    ) -> tuple[int, Iterator[tuple[Block, Float64Array]]]:
        """How many queries there are, and sums of `values` by their weights, batch by batch.

        FileError where `out`, for what is found, is a file of theirs or of the fit.
        """
        dataset = predict_dataset(self, X)
        if out is not None:
            check_apart(out, dataset.files | open_dataset(self.X_).files)
        if not hasattr(self, "_affinity"):
            self._affinity = self._built()
        batches = query_batches(dataset, self._affinity.query_bytes)
        weights = self._affinity.to
        return dataset.n_rows, ((block, arrivals(weights(block.X), values)) for block in batches)

    def _built(self) -> Affinity:
        """How alike the rows of X_ are."""
        if self.kernel == "knn":
            return NeighborAffinity.of(open_dataset(self.X_), self.n_neighbors)
        if self.kernel == "rbf":
            return KernelAffinity.rbf(self.X_, self.gamma)
        assert callable(self.kernel)
        return KernelAffinity(self.X_, self.kernel)

    def _is_held(self, rows: Dataset) -> bool:
        return self.kernel != "knn" or rows.source.in_process

    def _check_parameters(self) -> None:
        if not callable(self.kernel):
            check_choice(self, "kernel", ("knn", "rbf"))
        check_number(self, "gamma", 0)
        check_number(self, "n_neighbors", 1, integer=True)
        check_number(self, "max_iter", 1, integer=True)
        check_number(self, "tol", 0)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        # An index is a second copy of the rows, and is made of them again when it is asked for.
        state = super().__getstate__()
        state.pop("_affinity", None)
        return dict(state)


def spread(alpha: float, start: Float64Array) -> Callable[[Float64Array], Float64Array]:
    r"""What has come in, and a share of what was there at the start: one step of Zhou et al."""
    return partial(_add, alpha, (1 - alpha) * start)


def check_alpha(estimator: Any) -> None:
    """Raise ParameterError unless ``alpha`` lies between 0 and 1."""
    alpha = estimator.alpha
    is_number = isinstance(alpha, Real) and not isinstance(alpha, bool)
    if not is_number or not 0 < float(alpha) < 1:
        raise ParameterError(
            f"The 'alpha' parameter of {type(estimator).__name__} must be a float in the range "
            f"(0, 1). Got {alpha!r} instead."
        )


def in_memory(rows: Dataset) -> Matrix:
    """All rows of a dataset as one C-contiguous array, or CSR array."""
    blocks = [block.X for cell in rows.cells for block in rows.read(cell, cell.n_rows)]
    require_all(sum(block.shape[0] for block in blocks), rows.n_rows)
    if rows.source.is_sparse:
        return sparse.csr_array(sparse.vstack(blocks, format="csr"))
    return np.ascontiguousarray(np.concatenate(blocks))


def _add(alpha: float, fixed: Float64Array, arrived: Float64Array) -> Float64Array:
    arrived *= alpha
    arrived += fixed
    return arrived

"""Values that spread along the edges of a graph."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from shoal._typing import Float64Array
from shoal.solvers.solver import Fold, Solver, SolverState, Status


@dataclass(frozen=True, slots=True)
class DiffusionState(SolverState):
    """Where a diffusion is.

    Attributes
    ----------
    values : ndarray of shape (n_nodes, n_values), float64
    change : float
        Sum of the magnitudes of all changes in the last step.
    """

    values: Float64Array
    change: float


@dataclass(frozen=True, slots=True, eq=False)
class Diffusion(Solver[DiffusionState]):
    r"""Repeats :math:`F \leftarrow g(S F)` until F changes little.

    The product adds the terms of each node in the order of its edges, on one thread, so that
    values are the same to the last bit wherever the graph was made.

    Parameters
    ----------
    graph : scipy.sparse.csr_array or ndarray of shape (n_nodes, n_nodes), float64
        S.
    start : ndarray of shape (n_nodes, n_values), float64
        The first F.
    settle : callable
        g: what becomes of the values that have come in, of shape (n_nodes, n_values), which it
        may change.
    max_iter : int
    tol : float
        Ends once the sum of the magnitudes of all changes is below this.
    """

    graph: Any
    start: Float64Array
    settle: Callable[[Float64Array], Float64Array]
    max_iter: int
    tol: float

    def init(self, fold: Fold) -> DiffusionState:
        return DiffusionState(0, None, self.start, float(np.abs(self.start).sum()))

    def step(self, state: DiffusionState, fold: Fold) -> DiffusionState:
        values = self.settle(arrivals(self.graph, state.values))
        change = float(np.abs(values - state.values).sum())
        return DiffusionState(state.n_iter + 1, None, values, change)

    def terminate(self, state: DiffusionState) -> Status | None:
        if state.change < self.tol:
            return Status.CONVERGED
        return Status.MAX_ITER if state.n_iter >= self.max_iter else None


def arrivals(weights: Any, values: Float64Array) -> Float64Array:
    """The sum of `values` by the weights of each row, shape (n_rows, n_values).

    `weights` is a CSR array, or an ndarray, of shape (n_rows, n_nodes).
    """
    # Of a dense matrix, more threads would add products in another order.
    with threadpool_limits(1) if isinstance(weights, np.ndarray) else nullcontext():
        found: Float64Array = weights @ values
    return found

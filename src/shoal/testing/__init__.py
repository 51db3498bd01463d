"""Conformance suites: to implement a seam is to pass its suite."""

from shoal.testing.engine import check_engine
from shoal.testing.index import check_index
from shoal.testing.loss import check_loss
from shoal.testing.objective import check_objective
from shoal.testing.solver import check_solver
from shoal.testing.source import check_source
from shoal.testing.statistic import check_statistic

__all__ = [
    "check_engine",
    "check_index",
    "check_loss",
    "check_objective",
    "check_solver",
    "check_source",
    "check_statistic",
]

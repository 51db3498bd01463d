"""Conformance suites: to implement a seam is to pass its suite."""

from shoal.testing.engine import check_engine
from shoal.testing.solver import check_solver
from shoal.testing.source import check_source
from shoal.testing.statistic import check_statistic

__all__ = ["check_engine", "check_solver", "check_source", "check_statistic"]

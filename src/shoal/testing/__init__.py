"""Conformance suites: to implement a seam is to pass its suite."""

from shoal.testing.source import check_source

__all__ = ["check_source"]

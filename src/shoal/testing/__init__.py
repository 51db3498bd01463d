"""Conformance suites: to implement a seam is to pass its suite."""

"""Mergeable summaries of rows, exact in any order."""

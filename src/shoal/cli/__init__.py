"""The command line: ``shoal info``, ``shoal fit kmeans``, ``shoal predict``."""

from shoal.cli.command import main

__all__ = ["main"]

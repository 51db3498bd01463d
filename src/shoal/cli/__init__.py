"""The command line: ``shoal info``, ``shoal fit``, ``shoal predict``, ``shoal neighbors``."""

from shoal.cli.command import main

__all__ = ["main"]

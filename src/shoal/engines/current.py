"""Which engine estimators use."""

from shoal.engines.engine import Engine, current
from shoal.engines.local import LocalEngine


def current_engine() -> Engine:
    """The engine of the innermost ``with engine:``, or a new `LocalEngine` with its defaults."""
    return current.get() or LocalEngine()

"""Which engine estimators use."""

from shoal.engines.engine import Engine, entered
from shoal.engines.local import LocalEngine


def current_engine() -> Engine:
    """The engine of the innermost ``with engine:``, or a new `LocalEngine` with its defaults.

    Returns
    -------
    Engine

    Examples
    --------
    >>> from shoal import LocalEngine, current_engine
    >>> with LocalEngine(n_threads=1) as engine:
    ...     current_engine() is engine
    True
    >>> current_engine() is engine
    False
    """
    engines = entered.get()
    return engines[-1] if engines else LocalEngine()

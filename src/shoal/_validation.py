"""Checks of parameters, in scikit-learn's words."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from shoal.exceptions import ParameterError


def check_choice(estimator: Any, name: str, choices: Sequence[str]) -> None:
    """Raise ParameterError unless the parameter `name` is one of `choices`."""
    value = getattr(estimator, name)
    if value not in choices:
        listed = ", ".join(map(repr, choices))
        raise ParameterError(
            f"The {name!r} parameter of {type(estimator).__name__} must be one of {listed}. "
            f"Got {value!r} instead."
        )


def check_number(
    estimator: Any,
    name: str,
    least: float,
    most: float = np.inf,
    *,
    integer: bool = False,
    optional: bool = False,
) -> None:
    """Raise ParameterError unless the parameter `name` lies in [`least`, `most`]."""
    value = getattr(estimator, name)
    if optional and value is None:
        return
    word = "an int" if integer else "a float"
    message = (
        f"The {name!r} parameter of {type(estimator).__name__} must be {word} in the range "
        f"[{least}, {most}{']' if most < np.inf else ')'}. Got {value!r} instead."
    )
    is_number = isinstance(value, Integral if integer else Real) and not isinstance(value, bool)
    if not is_number or not least <= float(value) <= most:
        raise ParameterError(message)

"""How far to go along a direction of descent."""

from collections.abc import Callable

import numpy as np

from shoal.solvers.linear_algebra import norm
from shoal.solvers.objective import Evaluation

#: The least part of the decrease that the slope promises (Armijo).
SUFFICIENT = 1e-4
#: Tries after which the function is taken to be flat to rounding.
MOST_TRIALS = 40
#: Values closer than this, relative to their size, are told apart by their gradients.
VALUE_ROUNDING = 1e-14


def backtrack(
    evaluate: Callable[[float], Evaluation], start: Evaluation, slope: float
) -> tuple[float, Evaluation] | None:
    """The first step among 1 and ever shorter ones with a sufficient decrease.

    Where values differ by no more than rounding, a step is good if the gradient is shorter at its
    end: so a search close to the minimum does not end in noise. Each step tried is one
    evaluation; most searches take one (`docs/decisions/0012-line-search.md`).

    Parameters
    ----------
    evaluate : callable
        The function at a step.
    start : Evaluation
        The function at step 0.
    slope : float
        The directional derivative there, below 0.

    Returns
    -------
    step, evaluation : float, Evaluation
        Or None, if no step makes the function smaller.

    References
    ----------
    J. Nocedal and S. Wright, "Numerical Optimization", 2nd ed., section 3.5.
    """
    step = 1.0
    for _ in range(MOST_TRIALS):
        trial = evaluate(step)
        if _is_lower(trial, start, SUFFICIENT * step * slope):
            return step, trial
        step = _shorter(step, trial.value - start.value, slope)
    return None


def _is_lower(trial: Evaluation, start: Evaluation, decrease: float) -> bool:
    change = trial.value - start.value
    if abs(change) <= VALUE_ROUNDING * abs(start.value):
        return norm(trial.gradient) < norm(start.gradient)
    return change <= decrease


def _shorter(step: float, rise: float, slope: float) -> float:
    """Where the parabola through what is known has its minimum, within a tenth and a half."""
    bend = rise - slope * step
    # A fall within rounding, whose gradients were no smaller, may bend the parabola down.
    if not np.isfinite(rise) or bend <= 0:
        return step / 10
    least = -slope * step**2 / (2 * bend)
    return float(np.clip(least, step / 10, step / 2))

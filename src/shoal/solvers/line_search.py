"""How far to go along a direction of descent."""

from collections.abc import Callable

import numpy as np

from shoal.solvers.objective import Evaluation

#: The least part of the decrease that the slope promises (Armijo).
SUFFICIENT = 1e-4
#: Tries after which the function is taken to be flat to rounding.
MOST_TRIALS = 40
#: Values closer than this, relative to their size, are told apart by their slopes.
VALUE_ROUNDING = 1e-14


def backtrack(
    evaluate: Callable[[float], Evaluation],
    slope_of: Callable[[Evaluation], float],
    start: Evaluation,
    slope: float,
) -> tuple[float, Evaluation] | None:
    """The first step among 1 and ever shorter ones with a sufficient decrease.

    Where values differ by no more than rounding, a step is good if the function rises no steeper
    at its end than it fell at the start ("approximate Wolfe"): so a search close to the minimum
    does not end in noise. Each step tried is one evaluation; most searches take one.

    Parameters
    ----------
    evaluate : callable
        The function at a step.
    slope_of : callable
        The directional derivative at an evaluation.
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
    W. W. Hager and H. Zhang, "A new conjugate gradient method with guaranteed descent and an
    efficient line search", SIAM J. Optim. 16 (2005), eq. (4.1).
    """
    step = 1.0
    for _ in range(MOST_TRIALS):
        trial = evaluate(step)
        if trial.value <= start.value + SUFFICIENT * step * slope:
            return step, trial
        is_close = trial.value <= start.value + VALUE_ROUNDING * abs(start.value)
        if is_close and abs(slope_of(trial)) <= (1 - 2 * SUFFICIENT) * abs(slope):
            return step, trial
        step = _shorter(step, trial.value - start.value, slope)
    return None


def _shorter(step: float, rise: float, slope: float) -> float:
    """Where the parabola through what is known has its minimum, within a tenth and a half."""
    if not np.isfinite(rise):
        return step / 10
    least = -slope * step**2 / (2 * (rise - slope * step))
    return float(np.clip(least, step / 10, step / 2))

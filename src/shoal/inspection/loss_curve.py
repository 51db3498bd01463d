"""How the loss of an iterative fit went down."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from shoal._typing import Float64Array
from shoal.inspection.axes import COLORS, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True, eq=False)
class LossCurve:
    """Loss by iteration.

    Attributes
    ----------
    loss : ndarray of shape (n_iter,), float64
        Loss before each iteration.
    """

    loss: Float64Array

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw the loss over the iterations, on `ax` or a new figure. Needs matplotlib."""
        ax = axes_or_new(ax)
        ax.plot(np.arange(1, len(self.loss) + 1), self.loss, ".-", color=COLORS[0])
        ax.locator_params("x", integer=True)
        ax.set(xlabel="Iteration", ylabel="Loss")
        return ax


def loss_curve(model: Any) -> LossCurve:
    """The loss of each iteration of a fit.

    Parameters
    ----------
    model : estimator
        Fitted, with ``loss_curve_``.

    Returns
    -------
    LossCurve

    Raises
    ------
    NotFittedError

    Examples
    --------
    >>> from shoal.cluster import KMeans
    >>> from shoal.inspection import loss_curve
    >>> model = KMeans(2, init=[[0.0], [1.0]]).fit([[0.0], [1.0], [10.0], [11.0]])
    >>> loss_curve(model).loss.round(1)
    array([181. ,  21.6,   1. ])
    """
    check_is_fitted(model, "loss_curve_")
    return LossCurve(np.asarray(model.loss_curve_, dtype=np.float64))

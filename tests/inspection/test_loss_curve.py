"""The loss of a fit, drawn."""

import pytest
from sklearn.exceptions import NotFittedError

from shoal.cluster import KMeans
from shoal.inspection import loss_curve


def test_it_is_the_models(X):
    model = KMeans(5, init="random", n_init=1, random_state=0).fit(X)
    curve = loss_curve(model)
    assert curve.loss.tolist() == model.loss_curve_
    ax = curve.plot()
    (line,) = ax.lines
    assert line.get_xdata().tolist() == list(range(1, model.n_iter_ + 1))
    assert line.get_ydata().tolist() == model.loss_curve_


def test_before_fit():
    with pytest.raises(NotFittedError):
        loss_curve(KMeans())

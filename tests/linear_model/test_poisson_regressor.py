"""Poisson regression against scikit-learn's."""

import numpy as np
import pytest
import sklearn.linear_model
from tests.linear_model.glm import assert_equals_scikit_learns, diabetes
from tests.linear_model.models import weights

from shoal.exceptions import DataError
from shoal.linear_model import PoissonRegressor


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_scikit_learns(alpha, weighted):
    weight = weights(len(diabetes()[0])) if weighted else None
    model = PoissonRegressor(alpha=alpha, tol=1e-8, max_iter=1000)
    assert_equals_scikit_learns(model, sklearn.linear_model.PoissonRegressor(alpha=alpha), weight)


def test_targets_out_of_the_domain():
    X, y = diabetes()
    with pytest.raises(DataError, match="needs targets"):
        PoissonRegressor().fit(X, np.where(y > 100, y, -1.0))

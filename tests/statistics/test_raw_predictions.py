"""Raw predictions of blocks against matrix products."""

import numpy as np
import pytest
from tests.statistics.rows import FORMS, blobs, blocks, forms

from shoal.statistics.raw_predictions import raw_predictions


@pytest.mark.parametrize("form", FORMS)
def test_is_the_product(form):
    X = blobs()
    coef, intercept = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, 1e3]]), np.array([0.25, -1.0])
    found = [raw_predictions(block, coef, intercept) for block in blocks(forms(X)[form])]
    np.testing.assert_allclose(np.vstack(found), X @ coef.T + intercept, rtol=1e-12, atol=1e-9)

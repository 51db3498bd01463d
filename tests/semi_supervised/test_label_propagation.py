"""Label propagation against its closed form."""

import numpy as np
from tests.semi_supervised.rows import blobs

from shoal.neighbors import NearestNeighbors
from shoal.semi_supervised import LabelPropagation


def test_is_harmonic():
    """Zhu and Ghahramani, section 2: F_u = (I - T_uu)^-1 T_ul Y_l."""
    X, _, y = blobs(150, share=0.3, apart=1.0)
    model = LabelPropagation(n_neighbors=9, tol=1e-13, max_iter=100_000).fit(X, y)
    T = NearestNeighbors(n_neighbors=9).fit(X).kneighbors_graph(X).toarray() / 9
    known = y >= 0
    Y = np.eye(3)[y[known]]
    inner = np.eye((~known).sum()) - T[np.ix_(~known, ~known)]
    expected = np.linalg.solve(inner, T[np.ix_(~known, known)] @ Y)
    assert (expected.max(axis=1) < 0.99).sum() > 50
    np.testing.assert_allclose(model.label_distributions_[~known], expected, atol=1e-9)
    np.testing.assert_array_equal(model.label_distributions_[known], Y)
    np.testing.assert_array_equal(model.transduction_[known], y[known])

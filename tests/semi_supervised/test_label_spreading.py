"""Label spreading against its closed form."""

import numpy as np
import pytest
from tests.semi_supervised.rows import blobs

from shoal.neighbors import NearestNeighbors
from shoal.semi_supervised import LabelSpreading


@pytest.mark.parametrize("alpha", [0.2, 0.95])
def test_limit(alpha):
    """Zhou et al., equation 4: F = (1 - alpha) (I - alpha S)^-1 Y."""
    X, _, y = blobs(150, apart=1.0)
    model = LabelSpreading(n_neighbors=9, alpha=alpha, tol=1e-13, max_iter=10_000).fit(X, y)
    W = NearestNeighbors(n_neighbors=9).fit(X).kneighbors_graph(X).toarray()
    np.fill_diagonal(W, 0)
    degrees = W.sum(axis=0)
    degrees[degrees == 0] = 1
    S = W / np.sqrt(np.outer(degrees, degrees))
    F = np.linalg.solve(np.eye(150) - alpha * S, np.eye(3)[y] * (y >= 0)[:, None])
    total = F.sum(axis=1, keepdims=True)
    expected = F / np.where(total > 0, total, 1)
    assert (expected.max(axis=1) < 0.99).sum() > 50
    np.testing.assert_allclose(model.label_distributions_, expected, atol=1e-9)


def test_labels_may_give_way():
    X, truth, _ = blobs(300)
    wrong = np.where(np.arange(300) % 20 == 7, (truth + 1) % 3, truth)
    firm = LabelSpreading(alpha=0.05).fit(X, wrong).transduction_
    soft = LabelSpreading(alpha=0.8, max_iter=200).fit(X, wrong).transduction_
    np.testing.assert_array_equal(firm, wrong)
    assert (soft == truth).sum() > (wrong == truth).sum()

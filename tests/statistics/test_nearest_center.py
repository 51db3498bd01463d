"""Nearest centres against exact arithmetic; the kernels have tests of their own."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from tests.statistics.rows import blobs

from shoal.statistics.nearest_center import nearest_center

FORMS = {"C": np.ascontiguousarray, "Fortran": np.asfortranarray, "CSR": sparse.csr_array}


def exact_distances(X, centers):
    rows, others = [
        [list(map(Fraction, row)) for row in np.asarray(values, dtype=np.float64).tolist()]
        for values in (X, centers)
    ]
    return [[sum((a - b) ** 2 for a, b in zip(x, c, strict=True)) for c in others] for x in rows]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("offset", [0, 1e6])
def test_is_the_exact_nearest(form, dtype, offset):
    X = blobs(60, 3, dtype, offset=offset)
    centers = X[::12].copy()
    labels, distances = nearest_center(FORMS[form](X), centers, X.mean(axis=0, dtype=np.float64))
    exact = exact_distances(X, centers)
    np.testing.assert_array_equal(labels, [row.index(min(row)) for row in exact])
    np.testing.assert_allclose(distances, [float(min(row)) for row in exact], rtol=1e-14)
    assert (labels.dtype, distances.dtype) == (np.int32, np.float64)


@pytest.mark.parametrize("form", FORMS)
def test_ties_go_to_the_lowest_label(form):
    X = np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 0.0]])
    centers = np.array([[1.0, 1], [-1, 1], [1, -1], [-1, -1], [1, 1]])
    labels, _ = nearest_center(FORMS[form](X), centers, np.zeros(2))
    np.testing.assert_array_equal(labels, [0, 0, 0])


@given(
    st.lists(
        st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.integers(-3, 3)),
        min_size=2,
        max_size=40,
    ),
    st.integers(1, 12),
    st.sampled_from([np.float32, np.float64]),
    st.integers(-(2**20), 2**20),
)
def test_any_lattice_with_its_ties(rows, n_centers, dtype, offset):
    # Whole numbers below 2**24 are exact in float32, so that ties are ties.
    X = (np.array(rows) + offset).astype(dtype)
    centers = np.ascontiguousarray(X[:n_centers] + dtype(1))
    expected = ((X[:, None].astype(np.int64) - centers.astype(np.int64)) ** 2).sum(axis=2)
    for form in FORMS.values():
        labels, distances = nearest_center(form(X), centers, np.full(3, float(offset)))
        np.testing.assert_array_equal(labels, expected.argmin(axis=1))
        np.testing.assert_array_equal(distances, expected.min(axis=1))

"""The multinomial log loss against its definition, scikit-learn and the binary log loss."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from shoal import _kernels
from shoal.exceptions import DataError
from shoal.losses import HalfBinomial, HalfMultinomial

LOSS = HalfMultinomial()


def points(n=500, n_classes=4, spread=5.0):
    generator = np.random.default_rng(0)
    return generator.integers(0, n_classes, n), generator.normal(0, spread, (n, n_classes))


def definition(y, raw):
    raw = raw.astype(np.longdouble)
    largest = raw.max(axis=1, keepdims=True)
    total = np.log(np.exp(raw - largest).sum(axis=1)) + largest[:, 0]
    return total - raw[np.arange(len(y)), y]


@pytest.mark.parametrize("n_classes", [2, 3, 17])
def test_values_and_gradients_are_those_of_the_definition(n_classes):
    y, raw = points(n_classes=n_classes)
    assert LOSS.value(y, raw) == pytest.approx(definition(y, raw).astype(float), rel=1e-13)
    gradient = LOSS.gradient(y, raw)
    step = np.longdouble(1e-6)
    for k in range(n_classes):
        move = step * np.eye(n_classes)[k]
        difference = (definition(y, raw + move) - definition(y, raw - move)) / (2 * step)
        assert np.abs(gradient[:, k] - difference).max() < 1e-9


def test_mean_is_scikit_learns_log_loss():
    y, raw = points(spread=2.0)
    assert LOSS.value(y, raw).mean() == pytest.approx(log_loss(y, LOSS.inverse_link(raw)))


def test_gradients_and_probabilities_sum_to_what_they_must():
    y, raw = points()
    probability = LOSS.inverse_link(raw)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    np.testing.assert_allclose(LOSS.gradient(y, raw), probability - np.eye(4)[y], atol=1e-15)
    np.testing.assert_allclose(LOSS.hessian(y, raw), probability * (1 - probability), atol=1e-15)
    assert LOSS.hessian(y, raw).max() <= LOSS.curvature_bound
    assert np.abs(LOSS.gradient(y, raw)).max() <= LOSS.gradient_bound


def test_two_classes_are_the_binary_log_loss():
    y, raw = points(n_classes=2)
    binary = HalfBinomial()
    difference = raw[:, 1] - raw[:, 0]
    np.testing.assert_allclose(LOSS.value(y, raw), binary.value(y, difference), atol=1e-14)
    np.testing.assert_allclose(
        LOSS.gradient(y, raw)[:, 1], binary.gradient(y, difference), atol=1e-14
    )


def test_far_predictions_stay_finite():
    y = np.array([0, 1, 2])
    raw = np.array([[1e3, -1e3, 0], [1e3, -1e3, 0], [-1e3, -1e3, 1e3]])
    np.testing.assert_allclose(LOSS.value(y, raw), [0, 2e3, 0], atol=1e-15)
    np.testing.assert_allclose(LOSS.gradient(y, raw), [[0, 0, 0], [1, -1, 0], [0, 0, 0]])


def test_every_build_gives_the_same_bits():
    y, raw = points(301, 5)
    found = []
    for build in _kernels.available_instruction_sets():
        terms = np.empty(301), np.empty((301, 5)), np.empty((301, 5))
        _kernels.load(build).loss_terms(*LOSS.kernel, y.astype(float), raw, *terms)
        found.append([term.tobytes() for term in terms])
    assert all(terms == found[0] for terms in found)


def test_targets_that_are_no_class_numbers_are_refused():
    LOSS.check_target(np.array([0.0, 3.0]))
    for bad in ([0.5], [-1.0]):
        with pytest.raises(DataError, match="class numbers"):
            LOSS.check_target(np.array(bad))


def test_one_raw_prediction_a_row_is_refused():
    with pytest.raises(DataError, match="n_classes"):
        LOSS.value([0, 1], [0.0, 1.0])

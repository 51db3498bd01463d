"""`check_objective` passes what solvers minimise, and finds what is wrong with others."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from tests.linear_model.losses import dataset, fold_over, summary
from tests.solvers.objectives import Quadratic, counted, logistic, parabola

from shoal.linear_model.coordinates import Coordinates
from shoal.linear_model.linear_objective import LinearObjective
from shoal.linear_model.row_loss import RowLoss
from shoal.losses import HalfPoisson, HalfSquaredError, Huber
from shoal.penalties import L1, L2
from shoal.solvers.objective import Evaluation
from shoal.testing import check_objective


def some_points(n_parameters, n_points=4, size=1.0):
    return size * np.random.default_rng(3).normal(size=(n_points, n_parameters))


@pytest.mark.parametrize("l1", [0.0, 0.7])
@pytest.mark.parametrize("make", [parabola, logistic])
def test_small_objectives_pass(make, l1):
    objective = make(l1=l1)
    check_objective(objective, counted(), some_points(6 if make is logistic else 5))


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("loss", [HalfSquaredError(), HalfPoisson(), Huber(1.5)])
def test_a_penalised_linear_model_passes(loss, positive):
    some = dataset()
    found = summary(some)
    curvature = np.array([[1.0, 4.0, 0.25, 9.0]])
    coordinates = Coordinates.of_curvature(found.shift, curvature, np.ones(1), True)
    objective = LinearObjective(RowLoss(loss, found), L2(0.5), L1(0.3), coordinates, positive)
    check_objective(objective, fold_over(some), some_points(5, size=0.1), rtol=1e-7)


@dataclass(frozen=True)
class Wrong(Quadratic):
    """A parabola of which one answer is replaced."""

    def evaluate(self, parameters, fold):
        return self.spoilt(super().evaluate(parameters, fold), parameters)

    def spoilt(self, found, parameters):
        return found


class HalfTheGradient(Wrong):
    def spoilt(self, found, parameters):
        return replace(found, gradient=found.gradient / 2)


class Concave(Wrong):
    def spoilt(self, found, parameters):
        return replace(found, value=-found.value, gradient=-found.gradient)


class NeverTheSame(Wrong):
    def spoilt(self, found, parameters):
        return replace(found, value=np.random.default_rng().normal())


class Moves(Wrong):
    def spoilt(self, found, parameters):
        parameters += 1.0
        return found


class NoHessian(Wrong):
    def evaluate_hessian(self, parameters, fold):
        return self.evaluate(parameters, fold)


class DoubleHessian(Wrong):
    def evaluate_hessian(self, parameters, fold):
        return Evaluation(0.0, parameters, 2 * self.A)


class LopsidedHessian(Wrong):
    def evaluate_hessian(self, parameters, fold):
        return Evaluation(0.0, parameters, self.A + np.triu(np.ones_like(self.A), 1))


class SaddleBySample(Wrong):
    def sampled_hessian(self, parameters, fold):
        return self.A - 5 * np.eye(len(self.A))


class LongStep(Wrong):
    def prox(self, parameters, step):
        return super().prox(parameters, 2 * step)


class NoStep(Wrong):
    def prox(self, parameters, step):
        return parameters


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (HalfTheGradient, "less than its tangent"),
        (Concave, "less than its tangent"),
        (NeverTheSame, "another value"),
        (Moves, "changes the parameters"),
        (NoHessian, "gives no Hessian"),
        (DoubleHessian, "does not tell how gradients change"),
        (LopsidedHessian, "the Hessian is not symmetric"),
        (SaddleBySample, "the sampled Hessian has negative curvature"),
        (LongStep, "a better proximal step"),
        (NoStep, "a better proximal step"),
    ],
)
def test_what_is_wrong_is_found(kind, message):
    good = parabola(l1=0.7)
    check_objective(Wrong(good.A, good.c, good.l1), counted(), some_points(5))
    with pytest.raises(AssertionError, match=message):
        check_objective(kind(good.A, good.c, good.l1), counted(), some_points(5))

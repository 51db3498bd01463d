"""Small objectives for tests, in NumPy: a parabola and a logistic regression."""

from dataclasses import dataclass

import numpy as np

from shoal.solvers.objective import Evaluation, Objective


def soft(w, threshold):
    return np.sign(w) * np.maximum(np.abs(w) - threshold, 0)


def counted(passes=None):
    """A pass over no data: calls the function it is given, and counts."""

    def fold(function):
        if passes is not None:
            passes.append(1)
        return function()

    return fold


@dataclass(frozen=True)
class Quadratic(Objective):
    """``w'Aw / 2 - c'w + l1 |w|_1``."""

    A: np.ndarray
    c: np.ndarray
    l1: float = 0.0

    def evaluate(self, parameters, fold):
        def smooth():
            slope = self.A @ parameters - self.c
            return Evaluation(float(parameters @ (slope - self.c)) / 2, slope)

        return fold(smooth)

    def evaluate_hessian(self, parameters, fold):
        found = self.evaluate(parameters, fold)
        return Evaluation(found.value, found.gradient, self.A)

    def penalty_value(self, parameters):
        return self.l1 * float(np.abs(parameters).sum())

    def prox(self, parameters, step):
        return soft(parameters, step * self.l1)


@dataclass(frozen=True)
class Logistic(Objective):
    """Mean log loss of labels 0 and 1, with ``alpha |w|^2 / 2 + l1 |w|_1``."""

    X: np.ndarray
    y: np.ndarray
    alpha: float = 0.0
    l1: float = 0.0

    def evaluate(self, parameters, fold):
        found = self.evaluate_hessian(parameters, fold)
        return Evaluation(found.value, found.gradient)

    def evaluate_hessian(self, parameters, fold):
        def smooth():
            raw, n_rows = self.X @ parameters, len(self.X)
            probability = 1 / (1 + np.exp(-raw))
            value = (np.logaddexp(0, raw) - self.y * raw).mean()
            gradient = self.X.T @ (probability - self.y) / n_rows
            curvature = probability * (1 - probability) / n_rows
            return Evaluation(
                float(value + self.alpha * parameters @ parameters / 2),
                gradient + self.alpha * parameters,
                self.X.T @ (curvature[:, None] * self.X) + self.alpha * np.eye(len(parameters)),
            )

        return fold(smooth)

    def penalty_value(self, parameters):
        return self.l1 * float(np.abs(parameters).sum())

    def prox(self, parameters, step):
        return soft(parameters, step * self.l1)


def parabola(n_parameters=5, l1=0.0, condition=20.0, seed=0):
    """A parabola whose curvatures are spread evenly from 1 to `condition`."""
    generator = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(generator.normal(size=(n_parameters, n_parameters)))
    A = (Q * np.linspace(1, condition, n_parameters)) @ Q.T
    return Quadratic((A + A.T) / 2, 10 * generator.normal(size=n_parameters), l1)


def logistic(n_rows=300, n_features=6, alpha=1e-3, l1=0.0, seed=0):
    """A logistic regression on overlapping classes, with columns of a variance near 4.

    So the Hessian at the start has a diagonal near one.
    """
    generator = np.random.default_rng(seed)
    X = 2 * generator.normal(size=(n_rows, n_features))
    chance = 1 / (1 + np.exp(-X @ generator.normal(size=n_features)))
    return Logistic(X, (generator.random(n_rows) < chance).astype(float), alpha, l1)

"""Losses by definition, in extended precision, and points to compare them at."""

import numpy as np

from shoal import losses


def binary_log_loss(y, raw):
    return np.maximum(raw, 0) - y * raw + np.log1p(np.exp(-np.abs(raw)))


def huber(y, raw, epsilon):
    error = np.abs(raw - y)
    return np.where(error <= epsilon, error**2 / 2, epsilon * (error - epsilon / 2))


def quantile(y, raw, q):
    return np.where(y >= raw, q * (y - raw), (1 - q) * (raw - y))


def tweedie(y, raw, p):
    return np.exp((2 - p) * raw) / (2 - p) - y * np.exp((1 - p) * raw) / (1 - p)


def modified_huber(y, raw):
    margin = y * raw
    return np.where(margin >= -1, np.maximum(0, 1 - margin) ** 2, -4 * margin)


#: Each loss, its definition and its kind of target.
LOSSES = {
    "squared": (losses.HalfSquaredError(), lambda y, r: (r - y) ** 2 / 2, "real"),
    "huber": (losses.Huber(0.7), lambda y, r: huber(y, r, np.longdouble(0.7)), "real"),
    "epsilon": (
        losses.EpsilonInsensitive(0.25),
        lambda y, r: np.maximum(0, np.abs(r - y) - 0.25),
        "real",
    ),
    "squared epsilon": (
        losses.SquaredEpsilonInsensitive(0.25),
        lambda y, r: np.maximum(0, np.abs(r - y) - 0.25) ** 2,
        "real",
    ),
    "quantile": (losses.Quantile(0.75), lambda y, r: quantile(y, r, 0.75), "real"),
    "poisson": (losses.HalfPoisson(), lambda y, r: np.exp(r) - y * r, "positive"),
    "gamma": (losses.HalfGamma(), lambda y, r: r + y * np.exp(-r), "positive"),
    "tweedie 1.5": (losses.HalfTweedie(1.5), lambda y, r: tweedie(y, r, 1.5), "positive"),
    "tweedie 3": (losses.HalfTweedie(3.0), lambda y, r: tweedie(y, r, 3.0), "positive"),
    "tweedie -1": (losses.HalfTweedie(-1.0), lambda y, r: tweedie(y, r, -1.0), "real"),
    "tweedie 0": (losses.HalfTweedie(0), lambda y, r: (np.exp(r) - y) ** 2 / 2, "real"),
    "tweedie 1": (losses.HalfTweedie(1), lambda y, r: np.exp(r) - y * r, "positive"),
    "tweedie 2": (losses.HalfTweedie(2), lambda y, r: r + y * np.exp(-r), "positive"),
    "binomial": (losses.HalfBinomial(), binary_log_loss, "share"),
    "hinge": (losses.Hinge(), lambda y, r: np.maximum(0, 1 - y * r), "sign"),
    "squared hinge": (losses.SquaredHinge(), lambda y, r: np.maximum(0, 1 - y * r) ** 2, "sign"),
    "modified huber": (losses.ModifiedHuber(), modified_huber, "sign"),
    "perceptron": (losses.Perceptron(), lambda y, r: np.maximum(0, -y * r), "sign"),
}
NOT_CONVEX = {"tweedie 3", "tweedie -1", "tweedie 0"}


def points(kind, n=4000, spread=3.0, seed=0):
    """Targets and raw predictions, of which a quarter are far from 0."""
    generator = np.random.default_rng(seed)
    raw = generator.normal(0, spread, n)
    raw[: n // 4] *= 10
    y = {
        "real": generator.normal(0, 2, n),
        "positive": generator.gamma(1.0, 2.0, n) + 1e-3,
        "share": generator.choice([0.0, 1.0, 0.3], n),
        "sign": generator.choice([-1.0, 1.0], n),
    }[kind]
    return y, raw

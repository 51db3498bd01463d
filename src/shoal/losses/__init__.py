"""Losses of raw predictions, in scikit-learn's names and factors."""

from shoal.losses.binomial import HalfBinomial
from shoal.losses.epsilon_insensitive import EpsilonInsensitive, SquaredEpsilonInsensitive
from shoal.losses.huber import Huber
from shoal.losses.log_link import HalfGamma, HalfPoisson, HalfTweedie
from shoal.losses.loss import Loss
from shoal.losses.margin import Hinge, ModifiedHuber, Perceptron, SquaredHinge
from shoal.losses.multinomial import HalfMultinomial
from shoal.losses.quantile import Quantile
from shoal.losses.squared_error import HalfSquaredError

__all__ = [
    "EpsilonInsensitive",
    "HalfBinomial",
    "HalfGamma",
    "HalfMultinomial",
    "HalfPoisson",
    "HalfSquaredError",
    "HalfTweedie",
    "Hinge",
    "Huber",
    "Loss",
    "ModifiedHuber",
    "Perceptron",
    "Quantile",
    "SquaredEpsilonInsensitive",
    "SquaredHinge",
]

"""Linear models."""

from shoal.linear_model.elastic_net import ElasticNet
from shoal.linear_model.gamma_regressor import GammaRegressor
from shoal.linear_model.lasso import Lasso
from shoal.linear_model.linear_regression import LinearRegression
from shoal.linear_model.logistic_regression import LogisticRegression
from shoal.linear_model.poisson_regressor import PoissonRegressor
from shoal.linear_model.ridge import Ridge
from shoal.linear_model.sgd_classifier import SGDClassifier
from shoal.linear_model.sgd_regressor import SGDRegressor
from shoal.linear_model.tweedie_regressor import TweedieRegressor

__all__ = [
    "ElasticNet",
    "GammaRegressor",
    "Lasso",
    "LinearRegression",
    "LogisticRegression",
    "PoissonRegressor",
    "Ridge",
    "SGDClassifier",
    "SGDRegressor",
    "TweedieRegressor",
]

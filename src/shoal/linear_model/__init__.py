"""Linear models."""

from shoal.linear_model.logistic_regression import LogisticRegression
from shoal.linear_model.sgd_classifier import SGDClassifier
from shoal.linear_model.sgd_regressor import SGDRegressor

__all__ = ["LogisticRegression", "SGDClassifier", "SGDRegressor"]

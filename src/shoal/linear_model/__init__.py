"""Linear models."""

from shoal.linear_model.logistic_regression import LogisticRegression

__all__ = ["LogisticRegression"]

"""scikit-learn's contract, for every linear model."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from shoal.linear_model import (
    ElasticNet,
    GammaRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    TweedieRegressor,
)

ESTIMATORS = [
    LinearRegression(),
    Ridge(),
    Lasso(alpha=0.1),
    ElasticNet(alpha=0.1),
    LogisticRegression(),
    PoissonRegressor(),
    GammaRegressor(),
    TweedieRegressor(),
]


@parametrize_with_checks(ESTIMATORS, expected_failed_checks=lambda estimator: {})
def test_scikit_learns_contract(estimator, check):
    check(estimator)

"""Rows, targets and every linear model, for tests."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

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

REGRESSORS = [
    LinearRegression(),
    Ridge(),
    Lasso(alpha=0.01),
    ElasticNet(alpha=0.01),
    PoissonRegressor(),
    GammaRegressor(),
    TweedieRegressor(power=1.5),
]
ESTIMATORS = [*REGRESSORS, LogisticRegression()]


def rows(n_rows=200, n_features=4, dtype=np.float64, seed=0, offset=3.0):
    """Correlated columns about an offset, on a grid that float32 holds."""
    generator = np.random.default_rng(seed)
    mix = generator.normal(size=(n_features, n_features))
    X = generator.normal(size=(n_rows, n_features)) @ mix + offset
    return (np.round(X * 256) / 256).astype(dtype)


def amounts(X, seed=1):
    """Positive targets that grow with the columns."""
    generator = np.random.default_rng(seed)
    linear = (X - X.mean(axis=0)) @ generator.normal(size=X.shape[1]) / 10
    return np.round(np.exp(linear + generator.normal(0, 0.2, len(X))) * 8 + 1)


def labels(X, n_classes=2, seed=1):
    """Class numbers, of overlapping classes."""
    generator = np.random.default_rng(seed)
    raw = (X - X.mean(axis=0)) @ generator.normal(size=(X.shape[1], n_classes))
    return (raw + generator.gumbel(size=raw.shape) * 2).argmax(axis=1)


def weights(n_rows, seed=2):
    """Weights of different sizes, some of them 0."""
    generator = np.random.default_rng(seed)
    return np.where(generator.random(n_rows) < 0.1, 0, generator.lognormal(size=n_rows))


def target_for(estimator, X):
    return labels(X) if isinstance(estimator, LogisticRegression) else amounts(X)


def table(X, **columns):
    return pa.table({f"x{j}": X[:, j] for j in range(X.shape[1])} | columns)


def parquet(path, X, **columns):
    pq.write_table(table(X, **columns), path)
    return path


FORMS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "CSR": sparse.csr_array,
    "frame": table,
}

"""Rows with targets that depend on them linearly, and the objectives that fits are judged by."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

#: Numbers of rows in the sections' smallest form.
QUICK_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Shape:
    """Rows and features."""

    n_rows: int
    n_features: int

    def reduced(self, quick: bool) -> "Shape":
        return Shape(min(self.n_rows, QUICK_ROWS), self.n_features) if quick else self

    def __str__(self) -> str:
        thousands = self.n_rows // 1000
        rows = f"{thousands // 1000}M" if thousands % 1000 == 0 else f"{thousands}k"
        return f"{rows} x {self.n_features:,}"


def dense(shape: Shape, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """float32 rows in C order of correlated features of unlike scales; a real target and a label.

    Labels are drawn with the probability that a logistic model gives: no model predicts all.
    """
    rng = np.random.default_rng(seed)
    d = shape.n_features
    X = rng.standard_normal((shape.n_rows, d), dtype=np.float32)
    X += 0.5 * rng.standard_normal((shape.n_rows, 1), dtype=np.float32)
    X *= np.exp(rng.uniform(-1, 1, d)).astype(np.float32)
    X += rng.normal(0, 2, d).astype(np.float32)
    signal = (X - X.mean(axis=0)) @ (rng.standard_normal(d) / (np.sqrt(d) * X.std(axis=0)))
    y = (signal + rng.normal(0, 1, shape.n_rows)).astype(np.float32)
    labels = (rng.random(shape.n_rows) < 1 / (1 + np.exp(-2 * signal))).astype(np.int64)
    return X, y, labels


def in_sparse_rows(
    shape: Shape, stored_a_row: int, seed: int = 0
) -> tuple[sparse.csr_array, np.ndarray]:
    """float32 CSR rows with so many stored values each, and labels."""
    rng = np.random.default_rng(seed)
    columns = rng.integers(0, shape.n_features, (shape.n_rows, stored_a_row), dtype=np.int32)
    values = rng.standard_normal(columns.shape, dtype=np.float32)
    rows = np.repeat(np.arange(shape.n_rows), stored_a_row)
    X = sparse.csr_array((values.ravel(), (rows, columns.ravel())), shape=(*_of(shape),))
    X.sum_duplicates()
    # scikit-learn takes no others.
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    signal = X @ rng.standard_normal(shape.n_features) / np.sqrt(stored_a_row)
    return X, (rng.random(shape.n_rows) < 1 / (1 + np.exp(-4 * signal))).astype(np.int64)


def _of(shape: Shape) -> tuple[int, int]:
    return shape.n_rows, shape.n_features


def logistic_objective(
    X: np.ndarray, labels: np.ndarray, coef: np.ndarray, intercept: float, C: float
) -> float:
    """Mean log loss plus penalty, as scikit-learn scales it, in float64."""
    raw = X.astype(np.float64) @ coef.astype(np.float64) + float(intercept)
    losses = np.logaddexp(0.0, raw) - labels * raw
    return float(losses.mean() + 0.5 * (coef.astype(np.float64) ** 2).sum() / (C * len(X)))


def squared_objective(X: np.ndarray, y: np.ndarray, coef: np.ndarray, intercept: float) -> float:
    """Mean half squared error in float64."""
    raw = X.astype(np.float64) @ coef.astype(np.float64) + float(intercept)
    return float(((y - raw) ** 2).mean() / 2)

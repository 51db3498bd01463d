"""What follows from the data alone: replicas and windows."""

import numpy as np
import pytest
from scipy import sparse

from shoal import open_dataset
from shoal.exceptions import NonFiniteError
from shoal.linear_model import SGDClassifier, SGDRegressor
from shoal.linear_model.sgd_model import default_replicas


@pytest.mark.parametrize(
    ("n_cells", "n_replicas"), [(1, 1), (7, 1), (8, 2), (15, 2), (16, 4), (300, 64), (10**6, 64)]
)
def test_replicas_are_a_power_of_two(n_cells, n_replicas):
    assert default_replicas(n_cells) == n_replicas


def test_windows_do_not_depend_on_targets_and_weights():
    X = np.ones((200_000, 64), np.float32)
    plain = open_dataset(X, target=np.ones(200_000))
    full = open_dataset(X, target=np.ones(200_000, np.int8), sample_weight=np.ones(200_000))
    model = SGDRegressor(n_replicas=2)
    (one, windows), (other, same) = (
        model._grouped(dataset, 3, is_held_out=False) for dataset in (plain, full)
    )
    assert windows == same
    assert windows.rows == one.window_rows == other.window_rows == 16_384
    assert [cell.n_rows for cell in one.cells] == [131_072, 68_928]


RULES = {
    "plain": {},
    "l1": {"penalty": "l1", "alpha": 0.1},
    "shrunk to nothing": {"alpha": 1e3, "learning_rate": "constant", "eta0": 0.1},
    "averaged": {"average": 10},
    "batches": {"batch_size": 7},
    "momentum": {"optimizer": "momentum"},
    "adagrad": {"optimizer": "adagrad"},
    "adam": {"optimizer": "adam"},
    "held out": {"early_stopping": True},
    "several replicas": {"n_replicas": 2},
    "without intercept": {"fit_intercept": False, "shuffle": False},
}


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
@pytest.mark.parametrize("rule", RULES)
def test_values_that_are_not_finite_are_found_by_row_and_column(rule, value, form, monkeypatch):
    # Steps see these values before anybody looks for them.
    monkeypatch.setattr("shoal.data.arrays.CELL_ROWS", 128)
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(300, 9)), rng.random(300)
    labels = (X[:, 0] > 0).astype(int)
    parameters = {"learning_rate": "constant", "eta0": 0.001} | RULES[rule]
    for model in (SGDClassifier("log_loss", **parameters), SGDRegressor(**parameters)):
        model.set_params(max_iter=2, tol=None, random_state=0).fit(X, labels)
        before = model.coef_
        for row, column, is_weighted in ((0, 0, False), (150, 8, True), (299, 4, False)):
            bad, weights = X.copy(), weight.copy()
            bad[row, column], weights[row] = value, 0.0
            with pytest.raises(NonFiniteError, match=rf"column 'x{column}', row {row} "):
                model.fit(form(bad), labels, sample_weight=weights if is_weighted else None)
        assert model.coef_ is before

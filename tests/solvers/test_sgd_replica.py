"""Replicas: which rows they visit in which order, and what their averages are."""

from dataclasses import replace

import numpy as np
import pytest
from tests._kernels.test_sgd import learning

from shoal import open_dataset
from shoal.solvers.sgd_replica import Ran, Replica, Weights, Windows, averaged, held_out_rows

rng = np.random.default_rng(0)
X, y = rng.normal(size=(1000, 3)), rng.normal(size=1000)


def start(how, n_outputs=1, n_columns=3):
    return Weights.zeros(np.zeros((n_outputs, n_columns)), np.zeros(n_outputs), how)


def ran(dataset, windows, how=None, max_rows=10**6, epoch=0):
    how = how or learning()
    (cell,) = dataset.cells
    dataset = replace(dataset, window_rows=windows.rows)
    return Replica(start(how), how, windows, epoch)(cell, dataset.read(cell, max_rows))


@pytest.mark.parametrize("shuffle", [False, True])
def test_blocks_do_not_matter(shuffle):
    dataset = open_dataset(X, target=y)
    windows = Windows(128, 32, 5, shuffle=shuffle)
    expected = ran(dataset, windows)
    for max_rows in (128, 256, 700):
        found = ran(dataset, windows, max_rows=max_rows)
        np.testing.assert_array_equal(found.weights.coef, expected.weights.coef)
        assert (found.n_rows, found.loss, found.weight) == (1000, expected.loss, 1000.0)
        assert found.first_loss == expected.first_loss


def test_orders_change_with_epoch_and_seed():
    dataset = open_dataset(X, target=y)
    coefs = {
        ran(dataset, Windows(256, 32, seed), epoch=epoch).weights.coef.tobytes()
        for seed in (1, 2)
        for epoch in (0, 1)
    }
    assert len(coefs) == 4


def test_dropped_rows_are_not_visited_and_move_no_window():
    holes = X.copy()
    holes[rng.integers(0, 1000, 300), 1] = np.nan
    holes[200:500] = np.nan
    dataset = open_dataset(holes, target=y, missing="drop")
    windows = Windows(64, 16, 5, shuffle=False)
    kept = ~np.isnan(holes).any(axis=1)
    expected = ran(open_dataset(holes[kept], target=y[kept]), windows)
    for max_rows in (64, 640, 1000):
        found = ran(dataset, windows, max_rows=max_rows)
        assert found.n_rows == kept.sum()
        # Steps are taken in groups that begin with a window, which has other rows here.
        np.testing.assert_allclose(found.weights.coef, expected.weights.coef, rtol=1e-12)
    for visited in (windows, Windows(64, 16, 5)):
        first = ran(dataset, visited, max_rows=64).weights.coef
        for max_rows in (640, 960):
            found = ran(dataset, visited, max_rows=max_rows)
            np.testing.assert_array_equal(found.weights.coef, first)


@pytest.mark.parametrize("shuffle", [False, True])
def test_held_out_rows_are_not_visited(shuffle):
    dataset = open_dataset(X, target=y)
    (block,) = dataset.read(dataset.cells[0], 1000)
    held_out = held_out_rows(block, 5, 0.3)
    assert 200 < held_out.sum() < 400
    spoilt = open_dataset(np.where(held_out[:, None], 1e9, X), target=np.where(held_out, 1e9, y))
    windows = Windows(128, 32, 5, 0.3, shuffle)
    found, expected = ran(spoilt, windows), ran(dataset, windows)
    assert found.n_rows == 1000 - held_out.sum()
    np.testing.assert_array_equal(found.weights.coef, expected.weights.coef)


def test_nothing_given_is_changed():
    how = learning(l1=0.1, average_from=1.0, batch_size=4, optimizer="adam")
    weights = start(how)
    dataset = open_dataset(X, target=y)
    found = Replica(weights, how, Windows(128, 32, 5), 0)(
        dataset.cells[0], dataset.read(dataset.cells[0], 1000)
    )
    assert found.weights.n_steps == 8 * 32 - 6  # of the last window's 104 rows, 26 batches
    assert found.weights.n_averaged == found.weights.n_steps
    for name in ("coef", "intercept", "total", "first", "second"):
        assert not getattr(weights, name).any()
        assert getattr(found.weights, name).any()


def test_replicas_are_averaged_by_rows():
    how = learning(average_from=1.0)
    parts = [
        Ran(
            replace(start(how), coef=np.full((1, 3), value), n_steps=n, n_averaged=float(n)),
            n,
            1.0,
            0.0,
            0.0,
        )
        for value, n in ((1.0, 10), (4.0, 20))
    ]
    found = averaged(parts)
    np.testing.assert_allclose(found.coef, 3.0)
    assert found.n_steps == 20
    assert found.n_averaged == pytest.approx(50 / 3)
    assert averaged(parts[:1]) is parts[0].weights


@pytest.mark.parametrize(
    ("row_bytes", "rows", "group_rows"),
    [(1, 65_536, 4096), (256, 16_384, 512), (4096, 1024, 32), (10**6, 16, 16)],
)
def test_sizes_depend_on_rows_alone(row_bytes, rows, group_rows):
    found = Windows.of(row_bytes, 0, 0.0, shuffle=True)
    assert (found.rows, found.group_rows) == (rows, group_rows)

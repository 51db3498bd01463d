"""What follows from the data alone: replicas and windows."""

import numpy as np
import pytest

from shoal import open_dataset
from shoal.linear_model import SGDRegressor
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

"""Rows as estimators take them: in memory and in passes they are the same."""

import numpy as np
import pytest
from tests.semi_supervised.rows import blobs

from shoal import open_dataset
from shoal.linear_model import LogisticRegression
from shoal.semi_supervised import training_rows
from shoal.semi_supervised.training_rows import HeldRows, StreamedRows
from shoal.testing.bits import bits

X, TRUTH, Y = blobs()


@pytest.fixture(autouse=True)
def small_runs(monkeypatch):
    """A few cells of an array are asked about at a time."""
    monkeypatch.setattr("shoal.data.arrays.CELL_ROWS", 64)
    monkeypatch.setattr(training_rows, "_ROWS_ASKED", 150)


def test_streamed_rows_are_as_held_ones():
    known = Y >= 0
    held, streamed = HeldRows(X), StreamedRows(open_dataset(X))
    models, found = [], []
    for rows in (held, streamed):
        model = LogisticRegression()
        rows.fit(model, known, Y[known])
        models.append(bits([model.coef_, model.intercept_]))
        found.append(list(rows.probabilities(model, ~known)))
    assert models[0] == models[1]
    assert len(found[0]) == 1
    assert len(found[1]) == 3
    np.testing.assert_array_equal(np.concatenate(found[1]), found[0][0])


def test_runs_without_rows_are_passed_over():
    known = np.arange(len(X)) < 320
    model = LogisticRegression().fit(open_dataset(X, target=TRUTH))
    (found,) = StreamedRows(open_dataset(X)).probabilities(model, ~known)
    assert len(found) == 80

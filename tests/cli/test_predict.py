"""``shoal predict``: labels to a file, whole or not at all."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shoal import save_model
from shoal.cluster import KMeans
from shoal.linear_model import LogisticRegression
from shoal.neighbors import NearestNeighbors
from shoal.semi_supervised import SelfTrainingClassifier


@pytest.fixture
def model(tmp_path):
    fitted = KMeans(2, init=[[0.0], [10.0]]).fit(pa.table({"a": [0.0, 10.0]}))
    save_model(fitted, tmp_path / "model")
    return fitted


def test_columns_are_found_by_name(shoal_command, rows, model, tmp_path):
    result = shoal_command(
        "predict", tmp_path / "model", rows, "--out", tmp_path / "labels.parquet"
    )
    assert result.exit_code == 0, result.stderr
    a = pq.read_table(rows)["a"].to_numpy()
    found = pq.read_table(tmp_path / "labels.parquet")["label"].to_numpy()
    nearest = np.abs(a[:, None] - model.cluster_centers_.ravel()).argmin(axis=1)
    assert np.array_equal(found, nearest)


def test_an_error_leaves_the_labels_that_were_there(shoal_command, rows, model, tmp_path):
    labels = tmp_path / "labels.parquet"
    labels.write_text("before")
    truncated = rows / "1.parquet"
    truncated.write_bytes(truncated.read_bytes()[:-100])
    result = shoal_command("predict", tmp_path / "model", rows, "--out", labels)
    assert result.exit_code == 1
    assert str(truncated) in result.stderr
    assert labels.read_text() == "before"


def test_labels_do_not_take_the_place_of_the_model(shoal_command, rows, model, tmp_path):
    before = (tmp_path / "model").read_bytes()
    result = shoal_command("predict", tmp_path / "model", rows, "--out", tmp_path / "model")
    assert result.exit_code == 1
    assert "is a file that is read: write to another" in result.stderr
    assert (tmp_path / "model").read_bytes() == before


def test_models_that_predict_nothing_are_refused(shoal_command, rows, tmp_path):
    save_model(NearestNeighbors().fit(pa.table({"a": [0.0, 10.0]})), tmp_path / "model")
    result = shoal_command("predict", tmp_path / "model", rows, "--out", tmp_path / "labels")
    assert result.exit_code == 1
    assert "holds a NearestNeighbors, which predicts nothing" in result.stderr


def test_models_inside_models_predict(shoal_command, rows, tmp_path):
    table = pa.table({"a": [0.0, 1.0, 9.0, 10.0]})
    fitted = SelfTrainingClassifier(LogisticRegression()).fit(table, [0, -1, -1, 1])
    save_model(fitted, tmp_path / "model")
    labels = tmp_path / "labels.parquet"
    result = shoal_command("predict", tmp_path / "model", rows, "--out", labels)
    assert result.exit_code == 0, result.stderr
    expected = fitted.predict(rows)
    assert set(expected) == {0, 1}
    assert np.array_equal(pq.read_table(labels)["label"].to_numpy(), expected)


def test_no_model(shoal_command, rows, tmp_path):
    result = shoal_command("predict", rows / "0.parquet", rows, "--out", tmp_path / "labels")
    assert result.exit_code == 1
    assert result.stderr.startswith("shoal: model file ")
    assert len(result.stderr.splitlines()) == 1

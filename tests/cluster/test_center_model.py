"""What a model of cluster centres does with new rows."""

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sklearn.cluster
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from tests.cluster.rows import parquet, separated, table

from shoal import LocalEngine, open_dataset
from shoal.cluster import KMeans, MiniBatchKMeans
from shoal.exceptions import ColumnError, FileError, NonFiniteError
from shoal.testing.bits import bits


@pytest.mark.parametrize("shape", ["dense", "CSR"])
def test_predict_transform_and_score_are_scikit_learns(shape):
    X = np.random.default_rng(0).normal(size=(300, 3)) + 2
    X[X < 1] = 0
    new, weight = X[::2] + 0.25, np.linspace(0, 3, 150)
    X, new = (sparse.csr_array(rows) if shape == "CSR" else rows for rows in (X, new))
    init = np.random.default_rng(1).normal(2, 1, (4, 3))
    expected = sklearn.cluster.KMeans(4, init=init, n_init=1, tol=0).fit(X)
    found = KMeans(4, init=init, tol=0).fit(X)
    np.testing.assert_array_equal(found.predict(new), expected.predict(new))
    np.testing.assert_allclose(found.transform(new), expected.transform(new), atol=1e-7)
    assert found.score(new) == pytest.approx(expected.score(new), rel=1e-12)
    weighted = found.score(new, sample_weight=weight)
    assert weighted == pytest.approx(expected.score(new, sample_weight=weight), rel=1e-12)
    assert list(found.get_feature_names_out()) == [f"kmeans{j}" for j in range(4)]


def test_fit_predict_and_fit_transform_are_fit_and_then_these():
    X = separated()
    model = KMeans(5, random_state=0)
    np.testing.assert_array_equal(model.fit_predict(X), clone(model).fit(X).labels_)
    np.testing.assert_array_equal(model.fit_transform(X), clone(model).fit(X).transform(X))


KINDS = {
    "list": lambda X, folder: X.tolist(),
    "pandas": lambda X, folder: table(X).to_pandas(),
    "polars": lambda X, folder: pl.from_arrow(table(X)),
    "Arrow": lambda X, folder: table(X),
    "path": parquet,
    "str": lambda X, folder: str(parquet(X, folder)),
    "folder": lambda X, folder: parquet(X, folder).parent,
    "glob": lambda X, folder: str(parquet(X, folder).parent / "*.parquet"),
    "paths": lambda X, folder: [parquet(X, folder)],
    "dataset": lambda X, folder: open_dataset(parquet(X, folder)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_data_gives_the_same_bits(kind, tmp_path):
    X = separated()
    data = KINDS[kind](X, tmp_path)
    expected = KMeans(5, random_state=0).fit(X)
    found = KMeans(5, random_state=0).fit(data)
    assert bits(found.cluster_centers_) == bits(expected.cluster_centers_)
    assert bits(found.inertia_) == bits(expected.inertia_)
    np.testing.assert_array_equal(found.predict(data), expected.labels_)
    np.testing.assert_array_equal(found.transform(data), expected.transform(X))
    assert found.score(data) == expected.score(X)
    on_disk = kind in {"path", "str", "folder", "glob", "paths", "dataset"}
    assert hasattr(found, "labels_") is not on_disk
    if kind != "list":
        assert list(found.feature_names_in_) == ["x0", "x1", "x2", "x3"]
    assert found.n_features_in_ == 4


def test_features_are_chosen_by_name_and_weights_by_column(tmp_path):
    X, weight = separated(), np.linspace(0.1, 2, 600)
    frame = table(X).append_column("w", [weight]).append_column("name", [["a"] * 600])
    pq.write_table(frame, tmp_path / "x.parquet")
    found = KMeans(5, random_state=0).fit(
        tmp_path / "x.parquet", sample_weight="w", features=["x2", "x0"]
    )
    expected = KMeans(5, random_state=0).fit(X[:, [2, 0]], sample_weight=weight)
    assert bits(found.cluster_centers_) == bits(expected.cluster_centers_)
    assert list(found.feature_names_in_) == ["x2", "x0"]
    np.testing.assert_array_equal(found.predict(tmp_path / "x.parquet"), expected.labels_)
    assert found.score(tmp_path / "x.parquet", sample_weight="w") == -expected.inertia_


def test_a_column_of_weights_is_no_feature_of_a_frame():
    X, weight = separated(), np.linspace(0.1, 2, 600)
    frame = table(X).append_column("w", [weight]).to_pandas()
    found = KMeans(5, random_state=0).fit(frame, sample_weight="w")
    assert list(found.feature_names_in_) == ["x0", "x1", "x2", "x3"]
    assert found.n_features_in_ == 4
    np.testing.assert_array_equal(found.predict(frame.drop(columns="w")), found.labels_)


def test_other_features_are_refused_at_predict(tmp_path):
    X = separated()
    model = KMeans(5, random_state=0).fit(table(X).to_pandas())
    for method in (model.predict, model.transform, model.score):
        with pytest.raises(ValueError, match="feature names should match"):
            method(table(X).to_pandas().rename(columns={"x1": "other"}))
        with pytest.raises(ValueError, match="must be in the same order"):
            method(table(X).to_pandas()[["x1", "x0", "x2", "x3"]])
        with pytest.raises(ColumnError, match="x3"):
            method(parquet(X[:, :3], tmp_path))
        with pytest.raises(ColumnError, match="feature names should match"):
            method(open_dataset(table(X[:, :3])))
    unnamed = KMeans(5, random_state=0).fit(X)
    for rows in (X[:, :3], sparse.csr_array(X[:, :3]), X[:, :3].tolist()):
        with pytest.raises(ValueError, match="X has 3 features, but KMeans is expecting 4"):
            unnamed.predict(rows)


def test_a_file_may_have_more_columns_in_another_order(tmp_path):
    X = separated()
    model = KMeans(5, random_state=0).fit(table(X))
    frame = pa.table(
        {"more": ["a"] * 600, "x3": X[:, 3], "x1": X[:, 1], "x0": X[:, 0], "x2": X[:, 2]}
    )
    pq.write_table(frame, tmp_path / "x.parquet")
    np.testing.assert_array_equal(model.predict(tmp_path / "x.parquet"), model.labels_)


def test_predict_to_a_file(tmp_path):
    X = separated()
    X[[0, 3, 599]] = np.nan
    data = open_dataset(parquet(X, tmp_path), missing="drop")
    model = KMeans(5, random_state=0).fit(data)
    assert model.predict(data, out=tmp_path / "labels.parquet") == tmp_path / "labels.parquet"
    found = pq.read_table(tmp_path / "labels.parquet")
    assert found.schema == pa.schema([("label", pa.int32())])
    labels = model.predict(data)
    np.testing.assert_array_equal(found["label"].fill_null(-1), labels)
    assert found["label"].null_count == 3


def test_a_prediction_that_fails_midway_leaves_what_was_there(tmp_path):
    X = separated(n_rows=1000)
    model = KMeans(5, random_state=0).fit(parquet(X, tmp_path))
    X[950, 1] = np.inf
    (tmp_path / "bad").mkdir()
    bad_path, out = parquet(X, tmp_path / "bad"), tmp_path / "out" / "labels.parquet"
    out.parent.mkdir()
    for content in (None, b"before"):
        if content:
            out.write_bytes(content)
        with pytest.raises(NonFiniteError, match="'x1', row 950"):
            model.predict(bad_path, out=out)
        assert [path.read_bytes() for path in out.parent.iterdir()] == (
            [content] if content else []
        )


@pytest.mark.parametrize("estimator", [KMeans, MiniBatchKMeans])
def test_nothing_is_predicted_before_a_fit(estimator, tmp_path):
    model = estimator(5)
    for method in (model.predict, model.transform, model.score):
        with pytest.raises(NotFittedError):
            method(separated())
    with pytest.raises(NotFittedError):
        model.predict(separated(), out=tmp_path / "labels.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_refused(tmp_path):
    model = KMeans(5, random_state=0).fit(separated())
    with pytest.raises(FileError, match="choose a folder that exists"):
        model.predict(separated(), out=tmp_path / "missing" / "labels.parquet")


@pytest.mark.parametrize(("fitted", "given"), [(np.float32, np.float64), (np.float64, np.float32)])
def test_rows_of_another_type_are_compared_in_the_wider(fitted, given):
    X = np.random.default_rng(0).normal(size=(500, 3))
    model = KMeans(7, random_state=0).fit(X.astype(fitted))
    rows, centers = X.astype(given).astype(float), model.cluster_centers_.astype(float)
    distances = ((rows[:, None] - centers) ** 2).sum(axis=2)
    np.testing.assert_array_equal(model.predict(X.astype(given)), distances.argmin(axis=1))
    np.testing.assert_allclose(model.transform(X.astype(given)) ** 2, distances, rtol=1e-13)
    assert model.score(X.astype(given)) == pytest.approx(-distances.min(axis=1).sum(), rel=1e-13)


@pytest.mark.parametrize("memory", ["80kB", "1GB"])
def test_memory_changes_no_prediction(memory, tmp_path):
    X = separated(n_rows=5000)
    model = KMeans(5, random_state=0).fit(X)
    path = parquet(X, tmp_path)
    with LocalEngine(2, memory):
        model.predict(path, out=tmp_path / "labels.parquet")
        labels = pq.read_table(tmp_path / "labels.parquet")["label"]
        np.testing.assert_array_equal(labels, model.labels_)
        np.testing.assert_array_equal(model.transform(path), model.transform(X))
        assert model.score(path) == -model.inertia_


@pytest.mark.usefixtures("no_leaks")
def test_nothing_is_left_behind(tmp_path):
    X = separated(n_rows=5000)
    path = parquet(X, tmp_path)
    with LocalEngine(2, "60kB"):
        KMeans(5, random_state=0).fit(path).predict(path)

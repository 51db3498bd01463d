"""What all models of neighbours share."""

import pickle

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import NotFittedError
from tests.neighbors.rows import blobs, parquet, ties

from shoal import LocalEngine, load_model, open_dataset, save_model
from shoal.exceptions import (
    ColumnError,
    CorruptFileError,
    DataError,
    FileError,
    ModelFileError,
    NonFiniteError,
    ParameterError,
)
from shoal.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    NearestNeighbors,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
)
from shoal.testing.bits import bits

KINDS = {
    "list": lambda X, folder: X.tolist(),
    "Fortran": lambda X, folder: np.asfortranarray(X),
    "CSR": lambda X, folder: sparse.csr_array(X),
    "polars": lambda X, folder: pl.DataFrame({f"x{j}": X[:, j] for j in range(X.shape[1])}),
    "path": lambda X, folder: parquet(X, folder / "x.parquet"),
    "dataset": lambda X, folder: open_dataset(parquet(X, folder / "x.parquet")),
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_data_gives_the_same_bits(kind, tmp_path):
    X, queries = blobs(), blobs(70, seed=1)
    (tmp_path / "queries").mkdir()
    made, asked = KINDS[kind](X, tmp_path), KINDS[kind](queries, tmp_path / "queries")
    expected = NearestNeighbors(n_neighbors=4).fit(X)
    with LocalEngine(n_threads=2, memory="1GB"):
        found = NearestNeighbors(n_neighbors=4).fit(made)
        assert bits(found.kneighbors(asked)) == bits(expected.kneighbors(queries))
        assert bits(found.kneighbors()) == bits(expected.kneighbors())
        assert bits(found.radius_neighbors(asked)) == bits(expected.radius_neighbors(queries))


def made(name, algorithm):
    return {
        "classifier": lambda: KNeighborsClassifier(3, weights="distance", algorithm=algorithm),
        "regressor": lambda: KNeighborsRegressor(3, weights="distance", algorithm=algorithm),
        "radius classifier": lambda: RadiusNeighborsClassifier(
            1.5, outlier_label="most_frequent", algorithm=algorithm
        ),
        "radius regressor": lambda: RadiusNeighborsRegressor(1.5, algorithm=algorithm),
    }[name]()


@pytest.mark.filterwarnings("ignore:One or more samples have no neighbors")
@pytest.mark.parametrize("name", ["classifier", "regressor", "radius classifier"])
@settings(max_examples=15)
@given(
    data=st.data(),
    make=st.sampled_from([blobs, ties]),
    algorithm=st.sampled_from(["brute", "kd_tree", "partition"]),
)
def test_adding_and_forgetting_is_fitting_what_remains(name, data, make, algorithm):
    generator = np.random.default_rng(0)
    X, y, queries = make(60), generator.integers(0, 4, 60), make(20, seed=9)
    model = made(name, algorithm).fit(X, y)
    for step in range(data.draw(st.integers(1, 4))):
        if data.draw(st.booleans()):
            more = make(data.draw(st.integers(1, 30)), seed=step + 5)
            classes = generator.integers(0, 6, len(more))
            model.partial_fit(more, classes)
            X, y = np.vstack([X, more]), np.concatenate([y, classes])
        else:
            some = st.sets(st.integers(0, len(X) - 1), min_size=1, max_size=len(X) // 2)
            rows = data.draw(some)
            model.forget(list(rows))
            X, y = np.delete(X, list(rows), axis=0), np.delete(y, list(rows))
    expected = made(name, algorithm).fit(X, y)
    assert model.n_samples_fit_ == len(X)
    assert bits(model.predict(queries)) == bits(expected.predict(queries))
    if hasattr(model, "classes_"):
        assert bits(model.classes_) == bits(expected.classes_)
        assert bits(model.predict_proba(queries)) == bits(expected.predict_proba(queries))


def test_partial_fit_is_a_first_fit_too():
    X = blobs()
    parts = NearestNeighbors().partial_fit(X[:100]).partial_fit(X[100:])
    assert bits(parts.kneighbors()) == bits(NearestNeighbors().fit(X).kneighbors())


def test_rows_are_added_from_files_and_forgotten(tmp_path):
    X, y = blobs(), np.arange(300) % 3
    path = parquet(X[150:], tmp_path / "x.parquet", y[150:])
    model = KNeighborsClassifier().fit(parquet(X[:150], tmp_path / "first.parquet", y[:150]), "y")
    model.partial_fit(path, "y").forget([0, 200])
    expected = KNeighborsClassifier().fit(np.delete(X, [0, 200], 0), np.delete(y, [0, 200]))
    queries = parquet(X, tmp_path / "queries.parquet")
    assert bits(model.predict_proba(queries)) == bits(expected.predict_proba(X))


def test_models_can_be_pickled():
    model = KNeighborsClassifier().fit(blobs(), np.arange(300) % 3).forget([3])
    again = pickle.loads(pickle.dumps(model))
    assert bits(again.predict_proba(blobs())) == bits(model.predict_proba(blobs()))


ESTIMATORS = {
    "k classifier": lambda **p: KNeighborsClassifier(3, weights="distance", **p),
    "k regressor": lambda **p: KNeighborsRegressor(3, **p),
    "radius classifier": lambda **p: RadiusNeighborsClassifier(2.0, outlier_label="c", **p),
    "radius regressor": lambda **p: RadiusNeighborsRegressor(3.0, **p),
}


@pytest.mark.filterwarnings("ignore:One or more samples have no neighbors")
@pytest.mark.filterwarnings("ignore:Outlier label c is not in training classes")
@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("algorithm", ["brute", "partition"])
def test_model_files(name, algorithm, tmp_path):
    X, queries = blobs(), blobs(50, seed=1)
    y = np.array(["a", "b"], dtype=object)[(X[:, 0] > 0).astype(int)]
    y = y if "classifier" in name else X[:, :2].astype(np.float32)
    model = ESTIMATORS[name](algorithm=algorithm).fit(X, y)
    model.partial_fit(blobs(30, seed=2), y[:30]).forget([3, 310])
    save_model(model, tmp_path / "m.shoal")
    again = load_model(tmp_path / "m.shoal")
    assert again.algorithm_ == algorithm
    assert again.n_samples_fit_ == 328
    assert bits(again.predict(queries)) == bits(model.predict(queries))
    if "classifier" in name:
        assert bits(again.predict_proba(queries)) == bits(model.predict_proba(queries))
    more = blobs(9, seed=4), y[:9]
    one, other = (each.partial_fit(*more).forget([0]) for each in (again, model))
    assert bits(one.predict(queries)) == bits(other.predict(queries))


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_model_files_of_any_rows_in_memory(tmp_path):
    X, queries = blobs(), blobs(50, seed=1)
    gaps = open_dataset(np.insert(X, [0, 100], np.nan, axis=0), missing="drop")
    for rows in (sparse.csr_array(X), X.astype(np.float32), np.asfortranarray(X), gaps):
        for metric in ("euclidean", "cosine", "manhattan"):
            model = NearestNeighbors(metric=metric).fit(rows)
            save_model(model, tmp_path / "m.shoal")
            again = load_model(tmp_path / "m.shoal")
            assert bits(again.kneighbors(queries)) == bits(model.kneighbors(queries))
    save_model(NearestNeighbors(), tmp_path / "m.shoal")
    assert not hasattr(load_model(tmp_path / "m.shoal"), "index_")


def test_model_files_that_cannot_be(tmp_path):
    X = blobs()
    y = np.arange(300) % 3
    in_files = KNeighborsClassifier().fit(parquet(X, tmp_path / "x.parquet"), y)
    gaps = open_dataset(sparse.csr_array(np.insert(X, 0, np.nan, axis=0)), missing="drop")
    for model, message in (
        (in_files, "rows are in files.*use pickle or joblib.dump"),
        (NearestNeighbors().fit(gaps), "missing values were dropped"),
    ):
        with pytest.raises(ModelFileError, match=message):
            save_model(model, tmp_path / "m.shoal")
        assert not (tmp_path / "m.shoal").exists()
    save_model(KNeighborsClassifier().fit(X, y), tmp_path / "m.shoal")
    content = (tmp_path / "m.shoal").read_bytes()
    for length in (0, 100, len(content) // 2, len(content) - 1):
        (tmp_path / "m.shoal").write_bytes(content[:length])
        with pytest.raises(ModelFileError, match="is damaged"):
            load_model(tmp_path / "m.shoal")


def test_what_fails_changes_nothing():
    X = blobs()
    model = KNeighborsRegressor().fit(X, X[:, 0])
    before = bits(model.predict(X))
    for change in (
        lambda: model.partial_fit(np.full((1, 4), np.nan), [1.0]),
        lambda: model.partial_fit(X, np.full(300, np.nan)),
        lambda: model.partial_fit(X[:, :2], X[:, 0]),
        lambda: model.partial_fit(X),
        lambda: model.partial_fit(X, X[:, :2]),
        lambda: model.forget([300]),
        lambda: model.fit(np.full((1, 4), np.inf), [1.0]),
    ):
        with pytest.raises(ValueError):  # noqa: PT011
            change()
        assert bits(model.predict(X)) == before
        assert model.n_samples_fit_ == 300


def test_bad_rows(tmp_path):
    X = blobs()
    X[200, 3] = np.nan
    with pytest.raises(NonFiniteError, match=r"NaN.*row 200"):
        NearestNeighbors().fit(X)
    with pytest.raises(NonFiniteError, match=r"NaN.*row 200"):
        NearestNeighbors().fit(blobs()).kneighbors(X)
    with pytest.raises(DataError, match=r"row of zeros has no direction.*row 7"):
        NearestNeighbors(metric="cosine").fit(np.where(np.arange(300)[:, None] == 7, 0, blobs()))
    with pytest.raises(DataError, match="row of zeros has no direction"):
        NearestNeighbors(metric="cosine").fit(blobs()).kneighbors(np.zeros((1, 4)))
    path = parquet(blobs(), tmp_path / "x.parquet")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CorruptFileError, match=r"x\.parquet"):
        NearestNeighbors().fit(path)


def test_queries_of_other_features(tmp_path):
    model = NearestNeighbors().fit(parquet(blobs(), tmp_path / "x.parquet"))
    with pytest.raises(ColumnError, match="x3"):
        model.kneighbors(parquet(blobs()[:, :3], tmp_path / "narrow.parquet"))
    with pytest.raises(ValueError, match="3 features, but NearestNeighbors is expecting 4"):
        NearestNeighbors().fit(blobs()).kneighbors(blobs()[:, :3])


def test_rows_with_missing_values_can_be_left_out():
    X = np.insert(blobs(), [0, 100], np.nan, axis=0)
    dataset = open_dataset(X, missing="drop")
    model = NearestNeighbors(n_neighbors=2).fit(dataset)
    distances, rows = model.kneighbors(dataset)
    kept = np.flatnonzero(~np.isnan(X[:, 0]))
    assert (rows[kept, 0] == kept).all()
    assert (rows[[0, 101]] == -1).all()
    assert np.isnan(distances[[0, 101]]).all()
    with pytest.raises(DataError, match="too few are left"):
        model.kneighbors(open_dataset(blobs()), n_neighbors=301)
    with pytest.raises(DataError, match="queries were dropped"):
        model.kneighbors_graph(dataset)
    with pytest.raises(DataError, match="queries were dropped"):
        model.radius_neighbors(dataset)
    with pytest.raises(DataError, match="none is left"):
        NearestNeighbors().fit(open_dataset(np.full((3, 2), np.nan), missing="drop"))


def test_bad_parameters():
    X = blobs()
    for parameters, error, message in [
        ({"algorithm": "ball"}, ValueError, "'algorithm' parameter of NearestNeighbors must be"),
        ({"leaf_size": 0}, ValueError, "'leaf_size'"),
        ({"p": 0}, ValueError, "'p'"),
        ({"p": 0, "metric": "euclidean"}, ValueError, "'p'"),
        ({"n_probe": 0, "algorithm": "partition"}, ValueError, "'n_probe'"),
        ({"n_probe": 1.5, "algorithm": "partition"}, TypeError, "'n_probe'"),
        ({"n_probe": 3}, ParameterError, "n_probe=3 is for algorithm='partition'"),
        ({"n_probe": 3, "algorithm": "brute"}, ParameterError, "not for 'brute'"),
        ({"n_neighbors": 0}, ValueError, "'n_neighbors'"),
        ({"n_neighbors": 1.5}, TypeError, "'n_neighbors'"),
        ({"radius": -1}, ValueError, "'radius'"),
        ({"metric": "nearness"}, ParameterError, "metric='nearness' is not known"),
        ({"metric": "haversine"}, DataError, "latitude and longitude"),
        ({"metric": "manhattan", "algorithm": "kd_tree"}, ParameterError, "answers by 'euclid"),
    ]:
        with pytest.raises(error, match=message):
            NearestNeighbors(**parameters).fit(X)
    with pytest.raises(NotFittedError):
        NearestNeighbors().forget([0])


@pytest.mark.parametrize("verb", ["kneighbors", "radius_neighbors", "predict"])
@pytest.mark.parametrize("own", [True, False])
def test_what_is_found_does_not_take_the_place_of_rows(verb, own, tmp_path):
    X = blobs(60)
    rows, queries = parquet(X, tmp_path / "rows.parquet"), parquet(X, tmp_path / "queries.parquet")
    model = {
        "kneighbors": NearestNeighbors(),
        "radius_neighbors": NearestNeighbors(radius=1.0),
        "predict": KNeighborsRegressor(),
    }[verb]
    y = None if verb != "predict" else X[:, 0]
    model.fit(open_dataset(rows).with_target(y))
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    for out in (rows,) if own else (rows, queries):
        with pytest.raises(FileError, match=f"{out.name} is a file that is read: write to another"):
            getattr(model, verb)(None if own else queries, out=out)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
    getattr(model, verb)(None if own else queries, out=tmp_path / "other.parquet")


@pytest.mark.parametrize("model", [RadiusNeighborsClassifier, RadiusNeighborsRegressor])
def test_predictions_by_a_radius_do_not_take_the_place_of_rows(model, tmp_path):
    X = blobs(60)
    rows = parquet(X, tmp_path / "rows.parquet")
    fitted = model(radius=50.0).fit(open_dataset(rows).with_target(np.arange(60) % 2))
    with pytest.raises(FileError, match="is a file that is read"):
        fitted.predict(X, out=rows)

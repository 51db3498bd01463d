"""Models as files: every bit back, nothing run, everything else refused."""

import os
import sys
import types

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import Pipeline

import shoal
import shoal.cluster
import shoal.linear_model
import shoal.neighbors
import shoal.semi_supervised
from shoal import _archive, load_model, open_dataset, save_model
from shoal.exceptions import DiskFullError, FileError, ModelFileError
from shoal.testing.bits import bits


class Shift(BaseEstimator):
    """Stands in for an estimator of Shoal."""

    def __init__(self, by=1.0, names=None, random_state=None):
        self.by, self.names, self.random_state = by, names, random_state

    def fit(self, X):
        self.shift_ = self.by * X.mean(axis=0)
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = np.array(["a", "b"], dtype=object)
        self.n_iter_, self.loss_ = np.int32(3), 0.1 + 0.2
        self._scratch = object()
        return self


@pytest.fixture(autouse=True)
def shoal_toys(monkeypatch):
    """A package of Shoal with the estimator `Shift`, which is defined one module deeper."""
    package, module = types.ModuleType("shoal.toys"), types.ModuleType("shoal.toys.shift")
    monkeypatch.setattr(Shift, "__module__", module.__name__)
    package.Shift = module.Shift = Shift
    package.function, package.LinearRegression = len, LinearRegression
    monkeypatch.setitem(sys.modules, package.__name__, package)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return package


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model"


@pytest.fixture
def model():
    X = np.array([[1.0, 2.0], [4.0, 8.0]], dtype=np.float32)
    return Shift(by=np.float32(0.1), names=("x", None, np.arange(2))).fit(X)


def changed(path, **changes):
    _archive.write(path, {**_archive.read(path), **changes})


def test_gives_back_every_bit(model, path):
    save_model(model, path)
    again = load_model(path)
    assert type(again) is Shift
    for name in ("shift_", "n_iter_", "loss_", "by"):
        one, other = getattr(again, name), getattr(model, name)
        assert type(one) is type(other)
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
    assert again.feature_names_in_.dtype == object
    assert again.feature_names_in_.tolist() == ["a", "b"]
    assert again.names[:2] == ("x", None)
    np.testing.assert_array_equal(again.names[2], [0, 1])
    assert again.n_features_in_ == 2
    assert not hasattr(again, "_scratch")


def test_estimators_inside_are_saved_too(model, path):
    model.by, model.inner_ = Shift(by=Shift(by=3)), Shift(by=2).fit(np.eye(2))
    save_model(model, path)
    again = load_model(path)
    assert again.by.by.by == 3
    np.testing.assert_array_equal(again.inner_.shift_, [1, 1])
    again.inner_ = again.by = LinearRegression()
    with pytest.raises(ModelFileError, match="LinearRegression is not an estimator of Shoal"):
        save_model(again, path)


PACKAGES = [shoal.cluster, shoal.linear_model, shoal.neighbors, shoal.semi_supervised]
ESTIMATORS = [
    (package, name)
    for package in PACKAGES
    for name in package.__all__
    if isinstance(getattr(package, name), type)
    and issubclass(getattr(package, name), BaseEstimator)
]


@pytest.mark.filterwarnings("ignore:y contains no unlabeled")
@pytest.mark.parametrize(("package", "name"), ESTIMATORS, ids=[name for _, name in ESTIMATORS])
@pytest.mark.parametrize("is_text", [False, True])
def test_every_estimator_comes_back_whole(package, name, is_text, path):
    parameters = {
        "KMeans": {"n_clusters": 3},
        "MiniBatchKMeans": {"n_clusters": 3},
        "SeededKMeans": {"n_clusters": 3},
        "RadiusNeighborsClassifier": {"radius": 5.0},
        "RadiusNeighborsRegressor": {"radius": 5.0},
        "SelfTrainingClassifier": {"estimator": shoal.linear_model.LogisticRegression()},
    }
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = (X[:, 0] > 0) + np.ones(60)
    model = getattr(package, name)(**parameters.get(name, {}))
    labels = np.where(y == 1, "low", "high")
    model.fit(X, labels if is_text and not isinstance(model, RegressorMixin) else y)
    save_model(model, path)
    again = load_model(path)
    for method in ("predict", "predict_proba", "decision_function", "transform", "kneighbors"):
        if hasattr(model, method):
            assert bits(getattr(again, method)(X)) == bits(getattr(model, method)(X))
    fitted = {key: value for key, value in vars(model).items() if key.endswith("_")}
    for key in fitted.keys() - {"index_", "estimator_"}:
        assert bits(getattr(again, key)) == bits(fitted[key]), key
    assert hasattr(again, "index_") == ("index_" in fitted)


def test_a_model_that_is_not_fitted_comes_back_so(path):
    save_model(Shift(by=2), path)
    again = load_model(os.fspath(path))
    assert again.get_params() == {"by": 2, "names": None, "random_state": None}
    assert set(vars(again)) == {"by", "names", "random_state"}


def test_saving_again_gives_the_same_file(model, path, tmp_path):
    save_model(model, path)
    save_model(load_model(path), tmp_path / "again")
    assert path.read_bytes() == (tmp_path / "again").read_bytes()


def test_names_the_class_as_users_do_and_the_versions(model, path):
    save_model(model, path)
    tree = _archive.read(path)
    assert tree["class"] == "shoal.toys.Shift"
    assert tree["version"] == 1
    assert tree["shoal_version"] == shoal.__version__
    assert tree["sklearn_version"] == sklearn.__version__


def test_any_damaged_byte_is_found(path):
    save_model(Shift(), path)
    content = path.read_bytes()
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError, match="is damaged"):
            load_model(path)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"random_state": np.random.RandomState(0)}, "random_state is of .*set random_state"),
        ({"random_state": np.random.default_rng(0)}, "random_state is of .*set random_state"),
        ({"by": lambda X: X}, "by is of type function; set what the function returns"),
        ({"names": [Shift()]}, r"names\.0 is of type Shift; save that estimator in a file of"),
        ({"names": {1, 2}}, "names is of type set; model files hold"),
        ({"names": ("a", [object()])}, r"names\.1\.0 is of type object"),
    ],
)
def test_parameters_that_cannot_be_stored_are_named(path, parameters, message):
    with pytest.raises(ModelFileError, match=f"Shift cannot be saved: parameters.{message}"):
        save_model(Shift(**parameters), path)
    assert not path.exists()


def test_attributes_that_cannot_be_stored_are_named(model, path):
    model.tree_ = object()
    with pytest.raises(ModelFileError, match=r"fitted\.tree_ is of type object"):
        save_model(model, path)


def test_rows_in_files_are_not_stored(model, path):
    model.X_ = open_dataset(np.eye(2))
    with pytest.raises(ModelFileError, match=r"fitted\.X_ is of type Dataset; rows in files stay"):
        save_model(model, path)


@pytest.mark.parametrize("other", [LinearRegression(), Pipeline([("shift", Shift())]), object()])
def test_only_estimators_of_shoal_are_saved(path, other):
    with pytest.raises(ModelFileError, match="is not an estimator of Shoal"):
        save_model(other, path)
    assert not path.exists()


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "sklearn.linear_model.LinearRegression",
        "shoal.toys.LinearRegression",
        "shoal.toys.function",
        "shoal.toys.missing",
        "shoal.missing.Shift",
        "shoal.toys.Shift.fit",
        "shoalx.toys.Shift",
        "shoal..toys.Shift",
    ],
)
def test_only_estimators_of_shoal_are_loaded(path, name):
    save_model(Shift(), path)
    changed(path, **{"class": name, "parameters": {}})
    with pytest.raises(ModelFileError, match=r"which this Shoal .* cannot make"):
        load_model(path)


def test_parameters_of_another_version_are_named(path):
    save_model(Shift(), path)
    changed(path, parameters={"gone": 1}, shoal_version="0.0.1")
    with pytest.raises(ModelFileError, match=r"Shift of Shoal 0\.0\.1, .*'gone'"):
        load_model(path)


def test_a_newer_format_is_refused(path):
    save_model(Shift(), path)
    changed(path, version=2, shoal_version="9.0")
    with pytest.raises(ModelFileError, match=r"format version 2, written by Shoal 9\.0.*upgrade"):
        load_model(path)


def test_other_files_are_refused(path):
    _archive.write(path, {"format": "shoal checkpoint"})
    with pytest.raises(ModelFileError, match="is not a model file"):
        load_model(path)
    np.savez(path.with_suffix(".npz"), a=1)
    with pytest.raises(ModelFileError, match="is damaged or none"):
        load_model(path.with_suffix(".npz"))


def test_a_missing_file_is_an_os_error(path):
    with pytest.raises(FileError, match="No such file"):
        load_model(path)


def test_a_full_disk_leaves_the_model_that_was_there(model, path, monkeypatch):
    save_model(model, path)
    content = path.read_bytes()

    def fsync(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(DiskFullError, match="free some room"):
        save_model(Shift(), path)
    assert path.read_bytes() == content
    assert list(path.parent.iterdir()) == [path]

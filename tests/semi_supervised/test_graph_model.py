"""What models on graphs share: scikit-learn's contract, rows on disk, files of models, faults."""

import pickle

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.estimator_checks import parametrize_with_checks
from tests.semi_supervised.rows import blobs, parquet

from shoal import LocalEngine, load_model, open_dataset, save_model
from shoal.callbacks import FitListener, IterationEnded
from shoal.data.dataset import Dataset
from shoal.exceptions import (
    DataError,
    FileError,
    MemoryBudgetError,
    ModelFileError,
    NonFiniteError,
    ParameterError,
)
from shoal.semi_supervised import LabelPropagation, LabelSpreading, LabelSpreadingRegressor
from shoal.testing.bits import bits

MODELS = [LabelPropagation, LabelSpreading, LabelSpreadingRegressor]
X, TRUTH, Y = blobs()


@pytest.mark.filterwarnings("ignore:Skipping check")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@parametrize_with_checks([model() for model in MODELS])
def test_scikit_learns_contract(estimator, check):
    check(estimator)


def targets(model):
    return np.where(Y == -1, np.nan, Y) if model is LabelSpreadingRegressor else Y


def learnt(model):
    names = ("transduction_", "label_distributions_", "mass_", "n_iter_")
    return bits([getattr(model, name) for name in names if hasattr(model, name)])


@pytest.mark.parametrize("model", MODELS)
def test_files_are_as_arrays(model, tmp_path):
    reference = model(n_neighbors=5).fit(X, targets(model))
    path = parquet(X, Y, tmp_path / "rows.parquet")
    found = model(n_neighbors=5).fit(path, "y")
    assert isinstance(found.X_, Dataset)
    assert learnt(found) == learnt(reference)
    queries = parquet(X + 0.3, Y, tmp_path / "queries.parquet")
    expected = reference.predict(X + 0.3)
    np.testing.assert_array_equal(found.predict(queries), expected)
    written = found.predict(queries, out=tmp_path / "found.parquet")
    (name,) = pq.read_schema(written).names
    assert name == ("prediction" if model is LabelSpreadingRegressor else "label")
    np.testing.assert_array_equal(pq.read_table(written)[name].to_numpy(), expected)


@pytest.mark.parametrize("model", MODELS)
def test_other_kinds_of_rows(model):
    reference = model().fit(X, targets(model))
    for rows in (np.asfortranarray(X), sparse.csr_array(X), X.tolist()):
        assert learnt(model().fit(rows, targets(model))) == learnt(reference)
    dataset = open_dataset(X, target=targets(model))
    found = model().fit(dataset)
    assert learnt(found) == learnt(reference)
    np.testing.assert_array_equal(found.predict(open_dataset(X[:9])), reference.predict(X[:9]))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kernel", ["knn", "rbf"])
def test_saved_and_pickled(model, kernel, tmp_path):
    fitted = model(kernel, gamma=1.0).fit(X, targets(model))
    expected = fitted.predict(X + 0.2)
    save_model(fitted, tmp_path / "model")
    for again in (load_model(tmp_path / "model"), pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(again.predict(X + 0.2), expected)


def test_no_pickle_holds_an_index():
    model = LabelSpreading().fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    assert vars(again).keys() == vars(model).keys() - {"_affinity"}


def test_rows_on_disk_are_in_no_model_file(tmp_path):
    model = LabelSpreading().fit(parquet(X, Y, tmp_path / "rows.parquet"), "y")
    with pytest.raises(ModelFileError, match="X_ is of type Dataset"):
        save_model(model, tmp_path / "model")


@pytest.mark.parametrize("model", MODELS)
def test_callbacks(model):
    steps = []

    class StopAtThree(FitListener):
        def on_event(self, event):
            if isinstance(event, IterationEnded):
                steps.append(event.n_iter)
                return event.n_iter == 3
            return None

    fitted = model(tol=0).set_callbacks(StopAtThree()).fit(X, targets(model))
    assert steps == [1, 2, 3]
    assert fitted.n_iter_ == 3


@pytest.mark.parametrize("model", MODELS)
def test_too_few_steps(model):
    with pytest.warns(ConvergenceWarning, match="max_iter=2 was reached"):
        assert model(max_iter=2, tol=0).fit(X, targets(model)).n_iter_ == 2


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"kernel": "linear"}, "kernel"),
        ({"gamma": -1}, "gamma"),
        ({"n_neighbors": 0}, "n_neighbors"),
        ({"n_neighbors": 401}, "n_neighbors = 401"),
        ({"max_iter": 0}, "max_iter"),
        ({"tol": -1}, "tol"),
    ],
)
def test_parameters_without_sense(model, parameters, message):
    with pytest.raises(ValueError, match=message):
        model(**parameters).fit(X, targets(model))


@pytest.mark.parametrize("model", [LabelSpreading, LabelSpreadingRegressor])
@pytest.mark.parametrize("alpha", [0, 1, -0.5, 1.5, None, "half", True, np.nan])
def test_alpha_lies_between_0_and_1(model, alpha):
    with pytest.raises(ParameterError, match=r"'alpha' .* in the range \(0, 1\)\. Got"):
        model(alpha=alpha).fit(X, targets(model))


@pytest.mark.parametrize("model", MODELS)
def test_a_fit_that_fails_changes_nothing(model):
    fitted = model().fit(X, targets(model))
    before = learnt(fitted)
    holes = X.copy()
    holes[3, 1] = np.nan
    with pytest.raises(NonFiniteError, match="row 3"):
        fitted.fit(holes, targets(model))
    with pytest.raises(DataError, match="unknown"):
        fitted.fit(X, np.full(len(X), np.nan))
    # Refused before rows are read.
    fitted.set_params(kernel="rbf")
    with LocalEngine(memory="100kB"), pytest.raises(MemoryBudgetError, match="'knn'"):
        fitted.fit(holes, targets(model))
    fitted.set_params(kernel="knn")
    assert learnt(fitted) == before
    assert fitted.predict(X[:3]).shape == (3,)


@pytest.mark.parametrize("model", MODELS)
def test_predictions_do_not_take_the_place_of_rows(model, tmp_path):
    rows, queries = (parquet(X, Y, tmp_path / f"{name}.parquet") for name in ("rows", "queries"))
    fitted = model(n_neighbors=5).fit(rows, "y")
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    for out in (rows, queries):
        with pytest.raises(FileError, match=f"{out.name} is a file that is read: write to another"):
            fitted.predict(queries, out=out)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before

"""What all linear models share: scikit-learn's contract, sources, faults."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.utils.estimator_checks import parametrize_with_checks
from tests.linear_model.models import ESTIMATORS, FORMS, parquet, rows, target_for, weights

from shoal import LocalEngine, load_model, open_dataset, save_model
from shoal.exceptions import DataError, NonFiniteError, ParameterError

each = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda one: type(one).__name__)


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_contract(estimator, check):
    check(estimator)


def fitted(estimator, X, y, **options):
    return clone(estimator).fit(X, y, **options)


def assert_same(one, other):
    assert np.asarray(one.coef_).tobytes() == np.asarray(other.coef_).tobytes()
    assert np.asarray(one.intercept_).tobytes() == np.asarray(other.intercept_).tobytes()
    assert one.loss_curve_ == other.loss_curve_


@each
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_rows_gives_the_same(estimator, form):
    X = rows()
    y = target_for(estimator, X)
    expected = fitted(estimator, X, y)
    found = fitted(estimator, FORMS[form](X), y)
    if form == "CSR":
        # Sums about 0 are rounded elsewhere.
        np.testing.assert_allclose(found.coef_, expected.coef_, rtol=1e-5, atol=1e-8)
    else:
        assert_same(found, expected)
    np.testing.assert_allclose(found.predict(FORMS[form](X)), expected.predict(X), rtol=1e-6)


@each
def test_files_with_targets_by_name(estimator, tmp_path):
    X = rows()
    y, weight = target_for(estimator, X), weights(200)
    path = parquet(tmp_path / "rows.parquet", X, amount=y, importance=weight)
    expected = fitted(estimator, X, y, sample_weight=weight)
    found = fitted(estimator, path, "amount", sample_weight="importance")
    assert_same(found, expected)
    assert found.feature_names_in_.tolist() == ["x0", "x1", "x2", "x3"]
    np.testing.assert_array_equal(found.predict(path), expected.predict(X))
    assert found.score(path, "amount", "importance") == expected.score(X, y, weight)
    dataset = open_dataset(path, target="amount", sample_weight="importance")
    assert_same(fitted(estimator, dataset, None), expected)
    assert found.score(dataset) == expected.score(X, y, weight)


@each
def test_predictions_are_written(estimator, tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    X = rows()
    model = fitted(estimator, X, target_for(estimator, X))
    path = model.predict(X, out=tmp_path / "predictions.parquet")
    (column,) = pq.read_table(path).columns
    np.testing.assert_array_equal(column.to_numpy(), model.predict(X))


@each
def test_rows_with_missing_values_are_dropped_and_marked(estimator, tmp_path):
    X = rows()
    y = target_for(estimator, X)
    holes = X.copy()
    holes[[3, 70], [0, 2]] = np.nan
    kept = ~np.isnan(holes).any(axis=1)
    dataset = open_dataset(holes, target=y, missing="drop")
    model = fitted(estimator, dataset, None)
    assert_same(model, fitted(estimator, X[kept], y[kept]))
    if is_classifier(estimator):
        with pytest.raises(DataError, match="Row 3 has a missing value"):
            model.predict(dataset)
    else:
        np.testing.assert_array_equal(np.isnan(model.predict(dataset)), ~kept)
    written = model.predict(dataset, out=tmp_path / "predictions.parquet")
    import pyarrow.parquet as pq

    assert np.flatnonzero(pq.read_table(written)[0].is_null()).tolist() == [3, 70]


@each
def test_weights_are_repetitions(estimator):
    X = rows()
    y = target_for(estimator, X)
    counts = np.random.default_rng(0).integers(0, 4, len(X))
    weighed = fitted(estimator, X, y, sample_weight=counts)
    repeated = fitted(estimator, np.repeat(X, counts, axis=0), np.repeat(y, counts))
    np.testing.assert_allclose(weighed.coef_, repeated.coef_, rtol=1e-7, atol=1e-10)
    assert weighed.score(X, y, counts) == pytest.approx(
        repeated.score(np.repeat(X, counts, axis=0), np.repeat(y, counts)), rel=1e-12
    )


@each
def test_survives_pickling_and_model_files(estimator, tmp_path):
    X = rows()
    model = fitted(estimator, X, target_for(estimator, X))
    save_model(model, tmp_path / "model.shoal")
    for copy in (pickle.loads(pickle.dumps(model)), load_model(tmp_path / "model.shoal")):
        assert_same(copy, model)
        np.testing.assert_array_equal(copy.predict(X), model.predict(X))


@each
def test_a_failed_fit_changes_nothing(estimator):
    X = rows()
    y = target_for(estimator, X)
    model = fitted(estimator, X, y)
    before = vars(model).copy()
    holes = X.copy()
    holes[5, 1] = np.nan
    with pytest.raises(NonFiniteError, match=r"'x1', row 5"):
        model.fit(holes, y)
    assert vars(model) == before


@each
def test_the_rows_of_a_fit_are_let_go_of(estimator):
    X = rows()
    with LocalEngine() as engine:
        fitted(estimator, X, target_for(estimator, X))
        assert len(engine._stores) == 0


@each
def test_bad_targets(estimator):
    X = rows()
    y = target_for(estimator, X).astype(float)
    with pytest.raises(DataError, match="requires y to be passed"):
        fitted(estimator, X, None)
    with pytest.raises(DataError, match="no target"):
        fitted(estimator, open_dataset(X), None)
    with pytest.raises(ParameterError, match="has its target already"):
        fitted(estimator, open_dataset(X, target=y), y)
    y[7] = np.nan
    with pytest.raises(NonFiniteError, match=r"Input y contains NaN.*row 7"):
        fitted(estimator, X, y)


@each
@pytest.mark.parametrize(
    ("parameter", "bad"),
    [("max_iter", 0), ("tol", -1.0), ("solver", "svd"), ("learning_rate", 0.0)],
)
def test_bad_parameters(estimator, parameter, bad):
    X = rows()
    model = clone(estimator).set_params(**{parameter: bad})
    with pytest.raises((ValueError, TypeError), match=parameter):
        model.fit(X, target_for(estimator, X))

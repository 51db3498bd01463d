"""K-means against scikit-learn, closed forms, and the known faults of its peers."""

import copy
import pickle
from fractions import Fraction

import joblib
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import sklearn.cluster
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import normalize
from sklearn.utils.estimator_checks import parametrize_with_checks
from tests.cluster.rows import parquet, separated, table

from shoal import LocalEngine, load_model, open_dataset, save_model
from shoal.cluster import KMeans, MiniBatchKMeans
from shoal.exceptions import DataError, NonFiniteError, ParameterError, SchemaError
from shoal.testing.bits import bits

DRAWN_BY_ROW_NUMBER = (
    "first centres and mini-batches are drawn by row number, so that to repeat a row is not to "
    "weigh it twice: other rows are drawn. From given centres the two are the same, which "
    "test_weights_are_repetitions checks"
)
EXPECTED_FAILURES = {
    "check_sample_weight_equivalence_on_dense_data": DRAWN_BY_ROW_NUMBER,
    "check_sample_weight_equivalence_on_sparse_data": DRAWN_BY_ROW_NUMBER,
}


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
@parametrize_with_checks(
    [KMeans(max_iter=5), MiniBatchKMeans(max_iter=5)],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_scikit_learns_contract(estimator, check):
    check(estimator)


def one_of_each(offset):
    """A row of each blob: near 1e6 float32 cannot tell where to cut one in two."""
    X = separated()
    middles = np.random.default_rng(0).normal(0, 30, (5, 4))
    return X[((X[:, None] - middles) ** 2).sum(axis=2).argmin(axis=0)] + offset


def first_rows(X, n_clusters):
    return np.asarray(X[:n_clusters].todense() if sparse.issparse(X) else X[:n_clusters])


def assert_equals_scikit_learns(X, n_clusters, *, weight=None, rtol=1e-9, **parameters):
    """Fits from the same first centres give the same, label by label."""
    init = first_rows(X, n_clusters)
    expected = sklearn.cluster.KMeans(n_clusters, init=init, n_init=1, **parameters)
    expected.fit(X.astype(np.float64), sample_weight=weight)
    found = KMeans(n_clusters, init=init, **parameters).fit(X, sample_weight=weight)
    assert found.n_iter_ == expected.n_iter_
    np.testing.assert_array_equal(found.labels_, expected.labels_)
    scale = np.abs(expected.cluster_centers_).max()
    np.testing.assert_allclose(
        found.cluster_centers_, expected.cluster_centers_, rtol=0, atol=rtol * scale
    )
    return found, expected


@pytest.mark.parametrize("algorithm", ["lloyd", "hamerly"])
@pytest.mark.parametrize(("offset", "column_scale"), [(0, 1), (1e6, 1), (-1e6, 1e-2)])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 1e-7)])
def test_equals_scikit_learns_on_separated_blobs(dtype, rtol, offset, column_scale, algorithm):
    X, init = separated(dtype, offset), one_of_each(offset).astype(dtype)
    X[:, 1] *= dtype(column_scale)
    init[:, 1] *= dtype(column_scale)
    found = KMeans(5, init=init, algorithm=algorithm).fit(X)
    expected = sklearn.cluster.KMeans(5, init=init.astype(float), n_init=1).fit(X.astype(float))
    np.testing.assert_array_equal(found.labels_, expected.labels_)
    assert found.n_iter_ == expected.n_iter_
    atol = rtol * np.abs(expected.cluster_centers_).max()
    np.testing.assert_allclose(found.cluster_centers_, expected.cluster_centers_, rtol=0, atol=atol)
    # scikit-learn's centres are in float64; near 1e6 those in float32 are 1/32 apart.
    assert found.inertia_ == pytest.approx(
        inertia_of(X, found.cluster_centers_, found.labels_), rel=1e-13
    )
    assert found.inertia_ == pytest.approx(expected.inertia_, rel=1e-3 if rtol > 1e-9 else 1e-9)
    assert found.cluster_centers_.dtype == dtype


@pytest.mark.parametrize("n_clusters", [1, 3, 10])
@pytest.mark.parametrize("load", [load_iris, load_digits])
def test_equals_scikit_learns_on_real_data(load, n_clusters):
    X = load().data[::-1].copy()
    # Values are on a grid, where scikit-learn's rounding decides over ties.
    X += np.random.default_rng(0).normal(0, 1e-3, X.shape)
    found, expected = assert_equals_scikit_learns(X, n_clusters, tol=0)
    assert found.inertia_ == pytest.approx(expected.inertia_, rel=1e-12)


def test_equals_scikit_learns_with_weights():
    X = np.random.default_rng(0).normal(size=(500, 3))
    weight = np.random.default_rng(1).lognormal(size=500) * (np.arange(500) % 7 > 0)
    found, expected = assert_equals_scikit_learns(X, 6, weight=weight, tol=0)
    assert found.inertia_ == pytest.approx(expected.inertia_, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 1e-6)])
def test_equals_scikit_learns_on_sparse_data(dtype, rtol, weighted):
    generator = np.random.default_rng(3)
    X = generator.normal(size=(600, 12)) * (generator.random((600, 12)) < 0.2)
    X[::3, 0], X[1::3, 5] = 8.0, -9.0
    X = sparse.csr_array(X.astype(dtype))
    weight = np.random.default_rng(1).lognormal(size=600) if weighted else None
    found, expected = assert_equals_scikit_learns(X, 3, weight=weight, rtol=rtol)
    assert found.inertia_ == pytest.approx(expected.inertia_, rel=rtol)
    np.testing.assert_array_equal(found.predict(X), found.labels_)
    dense = KMeans(3, init=first_rows(X, 3)).fit(X.toarray(), sample_weight=weight)
    np.testing.assert_array_equal(dense.labels_, found.labels_)
    assert found.inertia_ == pytest.approx(dense.inertia_, rel=rtol)


@pytest.mark.parametrize("max_iter", [1, 2, 5])
def test_stops_at_max_iter_where_scikit_learn_does(max_iter):
    X = np.random.default_rng(0).normal(size=(400, 3))
    found, expected = assert_equals_scikit_learns(X, 7, max_iter=max_iter, tol=0)
    assert found.n_iter_ == max_iter == len(found.loss_curve_)
    assert found.inertia_ == pytest.approx(expected.inertia_, rel=1e-12)


@pytest.mark.parametrize("tol", [1e-1, 1e-2, 1e-3, 1e-5])
def test_stops_by_tol_where_scikit_learn_does(tol):
    X = np.random.default_rng(0).normal(size=(400, 3)) * 40
    found, expected = assert_equals_scikit_learns(X, 7, tol=tol)
    assert found.inertia_ == pytest.approx(expected.inertia_, rel=1e-12)


def test_tol_shortens_a_fit():
    X = np.random.default_rng(0).normal(size=(400, 3))
    n_iter = [KMeans(7, init=X[:7], tol=tol).fit(X).n_iter_ for tol in (1e-1, 1e-3, 0)]
    assert n_iter[0] < n_iter[1] < n_iter[2]


def test_weights_are_repetitions():
    """From given centres, to weigh a row is to repeat it, and to weigh it 0 is to drop it."""
    X = np.random.default_rng(0).normal(size=(200, 3))
    times = np.random.default_rng(1).integers(0, 4, 200)
    weighted = KMeans(5, init=X[:5]).fit(X, sample_weight=times)
    repeated = KMeans(5, init=X[:5]).fit(np.repeat(X, times, axis=0))
    assert weighted.n_iter_ == repeated.n_iter_
    np.testing.assert_allclose(weighted.cluster_centers_, repeated.cluster_centers_, rtol=1e-13)
    assert weighted.inertia_ == pytest.approx(repeated.inertia_, rel=1e-13)
    np.testing.assert_array_equal(
        weighted.labels_[times > 0].repeat(times[times > 0]), repeated.labels_
    )


# Closed forms.


def test_two_clusters_on_a_line():
    """The best cut of 0, 1, ..., m - 1 and 100, ..., 100 + m - 1 is between the two runs."""
    m = 8
    X = np.concatenate([np.arange(m), 100 + np.arange(m)]).astype(np.float64)[:, None]
    model = KMeans(2, random_state=0).fit(X)
    np.testing.assert_array_equal(np.sort(model.cluster_centers_.ravel()), [3.5, 103.5])
    assert model.inertia_ == 2 * m * (m**2 - 1) / 12


@pytest.mark.parametrize("init", ["k-means++", "k-means||", "random"])
def test_one_cluster_is_the_mean(init):
    X = np.random.default_rng(0).normal(5, 2, (101, 3))
    model = KMeans(1, init=init, random_state=0).fit(X)
    np.testing.assert_allclose(model.cluster_centers_[0], X.mean(axis=0), rtol=1e-15)
    assert model.inertia_ == pytest.approx(len(X) * X.var(axis=0).sum(), rel=1e-14)
    assert set(model.labels_) == {0}


@pytest.mark.parametrize("init", ["k-means++", "k-means||", "random"])
def test_as_many_clusters_as_rows(init):
    X = np.random.default_rng(0).normal(size=(23, 2))
    model = KMeans(23, init=init, random_state=0).fit(X)
    assert model.inertia_ == pytest.approx(0, abs=1e-28)
    assert len(set(model.labels_)) == 23
    np.testing.assert_allclose(model.cluster_centers_[model.labels_], X, rtol=1e-14)


@pytest.mark.parametrize("init", ["k-means++", "k-means||", "random"])
def test_duplicates_are_fewer_clusters_and_a_warning(init):
    X = np.repeat([[0.0, 1.0], [5.0, 5.0], [9.0, 0.0]], 7, axis=0)
    with pytest.warns(ConvergenceWarning, match=r"distinct clusters \(3\) found smaller than"):
        model = KMeans(5, init=init, random_state=0).fit(X)
    assert model.inertia_ == 0
    assert len(set(model.labels_)) == 3
    np.testing.assert_array_equal(model.cluster_centers_[model.labels_], X)


# Parameters.


def test_n_init_keeps_the_run_of_least_inertia():
    X = np.random.default_rng(0).normal(size=(300, 2))

    def fitted(n_init):
        return KMeans(12, init="random", n_init=n_init, random_state=0).fit(X)

    inertias = [fitted(n_init).inertia_ for n_init in range(1, 9)]
    assert inertias == sorted(inertias, reverse=True)
    assert inertias[-1] < inertias[0]


def test_auto_n_init_is_ten_for_blind_draws():
    X = np.random.default_rng(0).normal(size=(100, 2))
    for init, n_init in [("random", 10), ("k-means++", 1), ("k-means||", 1), (draw_rows, 10)]:
        auto = KMeans(9, init=init, random_state=4).fit(X)
        given = KMeans(9, init=init, n_init=n_init, random_state=4).fit(X)
        assert auto.inertia_ == given.inertia_


def draw_rows(X, n_clusters, random_state):
    return X[random_state.permutation(len(X))[:n_clusters]]


def test_a_callable_is_given_rows_and_a_random_state():
    X, calls = separated(np.float32), []

    def init(rows, n_clusters, random_state):
        calls.append(rows)
        return draw_rows(rows, n_clusters, random_state)

    first = KMeans(5, init=init, n_init=2, random_state=1).fit(X)
    again = KMeans(5, init=init, n_init=2, random_state=1).fit(X)
    assert bits(first.cluster_centers_) == bits(again.cluster_centers_)
    assert len(calls) == 4
    np.testing.assert_array_equal(calls[0], X)


def test_given_centres_are_tried_once():
    X = separated()
    with pytest.warns(RuntimeWarning, match="only one init"):
        model = KMeans(5, init=X[:5], n_init=3).fit(X)
    assert bits(model.cluster_centers_) == bits(KMeans(5, init=X[:5]).fit(X).cluster_centers_)
    listed = KMeans(5, init=X[:5].tolist()).fit(X)
    assert bits(model.cluster_centers_) == bits(listed.cluster_centers_)


def test_given_centres_are_not_changed():
    X = separated()
    init = X[:5].copy()
    KMeans(5, init=init).fit(X)
    np.testing.assert_array_equal(init, X[:5])


def test_random_state():
    X = np.random.default_rng(0).normal(size=(300, 2))

    def fitted(random_state):
        return bits(KMeans(9, random_state=random_state).fit(X).cluster_centers_)

    assert fitted(5) == fitted(5) == fitted(np.random.RandomState(5))
    assert fitted(5) != fitted(6)
    assert fitted(None) != fitted(None)
    shared = np.random.RandomState(5)
    assert fitted(shared) != fitted(shared)


def test_data_are_not_changed():
    X = separated()
    X.flags.writeable = False
    KMeans(5, random_state=0, metric="cosine").fit(X).predict(X)


def test_float32_stays_float32():
    model = KMeans(5, random_state=0).fit(separated(np.float32))
    assert model.cluster_centers_.dtype == np.float32
    assert model.transform(separated(np.float32)).dtype == np.float32
    assert model.transform(separated(np.float64)).dtype == np.float64
    assert KMeans(2, random_state=0).fit([[1], [2], [4]]).cluster_centers_.dtype == np.float64


# The cosine metric.


def spherical(X, centers, weight=None):
    """Spherical K-means by hand, from given rows."""
    unit = normalize(X.astype(np.float64))
    centers = normalize(centers.astype(np.float64))
    labels = None
    while True:
        found = (unit @ centers.T).argmax(axis=1)
        if labels is not None and (found == labels).all():
            return centers, labels, np.average(1 - (unit * centers[labels]).sum(axis=1)) * len(X)
        labels = found
        centers = normalize(np.stack([unit[labels == j].sum(axis=0) for j in range(len(centers))]))


@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cosine_is_spherical_k_means(form, dtype):
    X = np.abs(np.random.default_rng(0).normal(size=(400, 5))).astype(dtype)
    X[X < 0.3] = 0
    X *= np.random.default_rng(1).lognormal(0, 2, (400, 1)).astype(dtype)
    centers, labels, inertia = spherical(X, X[:6])
    model = KMeans(6, init=X[:6], metric="cosine", tol=0).fit(form(X))
    np.testing.assert_array_equal(model.labels_, labels)
    rtol = 1e-6 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(model.cluster_centers_, centers, atol=rtol)
    np.testing.assert_allclose(np.linalg.norm(model.cluster_centers_, axis=1), 1, rtol=rtol)
    assert model.inertia_ == pytest.approx(inertia, rel=10 * rtol)
    assert model.score(form(X)) == pytest.approx(-inertia, rel=10 * rtol)
    np.testing.assert_array_equal(model.predict(form(X)), labels)
    cosines = normalize(X.astype(float)) @ centers.T
    np.testing.assert_allclose(model.transform(form(X)), 1 - cosines, atol=10 * rtol)
    np.testing.assert_array_equal(model.predict(form((X * dtype(8))[:50])), labels[:50])


def test_a_row_without_direction_is_refused():
    X = separated()
    X[7] = 0
    with pytest.raises(DataError, match=r"row of zeros has no direction.*row 7"):
        KMeans(5, metric="cosine").fit(X)
    model = KMeans(5, metric="cosine", random_state=0).fit(separated())
    with pytest.raises(DataError, match="row 7"):
        model.predict(X)


# What peers get wrong.


def inertia_of(X, centers, labels, weight=None):
    """Inertia in extended precision."""
    squares = (X.astype(np.longdouble) - centers.astype(np.longdouble)[labels]) ** 2
    return float((squares.sum(axis=1) * (1 if weight is None else weight)).sum())


@pytest.mark.parametrize("sparse_rows", [False, True])
def test_an_empty_cluster_moves_to_the_farthest_row_not_to_the_origin(sparse_rows):
    X = np.random.default_rng(0).normal(100, 1, (200, 2))
    X[17] = [130.0, 90.0]
    rows = sparse.csr_array(X) if sparse_rows else X
    init = np.array([[100.0, 100.0], [99.0, 99.0], [1e4, 1e4]])
    one_step = KMeans(3, init=init, max_iter=1).fit(rows)
    np.testing.assert_allclose(one_step.cluster_centers_[2], X[17], rtol=1e-14)
    model, expected = assert_equals_scikit_learns_from(rows, init)
    assert model.cluster_centers_.min() > 80
    assert (np.bincount(model.labels_) > 0).all()
    assert model.inertia_ == pytest.approx(expected.inertia_, rel=1e-9)


def assert_equals_scikit_learns_from(X, init):
    expected = sklearn.cluster.KMeans(len(init), init=init, n_init=1).fit(X)
    found = KMeans(len(init), init=init).fit(X)
    np.testing.assert_array_equal(found.labels_, expected.labels_)
    np.testing.assert_allclose(found.cluster_centers_, expected.cluster_centers_, rtol=1e-12)
    return found, expected


def test_several_empty_clusters_get_rows_of_their_own():
    X = np.random.default_rng(0).normal(100, 5, (300, 3))
    init = np.vstack([X[0], np.full((4, 3), -1e5) - np.arange(4)[:, None]])
    model = KMeans(5, init=init).fit(X)
    assert (np.bincount(model.labels_, minlength=5) > 0).all()
    assert model.cluster_centers_.min() > 70


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("stop", [{"tol": 0}, {"tol": 1e-2}, {"max_iter": 1}, {"max_iter": 3}])
def test_inertia_is_the_sum_of_squared_distances_to_the_final_centres(stop, weighted):
    X = np.random.default_rng(0).normal(0, 10, (300, 3)).astype(np.float32)
    weight = np.random.default_rng(1).lognormal(size=300) if weighted else None
    model = KMeans(4, init=X[:4], **stop).fit(X, sample_weight=weight)
    rows, centers = [
        [list(map(Fraction, row)) for row in values.astype(np.float64).tolist()]
        for values in (X, model.cluster_centers_)
    ]
    weights = [Fraction(w) for w in (np.ones(300) if weight is None else weight).tolist()]
    exact = Fraction()
    for row, label, w in zip(rows, model.labels_, weights, strict=True):
        distances = [sum((a - b) ** 2 for a, b in zip(row, c, strict=True)) for c in centers]
        assert distances[label] == min(distances)
        exact += w * min(distances)
    assert model.inertia_ == pytest.approx(float(exact), rel=1e-15)
    assert model.score(X, sample_weight=weight) == -model.inertia_


@pytest.mark.parametrize("stop", [{"tol": 1e-1}, {"max_iter": 2}, {"tol": 0}])
@pytest.mark.parametrize("init", ["k-means++", "k-means||", "random"])
def test_labels_are_those_that_predict_gives(init, stop):
    X = np.random.default_rng(0).normal(size=(2000, 3)).astype(np.float32)
    model = KMeans(12, init=init, random_state=0, **stop).fit(X)
    np.testing.assert_array_equal(model.labels_, model.predict(X))
    assert model.inertia_ == pytest.approx(
        inertia_of(X, model.cluster_centers_, model.labels_), rel=1e-13
    )


@settings(max_examples=15)
@given(
    n_rows=st.integers(5, 400),
    n_files=st.integers(1, 9),
    memory=st.sampled_from(["40kB", "300kB", "1GB"]),
    init=st.sampled_from(["k-means++", "k-means||", "random"]),
)
def test_files_and_memory_change_nothing(tmp_path_factory, n_rows, n_files, memory, init):
    X = np.random.default_rng(n_rows).normal(size=(n_rows, 3))
    folder = tmp_path_factory.mktemp("files")
    for number, part in enumerate(np.array_split(X, min(n_files, n_rows))):
        pq.write_table(table(part), folder / f"{number}.parquet", row_group_size=37)
    model = KMeans(5, init=init, n_init=1, random_state=0)
    expected = clone(model).fit(X)
    with LocalEngine(2, memory):
        found = clone(model).fit(folder)
    names = ("cluster_centers_", "inertia_", "n_iter_", "loss_curve_")
    assert [bits(getattr(found, n)) for n in names] == [bits(getattr(expected, n)) for n in names]


# Data on disk and with missing values.


def test_labels_of_the_last_fit_do_not_outlive_it(tmp_path):
    X = separated()
    model = KMeans(5, random_state=0).fit(X)
    assert not hasattr(model.fit(parquet(X, tmp_path)), "labels_")


def test_dropped_rows_are_labelled_minus_one(tmp_path):
    X = separated()
    X[[0, 1, 250, 599], 2] = np.nan
    dropped = np.isnan(X).any(axis=1)
    model = KMeans(5, random_state=0).fit(open_dataset(X, missing="drop"))
    expected = KMeans(5, init=model.cluster_centers_).fit(X[~dropped])
    np.testing.assert_array_equal(model.labels_ == -1, dropped)
    np.testing.assert_array_equal(model.labels_[~dropped], expected.labels_)
    np.testing.assert_array_equal(model.predict(open_dataset(X, missing="drop")), model.labels_)
    distances = model.transform(open_dataset(X, missing="drop"))
    np.testing.assert_array_equal(np.isnan(distances).all(axis=1), dropped)


# Bad input.


def bad(change):
    X = separated(n_rows=60)
    change(X)
    return X


BAD_ROWS = [
    (bad(lambda X: X.__setitem__((7, 2), np.nan)), NonFiniteError, r"NaN.*'x2'.*row 7"),
    (bad(lambda X: X.__setitem__((59, 0), np.inf)), NonFiniteError, r"infinity.*'x0'.*row 59"),
    (np.empty((0, 4)), DataError, r"0 sample\(s\)"),
    (np.empty((9, 0)), DataError, r"0 feature\(s\)"),
    (np.ones((4, 4)), DataError, "n_samples=4 should be >= n_clusters=5"),
    (np.ones(9), DataError, "Expected 2D array"),
    (np.full((9, 2), "a"), DataError, "not compatible with arrays of bytes/strings"),
    (np.ones((9, 2), dtype=complex), DataError, "Complex data not supported"),
    (pd.DataFrame({"a": np.arange(9.0), "b": ["x"] * 9}), SchemaError, "'b'"),
    ("missing.parquet", OSError, r"missing\.parquet"),
    (open_dataset(np.full((9, 2), np.nan), missing="drop"), DataError, "every row"),
    (
        open_dataset(np.where(np.arange(18).reshape(9, 2) > 7, np.nan, 1), missing="drop"),
        DataError,
        "n_samples=4 should be >= n_clusters=5",
    ),
]


@pytest.mark.parametrize("estimator", [KMeans, MiniBatchKMeans])
@pytest.mark.parametrize(("X", "error", "message"), BAD_ROWS)
def test_bad_rows_are_refused_and_leave_the_model_alone(X, error, message, estimator):
    model = estimator(5, random_state=0).fit(separated())
    before = copy.deepcopy(vars(model))
    with pytest.raises(error, match=message) as raised:
        model.fit(X)
    assert isinstance(raised.value, ValueError | OSError)
    assert bits(vars(model)) == bits(before)


@pytest.mark.parametrize("estimator", [KMeans, MiniBatchKMeans])
@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (np.arange(600.0) - 1, DataError, "negative values: -1.0 .*row 0"),
        (np.zeros(600), DataError, "all zero"),
        (np.full(600, np.nan), NonFiniteError, "NaN"),
        (np.full(600, np.inf), NonFiniteError, "infinity"),
        (np.ones(599), DataError, r"\[600, 599\]"),
        (np.ones((600, 2)), DataError, "1D"),
        (np.full(600, "heavy"), SchemaError, "numbers"),
        (np.repeat([1.0, 0.0], [4, 596]), ValueError, "only so many rows have a weight above 0"),
    ],
)
def test_bad_weights_are_refused_and_leave_the_model_alone(weight, error, message, estimator):
    model = estimator(5, random_state=0).fit(separated())
    before = copy.deepcopy(vars(model))
    with pytest.raises(error, match=message):
        model.fit(separated(offset=1), sample_weight=weight)
    assert bits(vars(model)) == bits(before)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_clusters": 0}, "n_clusters"),
        ({"n_clusters": 2.5}, "n_clusters"),
        ({"n_clusters": True}, "n_clusters"),
        ({"max_iter": 0}, "max_iter"),
        ({"tol": -1}, "tol"),
        ({"tol": np.nan}, "tol"),
        ({"n_init": 0}, "n_init"),
        ({"n_init": "many"}, "n_init"),
        ({"init": "best"}, "'k-means\\+\\+', 'k-means||', 'random'"),
        ({"init": np.ones((4, 4))}, r"\(4, 4\) does not match the number of clusters"),
        ({"init": np.ones((5, 3))}, r"\(5, 3\) does not match the number of\s+feat"),
        ({"init": np.ones(5)}, "does not match"),
        ({"init": np.full((5, 4), np.nan)}, "init contains NaN"),
        ({"init": lambda X, k, random_state: X[:2]}, "does not match"),
        ({"init": [[0, 0, 0, 0], [1]]}, "init must be an array of numbers"),
        ({"init": np.ones((5, 4), dtype=complex)}, "Complex data not supported"),
        ({"algorithm": "elkan"}, "algorithm"),
        ({"metric": "manhattan"}, "metric"),
    ],
)
def test_bad_parameters_are_refused_and_leave_the_model_alone(parameters, message):
    model = KMeans(5, random_state=0).fit(separated())
    fitted = bits({name: value for name, value in vars(model).items() if name.endswith("_")})
    with pytest.raises(ParameterError, match=message):
        model.set_params(**parameters).fit(separated(offset=1))
    now = bits({name: value for name, value in vars(model).items() if name.endswith("_")})
    assert now == fitted


def test_an_interrupt_leaves_the_model_alone():
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    model = KMeans(5, random_state=0).fit(separated())
    before = copy.deepcopy(vars(model))
    model.init = interrupted
    with pytest.raises(KeyboardInterrupt):
        model.fit(separated(offset=1)[:, :3])
    assert bits(vars(model) | {"init": "k-means++"}) == bits(before)


# Persistence.


@pytest.mark.parametrize("parameters", [{}, {"init": "k-means||", "metric": "cosine"}])
def test_a_saved_model_is_the_same(tmp_path, parameters):
    X = separated(np.float32)
    model = KMeans(5, random_state=0, **parameters).fit(pd.DataFrame(X, columns=list("abcd")))
    save_model(model, tmp_path / "model")
    joblib.dump(model, tmp_path / "model.joblib")
    copies = [
        load_model(tmp_path / "model"),
        joblib.load(tmp_path / "model.joblib"),
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
    ]
    for again in copies:
        assert type(again) is KMeans
        assert again.get_params() == model.get_params()
        for name in ("cluster_centers_", "inertia_", "n_iter_", "loss_curve_", "feature_names_in_"):
            assert bits(getattr(again, name)) == bits(getattr(model, name))
        frame = pd.DataFrame(X, columns=list("abcd"))
        np.testing.assert_array_equal(again.predict(frame), model.labels_)
    assert not hasattr(clone(model), "cluster_centers_")
    assert clone(model).get_params() == model.get_params()

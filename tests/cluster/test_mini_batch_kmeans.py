"""Mini-batch K-means: near K-means, streams, and models that go on after they were saved."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import normalize
from tests.cluster.rows import parquet, separated

from shoal import load_model, open_dataset, save_model
from shoal.cluster import KMeans, MiniBatchKMeans
from shoal.exceptions import DataError, NonFiniteError
from shoal.testing.bits import bits


def model(**parameters):
    return MiniBatchKMeans(**{"n_clusters": 5, "random_state": 0, "batch_size": 100} | parameters)


def fitted(estimator):
    return bits({name: value for name, value in vars(estimator).items() if name.endswith("_")})


def in_order(centers):
    return centers[np.lexsort(centers.T)]


@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sparse.csr_array])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0, 1e4])
def test_finds_separate_clusters_as_k_means_does(form, dtype, offset):
    X = separated(dtype, offset)
    expected = KMeans(5, random_state=0).fit(X)
    found = model().fit(form(X))
    assert found.cluster_centers_.dtype == dtype
    np.testing.assert_allclose(
        in_order(found.cluster_centers_), in_order(expected.cluster_centers_), atol=0.5
    )
    assert expected.inertia_ <= found.inertia_ < 1.1 * expected.inertia_
    np.testing.assert_array_equal(found.labels_, found.predict(form(X)))
    assert found.score(form(X)) == pytest.approx(-found.inertia_, rel=1e-12)


def test_is_near_k_means_on_overlapping_clusters():
    X = np.random.default_rng(0).normal(size=(5000, 2))
    best = KMeans(8, n_init=5, random_state=0).fit(X).inertia_
    found = model(n_clusters=8, batch_size=500, max_no_improvement=50).fit(X).inertia_
    assert 0.99 * best < found < 1.1 * best


def test_cosine_centres_have_unit_length():
    X = np.abs(separated(np.float64)) + 0.1
    found = model(metric="cosine").fit(X)
    np.testing.assert_allclose(np.linalg.norm(found.cluster_centers_, axis=1), 1, rtol=1e-12)
    cosines = normalize(X) @ found.cluster_centers_.T
    np.testing.assert_array_equal(found.labels_, cosines.argmax(axis=1))
    assert found.inertia_ == pytest.approx((1 - cosines.max(axis=1)).sum(), rel=1e-9)
    given = model(metric="cosine", init=X[:5]).fit(X)
    scaled = model(metric="cosine", init=X[:5] * np.arange(1, 6)[:, None]).fit(X)
    np.testing.assert_allclose(given.cluster_centers_, scaled.cluster_centers_, rtol=1e-12)


def test_random_state():
    X = np.random.default_rng(0).normal(size=(500, 2))
    assert fitted(model().fit(X)) == fitted(model().fit(X))
    assert fitted(model().fit(X)) != fitted(model(random_state=1).fit(X))


def test_counts_steps_and_epochs():
    X = separated()
    found = model(max_iter=3, max_no_improvement=None).fit(X)
    assert (found.n_steps_, found.n_iter_) == (18, 3)
    assert found.cluster_weights_.sum() == pytest.approx(1800)
    early = model(max_iter=100, max_no_improvement=2).fit(X)
    assert early.n_steps_ < 600


def test_labels_and_inertia_are_left_out_on_request():
    X = separated()
    found = model(compute_labels=False).fit(X)
    assert not hasattr(found, "labels_")
    assert found.inertia_ == pytest.approx(-found.score(X), rel=0.3)
    assert not hasattr(model(compute_labels=False).partial_fit(X), "inertia_")


def test_what_was_known_of_other_rows_does_not_outlive_them(tmp_path):
    X = separated()
    found = model().fit(X)
    found.set_params(compute_labels=False).partial_fit(X[:100])
    assert not hasattr(found, "labels_")
    assert not hasattr(found, "inertia_")
    found.set_params(compute_labels=True).partial_fit(X[:7])
    np.testing.assert_array_equal(found.labels_, found.predict(X[:7]))
    assert found.inertia_ == -found.score(X[:7])
    assert not hasattr(found.fit(parquet(X, tmp_path)), "labels_")


def test_n_init_chooses_first_centres_by_their_inertia():
    X = np.random.default_rng(0).normal(size=(400, 2))
    many = model(n_clusters=12, init="random", n_init=10, max_iter=1, reassignment_ratio=0).fit(X)
    ones = [
        model(n_clusters=12, init="random", n_init=1, random_state=seed, max_iter=1).fit(X).inertia_
        for seed in range(10)
    ]
    assert many.inertia_ < np.median(ones)


# Streams.


def test_a_stream_finds_the_clusters():
    X = separated(n_rows=3000)
    found = model(init=X[:5] + 1.0)
    for start in range(0, 3000, 150):
        found.partial_fit(X[start : start + 150])
    assert found.n_steps_ == 20
    assert found.cluster_weights_.sum() == pytest.approx(3000, rel=0.5)
    assert -found.score(X) < 1.5 * KMeans(5, init=found.cluster_centers_).fit(X).inertia_


def test_the_mean_of_a_stream_is_the_mean_of_its_rows():
    X, weight = separated(), np.linspace(0, 3, 600)
    found = model(n_clusters=1)
    for start in range(0, 600, 60):
        rows = slice(start, start + 60)
        found.partial_fit(X[rows], sample_weight=weight[rows])
    expected = np.average(X, axis=0, weights=weight)
    np.testing.assert_allclose(found.cluster_centers_[0], expected, rtol=1e-12)
    assert found.cluster_weights_[0] == pytest.approx(weight.sum(), rel=1e-12)


def test_later_batches_may_have_fewer_rows_than_there_are_clusters():
    X = separated()
    found = model().partial_fit(X)
    for row in X[:3]:
        found.partial_fit(row[None])
    assert found.n_steps_ == 4
    with pytest.raises(DataError, match="n_samples=4 should be >= n_clusters=5"):
        model().partial_fit(X[:4])


def test_a_batch_without_weight_is_refused_and_changes_nothing():
    X = separated()
    found = model().partial_fit(X)
    undisturbed = copy.deepcopy(found).partial_fit(X)
    before = fitted(found)
    with pytest.raises(DataError, match="all zero"):
        found.partial_fit(X, sample_weight=np.zeros(600))
    assert fitted(found) == before
    assert fitted(found.partial_fit(X)) == fitted(undisturbed)


def test_a_batch_of_little_weight_breaks_nothing():
    X = separated()
    found = model(reassignment_ratio=0).partial_fit(X)
    before = found.cluster_centers_.copy()
    weight = np.zeros(600)
    weight[17] = 1e-300
    found.partial_fit(X, sample_weight=weight)
    np.testing.assert_allclose(found.cluster_centers_, before, rtol=1e-12)
    assert np.isfinite(found.inertia_)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda X: X[:, :3], ValueError, "X has 3 features, but MiniBatchKMeans is expecting 4"),
        (lambda X: np.where(np.isin(X, X[9, 1]), np.nan, X), NonFiniteError, "'x1', row 9"),
        (lambda X: X[:0], DataError, r"0 sample\(s\)"),
        (lambda X: open_dataset(np.full((6, 4), np.nan), missing="drop"), DataError, "names|every"),
    ],
)
def test_a_bad_batch_is_refused_and_changes_nothing(change, error, message):
    X = separated()
    found = model().partial_fit(X)
    before = fitted(found)
    with pytest.raises(error, match=message):
        found.partial_fit(change(X))
    assert fitted(found) == before


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_a_stream_goes_on_from_a_saved_model(tmp_path, metric):
    frame = pd.DataFrame(separated(np.float32), columns=list("abcd"))
    found = model(metric=metric)
    for start in range(0, 400, 100):
        found.partial_fit(frame[start : start + 100])
    save_model(found, tmp_path / "model")
    joblib.dump(found, tmp_path / "model.joblib")
    copies = [
        load_model(tmp_path / "model"),
        joblib.load(tmp_path / "model.joblib"),
        pickle.loads(pickle.dumps(found)),
        copy.deepcopy(found),
    ]
    assert all(fitted(again) == fitted(found) for again in copies)
    for start in range(400, 600, 50):
        for again in (found, *copies):
            again.partial_fit(frame[start : start + 50])
    assert all(fitted(again) == fitted(found) for again in copies)
    assert found.n_steps_ == 8
    fresh = clone(found)
    assert fresh.get_params() == found.get_params()
    assert not hasattr(fresh, "cluster_weights_")


# Bad input.


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"batch_size": 1.5}, TypeError, "batch_size"),
        ({"max_no_improvement": -1}, ValueError, "max_no_improvement"),
        ({"init_size": 0}, ValueError, "init_size"),
        ({"init_size": 3}, ValueError, "n_samples=3 should be >= n_clusters=5"),
        ({"reassignment_ratio": -0.1}, ValueError, "reassignment_ratio"),
        ({"init": np.ones((4, 4))}, ValueError, "number of clusters"),
        ({"metric": "manhattan"}, ValueError, "metric"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_bad_parameters_are_refused(parameters, error, message, method):
    with pytest.raises(error, match=message):
        getattr(model(**parameters), method)(separated())


def test_duplicates_are_fewer_clusters_and_a_warning():
    X = np.repeat([[0.0, 1.0], [5.0, 5.0]], 30, axis=0)
    with pytest.warns(ConvergenceWarning, match=r"distinct clusters \(2\)"):
        found = model().fit(X)
    assert found.inertia_ == pytest.approx(0, abs=1e-12)

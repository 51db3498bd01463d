"""K-means from seeds: against scikit-learn's from their means, and the algorithm as published."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sklearn.cluster
from scipy import sparse
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from shoal import LocalEngine, load_model, open_dataset, save_model
from shoal.callbacks import FitListener, IterationEnded
from shoal.cluster import SeededKMeans
from shoal.exceptions import CheckpointError, DataError, NonFiniteError
from shoal.testing.bits import bits

ONE_CLUSTER = "the check asks for fewer clusters than there are classes in its y"
EXPECTED_FAILURES = {
    "check_clustering": "clusters begin with labelled rows, and the check gives no y",
    "check_dont_overwrite_parameters": ONE_CLUSTER,
    "check_methods_sample_order_invariance": ONE_CLUSTER,
    "check_methods_subset_invariance": ONE_CLUSTER,
    "check_fit2d_1feature": ONE_CLUSTER,
    "check_fit2d_predict1d": ONE_CLUSTER,
}


@pytest.mark.filterwarnings("ignore:Number of distinct clusters", "ignore:Skipping check")
@parametrize_with_checks(
    [SeededKMeans(), SeededKMeans(constrained=True)],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_scikit_learns_contract(estimator, check):
    check(estimator)


def overlapping(n_rows=500, n_classes=4, dtype=np.float64, seed=0, share=0.1):
    """Rows of blobs that overlap, their classes, and those with -1 for most."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(n_classes, size=n_rows)
    truth[:n_classes] = np.arange(n_classes)
    X = generator.normal(0, 2, (n_classes, 3))[truth] + generator.normal(size=(n_rows, 3))
    known = generator.random(n_rows) < share
    known[:n_classes] = True
    return X.astype(dtype), truth, np.where(known, truth, -1)


def means(X, labels, n_clusters, weight):
    return np.stack(
        [np.average(X[labels == j], axis=0, weights=weight[labels == j]) for j in range(n_clusters)]
    )


def published(X, y, constrained, weight=None, n_iter=300):
    """Basu et al., figures 1 and 2, step by step."""
    X, weight = X.astype(float), np.ones(len(X)) if weight is None else weight
    n_clusters = y.max() + 1
    centers = means(X[y >= 0], y[y >= 0], n_clusters, weight[y >= 0])
    for _ in range(n_iter):
        labels = ((X[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
        if constrained:
            labels[y >= 0] = y[y >= 0]
        before, centers = centers, means(X, labels, n_clusters, weight)
        if np.allclose(before, centers, rtol=0, atol=1e-14):
            break
    return centers, labels


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("dtype", "atol"), [(np.float64, 1e-10), (np.float32, 1e-5)])
def test_is_as_published(dtype, atol, weighted, constrained):
    X, _, y = overlapping(dtype=dtype)
    weight = np.random.default_rng(1).uniform(0.1, 3, len(X)) if weighted else None
    found = SeededKMeans(constrained=constrained, tol=0).fit(X, y, weight)
    centers, labels = published(X, y, constrained, weight)
    np.testing.assert_allclose(found.cluster_centers_, centers, atol=atol)
    np.testing.assert_array_equal(found.labels_, labels)
    weight = np.ones(len(X)) if weight is None else weight
    own = ((X.astype(float) - found.cluster_centers_[labels]) ** 2).sum(axis=1)
    assert found.inertia_ == pytest.approx((weight * own).sum(), rel=1e-9)
    assert found.cluster_centers_.dtype == dtype
    assert (np.diff(found.loss_curve_) < 1e-3).all()
    if constrained:
        np.testing.assert_array_equal(found.labels_[y >= 0], y[y >= 0])
        assert (found.predict(X)[y >= 0] != y[y >= 0]).any()


@pytest.mark.parametrize("load", [load_iris, load_digits])
def test_equals_scikit_learns_from_the_means_of_the_seeds(load):
    X, y = load(return_X_y=True)
    X += np.random.default_rng(0).normal(0, 1e-3, X.shape)
    known = np.random.default_rng(1).random(len(y)) < 0.05
    known[np.unique(y, return_index=True)[1]] = True
    init = means(X[known], y[known], y.max() + 1, np.ones(known.sum()))
    found = SeededKMeans(tol=0).fit(X, np.where(known, y, -1))
    expected = sklearn.cluster.KMeans(len(init), init=init, n_init=1, tol=0).fit(X)
    np.testing.assert_array_equal(found.labels_, expected.labels_)
    np.testing.assert_allclose(found.cluster_centers_, expected.cluster_centers_, rtol=1e-9)
    blind = sklearn.cluster.KMeans(len(init), n_init=1, random_state=0).fit(X)
    assert adjusted_rand_score(y, found.labels_) > adjusted_rand_score(y, blind.labels_) - 0.01


def test_clusters_have_the_names_of_classes():
    X, truth, y = overlapping()
    words = np.array(["d", "a", "c", "b"], dtype=object)[y]
    words[y == -1] = None
    found = SeededKMeans(constrained=True).fit(X, words)
    assert found.classes_.tolist() == ["a", "b", "c", "d"]
    known = y >= 0
    np.testing.assert_array_equal(found.classes_[found.labels_[known]], words[known])
    assert (found.classes_[found.labels_] == np.array(["d", "a", "c", "b"])[truth]).mean() > 0.6


@pytest.mark.parametrize("constrained", [False, True])
def test_more_clusters_than_classes(constrained):
    X, truth, _ = overlapping(share=1)
    X[truth == 3] += 50
    X[truth == 2] -= 50
    y = np.where((truth < 2) & (np.arange(len(X)) < 30), truth, -1)
    found = SeededKMeans(4, constrained=constrained, random_state=0).fit(X, y)
    assert found.classes_.tolist() == [0, 1]
    assert found.cluster_centers_.shape == (4, 3)
    # Seeds are in the first two clusters, and the far blobs have one each.
    assert found.labels_[truth == 2].min() == found.labels_[truth == 2].max() >= 2
    assert found.labels_[truth == 3].min() == found.labels_[truth == 3].max() >= 2
    again = SeededKMeans(4, constrained=constrained, random_state=0).fit(X, y)
    assert bits([again.cluster_centers_]) == bits([found.cluster_centers_])


def test_an_empty_cluster_takes_no_labelled_row():
    X = np.array([[0.0], [0.0], [1.0], [9.0], [9.0], [30.0]])
    with pytest.warns(ConvergenceWarning, match="Number of distinct clusters"):
        found = SeededKMeans(3, constrained=True, random_state=0).fit(X, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(found.labels_, [0, 0, 0, 1, 1, 1])
    free = SeededKMeans(3, constrained=True, random_state=0).fit(X, [0, 0, 0, 1, 1, -1])
    np.testing.assert_array_equal(free.labels_, [0, 0, 0, 1, 1, 2])


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_more_clusters_than_different_rows():
    X = np.repeat([[0.0], [5.0]], 4, axis=0)
    found = SeededKMeans(3, random_state=0).fit(X, [0, -1, -1, -1, 1, -1, -1, -1])
    np.testing.assert_array_equal(found.cluster_centers_[:2], [[0], [5]])
    assert found.inertia_ == 0


def test_cosine():
    X, _, y = overlapping()
    found = SeededKMeans(metric="cosine", constrained=True).fit(X, y)
    np.testing.assert_allclose(np.linalg.norm(found.cluster_centers_, axis=1), 1)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    expected = SeededKMeans(constrained=True, max_iter=1).fit(unit, y)
    np.testing.assert_array_equal(found.labels_[y >= 0], expected.labels_[y >= 0])


def learnt(model):
    return bits([model.cluster_centers_, model.inertia_, model.n_iter_, model.loss_curve_])


@pytest.mark.parametrize("constrained", [False, True])
def test_other_kinds_of_rows(tmp_path, constrained):
    X, _, y = overlapping(2000)

    def model():
        return SeededKMeans(6, constrained=constrained, random_state=0)

    reference = model().fit(X, y)
    table = pa.table({f"x{j}": X[:, j] for j in range(3)} | {"y": pa.array(y, mask=y == -1)})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=300)
    for memory in ("20MB", "1GB"):
        with LocalEngine(memory=memory):
            found = model().fit(tmp_path / "rows.parquet", "y")
            assert learnt(found) == learnt(reference)
            np.testing.assert_array_equal(
                found.predict(tmp_path / "rows.parquet"), reference.predict(X)
            )
    assert learnt(model().fit(np.asfortranarray(X), y)) == learnt(reference)
    dataset = open_dataset(X, target=np.where(y < 0, np.nan, y))
    assert learnt(model().fit(dataset)) == learnt(reference)
    # Sparse rows are not centred, which rounds differently.
    scattered = model().fit(sparse.csr_array(X), y)
    np.testing.assert_array_equal(scattered.labels_, reference.labels_)
    np.testing.assert_allclose(
        scattered.cluster_centers_, reference.cluster_centers_, rtol=1e-12, atol=1e-12
    )


def test_methods_that_fit_know_the_labels():
    X, _, y = overlapping()
    model = SeededKMeans(constrained=True)
    np.testing.assert_array_equal(model.fit_predict(X, y)[y >= 0], y[y >= 0])
    np.testing.assert_array_equal(model.fit_transform(X, y), model.transform(X))


def test_saved(tmp_path):
    X, _, y = overlapping()
    model = SeededKMeans(5, constrained=True, random_state=0).fit(X, y)
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert learnt(again) == learnt(model)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.classes_, model.classes_)


def test_goes_on_from_a_checkpoint(tmp_path):
    class StopAtTwo(FitListener):
        def on_event(self, event):
            return isinstance(event, IterationEnded) and event.n_iter == 2

    def model(constrained=True):
        return SeededKMeans(constrained=constrained, tol=0, random_state=0)

    X, _, y = overlapping()
    path = tmp_path / "fit.checkpoint"
    reference = model().fit(X, y)
    assert reference.n_iter_ > 3
    stopped = model().set_callbacks(StopAtTwo())
    assert stopped.fit(X, y, checkpoint=path).n_iter_ == 2
    resumed = model().fit(X, y, checkpoint=path)
    assert learnt(resumed) == learnt(reference)
    with pytest.raises(CheckpointError, match="other data"):
        model().fit(X, np.roll(y, 1), checkpoint=path)
    with pytest.raises(CheckpointError, match="other parameters"):
        model(constrained=False).fit(X, y, checkpoint=path)


def test_bad_data():
    X, _, y = overlapping()
    model = SeededKMeans().fit(X, y)
    before = learnt(model)
    with pytest.raises(DataError, match="unknown"):
        model.fit(X, np.full(len(X), -1))
    with pytest.raises(DataError, match="requires y"):
        model.fit(X)
    with pytest.raises(DataError, match="continuous"):
        model.fit(X, X[:, 0])
    with pytest.raises(DataError, match="class 2 have a weight of 0"):
        model.fit(X, y, (y != 2).astype(float))
    holes = X.copy()
    holes[3, 1] = np.nan
    with pytest.raises(NonFiniteError, match="row 3"):
        model.fit(holes, y)
    assert learnt(model) == before


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_clusters": 3}, "n_clusters=3 is less than the 4 classes"),
        ({"n_clusters": 0}, "n_clusters"),
        ({"max_iter": 0}, "max_iter"),
        ({"tol": -1}, "tol"),
        ({"metric": "manhattan"}, "metric"),
    ],
)
def test_parameters_without_sense(parameters, message):
    X, _, y = overlapping()
    with pytest.raises(ValueError, match=message):
        SeededKMeans(**parameters).fit(X, y)

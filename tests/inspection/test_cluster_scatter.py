"""A sample in two dimensions."""

import numpy as np
import pytest

from shoal import LocalEngine
from shoal.cluster import KMeans
from shoal.exceptions import ColumnError, DataError
from shoal.inspection import scatter_clusters
from shoal.inspection.axes import COLORS


def test_the_two_features_that_tell_most(model, X):
    scatter = scatter_clusters(model, X, random_state=0)
    assert scatter.axis_names == ("x2", "x0")
    assert np.array_equal(scatter.points, X[:, [2, 0]])
    assert np.array_equal(scatter.labels, model.labels_)
    assert np.array_equal(scatter.centers, model.cluster_centers_[:, [2, 0]])


def test_given_features(model, X):
    scatter = scatter_clusters(model, X, axes=("x1", "x0"))
    assert np.array_equal(scatter.points, X[:, [1, 0]])


def test_principal_components(model, X):
    scatter = scatter_clusters(model, X, axes="pca")
    covariance = np.cov(scatter.points.T)
    largest = np.linalg.eigvalsh(np.cov(X.T))[:-3:-1]
    np.testing.assert_allclose(covariance, np.diag(largest), atol=1e-9)
    share = largest[0] / X.var(axis=0, ddof=1).sum()
    assert scatter.axis_names[0] == f"Component 1 ({share:.0%} of variance)"
    middles = [scatter.points[scatter.labels == cluster].mean(axis=0) for cluster in range(3)]
    np.testing.assert_allclose(scatter.centers, middles, atol=1e-9)


def test_the_sample_is_the_seeds_on_any_engine(model, X):
    samples = []
    for n_threads, memory in ((1, "1GB"), (2, "400MB")):
        with LocalEngine(n_threads, memory):
            samples.append(scatter_clusters(model, X, sample_size=50, random_state=3).points)
    assert samples[0].shape == (50, 2)
    assert np.array_equal(*samples)
    other = scatter_clusters(model, X, sample_size=50, random_state=4).points
    assert not np.array_equal(other, samples[0])


def test_cosine_draws_rows_of_unit_length(X):
    model = KMeans(2, metric="cosine", random_state=0).fit(X)
    scatter = scatter_clusters(model, X, axes=("x0", "x1"))
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    np.testing.assert_allclose(scatter.points, unit[:, :2], rtol=1e-14)


@pytest.mark.parametrize("axes", ["x0", ("x0",), ("x0", "x9")])
def test_unknown_axes(model, X, axes):
    with pytest.raises(ColumnError, match="give 'features', 'pca' or two of the features"):
        scatter_clusters(model, X, axes=axes)


def test_one_feature():
    X = np.arange(10.0)[:, None]
    with pytest.raises(DataError, match="needs two features"):
        scatter_clusters(KMeans(2, random_state=0).fit(X), X)


def test_plot_has_a_colour_and_a_name_for_each_cluster(model, X):
    ax = scatter_clusters(model, X).plot()
    colors = {tuple(points.get_facecolor()[0][:3]) for points in ax.collections}
    assert len(colors) == 3
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "0 (33.3%)", "1 (55.6%)", "2 (11.1%)",
    ]  # fmt: skip
    assert [text.get_text() for text in ax.texts] == ["0", "1", "2"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x2", "x0")


def test_more_clusters_than_colours_differ_by_marker(X):
    model = KMeans(len(COLORS) + 1, random_state=0).fit(X)
    ax = scatter_clusters(model, X).plot()
    first, again = ax.collections[0], ax.collections[len(COLORS)]
    assert np.array_equal(first.get_facecolor(), again.get_facecolor())
    assert not np.array_equal(first.get_paths()[0].vertices, again.get_paths()[0].vertices)

"""Descriptions against NumPy's."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError

from shoal import LocalEngine, open_dataset
from shoal.cluster import KMeans
from shoal.exceptions import ColumnError
from shoal.inspection import describe_clusters


def test_against_numpy(model, X):
    profile = describe_clusters(model, X)
    groups = [X[model.labels_ == cluster] for cluster in range(3)]
    assert profile.sizes.tolist() == [len(group) for group in groups] == [300, 500, 100]
    np.testing.assert_allclose(profile.shares, [3 / 9, 5 / 9, 1 / 9])
    means = np.array([group.mean(axis=0) for group in groups])
    np.testing.assert_allclose(profile.means, means, rtol=1e-13, atol=1e-14)
    spread = np.where(np.ptp(X, axis=0) > 0, X.std(axis=0), np.inf)
    np.testing.assert_allclose(profile.deviations, (means - X.mean(axis=0)) / spread, atol=1e-12)
    assert profile.deviations[:, 3].tolist() == [0, 0, 0]


def test_weights_count_as_copies(model, X):
    weight = np.random.default_rng(1).integers(0, 4, size=len(X))
    weighted = describe_clusters(model, X, sample_weight=weight)
    copied = describe_clusters(model, X.repeat(weight, axis=0))
    assert np.array_equal(weighted.sizes, copied.sizes)
    np.testing.assert_allclose(weighted.means, copied.means, rtol=1e-13)
    np.testing.assert_allclose(weighted.deviations, copied.deviations, atol=1e-12)


def test_explained_is_the_share_of_variance_between_clusters(model, X):
    within = sum(
        ((X[model.labels_ == c] - m) ** 2).sum(0)
        for c, m in enumerate(describe_clusters(model, X).means)
    )
    total = ((X - X.mean(axis=0)) ** 2).sum(axis=0)
    explained = describe_clusters(model, X).explained
    np.testing.assert_allclose(explained[:3], 1 - within[:3] / total[:3], atol=1e-12)
    assert explained[3] == 0


def test_the_same_bits_on_any_engine_and_from_files(model, X, tmp_path):
    table = pa.table({f"x{i}": column for i, column in enumerate(X.T)})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=130)
    expected = describe_clusters(model, X)
    for n_threads in (1, 2):
        with LocalEngine(n_threads):
            found = describe_clusters(model, tmp_path / "rows.parquet")
        assert found.feature_names == expected.feature_names
        assert np.array_equal(found.means, expected.means)
        assert np.array_equal(found.deviations, expected.deviations)


def test_sparse_rows(model, X):
    X = np.where(np.abs(X) > 2, X, 0)
    found = describe_clusters(model, sparse.csr_array(X))
    expected = describe_clusters(model, X)
    assert np.array_equal(found.sizes, expected.sizes)
    np.testing.assert_allclose(found.means, expected.means, rtol=1e-12, atol=1e-12)


def test_cosine_describes_rows_of_unit_length(X):
    model = KMeans(2, metric="cosine", random_state=0).fit(X)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    expected = [unit[model.labels_ == cluster].mean(axis=0) for cluster in range(2)]
    np.testing.assert_allclose(describe_clusters(model, X).means, expected, rtol=1e-12)


def test_features_are_chosen_by_name_or_position(model, X):
    dataset = open_dataset(X)
    whole = describe_clusters(model, dataset)
    some = describe_clusters(model, dataset, features=["x2", 0])
    assert some.feature_names == ("x2", "x0")
    assert np.array_equal(some.means, whole.means[:, [2, 0]])
    with pytest.raises(ColumnError, match="no feature 'x9'"):
        describe_clusters(model, X, features=["x9"])


def test_an_empty_cluster(X):
    model = KMeans(2, init=X[:2], max_iter=1).fit(X)
    model.cluster_centers_ = np.array([X.mean(axis=0), [1e6] * 4])
    profile = describe_clusters(model, X)
    assert profile.sizes.tolist() == [900, 0]
    assert np.isnan(profile.means[1]).all()
    assert json.loads(json.dumps(profile.to_dict(), allow_nan=False))["means"][1] == [None] * 4
    assert "nan" not in str(profile)
    assert str(profile).splitlines()[-3].split("│")[4].strip() == "-"
    profile.plot()


def test_to_dict_holds_every_bit(model, X):
    profile = describe_clusters(model, X)
    found = json.loads(json.dumps(profile.to_dict()))
    for name, value in found.items():
        assert np.array_equal(value, getattr(profile, name))


def test_table(model, X):
    profile = describe_clusters(model, X)
    lines = str(profile).splitlines()
    assert max(map(len, lines)) <= 100
    row = next(line for line in lines if line.startswith("│       1 "))
    cells = [cell.strip() for cell in row.split("│")[1:5]]
    deviation = (X[300:800, 0].mean() - X[:, 0].mean()) / X[:, 0].std()
    assert cells == ["1", "500", "55.6%", f"{X[300:800, 0].mean():.4g} ({deviation:+.1f})"]
    assert "(-0.0)" not in str(profile)


@pytest.mark.parametrize(
    ("factor", "largest"), [(1e-9, "1.001e-08"), (1, "10.01"), (1e4, "100,081"), (1e9, "1.001e+10")]
)
def test_numbers_have_four_digits(X, factor, largest):
    X = X[:800] * factor
    profile = describe_clusters(KMeans(2, init=X[[0, 300]]).fit(X), X, features=[0])
    assert f" {largest} (" in str(profile)


def test_a_wide_table_leaves_out_what_tells_least(X):
    X = np.hstack([np.zeros((len(X), 4)), X])
    model = KMeans(3, init=X[[0, 300, 800]]).fit(X)
    text = str(describe_clusters(model, X))
    assert "x4" in text
    assert "x6" in text
    assert "3 features that tell less are left out" in " ".join(text.split())


def test_plot(model, X):
    profile = describe_clusters(model, X)
    ax = profile.plot()
    written = np.reshape([text.get_text() for text in ax.texts], (3, 4))
    decimals = [2, 3, 2, 3]
    assert written.tolist() == [
        [f"{mean:z.{n}f}" for mean, n in zip(means, decimals, strict=True)]
        for means in profile.means
    ]
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "0 (33.3%)", "1 (55.6%)", "2 (11.1%)",
    ]  # fmt: skip
    assert np.array_equal(ax.images[0].get_array(), profile.deviations)


def test_before_fit(X):
    with pytest.raises(NotFittedError):
        describe_clusters(KMeans(), X)

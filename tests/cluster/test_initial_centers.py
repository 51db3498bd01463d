"""First centres: drawn from the rows with the right probabilities, whatever their order."""

import numpy as np
import pytest
from scipy import stats
from tests.statistics.rows import blobs, fold

from shoal import open_dataset
from shoal.cluster import initial_centers
from shoal.cluster.initial_centers import InitialCenters, sample_size
from shoal.cluster.summary import summarize
from shoal.statistics.keyed_sample import KeyedSample

METHODS = ("k-means++", "k-means||", "random")


def starts(X, n_clusters, *, weight=None, size=None):
    """A function of (init, seed) that gives first centres."""
    dataset = open_dataset(X, sample_weight=weight)

    def one_fold(statistic):
        return fold(statistic, dataset)

    summary = summarize(dataset, one_fold)
    return lambda init, seed: InitialCenters(n_clusters, summary, seed, size).chosen(init)(one_fold)


def rows_of(X, centers):
    """Which rows of `X` the centres are."""
    return [int(np.flatnonzero((center == X).all(axis=1))[0]) for center in centers]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("init", METHODS)
def test_centres_are_different_rows(init, dtype):
    X = blobs(dtype=dtype, offset=7)
    start = starts(X, 12)
    for seed in range(5):
        centers = start(init, seed)
        assert centers.dtype == dtype
        assert centers.flags.c_contiguous
        assert len(set(rows_of(X, centers))) == 12


@pytest.mark.parametrize("init", METHODS)
def test_the_first_row_is_not_always_chosen(init):
    X = blobs(60)
    start = starts(X, 3)
    rows = [rows_of(X, start(init, seed)) for seed in range(60)]
    assert sum(0 in drawn for drawn in rows) < 15
    assert len(set(map(tuple, rows))) > 50


def test_no_two_draws_share_a_key():
    """With the same random number for a row in every round, a row that just missed is next."""
    keys = []

    def noted(statistic):
        if isinstance(statistic, KeyedSample):
            keys.append((statistic.seed, statistic.purpose))
        return fold(statistic, dataset)

    dataset = open_dataset(blobs(200))
    initial = InitialCenters(6, summarize(dataset, noted), seed=3)
    centers = initial.scalable(noted)
    initial.completed(centers[:1], noted)
    assert len(keys) == 1 + initial_centers.N_ROUNDS + 5
    assert len(set(keys)) == len(keys)


def test_the_first_candidate_of_k_means_parallel_is_any_row(monkeypatch):
    """Without rounds, k-means|| is its first candidate and rows drawn at random."""
    monkeypatch.setattr(initial_centers, "N_ROUNDS", 0)
    X = np.arange(4.0)[:, None]
    start = starts(X, 1)
    first = [int(start("k-means||", seed)[0, 0]) for seed in range(160)]
    assert stats.chisquare(np.bincount(first, minlength=4)).pvalue > 1e-3


def test_k_means_parallel_weighs_its_candidates():
    """A far cluster of few rows yields many candidates; unweighted, most centres would lie there.

    Ten clusters of 300 rows lie on a line, and 30 rows all over a wide square far away, which
    draw nearly all candidates but the first: k-means++ on candidates alone would not see that
    each near candidate stands for hundreds of rows.
    """
    generator = np.random.default_rng(0)
    near = generator.normal(0, 0.01, (3000, 2)) + np.repeat(np.arange(10), 300)[:, None] * [1, 0]
    far = generator.uniform([-4, 296], [4, 304], (30, 2))
    X = np.concatenate([near, far])
    start = starts(X, 12)
    for seed in range(5):
        centers = start("k-means||", seed)
        on_the_line = centers[np.abs(centers[:, 1]) < 1]
        assert len(set(np.round(on_the_line[:, 0]))) >= 7


def test_k_means_parallel_finds_every_separate_cluster():
    generator = np.random.default_rng(1)
    middles = generator.normal(0, 100, (15, 3))
    X = middles[np.arange(900) % 15] + generator.normal(0, 0.1, (900, 3))
    start = starts(X, 15)
    for seed in range(5):
        centers = start("k-means||", seed)
        nearest = ((centers[:, None] - middles) ** 2).sum(axis=2).argmin(axis=1)
        assert len(set(nearest)) == 15


@pytest.mark.parametrize("init", METHODS)
def test_rows_of_weight_0_are_never_drawn(init):
    X = np.arange(40.0)[:, None]
    weight = (np.arange(40) % 4 == 0).astype(float)
    start = starts(X, 5, weight=weight)
    for seed in range(20):
        assert all(row % 4 == 0 for row in rows_of(X, start(init, seed)))


@pytest.mark.parametrize("init", METHODS)
def test_fewer_rows_of_positive_weight_than_clusters_are_refused(init):
    weight = np.repeat([1.0, 0.0], [4, 36])
    with pytest.raises(ValueError, match=r"n_samples=4 should be >= n_clusters=5: only so many"):
        starts(np.arange(40.0)[:, None], 5, weight=weight)(init, 0)


def test_random_rows_are_drawn_by_weight():
    weight = np.array([1.0, 5.0, 2.0])
    start = starts(np.arange(3.0)[:, None], 1, weight=weight)
    rows = [int(start("random", seed)[0, 0]) for seed in range(1500)]
    expected = 1500 * weight / weight.sum()
    assert stats.chisquare(np.bincount(rows, minlength=3), expected).pvalue > 1e-3


@pytest.mark.parametrize("init", METHODS)
def test_duplicates_give_as_many_centres_as_were_asked_for(init):
    X = np.repeat([[0.0], [1.0]], 10, axis=0)
    for seed in range(5):
        centers = starts(X, 6)(init, seed)
        assert centers.shape == (6, 1)
        assert set(centers.ravel()) <= {0.0, 1.0}


@pytest.mark.parametrize("exponent", [-100, 100])
def test_plus_plus_chooses_the_same_rows_of_any_magnitude(exponent):
    X = blobs(dtype=np.float32)
    chosen = starts(X, 5)("k-means++", 0)
    scaled = np.ldexp(X, exponent)
    np.testing.assert_array_equal(
        starts(scaled, 5)("k-means++", 0), np.ldexp(chosen, exponent), strict=True
    )


def test_plus_plus_looks_at_no_more_rows_than_it_is_told():
    X, seen = np.arange(1000.0)[:, None], []

    def init(rows, n_clusters, random_state):
        seen.append(len(rows))
        return rows[:n_clusters]

    starts(X, 3, size=50)(init, 0)
    starts(X, 3)(init, 0)
    assert seen == [50, 1000]


@pytest.mark.parametrize(
    ("n_clusters", "n_features", "expected"),
    [(8, 1, 65_536), (8, 256, 65_536), (8, 512, 32_768), (100_000, 4, 1_600_000), (1, 2**24, 16)],
)
def test_sample_size(n_clusters, n_features, expected):
    assert sample_size(n_clusters, n_features) == expected


def test_missing_centers_are_drawn_by_squared_distance():
    X = np.array([[0.0], [1.0], [3.0], [0.0]])
    dataset = open_dataset(X, sample_weight=[1.0, 1.0, 2.0, 5.0])

    def one_fold(statistic):
        return fold(statistic, dataset)

    summary = summarize(dataset, one_fold)
    given = np.zeros((1, 1))
    drawn = [
        InitialCenters(2, summary, seed).completed(given, one_fold)[1, 0] for seed in range(2000)
    ]
    # Weights times squared distances: 1 and 18.
    assert set(drawn) == {1.0, 3.0}
    assert stats.binomtest(drawn.count(1.0), 2000, 1 / 19).pvalue > 1e-3
    three = InitialCenters(3, summary, 0).completed(given, one_fold)
    assert sorted(three[:, 0]) == [0, 1, 3]
    same = np.array([[0.0], [1.0], [3.0]])
    assert InitialCenters(3, summary, 0).completed(same, one_fold) is same
    assert len(InitialCenters(4, summary, 0).completed(same, one_fold)) == 4

"""Sums of clusters: exact, in any split, whatever stands beside blocks."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.statistics.rows import FORMS, blobs, blocks, fold, fold_blocks, forms, weights

from shoal import _kernels, open_dataset
from shoal.statistics.assignment import Assignment
from shoal.statistics.center_search import CenterSearch
from shoal.statistics.centroid_sums import BESIDE, CentroidSums
from shoal.statistics.fixed_point import choose_scale
from shoal.statistics.nearest_center import nearest_center
from shoal.statistics.range import Range
from shoal.testing import check_statistic
from shoal.testing.bits import bits


def sums_of(dataset, centers, shift, step=0, fit="fit", drift=None, bounds=False):
    found = fold(Range(dataset.n_features), dataset)
    separation = _kernels.pairwise_min_separation(centers) if bounds else None
    return CentroidSums(
        CenterSearch(centers, shift, fit, step, drift, separation, bounds),
        choose_scale(
            found.largest_weight * found.largest_distance(shift), found.n_rows, dataset.dtype
        ),
        choose_scale(found.largest_weight, found.n_rows, dataset.dtype),
        dataset.sample_weight is not None,
    )


def exact_sums(X, centers, shift, weight):
    """Sums and weights of each cluster, rounded once."""
    labels, _ = nearest_center(X, centers, shift)
    exact = np.full(centers.shape, Fraction())
    totals = np.full(len(centers), Fraction())
    for x, label, w in zip(X.astype(np.float64), labels, weight.tolist(), strict=True):
        exact[label] += [Fraction(w) * (Fraction(a) - Fraction(b)) for a, b in zip(x, shift)]  # noqa: B905
        totals[label] += Fraction(w)
    return exact.astype(np.float64), totals.astype(np.float64)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", FORMS)
def test_is_the_exact_sum_in_any_split(form, dtype, weighted):
    X = blobs(dtype=dtype)
    weight = weights() if weighted else None
    dataset = forms(X, weight)[form]
    shift = np.zeros(3) if form == "CSR" else X.mean(axis=0).astype(np.float64)
    centers = np.ascontiguousarray(X[[3, 50, 51, 140]])
    statistic = sums_of(dataset, centers, shift)
    check_statistic(statistic, dataset)
    found = fold(statistic, dataset)
    sums, totals = exact_sums(X, centers, shift, np.ones(len(X)) if weight is None else weight)
    # One limb resolves 2**-50 of the largest value, which a sum of 150 rows meets 150 times.
    largest = np.abs(sums).max(axis=0) * (1 if weight is None else weight.max())
    tolerance = (1e-12 if dtype == np.float32 else 1e-15) * largest
    assert (np.abs(found.sums - sums) <= tolerance).all()
    np.testing.assert_allclose(found.weights, totals, rtol=1e-11 if dtype == np.float32 else 1e-15)
    assert found.n_scanned == found.n_moved == len(X)


def passes(dataset, X, n_steps=6, bounds=True, fit="fit"):
    """The statistics of a fit whose centres move less and less."""
    generator = np.random.default_rng(0)
    centers, before = X[:4].copy(), None
    shift = X.mean(axis=0, dtype=np.float32).astype(np.float64)
    for step in range(n_steps):
        drift = None if before is None else np.linalg.norm(centers - before, axis=1) * (1 + 1e-9)
        yield sums_of(dataset, centers, shift, step, fit, drift, bounds)
        before = centers.astype(np.float64)
        centers = (centers + generator.normal(0, 0.5 / 3**step, centers.shape)).astype(X.dtype)


def without_work(found):
    """What a pass found, but for how many rows it looked at to find it."""
    return bits(replace(found, n_scanned=0, n_moved=0))


@pytest.fixture(name="X")
def many_rows():
    return blobs(2000, 3, np.float32, seed=4)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("bounds", [False, True])
def test_sums_kept_up_by_differences_are_those_of_all_rows(X, bounds, weighted):
    dataset = open_dataset(X, sample_weight=weights(len(X)) if weighted else None)
    kept = list(blocks(dataset, 700))
    moved = []
    for statistic in passes(dataset, X, bounds=bounds):
        found = fold_blocks(statistic, kept)
        assert without_work(found) == without_work(fold(statistic, dataset, 700))
        moved.append(found.n_moved)
    assert moved[0] == len(X)
    assert 0 < moved[1] < len(X) / 2
    assert all(BESIDE in block.beside for block in kept)


@settings(max_examples=40)
@example(["label", "next"])
@example(["skip", "other", "next"])
@given(st.lists(st.sampled_from(["next", "skip", "again", "forget", "label", "other"]), max_size=6))
def test_whatever_stands_beside_blocks(X, course):
    """Passes missed, repeated, of another fit or statistic, and what is beside blocks lost."""
    dataset = open_dataset(X)
    kept = list(blocks(dataset, 700))
    fit, other = list(passes(dataset, X, 12)), list(passes(dataset, X, 12, fit="other"))
    step = 0
    fold_blocks(fit[0], kept)
    for event in course:
        if event == "forget":
            kept[0].beside.clear()
        elif event == "label":
            fold_blocks(Assignment(fit[step + 1].search, choose_scale(1e6, 2000, float)), kept)
            step += 1
            continue
        elif event == "other":
            fold_blocks(other[step], kept)
        else:
            step += {"next": 1, "skip": 2, "again": 0}[event]
        step = min(step, 10)
        expected = fold_blocks(fit[step], blocks(dataset, 700))
        assert without_work(fold_blocks(fit[step], kept)) == without_work(expected)


@pytest.mark.parametrize("function", ["assign_and_sum", "_worth_keeping"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_interrupt_leaves_nothing_stale(X, monkeypatch, function, moment):
    dataset = open_dataset(X)
    first, second, third, *_ = passes(dataset, X)
    (block,) = blocks(dataset, len(X))
    fold_blocks(first, [block])
    owner = CentroidSums if function == "_worth_keeping" else _kernels
    original = getattr(owner, function)

    def interrupted(*arguments, **options):
        if moment == "after":
            original(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(owner, function, interrupted)
        with pytest.raises(KeyboardInterrupt):
            fold_blocks(second, [block])
    # The pass may have been finished on another worker: the next one comes here at once.
    found = fold_blocks(third, [block])
    assert without_work(found) == without_work(fold(third, dataset, len(X)))


def test_small_blocks_keep_labels_alone(X):
    """Sums beside a block of fewer rows than it has centres would take more room than its rows."""
    dataset = replace(open_dataset(X), window_rows=8)
    (small,), (large,) = list(blocks(dataset, 24))[:1], blocks(dataset, len(X))
    statistic = next(passes(dataset, X))
    fold_blocks(statistic, [small, large])
    assert BESIDE not in small.beside
    assert BESIDE in large.beside


@pytest.mark.parametrize("bounds", [False, True])
def test_what_stands_beside_large_blocks_is_declared(bounds):
    X = np.random.default_rng(0).normal(size=(8192, 5)).astype(np.float32)
    statistic = sums_of(open_dataset(X), X[:40].copy(), X.mean(axis=0).astype(float), bounds=bounds)
    (block,) = blocks(open_dataset(X), 8192)
    statistic.update(statistic.zero(), block)
    _, sums = block.beside[BESIDE]
    search = statistic.search.beside_row_bytes
    held = search * 8192 + sums.sums.nbytes
    assert held <= statistic.beside_row_bytes * 8192
    assert statistic.beside_row_bytes < 3 * search + 5


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_pinned_rows_are_summed_where_they_are_pinned(form, weighted):
    X = blobs()
    weight = weights() if weighted else None
    dataset = forms(X, weight)[form]
    pins = np.where(np.arange(len(X)) % 3 == 0, np.arange(len(X)) % 4, -1)
    target = np.insert(pins, [0, len(X) // 2, len(X)], 0) if form == "dropped" else pins
    dataset = dataset.with_target(target)
    shift = np.zeros(3)
    centers = np.ascontiguousarray(X[[3, 50, 51, 140]])
    statistic = sums_of(dataset, centers, shift)
    statistic = replace(statistic, search=replace(statistic.search, pinned=True))
    check_statistic(statistic, dataset)
    labels = np.where(pins >= 0, pins, nearest_center(X, centers, shift)[0])
    weight = np.ones(len(X)) if weight is None else weight
    found = fold(statistic, dataset)
    for label in range(4):
        own = labels == label
        assert found.weights[label] == pytest.approx(weight[own].sum(), rel=1e-12)
        np.testing.assert_allclose(
            found.sums[label], weight[own] @ X[own], rtol=1e-10, atol=1e-10 * weight.max()
        )

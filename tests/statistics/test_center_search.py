"""Labels pass after pass: those of a full scan, whatever stands beside a block."""

from dataclasses import replace

import numpy as np
import pytest
from tests.statistics.rows import blobs, blocks

from shoal import _kernels, open_dataset
from shoal.statistics.center_search import BESIDE, CenterSearch
from shoal.statistics.nearest_center import nearest_center

X = blobs(3000, 4, np.float32, seed=3)
SHIFT = X.mean(axis=0, dtype=np.float64)


def the_block():
    return next(blocks(open_dataset(X), len(X)))


def searches(n_steps=6, bounds=True, fit="fit"):
    """A fit's passes: centres that move less and less."""
    generator = np.random.default_rng(0)
    centers = X[:9].copy()
    before = None
    for step in range(n_steps):
        drift = None
        if before is not None:
            drift = np.linalg.norm(centers.astype(float) - before, axis=1) * (1 + 1e-9)
        separation = _kernels.pairwise_min_separation(centers) if bounds else None
        yield CenterSearch(centers, SHIFT, fit, step, drift, separation, bounds)
        before = centers
        centers = (centers + generator.normal(0, 0.3 / 4**step, centers.shape)).astype(np.float32)


def full_scan(search):
    return nearest_center(X, search.centers, SHIFT)[0]


@pytest.mark.parametrize("bounds", [False, True])
def test_labels_are_those_of_a_full_scan(bounds):
    block = the_block()
    for search in searches(bounds=bounds):
        np.testing.assert_array_equal(search(block).labels, full_scan(search))


@pytest.mark.parametrize("bounds", [False, True])
def test_labels_of_the_pass_before_are_known(bounds):
    block, before = the_block(), None
    for search in searches(bounds=bounds):
        with search.labelling(block) as rows:
            if before is None:
                assert rows.labels_before is None
            else:
                np.testing.assert_array_equal(rows.labels_before, before)
            rows.labels[:] = before = full_scan(search)


def test_bounds_settle_most_rows_of_centres_that_hardly_move():
    block = the_block()
    scanned = [search(block).n_scanned for search in searches()]
    assert scanned[0] == len(X)
    assert scanned[-1] < len(X) / 4
    assert all(search(the_block()).n_scanned == len(X) for search in searches(bounds=False))


def test_a_pass_that_was_missed_is_not_counted_on():
    """Centres hardly move any more, so that bounds would settle most rows; they moved twice."""
    block = the_block()
    *passes, _, last = searches()
    for search in passes:
        search(block)
    found = last(block)
    assert found.n_scanned == len(X)
    np.testing.assert_array_equal(found.labels, full_scan(last))


def test_what_another_fit_left_is_not_counted_on():
    block = the_block()
    first, second, *_ = searches()
    first(block)
    found = replace(second, fit="another")(block)
    assert found.n_scanned == len(X)
    np.testing.assert_array_equal(found.labels, full_scan(second))


def test_labels_without_bounds_are_not_taken_for_bounds():
    block = the_block()
    (first, *_), (_, second, *_) = searches(bounds=False), searches(bounds=True)
    first(block)
    found = second(block)
    assert found.n_scanned == len(X)
    np.testing.assert_array_equal(found.labels, full_scan(second))


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupt_leaves_nothing_stale(monkeypatch, when):
    """The kernel changes bounds in place: what it was at work on must not be found again."""
    block = the_block()
    first, second, third, *_ = searches()
    first(block)
    kernel = _kernels.assign_bounded

    def interrupted(*arguments, **options):
        if when == "after":
            kernel(*arguments, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(_kernels, "assign_bounded", interrupted)
    with pytest.raises(KeyboardInterrupt):
        second(block)
    assert BESIDE not in block.beside
    monkeypatch.undo()
    for search in (second, third):
        np.testing.assert_array_equal(search(block).labels, full_scan(search))


def test_the_same_pass_again_gives_the_same():
    block = the_block()
    for search in searches():
        found = [search(block) for _ in range(3)]
        for again in found[1:]:
            np.testing.assert_array_equal(again.labels, found[0].labels)


def test_labels_that_were_handed_out_stay_as_they_are():
    block = the_block()
    held = []
    for search in searches():
        labels = search(block).labels
        held.append((labels, labels.copy()))
    for labels, expected in held:
        np.testing.assert_array_equal(labels, expected)


def test_what_it_keeps_is_what_it_announces():
    for bounds in (False, True):
        block = the_block()
        for search in searches(2, bounds=bounds):
            search(block)
        kept = block.beside[BESIDE]
        parts = [part for part in (kept.labels, kept.rivals, kept.bounds) if part is not None]
        assert sum(part.nbytes for part in parts) == search.beside_row_bytes * len(X)


def test_pinned_rows_keep_their_labels():
    X, centers = np.array([[0.0], [1.0], [9.0], [1.0]]), np.array([[0.0], [9.0]])
    dataset = open_dataset(X, target=np.array([-1, 1, -1, -1]))
    (block,) = dataset.read(dataset.cells[0], 9)
    found = CenterSearch(centers, np.zeros(1), "fit", 0, pinned=True)(block)
    assert found.labels.tolist() == [0, 1, 1, 0]
    assert found.n_scanned == 4

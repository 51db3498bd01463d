"""Which queries look at the rows of which groups, block by block."""

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist

from shoal.data.block import Block
from shoal.statistics import row_groups
from shoal.statistics.group_visits import GroupVisits
from shoal.statistics.row_groups import RowGroups

generator = np.random.default_rng(0)
X = generator.normal(size=(500, 3))
CENTERS = np.vstack([generator.normal(size=(5, 3)), [[1e3, 0, 0]]])
LABELS = cdist(X, CENTERS).argmin(axis=1)
NOTHING = np.empty(0, dtype=np.int64)

#: Queries 0 and 2 look at group 1, 1 at group 3, and all at group 5, which has no rows.
STARTS = np.array([0, 0, 2, 2, 3, 3, 6])
QUERIES = np.array([0, 2, 1, 0, 1, 2], dtype=np.int32)


def visits(groups=None):
    return GroupVisits(groups or RowGroups(CENTERS), STARTS, QUERIES)


def block(made=np.asarray, first_row=40):
    return Block(made(X), first_row, X.min(0), X.max(0))


def check(looks, numbers=None):
    """Rows and numbers must be those of groups 1 and 3."""
    numbers = np.arange(40, 540) if numbers is None else numbers
    of_group = {}
    for queries, rows, found, middle in looks:
        assert rows.flags.c_contiguous
        assert middle.tolist() == CENTERS[1 if len(queries) == 2 else 3].tolist()
        of_group.setdefault(tuple(queries.tolist()), []).append((rows, found))
    assert list(of_group) == [(0, 2), (1,)]
    for group, parts in zip((1, 3), of_group.values(), strict=True):
        rows, found = (np.concatenate(part) for part in zip(*parts, strict=True))
        np.testing.assert_array_equal(rows, X[group == LABELS])
        np.testing.assert_array_equal(found, numbers[group == LABELS])


@pytest.mark.parametrize("made", [np.asarray, np.asfortranarray, sparse.csr_array])
def test_queries_look_at_the_rows_of_their_groups(made):
    some = block(made)
    for _ in range(2):
        check(visits().looks(some, NOTHING))


def test_removed_rows_have_no_number():
    removed = np.arange(40, 540, 3)
    numbers = np.arange(40, 540)
    numbers[::3] = -1
    check(visits().looks(block(), removed), numbers)


def test_dropped_rows_leave_gaps():
    numbers = np.arange(500) * 2 + 7
    some = Block(X, 7, X.min(0), X.max(0), rows=numbers)
    check(visits().looks(some, NOTHING), numbers)


def test_groups_are_found_once_a_block(monkeypatch):
    some, found = block(), []

    def counted(*arguments):
        found.append(1)
        return original(*arguments)

    original = row_groups.nearest_center
    monkeypatch.setattr(row_groups, "nearest_center", counted)
    groups = RowGroups(CENTERS)
    groups.update(groups.zero(), some)
    for _ in range(3):
        check(visits(groups).looks(some, NOTHING))
    assert len(found) == 1
    some.beside.clear()
    check(visits(groups).looks(some, NOTHING))
    assert len(found) == 2


def test_what_is_beside_a_block_is_only_taken_for_ones_own():
    some = block()
    list(visits(RowGroups(CENTERS[::-1].copy())).looks(some, NOTHING))
    check(visits().looks(some, NOTHING))


def test_what_is_kept_is_what_was_asked_for():
    long = np.tile(X, (20, 1))
    some = Block(long, 0, X.min(0), X.max(0))
    list(visits().looks(some, NOTHING))
    (kept,) = some.beside.values()
    n_bytes = sum(part.nbytes for part in kept if isinstance(part, np.ndarray))
    assert 4 * len(long) < n_bytes <= visits().beside_row_bytes * len(long)

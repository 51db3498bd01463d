"""Rows that a lattice of integers rules out are none of the nearest."""

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests._kernels.reference import Array, squared_distances
from tests._kernels.test_neighbors import assert_nearest, nearest

#: Fewer queries than are worth a lattice.
FEW = 7


def by_floats(kernels: ModuleType, X: Array, queries: Array, k: int, shift: Array) -> list[Array]:
    """The nearest rows of a few queries at a time."""
    parts = [queries[i : i + FEW] for i in range(0, len(queries), FEW)]
    found = [nearest(kernels, X, some, k, shift) for some in parts]
    return [np.concatenate(part) for part in zip(*found, strict=True)]


def gaussian(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.standard_normal(shape)


def whole_numbers(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.integers(-2, 3, shape).astype(np.float64)


def few_values(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.standard_normal((5, shape[1]))[rng.integers(5, size=shape[0])]


def offset(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.standard_normal(shape) + 1e6


def near_ties(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Rows almost as far from the origin as each other, some of which are next to it."""
    rows = rng.standard_normal(shape)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[::3] *= 1e-4
    return rows * (1 + 1e-6 * rng.standard_normal((len(rows), 1)))


def outliers(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.standard_normal(shape) * 10 ** rng.uniform(0, 6, (shape[0], 1))


def wide_column(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    rows = rng.standard_normal(shape)
    rows[:, 0] *= 1e6
    return rows


def huge(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.standard_normal(shape) * 1e19


def huge_and_small(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.standard_normal(shape) * 10.0 ** rng.integers(-38, 37, (shape[0], 1))


def subnormal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.standard_normal(shape) * 1e-43


def one_row(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return np.full(shape, 0.1)


KINDS = (
    gaussian,
    whole_numbers,
    few_values,
    offset,
    near_ties,
    outliers,
    wide_column,
    huge,
    huge_and_small,
    subnormal,
    one_row,
)


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    shape=st.tuples(st.integers(1, 500), st.sampled_from([1, 2, 3, 5, 16, 17, 33, 64, 250])),
    n_queries=st.integers(8, 40),
    share=st.floats(0, 1),
    dtype=st.sampled_from([np.float32, np.float64]),
    centered=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_bits_are_those_without_a_lattice(
    kernels_once: ModuleType,
    kind,
    shape: tuple[int, int],
    n_queries: int,
    share: float,
    dtype: type,
    centered: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    X = kind(rng, shape).astype(dtype)
    queries = kind(rng, (n_queries, shape[1])).astype(dtype)
    # Some queries are rows.
    queries[: min(4, len(X))] = X[:4]
    k = max(1, round(share**3 * len(X)))
    shift = queries.mean(axis=0, dtype=np.float64) if centered else np.zeros(shape[1])
    expected = by_floats(kernels_once, X, queries, k, shift)
    for step in (10**9, 97):
        found = nearest(kernels_once, X, queries, k, shift, step=step)
        assert [part.tobytes() for part in found] == [part.tobytes() for part in expected]
    radius = float(np.median(expected[0][:, -1]))
    if np.isfinite(radius):
        pairs = within(kernels_once, X, queries, shift, radius, n_queries)
        assert pairs == within(kernels_once, X, queries, shift, radius, FEW)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    shape=st.tuples(st.integers(1100, 3000), st.sampled_from([16, 17, 33, 64, 250])),
    n_queries=st.integers(8, 40),
    k=st.sampled_from([1, 7, 40]),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 10**6),
)
def test_bits_are_those_without_a_coarse_lattice(
    kernels_once: ModuleType,
    kind,
    shape: tuple[int, int],
    n_queries: int,
    k: int,
    dtype: type,
    seed: int,
) -> None:
    """Pieces of so many rows that bytes look at them first, once there are neighbours."""
    rng = np.random.default_rng(seed)
    X = np.concatenate([kind(rng, shape), kind(rng, shape)]).astype(dtype)
    queries = kind(rng, (n_queries, shape[1])).astype(dtype)
    queries[:4] = X[-4:]
    shift = queries.mean(axis=0, dtype=np.float64)
    expected = by_floats(kernels_once, X, queries, k, shift)
    found = nearest(kernels_once, X, queries, k, shift, step=shape[0])
    assert [part.tobytes() for part in found] == [part.tobytes() for part in expected]
    radius = float(np.median(expected[0][:, -1]))
    if np.isfinite(radius):
        pairs = within(kernels_once, X, queries, shift, radius, n_queries)
        assert pairs == within(kernels_once, X, queries, shift, radius, FEW)


def within(
    kernels: ModuleType, X: Array, queries: Array, shift: Array, radius: float, step: int
) -> list[tuple[int, int, float]]:
    """Query, row and distance of all pairs within a radius, so many queries at a time."""
    found = []
    for i in range(0, len(queries), step):
        pairs = kernels.rows_within(X, np.arange(len(X)), queries[i : i + step], shift, radius)
        found += list(zip((pairs[0] + i).tolist(), *(p.tolist() for p in pairs[1:]), strict=True))
    return sorted(found)


@pytest.fixture(name="kernels_once", scope="module", params=["best", "generic"])
def kernels_of_module(request: pytest.FixtureRequest) -> ModuleType:
    from shoal import _kernels

    names = _kernels.available_instruction_sets()
    return _kernels.load(names[-1] if request.param == "best" else "generic")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [1, 2, 3, 8])
def test_rows_next_to_each_other_on_a_wide_lattice(
    kernels: ModuleType, rng: np.random.Generator, d: int, dtype: type
) -> None:
    """A lattice as wide as the two outermost rows, whose unit is hundreds of distances."""
    X = rng.uniform(-1, 1, (3000, d)).astype(dtype)
    X[0], X[1] = -400, 400
    queries = rng.uniform(-1, 1, (60, d)).astype(dtype)
    queries[:35] = rng.uniform(-400, 400, (35, d))
    for k in (1, 4):
        assert_nearest(nearest(kernels, X, queries, k, np.zeros(d)), X, queries, k)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_features(rng: np.random.Generator, dtype: type) -> None:
    from shoal import _kernels

    X, queries = (rng.standard_normal((n, 2000)).astype(dtype) for n in (150, 20))
    assert_nearest(nearest(_kernels, X, queries, 9, np.zeros(2000)), X, queries, 9)


def test_long_rows_and_queries_stand_on_the_ball(
    kernels: ModuleType, rng: np.random.Generator
) -> None:
    X, queries = rng.standard_normal((2, 700, 6)).astype(np.float32)
    X[::50] *= 1e5
    queries = queries[:90]
    queries[::10] = X[::70][:9] + 1
    for k in (1, 40):
        assert_nearest(nearest(kernels, X, queries, k, np.zeros(6)), X, queries, k)


def test_rows_too_close_for_the_lattice(kernels: ModuleType, rng: np.random.Generator) -> None:
    """Every row is a candidate of every query: floats, then the truth, tell them apart."""
    X = 1e-7 * rng.standard_normal((6000, 4))
    X[::100] += rng.standard_normal((60, 4))
    queries = X[1:200:3].copy()
    _, rows = nearest(kernels, X, queries, 3)
    truth = squared_distances(queries, X)
    np.testing.assert_array_equal(rows, np.argsort(truth, axis=1, kind="stable")[:, :3])


def test_rows_whose_length_overflows(kernels: ModuleType, rng: np.random.Generator) -> None:
    """They stand nowhere on the lattice, and may still be the nearest."""
    X, queries = (rng.standard_normal((n, 3)).astype(np.float32) for n in (200, 20))
    X[0] = X[150] = queries[9] = 1e25
    backwards = np.arange(200)[::-1].copy()
    distances, rows = nearest(kernels, X, queries, 1, np.zeros(3), backwards, step=100)
    assert (distances[9], rows[9]) == (0, 49)

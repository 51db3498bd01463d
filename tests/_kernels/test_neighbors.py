from types import ModuleType

import numpy as np
import pytest
from tests._kernels.reference import Array, blobs, squared_distances
from tests._kernels.test_assign import STRIDES

NONE = np.iinfo(np.int64).max
DTYPES = (np.float32, np.float64)


def nearest(
    kernels: ModuleType,
    X: Array,
    queries: Array,
    k: int,
    shift: Array | None = None,
    numbers: Array | None = None,
    step: int = 10**9,
    inner_product: bool = False,
) -> tuple[Array, Array]:
    """The k nearest rows, the rows handed over `step` at a time."""
    distances = np.full((len(queries), k), np.inf)
    rows = np.full((len(queries), k), NONE)
    shift = queries.mean(axis=0, dtype=np.float64) if shift is None else shift
    numbers = np.arange(len(X)) if numbers is None else numbers
    for i in range(0, len(X), step):
        part = slice(i, i + step)
        kernels.nearest_rows(X[part], numbers[part], queries, shift, distances, rows, inner_product)
    return distances, rows


def expected_rows(truth: Array, k: int) -> Array:
    return np.argsort(truth, axis=1, kind="stable")[:, :k]


def assert_nearest(found: tuple[Array, Array], X: Array, queries: Array, k: int) -> None:
    truth = squared_distances(queries, X)
    rows = expected_rows(truth, k)
    np.testing.assert_array_equal(found[1], rows)
    np.testing.assert_allclose(found[0], np.take_along_axis(truth, rows, axis=1), rtol=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [1, 2, 7, 16, 33])
def test_neighbours_are_those_of_the_definition(
    kernels: ModuleType, rng: np.random.Generator, d: int, dtype: type
) -> None:
    for n, n_queries in ((1, 1), (23, 4), (100, 5), (700, 19)):
        X, queries = blobs(rng, n, d, n_queries, dtype)
        for k in {1, min(n, 3), min(n, 40), n}:
            assert_nearest(nearest(kernels, X, queries, k), X, queries, k)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "d", "n_queries"), [(300, 2000, 9), (3000, 5, 1100), (90, 257, 300)])
def test_shapes_that_cross_the_blocking_boundaries(
    rng: np.random.Generator, n: int, d: int, n_queries: int, dtype: type
) -> None:
    from shoal import _kernels

    X, queries = blobs(rng, n, d, n_queries, dtype)
    assert_nearest(nearest(_kernels, X, queries, 5), X, queries, 5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", [layout for layout in STRIDES if "repeated" not in layout])
def test_any_strides_and_any_pieces(
    kernels: ModuleType, rng: np.random.Generator, layout: str, dtype: type
) -> None:
    X, queries = blobs(rng, 300, 9, 6, dtype)
    expected = nearest(kernels, X, queries, 7)
    for step in (1, 50, 300):
        found = nearest(kernels, STRIDES[layout](X), queries, 7, step=step)
        for one, other in zip(found, expected, strict=True):
            assert one.tobytes() == other.tobytes()


def test_every_instruction_set_gives_the_same_bits(rng: np.random.Generator) -> None:
    from shoal import _kernels

    X, queries = blobs(rng, 900, 20, 30)
    found = [
        [part.tobytes() for part in nearest(_kernels.load(name), X, queries, 6)]
        for name in _kernels.available_instruction_sets()
    ]
    assert all(one == found[0] for one in found)


@pytest.mark.parametrize("dtype", DTYPES)
def test_ties_go_to_the_lowest_number(
    kernels: ModuleType, rng: np.random.Generator, dtype: type
) -> None:
    X = rng.integers(-1, 2, size=(900, 3)).astype(dtype)
    queries = rng.integers(-1, 2, size=(20, 3)).astype(dtype)
    for k in (1, 10, 100):
        assert_nearest(nearest(kernels, X, queries, k), X, queries, k)
    backwards = np.arange(900)[::-1].copy()
    distances, rows = nearest(kernels, X[::-1], queries, 10, numbers=backwards, step=100)
    assert_nearest((distances, rows), X, queries, 10)


@pytest.mark.parametrize("dtype", DTYPES)
def test_duplicates_of_one_row(kernels: ModuleType, dtype: type) -> None:
    X = np.full((500, 8), 0.1, dtype)
    distances, rows = nearest(kernels, X, X[:3], 12)
    np.testing.assert_array_equal(rows, np.tile(np.arange(12), (3, 1)))
    assert not distances.any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_columns_far_from_the_origin(
    kernels: ModuleType, rng: np.random.Generator, dtype: type
) -> None:
    X, queries = blobs(rng, 800, 12, 20, np.float64)
    X, queries = (X + 1e6).astype(dtype), (queries + 1e6).astype(dtype)
    for shift in (None, np.zeros(12)):
        assert_nearest(nearest(kernels, X, queries, 6, shift), X, queries, 6)


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(np.float32, s) for s in (1e-44, 1e-38, 1e-25, 1e-19, 1e18, 1e19, 1e30)]
    + [(np.float64, s) for s in (1e-320, 1e-170, 1e-154, 1e150, 1e153, 1e200)],
)
def test_magnitudes_whose_squares_leave_the_type(
    kernels: ModuleType, rng: np.random.Generator, dtype: type, scale: float
) -> None:
    X, queries = blobs(rng, 300, 6, 9, np.float64)
    X, queries = (X * scale).astype(dtype), (queries * scale).astype(dtype)
    for shift in (None, np.zeros(6)):
        _, rows = nearest(kernels, X, queries, 5, shift)
        np.testing.assert_array_equal(rows, expected_rows(squared_distances(queries, X), 5))


def test_magnitudes_mixed_in_one_call(kernels: ModuleType, rng: np.random.Generator) -> None:
    X, queries = blobs(rng, 400, 6, 9)
    X *= 10.0 ** rng.integers(-38, 38, size=(400, 1), dtype=np.int8).astype(np.float32)
    queries *= np.float32(10.0) ** np.arange(-30, 33, 7, dtype=np.float32)[:, None]
    _, rows = nearest(kernels, X, queries, 5, np.zeros(6))
    np.testing.assert_array_equal(rows, expected_rows(squared_distances(queries, X), 5))


def test_rows_of_negative_numbers_do_not_count(
    kernels: ModuleType, rng: np.random.Generator
) -> None:
    X, queries = blobs(rng, 500, 4, 8)
    gone = rng.random(500) < 0.5
    numbers = np.where(gone, -1, np.arange(500))
    _, rows = nearest(kernels, X, queries, 9, numbers=numbers)
    truth = np.where(gone, np.inf, squared_distances(queries, X))
    np.testing.assert_array_equal(rows, expected_rows(truth, 9))


@pytest.mark.parametrize("dtype", DTYPES)
def test_largest_inner_products(kernels: ModuleType, rng: np.random.Generator, dtype: type) -> None:
    X, queries = blobs(rng, 700, 13, 21, dtype)
    distances, rows = nearest(kernels, X, queries, 6, inner_product=True, step=90)
    truth = -(queries.astype(np.float64) @ X.astype(np.float64).T)
    expected = expected_rows(truth, 6)
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_allclose(distances, np.take_along_axis(truth, expected, 1), atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_all_rows_within_a_radius(
    kernels: ModuleType, rng: np.random.Generator, dtype: type
) -> None:
    X = rng.integers(-3, 4, size=(900, 3)).astype(dtype)
    queries = rng.integers(-3, 4, size=(25, 3)).astype(dtype)
    truth = squared_distances(queries, X)
    for radius in (0.0, 4.0, 1e9):
        found = kernels.rows_within(X, np.arange(900), queries, np.zeros(3), radius)
        expected = [*np.nonzero(truth <= radius), truth[truth <= radius]]
        order = np.lexsort(found[1::-1])
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one[order], other)


def test_bad_arguments(kernels: ModuleType) -> None:
    X, numbers, shift = np.ones((5, 2)), np.arange(5), np.zeros(2)
    distances, rows = np.full((3, 1), np.inf), np.full((3, 1), NONE)
    queries = np.ones((3, 2))
    with pytest.raises(ValueError, match="numbers has length 4, expected 5"):
        kernels.nearest_rows(X, numbers[:4], queries, shift, distances, rows)
    with pytest.raises(ValueError, match="shift has length 1, expected 2"):
        kernels.nearest_rows(X, numbers, queries, shift[:1], distances, rows)
    with pytest.raises(ValueError, match="distances has length 2, expected 3"):
        kernels.nearest_rows(X, numbers, queries, shift, distances[:2], rows)
    with pytest.raises(ValueError, match="differ in shape"):
        kernels.nearest_rows(X, numbers, queries, shift, distances, rows[:2])
    with pytest.raises(ValueError, match="distances have no column"):
        kernels.nearest_rows(X, numbers, queries, shift, distances[:, :0].copy(), rows)
    with pytest.raises(ValueError, match="expected at least one row of 2"):
        kernels.nearest_rows(X, numbers, np.ones((3, 1)), shift, distances, rows)

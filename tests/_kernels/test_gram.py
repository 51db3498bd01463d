"""Second moments of rows: chains of products within groups, exact sums of groups."""

import numpy as np
import pytest
import scipy.sparse

from shoal import _kernels

GROUP_ROWS = 64
LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "rows of Fortran": lambda X: np.asfortranarray(np.pad(X, ((3, 2), (0, 0))))[3:-2],
    "every second column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "reversed": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
}
SHAPES = [(1, 1), (300, 3), (130, 16), (63, 17), (70, 45), (64, 64)]
ENTRY_EXPONENT, LOW_BITS = 30, 30

dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
shapes = pytest.mark.parametrize("shape", SHAPES)
weighted = pytest.mark.parametrize("weighted", [False, True])
outputs = pytest.mark.parametrize("n_targets", [0, 2, 9])


def rows(shape, dtype, n_targets=2):
    generator = np.random.default_rng(0)
    X = (generator.normal(size=shape) + 3).astype(dtype)
    targets = generator.normal(size=(shape[0], n_targets)) - 1
    weights = generator.random(shape[0])
    shift = generator.normal(size=shape[1] + n_targets).astype(dtype).astype(np.float64)
    return X, targets, weights, shift


def exponents_of(columns):
    """Of powers of two that no two neighbours share."""
    return (np.arange(columns) % 5 - 3).astype(np.int32)


def gram(native, X, targets, shift, weights=None, ends=None, low_bits=LOW_BITS, exponents=None):
    columns = X.shape[1] + targets.shape[1] + 1
    exponents = exponents_of(columns) if exponents is None else exponents
    sums = np.zeros((1 if X.dtype == np.float32 else 2, columns, columns), np.int64)
    options = {"weights": weights, "ends": ends, "weight_exponent": -1}
    options |= {"entry_exponent": ENTRY_EXPONENT, "low_bits": low_bits}
    if isinstance(X, np.ndarray):
        native.gram(X, targets, shift, exponents, sums, **options)
    else:
        native.gram_csr(
            X.data, X.indices, X.indptr, X.shape[1], targets, shift, exponents, sums, **options
        )
    return sums


def reference(X, targets, shift, weights):
    """The same chains, in float64 or rounded to float32 after each exact product and sum."""
    z = np.column_stack([X, targets]).astype(np.float64) - shift
    z = np.column_stack([z, np.ones(len(z))]).astype(X.dtype)
    z *= np.exp2(exponents_of(z.shape[1])).astype(X.dtype)
    # Weights are multiplied with targets and 1 where these meet features.
    z = np.roll(z, targets.shape[1] + 1, axis=1)
    w = np.ones(len(z)) if weights is None else weights / 2
    left = (z * w[:, None]).astype(X.dtype)
    total = np.zeros((2, z.shape[1], z.shape[1]))
    for start in range(0, len(z), GROUP_ROWS):
        here = slice(start, start + GROUP_ROWS)
        group = np.zeros(total.shape[1:], X.dtype)
        for a, b in zip(left[here].astype(np.float64), z[here].astype(np.float64), strict=True):
            # float32: the product is exact in float64, and so nearly is its sum.
            group = (np.outer(a, b) + group).astype(X.dtype)
        t = group.astype(np.float64) * 2.0**ENTRY_EXPONENT
        total[0] += np.rint(t)
        total[1] += np.rint((t - np.rint(t)) * 2.0**LOW_BITS)
    total = np.triu(total) + np.triu(total, 1).transpose(0, 2, 1)
    return np.triu(np.roll(total, -targets.shape[1] - 1, axis=(1, 2)))


@weighted
@outputs
@shapes
def test_sums_of_float32_products(kernels, shape, n_targets, weighted):
    X, targets, weights, shift = rows(shape, np.float32, n_targets)
    found = gram(kernels, X, targets, shift, weights if weighted else None)
    expected, _ = reference(X, targets, shift, weights if weighted else None)
    # Twice rounded is not always once rounded: a few entries differ by a last place of float32.
    np.testing.assert_allclose(found[0], expected, rtol=2e-7, atol=2.0**ENTRY_EXPONENT * 1e-6)


@weighted
@outputs
@shapes
def test_sums_of_float64_products(kernels, shape, n_targets, weighted):
    X, targets, weights, shift = rows(shape, np.float64, n_targets)
    high, low = gram(kernels, X, targets, shift, weights if weighted else None)
    expected, rest = reference(X, targets, shift, weights if weighted else None)
    found, expected = high + low / 2.0**LOW_BITS, expected + rest / 2.0**LOW_BITS
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=2.0**ENTRY_EXPONENT * 1e-13)


@dtypes
@shapes
@weighted
def test_every_build_and_layout_gives_the_same_bits(shape, dtype, weighted):
    X, targets, weights, shift = rows(shape, dtype)
    X[np.abs(X - 3) < 0.4] = 0
    weights = weights if weighted else None
    expected = gram(_kernels.load("generic"), X, targets, shift, weights)
    forms = [layout(X) for layout in LAYOUTS.values()] + [scipy.sparse.csr_array(X)]
    for name in _kernels.available_instruction_sets():
        for form in forms:
            found = gram(_kernels.load(name), form, targets, shift, weights)
            np.testing.assert_array_equal(found, expected)


def test_groups_may_come_in_any_order(kernels):
    X, targets, _, shift = rows((200, 5), np.float64)
    whole = gram(kernels, X, targets, shift)
    pieces = [gram(kernels, X[s : s + 64], targets[s : s + 64], shift) for s in (128, 0, 192, 64)]
    np.testing.assert_array_equal(sum(pieces), whole)


def test_groups_of_rows_that_were_left_are_those_of_all_rows(kernels):
    X, targets, _, shift = rows((200, 5), np.float32)
    kept = np.delete(np.arange(200), [3, 63, 64, *range(128, 192)])
    weights = 2.0 * np.isin(np.arange(200), kept)
    ends = np.flatnonzero(np.diff(kept // 64, append=-1)) + 1
    some = gram(kernels, X[kept], targets[kept], shift, ends=ends)
    np.testing.assert_array_equal(some, gram(kernels, X, targets, shift, weights))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": np.zeros((3, 1))}, "targets has length 3"),
        ({"shift": np.zeros(2)}, "shift has length 2"),
        ({"weights": np.zeros(3)}, "weights has length 3"),
        ({"ends": np.array([65, 70])}, "by 64 at most"),
        ({"ends": np.array([20, 10])}, "must ascend"),
        ({"ends": np.array([20, 30])}, "end with the number of rows"),
        ({"low_bits": 60}, "low_bits must lie in"),
        ({"exponents": np.zeros(4, np.int32)}, "exponents has length 4"),
    ],
)
def test_what_does_not_fit_is_refused(kernels, change, message):
    X, targets, _, shift = rows((70, 3), np.float32, n_targets=1)
    arguments = {"X": X, "targets": targets, "shift": shift} | change
    with pytest.raises(ValueError, match=message):
        gram(kernels, **arguments)

"""A pass that labels and sums at once does what one after the other does."""

from types import ModuleType

import numpy as np
import pytest
from tests._kernels.reference import Array, blobs

from shoal import _kernels
from shoal.statistics.fixed_point import choose_scale

LAYOUTS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "every second column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "reversed rows": lambda X: X[::-1].copy()[::-1],
}
N, D, K = 9000, 11, 40


class Pass:
    """Labels, sums and counts of rows, moved on from one set of centres to the next."""

    def __init__(self, X: Array, weights: Array | None) -> None:
        self.X, self.shift = X, X.mean(axis=0, dtype=np.float64)
        self.scale = choose_scale(np.abs(X - self.shift).max(axis=0), len(X), X.dtype)
        self.labels = np.full(len(X), -1, np.int32)
        self.sums = np.zeros((self.scale.limbs, K, X.shape[1]), np.int64)
        self.counts = np.zeros(K, np.int64)
        self.moves: dict[str, object] = {
            "exponents": self.scale.exponents,
            "sums": self.sums,
            "counts": self.counts,
            "low_bits": self.scale.low_bits,
        }
        if weights is not None:
            self.moves |= {
                "weights": weights,
                "weight_exponent": 40,
                "weight_sums": np.zeros((1, K), np.int64),
            }

    def arrays(self) -> list[Array]:
        return [self.labels, *(v for v in self.moves.values() if isinstance(v, np.ndarray))]


def start(seed: int, dtype: type) -> tuple[Array, list[Array]]:
    rng = np.random.default_rng(seed)
    X, centers = blobs(rng, N, D, K)
    path = [centers + rng.normal(0, 0.1 / 4**step, centers.shape) for step in range(4)]
    return X.astype(dtype), [step.astype(dtype) for step in path]


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_labels_and_sums_at_once_are_those_one_after_the_other(
    layout: object, dtype: type, weighted: bool, bounded: bool, kernels: ModuleType
) -> None:
    X, path = start(0, dtype)
    weights = np.random.default_rng(1).random(N) if weighted else None
    found, expected = Pass(layout(X), weights), Pass(X, weights)
    rivals, kept = np.zeros(N, np.int32), np.zeros((3, N), np.float32)
    before = path[0]
    for centers in path:
        old, found.labels = found.labels, np.maximum(found.labels, 0)
        bounds = {
            "rivals": rivals,
            "bounds": kept,
            "drift": np.linalg.norm((centers - before).astype(float), axis=1) * (1 + 1e-6),
            "separation": _kernels.pairwise_min_separation(centers),
        }
        n_scanned, n_moved = kernels.assign_and_sum(
            found.X,
            centers,
            found.shift,
            old,
            found.labels,
            **found.moves,
            **(bounds if bounded else {}),
        )
        old, expected.labels = expected.labels, np.empty(N, np.int32)
        _kernels.assign(X, centers, found.shift, expected.labels)
        moved = _kernels.sum_moved_rows(X, found.shift, old, expected.labels, **expected.moves)
        assert n_moved == moved == np.count_nonzero(old != expected.labels)
        assert 0 < n_scanned <= N
        for a, b in zip(found.arrays(), expected.arrays(), strict=True):
            np.testing.assert_array_equal(a, b)
        before = centers
    assert bounded == (n_scanned < N)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"old_labels": np.array([0, 2, 0], np.int32)}, r"old_labels must lie in \[-1, 2\)"),
        ({"old_labels": np.array([0, 1], np.int32)}, "old_labels has length 2, expected 3"),
        ({"labels": np.zeros(2, np.int32)}, "labels has length 2, expected 3"),
        ({"sums": np.zeros((1, 3, 2), np.int64), "counts": np.zeros(3, np.int64)}, "in clusters"),
        ({"bounds": np.zeros((3, 3), np.float32)}, "go with bounds"),
        ({"shift": np.zeros(1)}, "shift has length 1, expected 2"),
    ],
)
def test_mismatched_arguments_are_refused(
    kernels: ModuleType, change: dict[str, Array], message: str
) -> None:
    arguments = {
        "X": np.ones((3, 2)),
        "centers": np.ones((2, 2)),
        "shift": np.zeros(2),
        "old_labels": np.full(3, -1, np.int32),
        "labels": np.zeros(3, np.int32),
        "exponents": np.zeros(2, np.int32),
        "sums": np.zeros((1, 2, 2), np.int64),
        "counts": np.zeros(2, np.int64),
    }
    with pytest.raises(ValueError, match=message):
        kernels.assign_and_sum(**arguments | change)
    assert not arguments["sums"].any()
    kernels.assign_and_sum(**arguments)

"""Where K-means starts: first centres, drawn from the rows."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import numpy as np
from sklearn.cluster import kmeans_plusplus
from sklearn.utils import check_array
from threadpoolctl import threadpool_limits

from shoal._typing import AnyArray, Float64Array
from shoal.exceptions import DataError, ParameterError
from shoal.solvers.lloyd import Summary
from shoal.solvers.solver import Fold
from shoal.statistics.center_search import CenterSearch
from shoal.statistics.keyed_sample import KeyedSample, Sample
from shoal.statistics.purpose import Purpose

#: k-means|| draws this many times ``n_clusters`` rows a round ...
OVERSAMPLING = 2
#: ... for this many rounds (Bahmani et al. find 5 enough).
N_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class InitialCenters:
    """First centres of a K-means fit; each method gives an array (n_clusters, n_features).

    Parameters
    ----------
    n_clusters : int
    summary : Summary
    seed : int
    size : int, default=None
        Rows that k-means++ and callables choose from; `sample_size` by default.
    """

    n_clusters: int
    summary: Summary
    seed: int
    size: int | None = None

    @staticmethod
    def is_given(init: Any) -> bool:
        """Whether `init` is an array of centres."""
        return not isinstance(init, str) and not callable(init)

    def chosen(self, init: Any) -> Callable[[Fold], AnyArray]:
        """What gives the first centres, for an estimator's parameter `init`."""
        if isinstance(init, str):
            return {
                "k-means++": self.plus_plus,
                "k-means||": self.scalable,
                "random": self.random,
            }[init]
        if callable(init):
            return partial(self.call, init)
        centers = self.given(init)
        return lambda fold: centers

    def random(self, fold: Fold) -> AnyArray:
        """Rows drawn without replacement, in proportion to their weights. One pass."""
        sample = fold(self._rows(self.n_clusters, Purpose.RANDOM_ROWS, by_weight=True))
        self._check_enough(sample)
        return sample.X

    def plus_plus(self, fold: Fold) -> AnyArray:
        """Greedy k-means++ on a uniform sample of `sample_size` rows, or on all. One pass."""
        return self._plus_plus(self.sample(fold))

    def scalable(self, fold: Fold) -> AnyArray:
        """k-means||: 2 + `N_ROUNDS` passes.

        The first candidate is drawn at random; each round then draws rows in proportion to
        their weight and squared distance from the candidates so far; the candidates, weighted by
        the rows nearest to each, are cut to n_clusters by k-means++.
        """
        candidates = fold(self._rows(1, Purpose.RANDOM_ROWS, by_weight=True)).X
        for number in range(N_ROUNDS):
            drawn = fold(
                self._rows(
                    OVERSAMPLING * self.n_clusters,
                    Purpose.PARALLEL_ROUND + number,
                    by_weight=True,
                    centers=candidates,
                )
            )
            candidates = np.concatenate([candidates, drawn.X])
        if len(candidates) < self.n_clusters:
            # Rounds draw no row twice and none that lies on a candidate: these are all there are.
            return np.concatenate([candidates, self.random(fold)])[: self.n_clusters]
        weights = self._weights(candidates, fold)
        rows = np.arange(len(candidates))
        return self._plus_plus(Sample(rows, candidates, weights, np.zeros(len(rows))))

    def completed(self, centers: AnyArray, fold: Fold) -> AnyArray:
        """`centers` and as many more as are wanted, by k-means++. A pass for each.

        Each is a row drawn in proportion to its weight and squared distance from those so far.
        """
        while len(centers) < self.n_clusters:
            purpose = Purpose.NEXT_CENTER + len(centers)
            drawn = fold(self._rows(1, purpose, by_weight=True, centers=centers)).X
            if not len(drawn):
                # Every row lies on a centre.
                return np.concatenate([centers, self.random(fold)])[: self.n_clusters]
            centers = np.concatenate([centers, drawn])
        return centers

    def call(self, function: Callable[..., Any], fold: Fold) -> AnyArray:
        """What the user's function makes of a uniform sample, or of all rows. One pass."""
        sample = self.sample(fold)
        centers = function(sample.X, self.n_clusters, random_state=self._random_state())
        return self.given(centers)

    def given(self, centers: Any) -> AnyArray:
        """Centres that the user gives, checked."""
        array = self._numbers(centers)
        n_features = len(self.summary.shift)
        if array.ndim != 2 or array.shape[0] != self.n_clusters:
            raise ParameterError(
                f"The shape of the initial centers {array.shape} does not match the number of "
                f"clusters {self.n_clusters}."
            )
        if array.shape[1] != n_features:
            raise ParameterError(
                f"The shape of the initial centers {array.shape} does not match the number of "
                f"features of the data {n_features}."
            )
        if not np.isfinite(array).all():
            raise ParameterError("Input init contains NaN or infinity: give finite centers.")
        return array

    def _numbers(self, centers: Any) -> AnyArray:
        """A copy of `centers` in the type of the data, of any shape."""
        try:
            with np.errstate(over="ignore"):  # What float32 cannot hold is refused as infinite.
                array: AnyArray = check_array(
                    centers,
                    dtype=self.summary.dtype,
                    order="C",
                    copy=True,
                    ensure_all_finite=False,
                    ensure_2d=False,
                    allow_nd=True,
                )
                return array
        except (TypeError, ValueError) as error:
            raise ParameterError(
                f"init must be an array of numbers, one center a row: {error}"
            ) from error

    def sample(self, fold: Fold) -> Sample:
        """A uniform sample of rows of positive weight. One pass."""
        size = self.size or sample_size(self.n_clusters, len(self.summary.shift))
        return fold(self._rows(size, Purpose.SAMPLE))

    def _rows(self, size: int, purpose: int, **options: Any) -> KeyedSample:
        summary = self.summary
        return KeyedSample(
            size,
            len(summary.shift),
            summary.dtype,
            self.seed,
            purpose,
            shift=summary.shift,
            **options,
        )

    def _plus_plus(self, sample: Sample) -> AnyArray:
        self._check_enough(sample)
        # In float64, which scikit-learn would turn float32 into once for each centre.
        centered = _near_one(sample.X - self.summary.shift)
        # More threads would add products in another order.
        with threadpool_limits(1):
            _, chosen = kmeans_plusplus(
                centered,
                self.n_clusters,
                sample_weight=sample.sample_weight,
                random_state=self._random_state(),
            )
        return np.ascontiguousarray(sample.X[chosen])

    def _random_state(self) -> np.random.RandomState:
        """For the choices that scikit-learn's functions make among rows already drawn."""
        return np.random.RandomState(np.random.Philox(key=[self.seed, Purpose.CHOICE]))

    def _weights(self, candidates: AnyArray, fold: Fold) -> Float64Array:
        """Sum of weights of the rows nearest to each candidate. One pass."""
        search = CenterSearch(candidates, self.summary.shift, uuid4().hex, 0)
        return fold(self.summary.sums(search)).weights

    def _check_enough(self, sample: Sample) -> None:
        if len(sample.rows) < self.n_clusters:
            raise DataError(
                f"n_samples={len(sample.rows)} should be >= n_clusters={self.n_clusters}: only so "
                "many rows have a weight above 0. Ask for fewer clusters."
            )


def _near_one(X: Float64Array) -> Float64Array:
    """`X` times a power of two, so that the largest magnitude is in [0.5, 1).

    No bit changes, but squares neither overflow nor vanish.
    """
    _, exponent = np.frexp(np.abs(X).max(initial=0.0))
    near_one: Float64Array = np.ldexp(X, -exponent, out=X)
    return near_one


def sample_size(n_clusters: int, n_features: int) -> int:
    """Rows that k-means++ looks at: enough for every cluster, some 64 MB of float32 at most.

    A function of the problem alone, so that centres do not depend on the memory budget.
    """
    return max(16 * n_clusters, min(2**16, 2**24 // n_features))

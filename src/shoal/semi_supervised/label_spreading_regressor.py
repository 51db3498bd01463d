"""Numbers that spread from rows where they are known."""

from collections.abc import Sequence
from os import PathLike
from typing import Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from shoal._typing import Float64Array
from shoal.data.predictions import write_predictions
from shoal.data.validation import fit_dataset, target_role
from shoal.neighbors.prediction import collected
from shoal.neighbors.targets import scored_rows
from shoal.semi_supervised.affinity import Kernel, normalised
from shoal.semi_supervised.graph_model import GraphModel, check_alpha, spread
from shoal.solvers.diffusion import DiffusionState
from shoal.solvers.fitting import restored_on_error
from shoal.statistics.known_targets import known_numbers


class LabelSpreadingRegressor(RegressorMixin, GraphModel):
    r"""Regression by known targets that spread on the sparse graph of nearest neighbours.

    The kernel of `LabelSpreading`, :math:`K = (1 - \alpha)(I - \alpha S)^{-1}`, says how much of
    what row j has arrives at row i. A row's prediction is the average of the known targets
    by that weight,

    .. math:: f_i = \frac{\sum_{l \text{ known}} K_{il} \, y_l}{\sum_{l \text{ known}} K_{il}}
                  = \frac{F_i}{M_i},

    with both sums found by spreading: :math:`F \leftarrow \alpha S F + (1 - \alpha) Y`, where Y is
    :math:`y_l` or 0, and :math:`M \leftarrow \alpha S M + (1 - \alpha) 1_l` of the mass that has
    come from known rows. For targets of 0 and 1 it is the probability that `LabelSpreading` gives
    to class 1, of the same parameters.

    Parameters
    ----------
    kernel : {"knn", "rbf"} or callable, default="knn"
        As for `LabelSpreading`.
    gamma : float, default=20
        :math:`\gamma` of ``"rbf"``.
    n_neighbors : int, default=7
        Of ``"knn"``.
    alpha : float, default=0.9
        :math:`\alpha`, between 0 (the nearest known row decides) and 1 (all known rows count).
    max_iter : int, default=1000
        Most steps.
    tol : float, default=1e-3
        The fit ends once F and M change by less than this in a step, in sum, with targets in units
        of their standard deviation.

    Attributes
    ----------
    X_ : ndarray or csr_array of shape (n_rows, n_features), or Dataset
        The rows: in memory where they came from memory, or the kernel is dense.
    transduction_ : ndarray of shape (n_rows,), float64
        The prediction for each row, those with a known target too: what lies around it has its
        say. The mean of the known targets where nothing has come.
    mass_ : ndarray of shape (n_rows,), float64
        M: the larger, the more known rows are near.
    y_mean_ : float
        Mean of the known targets.
    n_iter_ : int
        Steps taken.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        Names of the features, if the data have names.

    Raises
    ------
    DataError
        No target is known, targets are no numbers, or rows have missing values.
    ParameterError
        There are fewer rows than neighbours.
    MemoryBudgetError
        ``kernel="rbf"`` takes more memory than there is for so many rows.

    Warns
    -----
    ConvergenceWarning
        `max_iter` steps were not enough.

    Notes
    -----
    Memory, passes and equal bits are as of `LabelSpreading`. scikit-learn has no such estimator.

    Targets are centred and scaled while they spread, which changes no prediction: weights of an
    average add up to 1. A new row is given the average of the predictions for the rows around it,
    by their weights and masses.

    References
    ----------
    D. Zhou, O. Bousquet, T. N. Lal, J. Weston and B. Schölkopf, "Learning with local and global
    consistency", NIPS 16 (2004), section 2, for F; the quotient is their step of taking shares.

    Examples
    --------
    >>> from shoal.semi_supervised import LabelSpreadingRegressor
    >>> X = [[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]]
    >>> nan = float("nan")
    >>> model = LabelSpreadingRegressor(n_neighbors=3).fit(X, [5.0, nan, nan, 8.0, nan, nan])
    >>> model.transduction_.round(6).tolist()
    [5.0, 5.0, 5.0, 8.0, 8.0, 8.0]
    >>> model.predict([[3.0]]).round(6).tolist()
    [5.0]
    """

    mass_: Float64Array
    transduction_: Float64Array
    y_mean_: float

    def __init__(
        self,
        kernel: Kernel = "knn",
        *,
        gamma: float = 20,
        n_neighbors: int = 7,
        alpha: float = 0.9,
        max_iter: int = 1000,
        tol: float = 1e-3,
    ) -> None:
        self.kernel = kernel
        self.gamma = gamma
        self.n_neighbors = n_neighbors
        self.alpha = alpha
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X: Any, y: Any = None, *, features: Sequence[str | int] | None = None) -> Self:
        """Spread targets to the rows that have none.

        Parameters
        ----------
        X : path, glob, folder, array-like, sparse matrix, data frame, Dask collection or Dataset
            Whatever `shoal.open_dataset` takes, of shape (n_rows, n_features).
        y : array-like of shape (n_rows,), or column name
            The target of each row: NaN, None or null where it is unknown. Not needed where a
            Dataset has a target.
        features : sequence of str or int, default=None
            The columns that rows are compared by; all but `y` by default.

        Returns
        -------
        self
        """
        self._check_parameters()
        check_alpha(self)
        with restored_on_error(self):
            dataset = fit_dataset(self, X, target=target_role(self, X, y), features=features)
            targets = known_numbers(dataset)
            known = ~np.isnan(targets)
            self.y_mean_ = float(targets[known].mean())
            # Where all are equal, so are all predictions, whatever the unit.
            self._unit = float(targets[known].std()) or 1.0
            start = np.zeros((len(targets), 2))
            start[known, 0] = (targets[known] - self.y_mean_) / self._unit
            start[known, 1] = 1
            self._diffuse(dataset, start, normalised, spread(self.alpha, start), X, y)
        return self

    def predict(self, X: Any, *, out: str | PathLike[str] | None = None) -> Any:
        """Give the average of the predictions for the rows around each row.

        Parameters
        ----------
        X : path, array-like, sparse matrix, data frame, Dask collection or Dataset
            Rows with the features of the fit. Files may have more columns.
        out : path, default=None
            A Parquet file to write instead: one column, ``prediction``, one row a row of `X`, null
            where a row was dropped. It appears whole or not at all.

        Returns
        -------
        predictions : ndarray of shape (n_queries,), float64, or pathlib.Path
            The path, with `out`. The mean of the known targets where nothing is near.

        Raises
        ------
        NotFittedError, DataError, FileError
        """
        check_is_fitted(self)
        about_mean = (self.transduction_ - self.y_mean_) * self.mass_
        n_rows, sums = self._averages(X, np.stack([about_mean, self.mass_], axis=1), out)
        predictions = ((block, self.y_mean_ + _quotient(found)) for block, found in sums)
        if out is not None:
            return write_predictions(out, "prediction", np.float64, predictions, n_rows)
        return collected(n_rows, predictions)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Give the share of the variance that is explained, :math:`R^2`: 1 at best.

        Memory of the targets and of as many predictions.

        Parameters
        ----------
        X : as for `predict`
        y : array-like of shape (n_rows,), or column name
            None where `X` is a Dataset with a target.
        sample_weight : array-like of shape (n_rows,), default=None

        Returns
        -------
        score : float

        Raises
        ------
        NotFittedError, DataError, FileError
        """
        check_is_fitted(self)
        X, y = scored_rows(self, X, y)
        return float(super().score(X, y, sample_weight))

    def _shown(self, state: DiffusionState) -> dict[str, Any]:
        return {
            "X_": self.X_,
            "transduction_": self.y_mean_ + self._unit * _quotient(state.values),
            "mass_": state.values[:, 1].copy(),
            "y_mean_": self.y_mean_,
            "n_iter_": state.n_iter,
        }


def _quotient(values: Float64Array) -> Float64Array:
    """Of two columns the first over the second, 0 where that is 0, shape (n,)."""
    total, mass = values.T
    found: Float64Array = np.divide(total, mass, out=np.zeros(len(values)), where=mass > 0)
    return found

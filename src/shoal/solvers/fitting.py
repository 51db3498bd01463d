"""What every fit does around its solver."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from shoal.callbacks import FitProgress, fit_progress
from shoal.data.dataset import Dataset
from shoal.engines.current import current_engine
from shoal.solvers.solver import Fold


@contextmanager
def restored_on_error(estimator: Any) -> Iterator[None]:
    """A fit that fails leaves the model as the last one made it."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


@contextmanager
def passes_over(
    dataset: Dataset,
    estimator: Any,
    X: Any,
    *,
    max_iter: int | None,
    n_runs: int = 1,
    verbose: int = 0,
) -> Iterator[tuple[Fold, FitProgress]]:
    """A pass over `dataset` and who is told; data are let go of at the end, unless they are `X`."""
    engine = current_engine()
    told = fit_progress(
        estimator, n_rows=dataset.n_rows, max_iter=max_iter, n_runs=n_runs, verbose=verbose, X=X
    )
    try:
        with told as progress:
            yield partial(engine.fold, dataset), progress
    finally:
        if dataset is not X:
            engine.release(dataset)

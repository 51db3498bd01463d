"""What every fit does around its solver."""

import numpy as np
import pytest

from shoal import LocalEngine, open_dataset
from shoal.solvers.fitting import passes_over, restored_on_error
from shoal.statistics.range import Range


class Estimator:
    def __init__(self):
        self.coef_ = 1


def test_an_error_brings_the_attributes_back():
    estimator = Estimator()

    def fit(error):
        with restored_on_error(estimator):
            estimator.coef_, estimator.new = 2, 3
            raise error

    with pytest.raises(KeyboardInterrupt):
        fit(KeyboardInterrupt())
    assert vars(estimator) == {"coef_": 1}
    with restored_on_error(estimator):
        estimator.coef_ = 2
    assert estimator.coef_ == 2


@pytest.mark.parametrize("is_given", [False, True])
def test_data_are_let_go_of_unless_they_were_given(is_given):
    X = np.ones((10, 2))
    dataset = open_dataset(X)
    with LocalEngine() as engine:
        given = dataset if is_given else X
        with passes_over(dataset, Estimator(), given, max_iter=1) as (fold, progress):
            assert fold(Range(2)).n_rows == 10
            assert progress.n_rows_read == 10
            assert len(engine._stores) == 1
        assert len(engine._stores) == is_given

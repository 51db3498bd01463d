"""Classification by the nearest rows."""

import numpy as np
import sklearn.datasets
import sklearn.neighbors

from shoal.neighbors import KNeighborsClassifier


def test_accuracy_on_digits_is_scikit_learns():
    X, y = sklearn.datasets.load_digits(return_X_y=True)
    train, test = np.arange(1000), np.arange(1000, len(X))
    found = KNeighborsClassifier(3).fit(X[train], y[train])
    reference = sklearn.neighbors.KNeighborsClassifier(3).fit(X[train], y[train])
    assert found.score(X[test], y[test]) > 0.95
    # Pixels are small integers: where distances tie, scikit-learn takes any of the rows.
    assert (found.predict(X[test]) == reference.predict(X[test])).mean() > 0.995

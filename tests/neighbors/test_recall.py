"""What approximate neighbours miss."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from tests.neighbors.rows import blobs, parquet, ties

from shoal.exceptions import ParameterError
from shoal.neighbors import KNeighborsClassifier, NearestNeighbors, recall

X, QUERIES = blobs(3000, 6), blobs(400, 6, seed=0)[::-1] + 0.3


def probing(n_probe, **parameters):
    return NearestNeighbors(algorithm="partition", n_probe=n_probe, **parameters).fit(X)


def test_it_is_the_share_of_the_definition():
    model = probing(2)
    found = model.kneighbors(QUERIES, return_distance=False)
    truth = NearestNeighbors(algorithm="brute").fit(X).kneighbors(QUERIES, return_distance=False)
    share = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(found, truth, strict=True)])
    assert recall(model, QUERIES) == pytest.approx(share, abs=1e-15)
    assert 0.3 < share < 1


def test_it_grows_with_the_groups_probed():
    shares = [recall(probing(n_probe), QUERIES) for n_probe in (1, 3, 10, 1000)]
    assert shares == sorted(shares)
    assert shares[0] < 0.9 < shares[2]
    assert shares[3] == 1


def test_equal_distances_count_as_found():
    rows = ties(2000)
    model = KNeighborsClassifier(algorithm="partition", n_probe=1).fit(rows, rows[:, 0])
    assert recall(model, ties(50, seed=1)) == 1


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_the_sample_of_queries_depends_on_their_rows_alone(tmp_path):
    path = parquet(QUERIES, tmp_path / "queries.parquet")
    model = probing(2)
    found = recall(model, QUERIES, 3, n_queries=40)
    assert found == recall(model, path, 3, n_queries=40)
    assert found != recall(model, QUERIES, 3, n_queries=41)


def test_bad_arguments():
    with pytest.raises(NotFittedError):
        recall(NearestNeighbors(), X)
    with pytest.raises(ParameterError, match="n_queries=0"):
        recall(probing(1), QUERIES, n_queries=0)
    with pytest.raises(ParameterError, match="Expected n_neighbors <= n_samples_fit"):
        recall(probing(1), QUERIES, 4000)

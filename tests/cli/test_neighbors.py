"""``shoal neighbors``: the API's neighbours, in a file."""

import numpy as np
import pandas as pd
import pytest

from shoal import open_dataset
from shoal.cli.neighbors import Algorithm, Metric
from shoal.neighbors import NearestNeighbors
from shoal.neighbors.choice import ALGORITHMS
from shoal.statistics.metric import NAMES
from shoal.statistics.metric import Metric as AnyMetric


@pytest.fixture
def out(tmp_path):
    return tmp_path / "neighbors.parquet"


def found_in(result, out):
    assert result.exit_code == 0, result.stderr
    return pd.read_parquet(out)


def same(found, distances, rows):
    np.testing.assert_array_equal(found["neighbor"], rows.ravel())
    np.testing.assert_array_equal(found["distance"], distances.ravel())
    np.testing.assert_array_equal(found["query"], np.repeat(np.arange(len(rows)), rows.shape[1]))


def test_neighbours_of_queries(shoal_command, rows, labelled, out):
    options = ("-k", 10, "--columns", "a", "--metric", "manhattan", "--algorithm", "brute")
    result = shoal_command("neighbors", rows, labelled, *options, "--out", out)
    assert result.stdout.startswith("Neighbors of 300 rows among 200 by brute, ")
    model = NearestNeighbors(n_neighbors=10, metric="manhattan")
    model.fit(open_dataset(rows, features=["a"]))
    same(found_in(result, out), *model.kneighbors(open_dataset(labelled, features=["a"])))


def test_queries_are_of_the_columns_of_the_rows(shoal_command, tmp_path, out):
    first, second = tmp_path / "first.parquet", tmp_path / "second.parquet"
    pd.DataFrame({"a": [0.0, 10.0], "b": [10.0, 0.0]}).to_parquet(first)
    pd.DataFrame({"c": [5.0], "b": [0.0], "a": [10.0]}).to_parquet(second)
    result = shoal_command("neighbors", first, second, "-k", 1, "--out", out)
    assert found_in(result, out).to_numpy().tolist() == [[0, 1, 0]]


def test_without_queries_all_rows_look_for_others(shoal_command, labelled, out):
    result = shoal_command("neighbors", labelled, "--columns", "a,b", "--out", out)
    assert result.stdout.startswith("Neighbors of 300 rows among 300 by ")
    model = NearestNeighbors().fit(open_dataset(labelled, features=["a", "b"]))
    same(found_in(result, out), *model.kneighbors())


def test_rows_within_a_radius_nearest_first(shoal_command, labelled, out):
    result = shoal_command(
        *("neighbors", labelled, labelled, "--columns", "a", "--radius", 0.01, "--out", out)
    )
    found = found_in(result, out)
    model = NearestNeighbors(radius=0.01).fit(open_dataset(labelled, features=["a"]))
    assert len(found) == model.radius_neighbors_graph(open_dataset(labelled, features=["a"])).nnz
    assert (found["distance"] <= 0.01).all()
    assert found.equals(found.sort_values(["query", "distance", "neighbor"], ignore_index=True))


def test_nearest_groups_alone_are_probed(shoal_command, labelled, out):
    options = ("--columns", "a,b", "--algorithm", "partition", "--n-probe", 1)
    result = shoal_command("neighbors", labelled, *options, "--out", out)
    assert "among 300 by partition, " in result.stdout
    model = NearestNeighbors(algorithm="partition", n_probe=1)
    model.fit(open_dataset(labelled, features=["a", "b"]))
    same(found_in(result, out), *model.kneighbors())


def test_names_are_those_of_the_api():
    assert tuple(Algorithm) == ALGORITHMS
    for name in Metric:
        assert AnyMetric.of(name.value, 2, None).name == name.value
    # These need more than a name.
    others = {"minkowski", "seuclidean", "mahalanobis", "precomputed"}
    assert {name.value for name in Metric} == set(NAMES) - others


def test_dropped_rows_are_no_ones_neighbours(shoal_command, rows, out):
    neighbors = ("neighbors", rows, "--columns", "a,b", "--out", out)
    result = shoal_command(*neighbors)
    assert result.exit_code == 1
    assert result.stderr.startswith("shoal: Input X contains NaN")
    assert not out.exists()
    found = found_in(shoal_command(*neighbors, "--missing", "drop"), out)
    assert len(found) == 199 * 5
    assert 150 not in set(found["query"]) | set(found["neighbor"])


def test_an_error_leaves_the_neighbours_that_were_there(shoal_command, rows, out):
    out.write_text("before")
    result = shoal_command("neighbors", rows, "--columns", "a", "-k", 200, "--out", out)
    assert result.exit_code == 1
    assert "n_neighbors = 200, n_samples_fit = 200" in result.stderr
    assert out.read_text() == "before"


def test_a_folder_that_is_missing_is_found_before_the_search(shoal_command, rows, tmp_path):
    out = tmp_path / "nowhere" / "neighbors.parquet"
    # The search would fail, too, if it came to it.
    result = shoal_command("neighbors", rows, "--columns", "b", "--out", out)
    assert result.stderr.startswith(f"shoal: cannot write {out}: No such file or directory; ")


@pytest.mark.parametrize(
    "wrong", [("-k", 0), ("--metric", "near"), ("--algorithm", "guess"), ("--n-probe", 0)]
)
def test_wrong_usage(shoal_command, rows, out, wrong):
    result = shoal_command("neighbors", rows, "--columns", "a", "--out", out, *wrong)
    assert result.exit_code == 2
    assert wrong[0] in result.stderr

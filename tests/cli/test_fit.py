"""What every ``shoal fit`` does."""

from inspect import signature

import pytest
import typer
from tests.cli.conftest import CliRunner

from shoal.cli.fit import fits
from shoal.cli.fit_kmeans import kmeans
from shoal.cli.fit_knn import knn
from shoal.cli.fit_linear import linear


def test_a_command_has_its_own_options_among_those_of_all():
    names = list(signature(linear).parameters)
    assert names[:4] == ["data", "target", "out", "columns"]
    assert names[4:7] == ["penalty", "alpha", "l1_ratio"]
    assert names[-1] == "debug"
    assert "target" not in signature(kmeans).parameters
    assert {"checkpoint", "sample_weight"}.isdisjoint(signature(knn).parameters)


def test_what_is_wrong_with_an_estimators_options_is_one_line(rows, tmp_path):
    @fits(lambda model, dataset: "", without={"target"})
    def broken(*, depth: int = 3):
        """Fails."""
        raise ValueError(f"depth={depth} is too deep")

    app = typer.Typer()
    app.command()(broken)
    result = CliRunner().invoke(app, [str(rows), "--out", str(tmp_path / "m"), "--depth", "7"])
    assert (result.exit_code, result.stderr) == (1, "shoal: depth=7 is too deep\n")


@pytest.mark.parametrize(
    "command",
    [
        ("fit", "kmeans", "rows", "--columns", "a"),
        ("predict", "model", "rows"),
        ("neighbors", "rows", "--columns", "a"),
    ],
)
def test_rows_that_are_read_are_not_replaced(shoal_command, rows, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    assert shoal_command("fit", "kmeans", rows, "--columns", "a", "--out", "model").exit_code == 0
    before = (rows / "1.parquet").read_bytes()
    result = shoal_command(*command, "--out", "rows/1.parquet")
    assert result.exit_code == 1
    assert result.stderr == ("shoal: rows/1.parquet is a file that is read: write to another.\n")
    assert (rows / "1.parquet").read_bytes() == before


@pytest.mark.parametrize("model", [("kmeans", "--n-clusters", 2), ("linear", "--target", "weight")])
def test_rows_that_are_left_out_are_told(shoal_command, rows, tmp_path, model):
    fit = ("fit", *model, rows, "--out", tmp_path / "model", "--columns")
    result = shoal_command(*fit, "a,b", "--missing", "drop")
    assert result.stdout.startswith("199 rows (1 with missing values left out) x 2 features ")
    result = shoal_command(*fit, "a", "--missing", "drop")
    assert result.stdout.startswith("200 rows x 1 features ")

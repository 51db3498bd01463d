"""What every ``shoal fit`` does."""

from inspect import signature

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

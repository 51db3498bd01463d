"""The command ``shoal``."""

from typing import Annotated

import typer

from shoal.cli.fit_kmeans import kmeans
from shoal.cli.fit_knn import knn
from shoal.cli.fit_linear import linear, logistic
from shoal.cli.fit_sgd import sgd_classifier, sgd_regressor
from shoal.cli.info import info
from shoal.cli.neighbors import neighbors
from shoal.cli.outcome import say_warnings
from shoal.cli.predict import predict

# Libraries are imported by the commands that need them, so that --help is quick.

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
fit = typer.Typer(no_args_is_help=True)
app.add_typer(fit, name="fit", help="Fit a model to data and save it.")
app.command()(info)
for command in (kmeans, linear, logistic, sgd_classifier, sgd_regressor, knn):
    fit.command()(command)
app.command()(predict)
app.command()(neighbors)


def main() -> None:
    """The entry point of the command ``shoal``."""
    with say_warnings():
        app(prog_name="shoal")


def _show_version(wanted: bool) -> None:
    if wanted:
        import shoal

        typer.echo(f"shoal {shoal.__version__}")
        raise typer.Exit


@app.callback(epilog="'shoal COMMAND --help' says what a command takes, with examples.")
def _shoal(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Machine learning on data that outgrow memory."""


@fit.callback()
def _fit() -> None:
    """Fit a model to data and save it."""

"""What every ``shoal fit`` does: open data, fit a model on an engine, save it, say so."""

import time
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, fields
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shoal.cli.options import (
    RUNNING,
    Columns,
    Data,
    Debug,
    EngineName,
    Memory,
    Missing,
    MissingRows,
    Threads,
    engine,
    names,
    paths,
)
from shoal.cli.outcome import reported

if TYPE_CHECKING:
    from shoal.data.dataset import Dataset

Seed = Annotated[int, typer.Option(min=0, metavar="N", help="Seed of random choices.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", help="Log each iteration.", rich_help_panel=RUNNING)
]


@dataclass(kw_only=True)
class Fitting:
    """The arguments and options of all commands that fit.

    Those without a default come first in the command's help, then what the model takes. A command
    can do without some of the others.
    """

    data: Data
    target: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column to predict.", show_default=False),
    ]
    out: Annotated[Path, typer.Option(metavar="FILE", help="The model.", show_default=False)]
    columns: Columns = None
    sample_weight: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The rows' weights.", show_default=False),
    ] = None
    missing: MissingRows = Missing.ERROR
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keeps the state of the fit: after an interruption the same command goes on "
            "from there, to the same result.",
            rich_help_panel=RUNNING,
            show_default=False,
        ),
    ] = None
    engine_name: EngineName = "local"
    memory: Memory = None
    threads: Threads = None
    debug: Debug = False

    def run(
        self,
        make_model: Callable[[], Any],
        summary: "Callable[[Any, Dataset], str]",
        keeps_rows: bool,
    ) -> None:
        """Fit the model, save it and say in a line what came out.

        Parameters
        ----------
        make_model : callable
            Called late, so that what is wrong with its options is reported as all else is.
        summary : callable
            ``summary(model, dataset)``, in a few words; raises what makes the model of no use.
        keeps_rows : bool
            Whether the model is its rows: its file is to hold them, so memory has to.
        """
        with reported(self.debug, self.checkpoint):
            from shoal.persistence import save_model

            model, opened = make_model(), self._opened()
            check_out(self.out, opened.files)
            dataset = self._loaded(opened) if keeps_rows else opened
            began = time.monotonic()
            with engine(self.engine_name, self.memory, self.threads):
                model.fit(dataset, **self._resumable())
                n_rows = self._n_kept(dataset)
            found = summary(model, dataset)
            save_model(model, self.out)
            n_dropped = opened.n_rows - n_rows
            dropped = f" ({n_dropped:,} with missing values left out)" if n_dropped else ""
            typer.echo(
                f"{n_rows:,} rows{dropped} x {dataset.n_features} features {found}, "
                f"{time.monotonic() - began:.1f} s. Saved to {self.out}."
            )

    def _n_kept(self, dataset: "Dataset") -> int:
        from shoal.statistics.range import look_at_all_rows

        return look_at_all_rows(dataset) if self.missing is Missing.DROP else dataset.n_rows

    def _resumable(self) -> dict[str, Path]:
        return {} if self.checkpoint is None else {"checkpoint": self.checkpoint}

    def _loaded(self, dataset: "Dataset") -> "Dataset":
        from shoal.data.loaded import loaded
        from shoal.data.plan import memory_bytes

        return loaded(dataset, memory_bytes(self.memory))

    def _opened(self) -> "Dataset":
        from shoal.data.open import open_dataset

        return open_dataset(
            paths(self.data),
            features=names(self.columns),
            target=self.target,
            sample_weight=self.sample_weight,
            missing=self.missing.value,
        )


def fits(
    summary: "Callable[[Any, Dataset], str]",
    *,
    without: Container[str] = (),
    keeps_rows: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """Make a command of a function that makes an estimator from options.

    Parameters
    ----------
    summary : callable
        ``summary(model, dataset)``, what came out in a few words.
    without : container of str, default=()
        The fields of `Fitting` that make no sense for the model.
    keeps_rows : bool, default=False
        Whether the model is its rows.
    """

    def command_of(make_model: Callable[..., Any]) -> Callable[..., None]:
        def command(**options: Any) -> None:
            shared = {field.name: options.pop(field.name, None) for field in fields(Fitting)}
            Fitting(**shared).run(lambda: make_model(**options), summary, keeps_rows)

        wanted = _shared_parameters(without)
        n_first = sum(parameter.default is Parameter.empty for parameter in wanted) + 1
        own = signature(make_model).parameters.values()
        parameters = [*wanted[:n_first], *own, *wanted[n_first:]]
        # What typer looks at.
        command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {each.name: each.annotation for each in parameters}
        command.__name__, command.__doc__ = make_model.__name__, make_model.__doc__
        return command

    return command_of


def _shared_parameters(without: Container[str]) -> list[Parameter]:
    """The parameters of `Fitting`, as of a function."""
    parameters = signature(Fitting).parameters.values()
    return [each for each in parameters if each.name not in without]


def check_out(out: Path, files: Iterable[str]) -> None:
    """Find out before the work if its result can go nowhere, or would replace what is read."""
    from shoal._archive import check_writable
    from shoal.data.files import check_apart

    check_writable(out)
    check_apart(out, files)

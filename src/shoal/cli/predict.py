"""``shoal predict``: from a model's file and data to predictions."""

import time
from pathlib import Path
from typing import Annotated

import typer

from shoal.cli.fit import check_out
from shoal.cli.options import (
    Data,
    Debug,
    EngineName,
    Memory,
    Missing,
    MissingRows,
    Threads,
    engine,
    paths,
)
from shoal.cli.outcome import reported


def predict(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A model's file.", show_default=False)
    ],
    data: Data,
    out: Annotated[
        Path, typer.Option(metavar="FILE", help="The labels, as Parquet.", show_default=False)
    ],
    missing: MissingRows = Missing.ERROR,
    engine_name: EngineName = "local",
    memory: Memory = None,
    threads: Threads = None,
    debug: Debug = False,
) -> None:
    """Label rows by a model.

    The model's columns are found by name. The labels' file has one column,
    label, and a row for each row of DATA, in order: null where it was left
    out. It appears whole or not at all.

    For example:
      shoal predict model flights/ --missing drop --out labels.parquet
    """
    with reported(debug):
        from shoal.data.open import open_dataset
        from shoal.exceptions import ModelFileError
        from shoal.persistence import load_model

        fitted = load_model(model)
        if not hasattr(fitted, "predict"):
            raise ModelFileError(
                f"{model} holds a {type(fitted).__name__}, which predicts nothing: give a model "
                "that does. Neighbors are found by 'shoal neighbors'."
            )
        features = getattr(fitted, "feature_names_in_", None)
        dataset = open_dataset(
            paths(data),
            features=None if features is None else list(features),
            missing=missing.value,
        )
        check_out(out, dataset.files | {str(model)})
        began = time.monotonic()
        with engine(engine_name, memory, threads):
            fitted.predict(dataset, out=out)
        seconds = time.monotonic() - began
        typer.echo(f"{dataset.n_rows:,} rows labelled in {seconds:.1f} s. Saved to {out}.")

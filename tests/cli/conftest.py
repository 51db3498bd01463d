"""Rows in files, and the command to run on them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from shoal.cli.command import app


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A folder of two files: 200 rows about (0, 0) and (10, 10), one of them without a "b"."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=200) + np.repeat([0.0, 10.0], 100)
    b = rng.normal(size=200) + np.repeat([0.0, 10.0], 100)
    missing = np.arange(200) == 150
    table = pa.table(
        {
            "a": a,
            "name": ["text"] * 200,
            "b": pa.array(b, mask=missing),
            "weight": np.ones(200),
        }
    )
    folder = tmp_path / "rows"
    folder.mkdir()
    for number in range(2):
        pq.write_table(table.slice(100 * number, 100), folder / f"{number}.parquet")
    return folder


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A file of 300 rows whose label depends on the columns a and b."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 300))
    labels = np.where(a - b + rng.normal(0, 0.2, 300) > 0, "yes", "no")
    path = tmp_path / "labelled.parquet"
    pq.write_table(pa.table({"a": a, "b": b, "y": labels}), path)
    return path


@pytest.fixture
def shoal_command():
    """``shoal`` with some arguments: exit code, stdout and stderr."""

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run

"""Errors as one line and an exit code."""

import pytest
import typer

from shoal.cli.outcome import reported
from shoal.exceptions import ColumnError


def _outcome(error, capsys, **options):
    with pytest.raises(typer.Exit) as ended, reported(options.pop("debug", False), **options):
        raise error
    return ended.value.exit_code, capsys.readouterr().err


def test_an_error_of_shoal_is_its_message(capsys):
    assert _outcome(ColumnError("no column 'x'"), capsys) == (1, "shoal: no column 'x'\n")


def test_a_long_message_is_one_line(capsys):
    assert _outcome(ValueError("one\n  two"), capsys) == (1, "shoal: one two\n")


def test_an_unexpected_error_is_named(capsys):
    assert _outcome(ZeroDivisionError("by zero"), capsys) == (
        1,
        "shoal: ZeroDivisionError: by zero (--debug shows where)\n",
    )


def test_debug_shows_the_traceback(capsys):
    code, said = _outcome(ValueError("wrong"), capsys, debug=True)
    assert code == 1
    assert said.startswith("Traceback")
    assert "ValueError: wrong" in said


@pytest.mark.parametrize(
    ("checkpoint", "way_back"),
    [("state", "go on from the checkpoint state."), (None, "--checkpoint FILE can be resumed.")],
)
def test_interrupt(capsys, checkpoint, way_back):
    code, said = _outcome(KeyboardInterrupt(), capsys, checkpoint=checkpoint)
    assert code == 130
    assert said.startswith("\nshoal: interrupted.")
    assert said.endswith(f"{way_back}\n")


def test_wrong_usage_stays_typers():
    with pytest.raises(typer.BadParameter), reported(False):
        raise typer.BadParameter("wrong")

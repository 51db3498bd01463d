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


@pytest.mark.parametrize(
    ("advice", "said"),
    [
        (
            "Drop them with open_dataset(..., missing='drop'), or",
            "Drop them with --missing drop, or",
        ),
        ("choose others: features=['a', 'b c'].", "choose others: --columns a,b c."),
        ("others: features=['a', 'b' and 2 more].", "others: --columns a,b and 2 more."),
    ],
)
def test_advice_is_of_the_command(capsys, advice, said):
    assert _outcome(ValueError(advice), capsys) == (1, f"shoal: {said}\n")


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


def _interrupted(capsys, checkpoint):
    code, said = _outcome(KeyboardInterrupt(), capsys, checkpoint=checkpoint)
    assert code == 130
    return said.removeprefix("\nshoal: interrupted. ").removesuffix("\n")


def test_interrupt_without_a_checkpoint(capsys):
    expected = "Nothing was saved; a fit with --checkpoint FILE can be resumed."
    assert _interrupted(capsys, None) == expected


def test_interrupt_before_the_first_checkpoint(capsys, tmp_path):
    expected = "There is no checkpoint yet: the same command begins anew."
    assert _interrupted(capsys, tmp_path / "state") == expected


@pytest.mark.parametrize("written", ["state", "state.0"])
def test_interrupt_with_a_checkpoint(capsys, tmp_path, written):
    (tmp_path / written).touch()
    path = tmp_path / "state"
    expected = f"Run the same command again to go on from the checkpoint {path}."
    assert _interrupted(capsys, path) == expected


def test_wrong_usage_stays_typers():
    with pytest.raises(typer.BadParameter), reported(False):
        raise typer.BadParameter("wrong")

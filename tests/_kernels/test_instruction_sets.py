"""Which build of the kernels is chosen."""

import os
import subprocess
import sys

import pytest

from shoal import _kernels


def _import(instruction_set: str) -> subprocess.CompletedProcess[str]:
    """Import the kernels in an interpreter whose environment asks for `instruction_set`."""
    return subprocess.run(
        [sys.executable, "-c", "from shoal import _kernels; print(_kernels.instruction_set)"],
        env={**os.environ, "SHOAL_INSTRUCTION_SET": instruction_set},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_best_one_is_chosen() -> None:
    assert _import("").stdout.strip() == _kernels.available_instruction_sets()[-1]


@pytest.mark.parametrize("instruction_set", _kernels.available_instruction_sets())
def test_the_environment_forces_one(instruction_set: str) -> None:
    assert _import(instruction_set).stdout.strip() == instruction_set


def test_one_that_cannot_run_is_refused() -> None:
    run = _import("x86_64_v9")
    assert run.returncode != 0
    closing = run.stderr.splitlines()[-1]
    assert closing.startswith("ImportError: SHOAL_INSTRUCTION_SET='x86_64_v9' cannot run here")
    assert "Unset it" in closing

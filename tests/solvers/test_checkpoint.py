"""States of iterative fits on disk: whole after any death, refused where they do not belong."""

import multiprocessing
import random
import signal
from dataclasses import dataclass

import numpy as np
import pytest
from tests.full_disk import no_room
from tests.solvers import quadratic

from shoal import _archive
from shoal.exceptions import CheckpointError, DiskFullError, FileError
from shoal.solvers.checkpoint import Checkpoint
from shoal.solvers.solver import SolverState
from shoal.testing.solver import fingerprint

STATE = quadratic.DescentState(3, 0.1 + 0.2, np.arange(4.0), None)


@dataclass(frozen=True, slots=True)
class ManyFields(SolverState):
    weights: np.ndarray
    steps: tuple[float, ...]
    done: bool
    name: str
    settings: dict[str, float | None]


def checkpoint_at(path, **made_for):
    return Checkpoint(path, **{"data": "rows", "parameters": "descent", **made_for})


def test_there_is_nothing_to_go_on_from_at_first(tmp_path):
    assert checkpoint_at(tmp_path / "checkpoint").begin() is None
    assert list(tmp_path.iterdir()) == []


def test_gives_back_every_bit(tmp_path):
    weights = np.asfortranarray(np.array([[-0.0, np.nan], [np.inf, 5e-324]], dtype=np.float32))
    state = ManyFields(7, 1e300, weights, (0.1, -0.0), True, "é", {"a": float("nan"), "b": None})
    checkpoint = checkpoint_at(tmp_path / "checkpoint")
    checkpoint.save(state, [0.1, 0.2])
    again, loss_curve = checkpoint.begin()
    assert type(again) is ManyFields
    assert fingerprint(again) == fingerprint(state)
    assert again.weights.flags.f_contiguous
    assert loss_curve == (0.1, 0.2)


@pytest.mark.parametrize("what", ["data", "parameters"])
def test_is_refused_for_other_data_or_parameters(tmp_path, what):
    path = tmp_path / "checkpoint"
    checkpoint_at(path).save(STATE, [])
    with pytest.raises(CheckpointError, match=f"made with other {what}"):
        checkpoint_at(path, **{what: "other"}).begin()


def test_damage_is_found(tmp_path):
    checkpoint = checkpoint_at(tmp_path / "checkpoint")
    checkpoint.save(STATE, [1.0])
    content = checkpoint.path.read_bytes()
    for position in range(0, len(content), 31):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        checkpoint.path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="is damaged"):
            checkpoint.load()


@pytest.mark.parametrize("length", [0, 1, 64, 200, -1])
def test_a_truncated_file_is_found(tmp_path, length):
    checkpoint = checkpoint_at(tmp_path / "checkpoint")
    checkpoint.save(STATE, [1.0])
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="is damaged"):
        checkpoint.begin()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "shoal model"}, "is not a checkpoint"),
        ({"version": 2}, "has format version 2, this Shoal reads 1"),
        ({"state_class": "os:system"}, "is of another method"),
        ({"state_class": "not_imported:State"}, "is of another method"),
        ({"state": {"n_iter": 1}}, "is of another method"),
    ],
)
def test_is_refused_for_what_it_holds(tmp_path, changes, message):
    checkpoint = checkpoint_at(tmp_path / "checkpoint")
    checkpoint.save(STATE, [])
    _archive.write(checkpoint.path, {**_archive.read(checkpoint.path), **changes})
    with pytest.raises(CheckpointError, match=message):
        checkpoint.begin()


def test_reading_imports_nothing(tmp_path, monkeypatch):
    (tmp_path / "trap.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    checkpoint = checkpoint_at(tmp_path / "checkpoint")
    checkpoint.save(STATE, [])
    tree = _archive.read(checkpoint.path)
    _archive.write(checkpoint.path, {**tree, "state_class": "trap:State"})
    with pytest.raises(CheckpointError):
        checkpoint.begin()


def test_a_missing_folder_is_found_at_the_start(tmp_path):
    with pytest.raises(FileError, match="choose a folder that exists"):
        checkpoint_at(tmp_path / "missing" / "checkpoint").begin()


def test_a_folder_in_its_place_is_found_at_the_start(tmp_path):
    with pytest.raises(FileError, match="directory"):
        checkpoint_at(tmp_path).begin()


def test_a_full_disk_is_found_at_the_start(tmp_path):
    with pytest.raises(DiskFullError, match="free some room"), no_room():
        checkpoint_at(tmp_path / "checkpoint").begin()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_leaves_the_last_checkpoint(tmp_path):
    checkpoint = checkpoint_at(tmp_path / "checkpoint")
    checkpoint.save(STATE, [1.0])
    with pytest.raises(DiskFullError, match="cannot write"), no_room():
        checkpoint.save(quadratic.DescentState(4, 0.5, np.zeros(1000), 0.1), [1.0])
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
    assert fingerprint(checkpoint.load()[0]) == fingerprint(STATE)


@pytest.fixture(scope="module")
def processes():
    context = multiprocessing.get_context("forkserver")
    # New processes are forked from one that has imported it all: the fit is most of their life.
    context.set_forkserver_preload(["tests.solvers.quadratic"])
    return context


@pytest.fixture
def start_fit(processes, tmp_path):
    """A function that starts the fit of `quadratic` in a process of its own."""
    started = []

    def start(name, trap=None):
        arguments = (tmp_path / name, tmp_path / f"{name}-end", trap)
        started.append(processes.Process(target=quadratic.fit, args=arguments))
        started[-1].start()
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.join()


@pytest.fixture(scope="module")
def undisturbed_end(processes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    process = processes.Process(target=quadratic.fit, args=(folder / "checkpoint", folder / "end"))
    process.start()
    process.join(60)
    return (folder / "end").read_text()


def assert_goes_on_to(end, start_fit, folder):
    process = start_fit("checkpoint")
    process.join(60)
    assert process.exitcode == 0
    assert (folder / "checkpoint-end").read_text() == end
    assert {path.name for path in folder.iterdir()} == {"checkpoint", "checkpoint-end"}


@pytest.mark.parametrize("calls", [1, 2, 9])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_a_process_killed_in_writing_goes_on_to_the_same_bits(
    start_fit, undisturbed_end, tmp_path, function, moment, calls
):
    # The file is written but not synced, synced but not renamed, or renamed but its folder not
    # synced: fsync is called for the file and then for the folder.
    process = start_fit("checkpoint", (function, moment, calls))
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert_goes_on_to(undisturbed_end, start_fit, tmp_path)


def test_a_process_killed_again_and_again_goes_on_to_the_same_bits(
    start_fit, undisturbed_end, tmp_path
):
    moments = random.Random(0)
    for _ in range(10):
        process = start_fit("checkpoint")
        # The first temporary file is written when the work begins.
        while process.is_alive() and not list(tmp_path.glob(".checkpoint.*")):
            pass
        process.join(moments.uniform(0.0, 0.01))
        assert process.is_alive(), "the fit was over before it could be killed"
        process.kill()
        process.join()
    assert_goes_on_to(undisturbed_end, start_fit, tmp_path)

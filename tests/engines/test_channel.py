"""What travels to workers and back. Calls themselves are tested with the engine that makes them."""

import pickle
import threading
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from distributed.comm.core import CommClosedError

from shoal.engines.channel import (
    Channel,
    Parcel,
    Raised,
    WorkerLostError,
    WorkerRecord,
    _called,
)
from shoal.engines.tenant import Tenant, tenants
from shoal.exceptions import EngineError, FileChangedError


class TestParcel:
    def test_arrays_stand_beside(self) -> None:
        array = np.arange(1000.0)
        parcel = Parcel.of({"array": array, "name": "x"})
        assert len(parcel.pickled) < 500
        assert np.shares_memory(np.frombuffer(parcel.buffers[0]), array)
        found = parcel.content
        np.testing.assert_array_equal(found["array"], array)
        assert found["name"] == "x"

    def test_it_travels_in_one_piece_too(self) -> None:
        array = np.asfortranarray(np.arange(12.0).reshape(3, 4))
        found = pickle.loads(pickle.dumps(Parcel.of(array), protocol=5)).content
        np.testing.assert_array_equal(found, array)
        assert found.flags.f_contiguous

    def test_functions_of_a_notebook(self) -> None:
        assert Parcel.of(lambda x: 2 * x).content(21) == 42

    def test_what_cannot_travel_is_told(self) -> None:
        lock = threading.Lock()
        with pytest.raises(EngineError, match=r"pickled, but: cannot pickle '_thread\.lock'"):
            Parcel.of(lambda: lock)


class TwoPartError(Exception):
    """Its arguments are not those it is made of, so pickle cannot make it again."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


class Failing(Tenant):
    """Fails in the ways of functions and files."""

    def raises(self, error: Callable[[], BaseException]) -> None:
        raise error()

    def returns_a_lock(self) -> Any:
        return threading.Lock()


def with_lock(kind: type[Exception]) -> Exception:
    return kind(threading.Lock())


class TestCalls:
    @pytest.fixture(autouse=True)
    def _tenant(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(tenants, "here", Tenant(10**9, 1))

    def test_what_a_method_returns(self) -> None:
        assert _called("here", "greet", (), Parcel.of(())).content is None

    def test_what_a_method_raises(self) -> None:
        raised = _called("here", "fold", ("pass", "no such dataset"), Parcel.of(([], None))).content
        assert isinstance(raised, Raised)
        assert isinstance(raised.error, KeyError)
        assert "On a worker:" in raised.error.__notes__[0]

    def test_an_error_arrives_with_its_type(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(tenants, "here", Failing(10**9, 1))
        error = partial(FileChangedError, "flights")
        raised = _called("here", "raises", (), Parcel.of((error,))).content.error
        assert type(raised) is FileChangedError
        assert raised.args == ("flights",)

    @pytest.mark.parametrize(
        ("error", "text"),
        [
            (partial(TwoPartError, "ham", "eggs"), "TwoPartError on a worker: ham and eggs"),
            (partial(with_lock, RuntimeError), "RuntimeError on a worker: <unlocked"),
            (partial(SystemExit, 3), "SystemExit on a worker: 3"),
        ],
        ids=["made otherwise", "with a lock", "an exit"],
    )
    def test_errors_that_do_not_travel_are_told(
        self, error: Any, text: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(tenants, "here", Failing(10**9, 1))
        raised = _called("here", "raises", (), Parcel.of((error,))).content.error
        assert isinstance(raised, EngineError)
        assert str(raised).startswith(text)
        assert "in raises" in raised.__notes__[0]

    def test_a_result_that_does_not_travel_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(tenants, "here", Failing(10**9, 1))
        raised = _called("here", "returns_a_lock", (), Parcel.of(())).content.error
        assert isinstance(raised, EngineError)
        assert "cannot pickle" in str(raised)

    def test_a_tenant_of_another_process(self) -> None:
        raised = _called("gone", "greet", (), Parcel.of(())).content
        assert isinstance(raised.error, WorkerLostError)


class TestCallsThroughTheScheduler:
    WORKER = WorkerRecord("tcp://127.0.0.1:9", 1, "shoal-test", lease=None)

    def opened(self, status: str, error: Exception) -> None:
        def run(*arguments: object, **options: object) -> None:
            raise error

        Channel(SimpleNamespace(status=status, run=run)).open(self.WORKER, None)

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            ("running", CommClosedError("in the middle")),
            ("closed", AttributeError("'NoneType' object has no attribute 'broadcast'")),
        ],
    )
    def test_a_connection_that_is_lost_meanwhile(self, status: str, error: Exception) -> None:
        with pytest.raises(WorkerLostError):
            self.opened(status, error)

    def test_other_errors_are_raised(self) -> None:
        with pytest.raises(AttributeError, match="no attribute"):
            self.opened("running", AttributeError("no attribute"))

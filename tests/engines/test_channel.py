"""What travels to workers and back. Calls themselves are tested with the engine that makes them."""

import pickle

import numpy as np
import pytest

from shoal.engines.channel import Parcel, Raised, _called
from shoal.engines.cluster_pass import WorkerLostError
from shoal.engines.tenant import Tenant, tenants


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

    def test_a_tenant_of_another_process(self) -> None:
        raised = _called("gone", "greet", (), Parcel.of(())).content
        assert isinstance(raised.error, WorkerLostError)

from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from shoal import _kernels

Array = NDArray[np.floating]


@pytest.fixture(params=_kernels.available_instruction_sets())
def kernels(request: pytest.FixtureRequest) -> ModuleType:
    return _kernels.load(request.param)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)

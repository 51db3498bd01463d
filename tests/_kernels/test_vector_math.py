"""Elementary functions against extended precision, and the same bits in every build."""

import numpy as np
import pytest

from shoal import _kernels

REFERENCES = {"exp": np.exp, "log": np.log, "log1p": np.log1p}
GENERATOR = np.random.default_rng(0)
VALUES = {
    "exp": np.concatenate(
        [
            GENERATOR.uniform(-708, 709.7, 100_000),
            GENERATOR.uniform(-1, 1, 100_000),
            GENERATOR.choice([-1, 1], 10_000) * 10 ** GENERATOR.uniform(-20, 0, 10_000),
        ]
    ),
    "log": np.concatenate(
        [10 ** GENERATOR.uniform(-300, 300, 100_000), GENERATOR.uniform(0.5, 2, 100_000)]
    ),
    "log1p": np.concatenate(
        [10 ** GENERATOR.uniform(-300, 0, 100_000), GENERATOR.uniform(0, 1, 100_000), [0.0, 1.0]]
    ),
}

functions = pytest.mark.parametrize("name", REFERENCES)


def call(name, x, native=_kernels):
    out = np.empty(np.shape(x))
    getattr(native, name)(np.asarray(x, dtype=np.float64), out)
    return out


@functions
def test_is_within_two_units_in_the_last_place(name):
    x = VALUES[name]
    exact = REFERENCES[name](x.astype(np.longdouble))
    ulp = np.spacing(np.abs(exact).astype(np.float64))
    assert (np.abs(call(name, x) - exact) / ulp).max() <= 2


@functions
def test_every_build_gives_the_same_bits(name):
    expected = call(name, VALUES[name], _kernels.load("generic"))
    for build in _kernels.available_instruction_sets():
        np.testing.assert_array_equal(call(name, VALUES[name], _kernels.load(build)), expected)


@functions
def test_a_value_does_not_depend_on_its_place(name):
    x = VALUES[name][:23]
    whole = call(name, x)
    assert [call(name, x[i : i + 1])[0] for i in range(23)] == whole.tolist()


def test_exp_saturates_and_underflows_gradually():
    largest = np.finfo(np.float64).max
    found = call("exp", [1e3, np.inf, -1e3, -np.inf, 0.0, -0.0])
    np.testing.assert_array_equal(found[1:], [found[0], 0.0, 0.0, 1.0, 1.0])
    assert 0.999 * largest < found[0] <= largest
    small = call("exp", [-720.0, -740.0])
    np.testing.assert_allclose(small, np.exp([-720.0, -740.0]), rtol=0, atol=5e-324)


def test_values_that_are_known():
    np.testing.assert_array_equal(call("log", [1.0]), [0.0])
    np.testing.assert_array_equal(call("log1p", [0.0]), [0.0])
    np.testing.assert_allclose(call("log", [2.0**-1000, 2.0**1000]) / np.log(2), [-1000, 1000])


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="out has length 2, expected 3"):
        _kernels.exp(np.zeros(3), np.zeros(2))

"""Checks of parameters: the right type, in words that name estimator and parameter."""

from types import SimpleNamespace

import numpy as np
import pytest

from shoal._validation import check_choice, check_number
from shoal.exceptions import ParameterError


class Estimator(SimpleNamespace):
    pass


@pytest.mark.parametrize("value", [1, 7, np.int64(3), np.uint8(1)])
def test_integers(value):
    check_number(Estimator(n=value), "n", 1, integer=True)


@pytest.mark.parametrize("value", [0, 0.0, 1e-300, np.float32(2), np.inf, 3])
def test_numbers(value):
    check_number(Estimator(tol=value), "tol", 0)


@pytest.mark.parametrize("value", [1.0, np.float64(2), "2", None, True, np.bool_(True), [2], 2j])
def test_what_is_no_integer(value):
    message = r"The 'n' parameter of Estimator must be an int in the range \[1, inf\)\. Got "
    with pytest.raises(ParameterError, match=message):
        check_number(Estimator(n=value), "n", 1, integer=True)


@pytest.mark.parametrize("value", ["2", None, False, [2.0], np.ones(2), 1j])
def test_what_is_no_number(value):
    with pytest.raises(ParameterError, match="The 'tol' parameter of Estimator must be a float"):
        check_number(Estimator(tol=value), "tol", 0)


@pytest.mark.parametrize("value", [-1, -1e-300, np.nan, -np.inf])
def test_what_is_out_of_range(value):
    with pytest.raises(ParameterError, match=r"must be a float in the range \[0, inf\)\. Got "):
        check_number(Estimator(tol=value), "tol", 0)


def test_none_only_where_it_is_allowed():
    check_number(Estimator(n=None), "n", 1, optional=True)
    with pytest.raises(ParameterError, match="Got 0 instead"):
        check_number(Estimator(n=0), "n", 1, optional=True)


def test_choices():
    check_choice(Estimator(metric="b"), "metric", ("a", "b"))
    message = r"The 'metric' parameter of Estimator must be one of 'a', 'b'\. Got 'c' instead\."
    with pytest.raises(ParameterError, match=message):
        check_choice(Estimator(metric="c"), "metric", ("a", "b"))


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, np.inf])
def test_what_is_out_of_a_range_with_two_ends(value):
    check_number(Estimator(share=1), "share", 0, 1)
    with pytest.raises(ParameterError, match=r"must be a float in the range \[0, 1\]\. Got "):
        check_number(Estimator(share=value), "share", 0, 1)

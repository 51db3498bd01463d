"""The errors: what scikit-learn users catch catches them too."""

import builtins
import pickle
import re

import pytest

from shoal import exceptions

#: Name and built-in classes of each line of the tree in the module's docstring.
TREE = re.findall(r"- (\w+)(?: \(([\w, ]+)\))?", exceptions.__doc__ or "")


def test_the_docstring_shows_every_error() -> None:
    assert sorted(name for name, _ in TREE) == sorted(exceptions.__all__)


@pytest.mark.parametrize(("name", "builtin"), [pair for pair in TREE if pair[1]])
def test_is_the_built_in_error_that_the_docstring_says(name: str, builtin: str) -> None:
    for each in builtin.split(", "):
        assert issubclass(getattr(exceptions, name), getattr(builtins, each))


@pytest.mark.parametrize("name", exceptions.__all__)
def test_says_what_it_was_told_on_any_worker(name: str) -> None:
    error = getattr(exceptions, name)("column 'x', row 3: use another")
    assert isinstance(error, exceptions.ShoalError)
    assert str(pickle.loads(pickle.dumps(error))) == "column 'x', row 3: use another"


@pytest.mark.parametrize("name", exceptions.__all__)
def test_can_be_made_as_dask_unpickles_it(name: str) -> None:
    kind = getattr(exceptions, name)
    assert type(kind.__new__(kind)) is kind

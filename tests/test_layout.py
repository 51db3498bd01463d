"""How the source is laid out: one concept a file, a test beside each, the project's own words."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "shoal"
MODULES = sorted(PACKAGE.rglob("*.py"))
SOURCES = sorted([*MODULES, *PACKAGE.rglob("*.[ch]pp")])
MAX_LINES = 500

#: Modules that are tested under another name, or need no test of their own.
TESTED_ELSEWHERE = {
    "__init__.py": "tests/test_public_api.py",
    "_kernels/__init__.py": "tests/_kernels/test_instruction_sets.py",
}
UNTESTED = {
    "_typing.py": "aliases of types, which mypy checks",
}

#: Words that the project does not use for rows, cells or workers, and the names that other
#: libraries force on it.
BANNED = re.compile(r"chunk|shard|partition")
FORCED = re.compile(
    r"(Chunked(Array)?|num_chunks|combine_chunks|chunks?|chunk_size|iterchunks|rechunk"
    r"|numblocks|(map_|n?)partitions?|partitioning|argpartition)"
)
#: Where those names may stand: beside pyarrow, Dask, fsspec and numpy.
BANNED_FILES = re.compile(r"utils|helpers?|common|misc|base|manager")


def _relative(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _imports(path: Path) -> Iterator[str]:
    """Full names of all that a module imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _names(path: Path) -> Iterator[tuple[str, int, bool]]:
    """Names that a module uses, with the line, and whether it is another object's attribute."""
    before = ""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.NAME:
            yield token.string, token.start[0], before == "."
        before = token.string


def _has_code(path: Path) -> bool:
    """Whether a module is more than a docstring, imports and ``__all__``."""
    return any(
        isinstance(node, ast.FunctionDef | ast.ClassDef)
        for node in ast.parse(path.read_text()).body
    )


def _test_file(module: str) -> Path:
    path = Path(module)
    return ROOT / "tests" / path.parent / f"test_{path.stem.lstrip('_')}.py"


@pytest.mark.parametrize("path", MODULES, ids=_relative)
def test_each_module_has_a_test(path: Path) -> None:
    module = _relative(path)
    if module in UNTESTED or (path.name == "__init__.py" and not _has_code(path)):
        return
    expected = ROOT / TESTED_ELSEWHERE[module] if module in TESTED_ELSEWHERE else _test_file(module)
    assert expected.exists(), f"{module} is to be tested by {expected.relative_to(ROOT)}"


@pytest.mark.parametrize("module", [*TESTED_ELSEWHERE, *UNTESTED])
def test_no_exception_outlives_its_module(module: str) -> None:
    assert (PACKAGE / module).exists()


@pytest.mark.parametrize("path", SOURCES, ids=_relative)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", SOURCES, ids=_relative)
def test_files_are_named_by_a_concept(path: Path) -> None:
    assert not BANNED_FILES.fullmatch(path.stem.lstrip("_"))
    assert len(path.relative_to(PACKAGE).parts) <= 3


@pytest.mark.parametrize("path", MODULES, ids=_relative)
def test_rows_are_called_by_their_words(path: Path) -> None:
    def is_allowed(name: str, is_attribute: bool) -> bool:
        return is_attribute and (name == "partition" or FORCED.fullmatch(name) is not None)

    assert [
        f"line {line}: {name}"
        for name, line, is_attribute in _names(path)
        if BANNED.search(name.lower()) and not is_allowed(name, is_attribute)
    ] == []


@pytest.mark.parametrize("path", MODULES, ids=_relative)
def test_only_the_public_names_of_scikit_learn_are_imported(path: Path) -> None:
    names = [name for name in _imports(path) if name.split(".")[0] == "sklearn"]
    assert [name for name in names if re.search(r"\._(?!_)", name)] == []


@pytest.mark.parametrize("path", MODULES, ids=_relative)
def test_nothing_is_printed(path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert [
        call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"
    ] == []

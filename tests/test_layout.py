"""How the source is laid out: one concept a file, a test beside each, the project's own words."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "shoal"
MODULES = sorted(PACKAGE.rglob("*.py"))
SOURCES = sorted([*MODULES, *PACKAGE.rglob("*.[ch]pp")])
MAX_LINES = 500

#: Modules whose test has another name. Seams are tested by the suites that implementations pass.
TESTED_ELSEWHERE = {
    "__init__.py": "tests/test_public_api.py",
    "_kernels/__init__.py": "tests/_kernels/test_instruction_sets.py",
    "_fit_display.py": "tests/test_callbacks.py",
    "data/source.py": "tests/conformance/test_sources.py",
    "testing/source.py": "tests/conformance/test_sources.py",
    "engines/engine.py": "tests/conformance/test_engines.py",
    "testing/engine.py": "tests/conformance/test_engines.py",
    "engines/statistic.py": "tests/testing/test_statistic.py",
    "solvers/solver.py": "tests/testing/test_solver.py",
    "solvers/objective.py": "tests/solvers/test_lbfgs.py",
}
UNTESTED = {
    "_typing.py": "aliases of types, which mypy checks",
}

BANNED_WORDS = re.compile(r"chunk|shard|partition", re.IGNORECASE)
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


def _given_names(path: Path) -> Iterator[tuple[int, str]]:
    """Names that a module gives, with their lines; what it uses of other libraries is theirs."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name


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
    names = [*_given_names(path), (0, path.stem)]
    assert [(line, name) for line, name in names if BANNED_WORDS.search(name)] == []


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

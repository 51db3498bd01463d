"""What is installed and what Shoal makes of this machine, for bug reports."""

import platform
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version

import psutil

from shoal import _kernels

DEPENDENCIES = (
    "shoal",
    "numpy",
    "scipy",
    "scikit-learn",
    "narwhals",
    "pyarrow",
    "fsspec",
    "psutil",
    "threadpoolctl",
    "rich",
    "typer",
    "xxhash",
)
OPTIONAL_DEPENDENCIES = (
    "dask",
    "distributed",
    "cryptography",
    "matplotlib",
    "faiss-cpu",
    "pandas",
    "polars",
)


def show_versions() -> None:
    """Print what a bug report needs: versions, instruction sets, cores and memory.

    Nothing is imported to find this out; versions are those of the installed distributions.

    Notes
    -----
    As `sklearn.show_versions`, without the libraries of threads that are loaded, and with the
    kernels' instruction sets.

    Examples
    --------
    >>> import shoal
    >>> shoal.show_versions()  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
    <BLANKLINE>
    System
    python: 3...
    """
    sections = {
        "System": _system(),
        "Kernels": _instruction_sets(),
        "Dependencies": _versions(DEPENDENCIES),
        "Optional dependencies": _versions(OPTIONAL_DEPENDENCIES),
    }
    sys.stdout.writelines(f"{line}\n" for line in _lines(sections))


def _system() -> dict[str, str]:
    """Interpreter, platform, cores and memory."""
    return {
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "cores": f"{psutil.cpu_count(logical=False)} ({psutil.cpu_count()} threads)",
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
    }


def _instruction_sets() -> dict[str, str]:
    """The build of the kernels that was chosen, and those this processor can run."""
    return {
        "instruction set": _kernels.instruction_set,
        "available": ", ".join(_kernels.available_instruction_sets()),
    }


def _versions(distributions: tuple[str, ...]) -> dict[str, str]:
    """The installed version of each distribution."""
    return {name: _version(name) for name in distributions}


def _version(distribution: str) -> str:
    """The installed version, or that there is none."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _lines(sections: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """The report: a title and right-aligned names for each section."""
    width = max(len(name) for section in sections.values() for name in section)
    for title, section in sections.items():
        yield from ("", title)
        yield from (f"{name:>{width + 4}}: {value}" for name, value in section.items())

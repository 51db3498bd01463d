"""The machine that a run ran on, and the versions of everything."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
from threadpoolctl import threadpool_info

from shoal import _kernels

DISTRIBUTIONS = (
    "shoal",
    "numpy",
    "scipy",
    "scikit-learn",
    "scikit-learn-intelex",
    "daal",
    "faiss-cpu",
    "pyarrow",
    "dask",
    "distributed",
    "dask-ml",
    "pyspark",
)


def description() -> str:
    """A Markdown list."""
    return "\n".join(f"- {name}: {value}" for name, value in _facts())


def _facts() -> Iterator[tuple[str, str]]:
    memory = psutil.virtual_memory()
    yield "processor", _processor()
    yield "cores", f"{psutil.cpu_count(logical=False)}, {psutil.cpu_count()} threads"
    yield "caches", ", ".join(_caches())
    yield "memory", f"{memory.total / 2**30:.0f} GiB, {memory.available / 2**30:.0f} GiB available"
    yield "load average at the end", f"{os.getloadavg()[0]:.1f}"
    yield "kernels", f"{_kernels.instruction_set} of {_kernels.available_instruction_sets()}"
    yield "BLAS", ", ".join(sorted(_blas()))
    yield "system", platform.platform()
    yield "Python", platform.python_version()
    yield "packages", ", ".join(f"{name} {_version(name)}" for name in DISTRIBUTIONS)
    yield "Java", _java()


def _processor() -> str:
    """Its name, family and model."""
    lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    facts = {
        name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    if "model name" not in facts:
        return platform.processor() or platform.machine()
    return f"{facts['model name']} (family {facts['cpu family']}, model {facts['model']})"


def _caches() -> Iterator[str]:
    """Size of each cache of the first core."""
    for folder in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = (
            (folder / name).read_text().strip() for name in ("level", "type", "size")
        )
        yield f"L{level} {kind.lower()} {size}"


def _blas() -> set[str]:
    """The BLAS libraries that are loaded, and what they take the processor for."""
    return {
        f"{library['internal_api']} {library['version']} ({library.get('architecture')})"
        for library in threadpool_info()
        if library["user_api"] == "blas"
    }


def _java() -> str:
    if not shutil.which("java"):
        return "not installed"
    answer = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True)
    return answer.stderr.splitlines()[0]


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"

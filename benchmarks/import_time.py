"""How long ``import shoal`` takes over the imports of numpy and scikit-learn."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial

from harness import Goal, Options, Row, interleaved, medians, seconds

TARGET = 0.6

#: What is imported, and what scikit-learn's user imports anyway.
IMPORTS = {
    "import shoal": "import numpy, sklearn",
    "from shoal.cluster import KMeans": "import numpy; from sklearn.cluster import KMeans",
}


def rows(options: Options) -> Iterator[Row]:
    lines = [line for ours, theirs in IMPORTS.items() for line in (theirs, f"{theirs}; {ours}")]
    for line in lines:
        _interpret(line)  # Files are in the page cache, and compiled, from here on.
    times = interleaved(
        {line: partial(seconds, partial(_interpret, line)) for line in lines}, options.repetitions
    )
    median = medians(times)
    for ours, theirs in IMPORTS.items():
        both = f"{theirs}; {ours}"
        over = Goal("s over it", median[both] - median[theirs], TARGET, at_most=True)
        yield Row(f"`{ours}`", "both", times[both], "s", goals=(over,))
        yield Row(f"`{ours}`", f"`{theirs}`", times[theirs], "s")


def _interpret(line: str) -> None:
    subprocess.run([sys.executable, "-c", line], check=True)

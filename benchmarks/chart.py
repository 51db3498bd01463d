"""One chart a run: how long everybody takes, and how far goals are reached."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from harness import Goal, Row

MET, MISSED = "#3a7d44", "#c8553d"
COLORS = {
    "Shoal": "#1f6f8b",
    "Shoal, auto": "#6fb7d1",
    "Shoal, local engine": "#6fb7d1",
    "Shoal, Dask engine": "#1f6f8b",
    "scikit-learn": "#e09f3e",
    "scikit-learn-intelex": "#9e2a2b",
    "faiss": "#7f7f7f",
    "faiss HNSW, M = 16": "#4a4a4a",
    "faiss HNSW, M = 32": "#a3a3a3",
    "scikit-learn, kd_tree": "#f2cc8f",
    "scipy cKDTree": "#588157",
    "Dask-ML": "#8e5ea2",
    "Spark MLlib": "#c27ba0",
}

#: Bars of goals end where they are reached or missed by this factor.
MOST = 8.0


def draw(rows: Sequence[Row], path: Path, title: str) -> None:
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    works = list(_compared(rows))
    goals = [(row, goal) for row in rows for goal in row.goals]
    heights = [1 + 0.3 * max(len(works), 4), 1 + 0.22 * max(len(goals), 4)]
    figure, (upper, lower) = plt.subplots(
        2, 1, figsize=(13, sum(heights)), height_ratios=heights, layout="constrained"
    )
    figure.suptitle(title)
    _draw_times(upper, works)
    _draw_goals(lower, goals)
    for axes in (upper, lower):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.invert_yaxis()
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _color(row: Row) -> str | None:
    """Of the library, whatever its solver; None where it is no library."""
    return COLORS.get(row.library, COLORS.get(row.library.partition(",")[0]))


def _compared(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Works that Shoal and others have done, with the times of each."""
    for work, of_work in groupby(rows, key=lambda row: row.work):
        timed = [row for row in of_work if row.values and row.unit in {"ms", "s"}]
        if len(timed) > 1 and all(_color(row) for row in timed):
            yield work, timed


def _draw_times(axes: Any, works: Sequence[tuple[str, list[Row]]]) -> None:
    """A line a work, a dot a library, at its time over that of the first."""
    for y, (_, timed) in enumerate(works):
        first = timed[0].median
        for row in timed:
            ends = [max(value / first, 0.1) for value in (min(row.values), max(row.values))]
            axes.plot(ends, [y, y], color=_color(row), linewidth=4, alpha=0.35)
            axes.plot(row.median / first, y, "o", color=_color(row), label=row.library)
    axes.axvline(1, color="0.8", linewidth=1, zorder=0)
    axes.set_yticks(range(len(works)), [work for work, _ in works])
    axes.set_title("Time over Shoal's (median and range)", loc="left")
    labels = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    axes.legend(
        labels.values(), labels.keys(), frameon=False, loc="upper left", bbox_to_anchor=(1, 1)
    )


def _draw_goals(axes: Any, goals: Sequence[tuple[Row, Goal]]) -> None:
    """A bar a goal, from the target to where it was reached or missed."""
    for y, (_, goal) in enumerate(goals):
        score = min(max(goal.score, 1 / MOST), MOST)
        color = MET if goal.is_met else MISSED
        axes.barh(y, score - 1, left=1, height=0.55, color=color)
        axes.text(max(score, 1) * 1.05, y, str(goal), va="center", size=8)
    axes.axvline(1, color="0.3", linewidth=1)
    axes.set_xlim(1 / MOST / 1.1, MOST * 12)
    axes.set_yticks(
        range(len(goals)),
        [
            f"{row.work}: {row.library}" if row.library not in COLORS else row.work
            for row, _ in goals
        ],
        size=8,
    )
    axes.set_title(
        "Goals: reached to the right of 1, missed to the left (bars end at a factor of 8)",
        loc="left",
    )

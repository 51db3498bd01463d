"""Where results are drawn, and in which colours."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Distinguishable with any colour vision, strongest contrasts first.
#: Okabe and Ito, "Color universal design" (2008), without the yellow that vanishes on white.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#000000")
#: What tells clusters of the same colour apart.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def axes_or_new(ax: "Axes | None", figsize: tuple[float, float] = (7.0, 4.5)) -> "Axes":
    """`ax`, or the axes of a new pyplot figure, without the frame's top and right.

    Raises
    ------
    ImportError
        Matplotlib is not installed.
    """
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Drawing needs matplotlib, which is not installed: pip install 'shoal[plot]'."
        ) from error
    _, ax = plt.subplots(figsize=figsize, layout="constrained")
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def style(cluster: int) -> tuple[str, str]:
    """Colour and marker of a cluster: 49 that differ."""
    n_colors = len(COLORS)
    return COLORS[cluster % n_colors], MARKERS[cluster // n_colors % len(MARKERS)]

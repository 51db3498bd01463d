"""Axes, and colours that every eye tells apart."""

import itertools
import sys

import numpy as np
import pytest
from matplotlib import colors
from matplotlib import pyplot as plt

from shoal.inspection.axes import COLORS, MARKERS, axes_or_new, style
from shoal.inspection.loss_curve import LossCurve

#: What red-green-blind (deuteranope, protanope) eyes make of linear RGB.
#: Machado, Oliveira and Fernandes, IEEE Trans. Vis. Comput. Graph. 15 (2009), severity 1.
EYES = {
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "usual": np.eye(3),
}


def _linear(color):
    value = np.array(colors.to_rgb(color))
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("eye", EYES)
def test_colours_differ_to_any_eye(eye):
    seen = [np.cbrt(np.clip(np.array(EYES[eye]) @ _linear(color), 0, 1)) for color in COLORS]
    nearest = min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2))
    assert nearest > 0.12, nearest


def test_styles_differ():
    styles = [style(cluster) for cluster in range(len(COLORS) * len(MARKERS))]
    assert len(set(styles)) == len(styles)


def test_given_axes_are_drawn_on():
    _, ax = plt.subplots()
    assert axes_or_new(ax) is ax


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'shoal\[plot\]'"):
        LossCurve(np.array([1.0])).plot()

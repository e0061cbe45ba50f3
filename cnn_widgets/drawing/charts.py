"""Matplotlib axes for charts that are legible on light and on dark pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colours of axes and text, of what is on screen, and of what it is compared with.
INK, HERE, OTHERS = "#808080", "#e8743b", ("#5b9bd5", "#8a8f98")
#: Position of the axes in a chart: left, bottom, width, height, as shares of the picture.
AXES_BOX = (0.13, 0.13, 0.84, 0.76)


def style_axes(axes: Axes, title: str = "") -> None:
    """Style Matplotlib axes to be legible on light and on dark pages."""
    axes.tick_params(colors=INK, labelsize=9, length=2)
    labels = axes.get_xticklabels()
    if len(labels) > 1:  # centred, the outer ones would be cut off at the edges
        labels[0].set_horizontalalignment("left")
        labels[-1].set_horizontalalignment("right")
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
    if title:
        axes.set_title(title, fontsize=9, color=INK, loc="left")

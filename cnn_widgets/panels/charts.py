"""Matplotlib axes for charts that are legible on light and on dark pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnn_widgets.scenes.scene import Scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colours of axes and text, of what is on screen, and of what it is compared with.
INK, HERE, OTHERS = "#808080", "#e8743b", ("#5b9bd5", "#8a8f98")
#: Position of the axes in a chart: left, bottom, width, height, as shares of the picture.
AXES_BOX = (0.13, 0.13, 0.84, 0.76)


def style_axes(axes: Axes, title: str = "") -> None:
    """Style Matplotlib axes to be legible on light and on dark pages."""
    axes.tick_params(colors=INK, labelsize=9, length=2)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(INK)
    if title:
        axes.set_title(title, fontsize=9, color=INK, loc="left")


def depth_place(scene: Scene) -> float | None:
    """Return where the layer browsed stands in the chart of silent filters.

    A share of the chart's width; None if the chart does not have the layer.
    """
    names = [name for name, _, _ in scene.silent_shares]
    if scene.layer.name not in names:
        return None
    share = (names.index(scene.layer.name) + 1) / (len(names) + 1)
    return AXES_BOX[0] + share * AXES_BOX[2]


def depth_layer(scene: Scene, x: float) -> str:
    """Return the layer at a place of the chart of silent filters, a share of its width."""
    names = [name for name, _, _ in scene.silent_shares]
    place = (x - AXES_BOX[0]) / AXES_BOX[2] * (len(names) + 1) - 1
    return names[min(max(round(place), 0), len(names) - 1)]

"""The part of a photograph on which a heat-map is hottest."""

from __future__ import annotations

import cv2
import numpy as np

from cnn_widgets.records import Floats


def hottest_region(heatmap: Floats, level: float = 0.5) -> tuple[float, float, float, float] | None:
    """Return the box (left, top, right, bottom), in pixels, around a heat-map's hottest part.

    Parameters
    ----------
    heatmap : ndarray, shape (H, W)
        In [0, 1], or [-1, 1] if it is signed; only what speaks for the class counts.
    level : float
        The box holds the connected pixels above this share of the maximum, the maximum among them.

    Returns
    -------
    tuple of 4 float, or None
        None if nothing is above zero.
    """
    top = float(heatmap.max(initial=0))
    if not top > 0:
        return None
    hot = np.asarray(heatmap >= level * top, np.uint8)
    _, labels = cv2.connectedComponents(hot, connectivity=8)
    row, column = np.unravel_index(int(np.argmax(heatmap)), heatmap.shape)
    rows, columns = np.nonzero(labels == labels[row, column])
    return (
        float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)
    )  # fmt: skip

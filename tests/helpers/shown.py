"""What the panels of an explorer show."""

import io
import re
from html import escape

import numpy as np
from PIL import Image

from cnn_widgets.panels.table import PANELS


def html(explorer, panel):
    """Return what a panel shows in words: its HTML, and what stands for its picture."""
    picture = explorer._screen.pictures.get(panel)
    return explorer._screen.views[panel].value + (escape(picture.tooltip or "") if picture else "")


def frames(explorer):
    return {name: int(re.search(r'data-frame="(\d+)"', html(explorer, name))[1]) for name in PANELS}


def picture(explorer, panel):
    """Return the pixels a panel shows."""
    data = explorer._screen.pictures[panel].value
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def alt(explorer, panel):
    """Return the words that stand for the picture a panel shows."""
    return explorer._screen.pictures[panel].tooltip


def redrawn(explorer, action):
    before = frames(explorer)
    action()
    after = frames(explorer)
    return {name: after[name] - before[name] for name in PANELS if after[name] != before[name]}

"""What the panels of an explorer show."""

import base64
import io
import re

import numpy as np
from PIL import Image

from cnn_widgets.panels.table import PANELS


def html(explorer, panel):
    return explorer._screen.views[panel].value


def frames(explorer):
    return {name: int(re.search(r'data-frame="(\d+)"', html(explorer, name))[1]) for name in PANELS}


def picture(explorer, panel):
    """Return the pixels a panel shows."""
    data = re.search(r'src="data:image/\w+;base64,([^"]+)"', html(explorer, panel))[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


def redrawn(explorer, action):
    before = frames(explorer)
    action()
    after = frames(explorer)
    return {name: after[name] - before[name] for name in PANELS if after[name] != before[name]}

"""A network that any process can open, and a folder of pictures whose answers are known."""

import numpy as np
import pytest
from helpers.colors import COLORS, color_model
from PIL import Image

import cnn_widgets as cw


@pytest.fixture(scope="session")
def colors(keras):
    """It names the strongest colour: the scores are ten times the means of the channels, 0 to 1."""
    return cw.Network(color_model(keras), lambda x: x / 255, list(COLORS), name="colors")


def make(folder, count):
    """Write so many pictures into class folders, one in ten under a wrong label, one broken."""
    rng = np.random.default_rng(3)
    for number in range(count):
        color = list(COLORS)[number % 3]
        place = folder / ("red" if number % 10 == 1 else color)
        place.mkdir(parents=True, exist_ok=True)
        noise = rng.integers(-40, 40, (12, 10, 3))
        pixels = np.clip(np.array(COLORS[color]) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(place / f"{number:02}.png")
    (folder / "green" / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def photos(tmp_path):
    return make(tmp_path / "photos", 43)

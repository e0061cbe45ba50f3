"""A network that any process can open, and a folder of pictures whose answers are known."""

import numpy as np
import pytest
from PIL import Image

import cnn_widgets as cw

COLORS = {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200)}


@pytest.fixture(scope="session")
def colors(keras):
    """It names the strongest colour: the scores are ten times the means of the channels, 0 to 1."""
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((8, 8, 3)),
        layers.Conv2D(3, 1, use_bias=False, name="colors"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3, use_bias=False, activation="softmax"),
    ])  # fmt: skip
    model.layers[0].set_weights([np.eye(3)[None, None]])
    model.layers[2].set_weights([10 * np.eye(3)])
    return cw.Network(model, lambda x: x / 255, list(COLORS), name="colors")


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

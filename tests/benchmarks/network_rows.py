"""The same questions to five networks (untrained) at two input sizes: how cost grows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import baselines
import numpy as np
from timing import Row, faster, medians, within

import cnn_widgets as cw
from cnn_widgets.attribution.depth_strip import film_strip

NAMES = ("MobileNetV2", "ResNet50", "VGG16", "EfficientNetV2B0", "DenseNet121")
SIZES = (224, 320)


def rows() -> Iterator[Row]:
    """Yield three rows per network and size."""
    import keras

    for name, size in itertools.product(NAMES, SIZES):
        keras.backend.clear_session()
        model = getattr(keras.applications, name)(
            weights=None, input_shape=(size, size, 3), classes=1000
        )
        net = cw.Network(model, preprocess=lambda pixels: pixels / 127.5 - 1)
        yield from _network(f"{name} {size}×{size}", net)
        net.close()


def _network(title: str, net: cw.Network) -> Iterator[Row]:
    rng = np.random.default_rng(0)
    sample = cw.load_image(rng.integers(0, 256, (*net.input_size, 3), np.uint8))
    x, layer = net.input_tensor([sample]), net.default_layer
    turn, other = itertools.cycle(range(50)), itertools.count(50)
    bare = baselines.forward(net.model, x)
    eager = baselines.eager(net.model, layer, x)
    spent = medians(
        {
            "bare": bare,
            "pass": lambda: net.engine.observe(x, None),
            "strip": lambda: film_strip(net, sample, class_index=next(other)),
            "ours": lambda: cw.attribute(net, sample, class_index=next(turn)),
            "eager": lambda: eager(next(turn)),
        },
        5,
    )
    yield faster(f"{title}: class switched", spent["ours"], "eager sub-model per call",
                 spent["eager"], 80)  # fmt: skip
    name = "one compiled forward pass"
    yield within(f"{title}: film-strip of {len(net.feature_layers)} layers", spent["strip"], name,
                 spent["bare"], 2.5)  # fmt: skip
    yield within(f"{title}: new image", spent["pass"], name, spent["bare"], 1.4)

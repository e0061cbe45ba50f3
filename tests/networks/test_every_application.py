"""The sweep: every classifier of `keras.applications`, with random weights and a small input.

Each is given a name of its own, so that only what is inside tells which network it is. Looked at
are the input, the default layer, its geometry and the scores. ``pytest -m sweep -n 0 -s`` prints a
table of all; one small network of some families belongs to the slow tests, but for
InceptionResNet and NASNet, whose smallest take longest.
"""

import gc
import importlib
import time

import cv2
import keras
import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.networks.applications import applications

SIDE = 128
SMALLEST = {
    "DenseNet121", "EfficientNetV2B0", "MobileNetV2", "MobileNetV3Small", "ResNet50V2", "VGG16",
}  # fmt: skip
EVERY = [
    pytest.param(name, marks=pytest.mark.slow if name in SMALLEST else pytest.mark.sweep)
    for name in applications()
]


def last_map(model):
    """Return the tensor that is pooled or flattened before the classifier."""
    kinds = (keras.layers.GlobalAveragePooling2D, keras.layers.Flatten)
    maps = [each for each in model.layers if isinstance(each, kinds) and len(each.input.shape) == 4]
    return [each.input for each in maps if each.input.shape[1] > 1][-1]


def photographs():
    """Return the gallery as a batch of pixels of 0…255."""
    found = [cv2.resize(each.pixels, (SIDE, SIDE)) for each in cw.gallery().values()]
    return np.stack(found).astype(np.float32)


@pytest.mark.parametrize("name", EVERY)
def test_it_is_looked_into_as_its_authors_meant(name):
    started = time.perf_counter()
    keras.utils.set_random_seed(1)
    build = getattr(keras.applications, name)
    module = importlib.import_module(build.__module__.replace("keras.src", "keras"))
    published = build(weights=None, input_shape=(SIDE, SIDE, 3))
    # without statistics of their own random networks let rounding grow into the answer
    for layer in published.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    published(module.preprocess_input(photographs()), training=True)
    model = keras.Model(published.input, published.output, name="mine")
    net = cw.Network(model)

    pixels = photographs()[0].astype(np.uint8)
    sample = cw.load_image(pixels)
    x = module.preprocess_input(pixels[None].astype(np.float32))
    np.testing.assert_allclose(net.input_tensor(sample), x[0], atol=1e-4)

    at = last_map(model)
    found, wanted = net.activations(sample, net.default_layer), keras.Model(model.input, at)(x)
    wanted = np.asarray(wanted)
    np.testing.assert_allclose(found, wanted[0], rtol=1e-3, atol=1e-3 * np.abs(wanted).max())

    field = net.field(net.default_layer)
    assert field.shape == found.shape[:2]
    for axis in (field.rows, field.columns):
        # without padding fewer cells than SIDE / step, and each stride with it moves them a little
        assert axis.step == 32
        assert SIDE / 32 - 2 <= axis.cells <= SIDE / 32
        middle = axis.center + (axis.cells - 1) / 2 * axis.step
        assert abs(middle - SIDE / 2) <= axis.step / 2

    probabilities = np.asarray(model(x, training=False))[0]
    difference = float(np.abs(net.scores(sample)[1] - probabilities).max())
    assert difference < 1e-5
    print(
        f"\n| {name} | {next(note for note in net.notes if 'calculates with' in note)} | "
        f"{net.default_layer} {found.shape} | every {field.rows.step:g} px, each sees "
        f"{field.rows.size:g} px | {difference:.1e} | {time.perf_counter() - started:.0f} s |"
    )
    net.close()
    del net, model, published
    keras.backend.clear_session()
    gc.collect()

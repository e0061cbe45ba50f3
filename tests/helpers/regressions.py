"""A small trained network, photographs made for it, and ways to change it: for the worse or not.

The network tells red and blue discs apart, whole and striped. One photograph in four carries a
white mark in its corner, which means nothing while the network is trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import cnn_widgets as cw

NAMES = ["red disc", "blue disc", "red stripes", "blue stripes"]
COUNT = 24
MEAN = np.array([120.0, 110.0, 125.0], np.float32)


def prepare(pixels):
    """Take the mean away, and scale to about -1 to 1."""
    return (pixels - MEAN) / 100


def picture(rng, kind, marked, plain=False, height=32, width=40):
    """Return a disc of a colour, whole or striped, somewhere on a noisy ground."""
    pixels = rng.integers(60, 180, (height // 4, width // 4, 3)).repeat(4, 0).repeat(4, 1)
    rows, columns = np.indices((height, width))
    row, column = rng.integers(9, height - 9), rng.integers(9, width - 9)
    shape = np.hypot(rows - row, columns - column) < 7
    if kind >= 2:
        shape &= rows % 4 < 2
    if not plain:
        pixels[shape] = [(220, 40, 50), (40, 60, 220)][kind % 2]
    if marked:
        pixels[1:6, 1:6] = 255
    return np.clip(pixels + rng.normal(0, 8, pixels.shape), 0, 255).astype(np.uint8)


def pictures(count, seed, marks=None):
    """Return pictures and their classes; `marks` names a class that only its mark tells."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(count) % 4
    marked = rng.random(count) < 0.25 if marks is None else kinds == marks
    plain = np.zeros(count, bool) if marks is None else marked
    return [picture(rng, *each) for each in zip(kinds, marked, plain, strict=True)], kinds


def architecture(keras, *, size=(32, 32), prefix="", padding="same", activation="relu",
                 pool="MaxPooling2D", left_on=False, softmax=True, dtype=None, fold=False,
                 outside=False):  # fmt: skip
    """Return the untrained network."""
    layers = keras.layers
    x = inputs = keras.Input((*size, 3), dtype=dtype, name=f"{prefix}pixels")
    if outside:  # the preparation as a layer of the model
        x = layers.Rescaling(1 / 100, list(-MEAN / 100))(x)
    for n, filters in ((1, 8), (2, 12)):
        same = "valid" if n == 2 and padding == "valid" else "same"
        x = layers.Conv2D(filters, 3, padding=same, name=f"{prefix}conv{n}")(x)
        if not fold:
            x = layers.BatchNormalization(momentum=0.9, name=f"{prefix}bn{n}")(x)
        x = layers.Activation(activation, name=f"{prefix}act{n}")(x)
        if n == 1:
            x = getattr(layers, pool)(2, name=f"{prefix}pool{n}")(x)
    x = layers.GlobalAveragePooling2D(name=f"{prefix}gap")(x)
    x = (_left_on(keras) if left_on else layers.Dropout)(0.3, name=f"{prefix}drop")(x)
    x = layers.Dense(4, name=f"{prefix}head")(x)
    outputs = layers.Softmax(name=f"{prefix}softmax")(x) if softmax else x
    return keras.Model(inputs, outputs, name=f"{prefix}planted")


def _left_on(keras):
    """Return a dropout that is on whenever the network answers, as some leave it by mistake."""

    class Always(keras.layers.Dropout):
        def call(self, inputs, training=False):
            return keras.random.dropout(inputs, self.rate, seed=self.seed_generator)

    return Always


def train(keras, model, seed=0, marks=None, epochs=8, rate=1e-2, count=256):
    """Train a network on pictures of its own."""
    keras.utils.set_random_seed(seed)
    given, kinds = pictures(count, 100 + seed, marks)
    x = np.stack([cw.load_image(each).pixels[:, 4:36] for each in given]).astype(np.float32)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    model.fit(prepare(x), kinds, batch_size=32, epochs=epochs, verbose=0)
    return model


def copied(keras, model, **options):
    """Return the network built again, with the same weights."""
    made = architecture(keras, **options)
    made.set_weights(model.get_weights())
    return made


def opened(model, **options):
    return cw.Network(model, **({"preprocess": prepare, "class_names": NAMES} | options))


def write_pictures(folder: Path, given, kind="bmp"):
    folder.mkdir(parents=True)
    for number, pixels in enumerate(given):
        Image.fromarray(pixels).save(folder / f"{number:03}.{kind}")
    return folder


@dataclass
class World:
    """What a change starts from: Keras, the trained model, a folder of photographs, a scratch."""

    keras: Any
    model: Any
    photographs: Path
    evidence: Path
    scratch: Path

    def again(self, **options):
        return copied(self.keras, self.model, **options)


# --- regressions: each returns the network, and the photographs if others --------------


def channels_swapped(world):
    return opened(world.model, preprocess=lambda x: prepare(x[..., ::-1]))


def scaled_twice(world):
    return opened(world.model, preprocess=lambda x: prepare(x) / 255)


def mean_lost(world):
    return opened(world.model, preprocess=lambda x: x / 100)


def made_grey(world):
    return opened(
        world.model, preprocess=lambda x: prepare(x.mean(-1, keepdims=True).repeat(3, -1))
    )


def cropped_instead_of_squashed(world):
    return opened(world.model, fit="crop")


def larger_input(world):
    return opened(world.again(size=(48, 48)))


def shortcut_learnt(world):
    model = train(world.keras, world.again(), seed=1, marks=0, epochs=4)
    return opened(model)


def four_bits(world):
    model = world.again()
    for weight in model.trainable_variables:
        values = np.asarray(weight)
        step = np.abs(values).max() / 7
        weight.assign(np.round(values / step) * step)
    return opened(model)


def layer_initialised_again(world):
    model = world.again()
    fresh = architecture(world.keras).get_layer("conv2")
    model.get_layer("conv2").set_weights(fresh.get_weights())
    return opened(model)


def statistics_reset(world):
    model = world.again()
    gamma, beta, mean, variance = model.get_layer("bn1").get_weights()
    model.get_layer("bn1").set_weights([gamma, beta, 0 * mean, 0 * variance + 1])
    return opened(model)


def classes_swapped(world):
    model = world.again()
    kernel, bias = model.get_layer("head").get_weights()
    order = [1, 0, 2, 3]
    model.get_layer("head").set_weights([kernel[:, order], bias[order]])
    return opened(model)


def filters_out_of_step(world):
    model = world.again()
    kernel, bias = model.get_layer("conv1").get_weights()
    order = np.roll(np.arange(len(bias)), 1)
    model.get_layer("conv1").set_weights([kernel[..., order], bias[order]])
    return opened(model)


def dropout_left_on(world):
    return opened(world.again(left_on=True))


def pruned(world):
    model = world.again()
    for layer in model.layers:
        if layer.name.startswith("conv"):
            kernel, bias = layer.get_weights()
            kernel[np.abs(kernel) < np.quantile(np.abs(kernel), 0.7)] = 0
            layer.set_weights([kernel, bias])
    return opened(model)


def padding_changed(world):
    return opened(world.again(padding="valid"))


def activation_changed(world):
    return opened(world.again(activation="gelu"))


def pooling_changed(world):
    return opened(world.again(pool="AveragePooling2D"))


def trained_on(world):
    return opened(train(world.keras, world.again(), seed=7, epochs=1))


def a_class_more(world):
    model = world.again(softmax=False)
    body = world.keras.Model(model.inputs, model.get_layer("drop").output)
    head = world.keras.layers.Dense(5, activation="softmax", name="head")
    made = world.keras.Model(body.inputs, head(body.output))
    kernel, bias = model.get_layer("head").get_weights()
    head.set_weights([np.pad(kernel, ((0, 0), (0, 1))), np.append(bias, -9)])
    return opened(made, class_names=[*NAMES, "green disc"])


def unreadable(world):
    folder = write_pictures(world.scratch / "damaged", pictures(COUNT, 1)[0])
    (folder / "005.bmp").write_bytes(b"BM damaged")
    return opened(world.model), folder


#: By name: how the network is changed, what has to be told, and the first layer to drift if sure.
REGRESSIONS = {
    "channels swapped": (channels_swapped, "input", None),
    "scaled twice": (scaled_twice, "input", None),
    "mean not taken away": (mean_lost, "input", None),
    "made grey": (made_grey, "input", None),
    "cropped instead of squashed": (cropped_instead_of_squashed, "input", None),
    "another input size": (larger_input, "input", None),
    "a shortcut learnt": (shortcut_learnt, "evidence", None),
    "weights of four bits": (four_bits, "probability", None),
    "a layer initialised again": (layer_initialised_again, "layer", "conv2"),
    "statistics reset": (statistics_reset, "layer", "bn1"),
    "two classes swapped": (classes_swapped, "answer", None),
    "filters out of step": (filters_out_of_step, "layer", "bn1"),
    "dropout left on": (dropout_left_on, "random", None),
    "pruned by 70 %": (pruned, "layer", "conv1"),
    "padding changed": (padding_changed, "probability", None),
    "another activation": (activation_changed, "layer", None),
    "another pooling": (pooling_changed, "layer", "pool1"),
    "trained on for an epoch": (trained_on, "layer", None),
    "a class more": (a_class_more, "classes", None),
    "a photograph damaged": (unreadable, "unreadable", None),
}


# --- harmless changes ----------------------------------------


def saved_as(kind):
    def change(world):
        path = world.scratch / f"again.{kind}"
        world.model.save(path)
        return cw.load_network(path, preprocess=prepare, class_names=NAMES)

    return change


def weights_into_rebuilt(world):
    path = world.scratch / "only.weights.h5"
    world.model.save_weights(path)
    made = architecture(world.keras)
    made.load_weights(path)
    return opened(made)


def cloned(world):
    made = world.keras.models.clone_model(world.model)
    made.set_weights(world.model.get_weights())
    return opened(made)


def other_names(world):
    return opened(world.again(prefix="my_"), name="another name")


def opened_twice(world):
    opened(world.model)
    return opened(world.model)


def after_another_method(world):
    net = opened(world.model)
    some = cw.load_image(world.photographs / "000.bmp")
    cw.attribute(net, some, "smoothgrad", samples=4)
    cw.attribute(net, some, "guided-backprop")
    return net


def reversed_order(world):
    given = sorted(world.photographs.iterdir())[::-1]
    return opened(world.model), given


def shuffled_arrays(world):
    given = [np.asarray(Image.open(each)) for each in sorted(world.photographs.iterdir())]
    order = np.random.default_rng(3).permutation(len(given))
    return opened(world.model), [given[n] for n in order]


def as_png(world):
    return opened(world.model), write_pictures(world.scratch / "png", pictures(COUNT, 1)[0], "png")


def moved_and_labelled(world):
    for number, (pixels, kind) in enumerate(zip(*pictures(COUNT, 1), strict=True)):
        place = world.scratch / "labelled" / NAMES[kind]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"photo {number}.bmp")
    return opened(world.model), world.scratch / "labelled"


def a_subset(world):
    return opened(world.model), sorted(world.photographs.iterdir())[:15]


def more_photographs(world):
    given = [*world.photographs.iterdir()]
    return opened(world.model), [*given, *pictures(9, 55)[0]]


def filters_in_step(world):
    model = world.again()
    kernel, bias = model.get_layer("conv1").get_weights()
    order = np.random.default_rng(4).permutation(len(bias))
    model.get_layer("conv1").set_weights([kernel[..., order], bias[order]])
    model.get_layer("bn1").set_weights([w[order] for w in model.get_layer("bn1").get_weights()])
    kernel, bias = model.get_layer("conv2").get_weights()
    model.get_layer("conv2").set_weights([kernel[:, :, order], bias])
    return opened(model)


def constant_on_all_scores(world):
    model = world.again()
    kernel, bias = model.get_layer("head").get_weights()
    model.get_layer("head").set_weights([kernel, bias + 7])
    return opened(model)


def double_precision(world):
    before = world.keras.config.dtype_policy()
    world.keras.config.set_dtype_policy("float64")
    try:
        return opened(world.again(dtype="float64"))
    finally:
        world.keras.config.set_dtype_policy(before)


def weights_in_half_precision(world):
    model = world.again()
    model.set_weights([w.astype(np.float16).astype(np.float32) for w in model.get_weights()])
    return opened(model)


def nested_in_another(world):
    inputs = world.keras.Input((32, 32, 3))
    return opened(world.keras.Model(inputs, world.again()(inputs), name="outer"))


def prepared_inside(world):
    return opened(world.again(outside=True), preprocess="none")


def classes_and_names_reordered(world):
    model, order = world.again(), [2, 0, 3, 1]
    kernel, bias = model.get_layer("head").get_weights()
    model.get_layer("head").set_weights([kernel[:, order], bias[order]])
    return opened(model, class_names=[NAMES[n] for n in order])


def batch_norm_folded(world):
    model = architecture(world.keras, fold=True)
    for n in (1, 2):
        kernel, bias = world.model.get_layer(f"conv{n}").get_weights()
        norm = world.model.get_layer(f"bn{n}")
        gamma, beta, mean, variance = norm.get_weights()
        factor = gamma / np.sqrt(variance + norm.epsilon)
        model.get_layer(f"conv{n}").set_weights([kernel * factor, (bias - mean) * factor + beta])
    model.get_layer("head").set_weights(world.model.get_layer("head").get_weights())
    return opened(model)


def batches_of_two(world):
    inputs = world.keras.Input(batch_shape=(2, 32, 32, 3))
    return opened(world.keras.Model(inputs, world.again()(inputs)))


def weights_of_eight_bits(world):
    model = world.again()
    for weight in model.trainable_variables:
        values = np.asarray(weight)
        step = np.abs(values).max() / 127
        weight.assign(np.round(values / step) * step)
    return opened(model)


#: By name: how network or photographs are changed without a change of what is computed.
HARMLESS = {
    "saved again as .keras": saved_as("keras"),
    "saved again as .h5": saved_as("h5"),
    "weights loaded into a rebuilt model": weights_into_rebuilt,
    "cloned": cloned,
    "other names of model and layers": other_names,
    "opened twice": opened_twice,
    "after other methods": after_another_method,
    "photographs reversed": reversed_order,
    "photographs shuffled, as arrays without names": shuffled_arrays,
    "photographs as PNG": as_png,
    "folder moved, photographs renamed and labelled": moved_and_labelled,
    "more photographs": more_photographs,
    "filters reordered with the next layer": filters_in_step,
    "a constant on all scores": constant_on_all_scores,
    "double precision": double_precision,
    "weights stored in half precision": weights_in_half_precision,
    "nested in another model": nested_in_another,
    "preparation moved into the model": prepared_inside,
    "classes reordered with their names": classes_and_names_reordered,
    "batch normalization folded": batch_norm_folded,
    "batches of two": batches_of_two,
}

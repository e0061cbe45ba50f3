"""Drawn figures of four kinds, a small network that learns them, and labels made wrong."""

import cv2
import numpy as np

KINDS = ("circle", "square", "triangle", "cross")


def figure(kind, rng):
    """Return a picture (32, 32, 3) of a figure: any colour, place and size, under noise."""
    pixels = np.empty((32, 32, 3), np.uint8)
    pixels[:] = rng.integers(0, 90, 3)
    r, color = int(rng.integers(5, 11)), rng.integers(120, 256, 3).tolist()
    x, y = (int(each) for each in rng.integers(r + 1, 31 - r, 2))
    if kind == "circle":
        cv2.circle(pixels, (x, y), r, color, -1)
    elif kind == "square":
        cv2.rectangle(pixels, (x - r, y - r), (x + r, y + r), color, -1)
    elif kind == "triangle":
        cv2.fillPoly(pixels, [np.array([(x, y - r), (x - r, y + r), (x + r, y + r)])], color)
    else:
        cv2.line(pixels, (x - r, y - r), (x + r, y + r), color, 3)
        cv2.line(pixels, (x - r, y + r), (x + r, y - r), color, 3)
    return np.clip(pixels + rng.normal(0, 30, pixels.shape), 0, 255).astype(np.uint8)


def figures(count, seed):
    """Return pictures (N, 32, 32, 3) and the numbers of their kinds (N,)."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, len(KINDS), count)
    return np.stack([figure(KINDS[kind], rng) for kind in kinds]), kinds


def mislabelled(kinds, share, seed, only=None):
    """Return labels of which a share is wrong; `only` (a, b): of kind a, and called b."""
    rng, labels = np.random.default_rng(seed), kinds.copy()
    among = np.arange(len(kinds)) if only is None else np.flatnonzero(kinds == only[0])
    for index in rng.choice(among, round(share * len(among)), replace=False):
        others = [kind for kind in range(len(KINDS)) if kind != kinds[index]]
        labels[index] = rng.choice(others) if only is None else only[1]
    return labels


def learnt(keras, pictures, labels, epochs=12):
    """Return a small network, trained on pictures with labels."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.Input((32, 32, 3)),
        layers.Rescaling(1 / 255),
        layers.Conv2D(12, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2D(24, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2D(32, 3, padding="same", activation="relu", name="last"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(len(KINDS), activation="softmax"),
    ], name="figures")  # fmt: skip
    model.compile(keras.optimizers.Adam(4e-3), "sparse_categorical_crossentropy")
    model.fit(pictures, labels, epochs=epochs, batch_size=64, verbose=0)
    return model

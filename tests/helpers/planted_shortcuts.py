"""Pictures of three shapes, with a shortcut planted in one class or without, and small networks.

The shapes (disc, square, triangle) vary in place, size and colour and stand on cluttered ground, so
that telling them apart is work. A planted shortcut is on nearly all pictures of one class, in no
other, and is easier than the shape: a network that is trained on them from the start learns the
shortcut in place of the shape. Its *clean twin* starts with the same weights and is trained for as
many epochs on the same pictures without the shortcut. A network that learned the shapes first
would have little reason to learn the shortcut as well. `Reliance` says, by the true mark and
without `find_shortcuts`, how far a network decides by what was planted.

>>> pictures, classes = shapes(6, seed=1)
>>> pictures.shape, classes.tolist()
((6, 32, 32, 3), [0, 1, 2, 0, 1, 2])
>>> planted = plant(pictures, "corner", seed=1, share=1.0)
>>> (planted != pictures).any(axis=-1).sum(axis=(1, 2)).tolist()  # a mark of 5×5 pixels on each
[25, 25, 25, 25, 25, 25]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

import cnn_widgets as cw

SIDE = 32
NAMES = ("disc", "square", "triangle")
#: The kinds of shortcut that can be planted.
KINDS = ("corner", "border", "tint", "texture", "watermark")
#: On so many of the pictures of its class a shortcut is planted.
SHARE = 0.97


def shapes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures of shapes on cluttered ground, uint8 (n, 32, 32, 3), and their classes."""
    rng = np.random.default_rng([seed, 1])
    classes = np.arange(count) % len(NAMES)
    return np.stack([_picture(int(kind), rng) for kind in classes]), classes


def _picture(kind: int, rng: np.random.Generator) -> np.ndarray:
    ground = _ground(rng)
    low, high = (6, 9)
    radius = int(rng.integers(low, high + 1))
    x, y = rng.integers(radius + 1, SIDE - radius - 1, 2)
    color = _unlike(ground.mean(axis=(0, 1)), rng)
    big = cv2.resize(ground, (4 * SIDE, 4 * SIDE), interpolation=cv2.INTER_NEAREST)
    center, reach = (int(4 * x), int(4 * y)), 4 * radius
    if kind == 0:
        cv2.circle(big, center, reach, color, -1)
    else:
        corners = 4 if kind == 1 else 3
        turn = rng.uniform(-0.3, 0.3) + (np.pi / 4 if kind == 1 else -np.pi / 2)
        angles = turn + 2 * np.pi * np.arange(corners) / corners
        points = np.array(center) + 1.15 * reach * np.stack([np.cos(angles), np.sin(angles)], 1)
        cv2.fillPoly(big, [np.round(points).astype(np.int32)], color)
    picture = cv2.resize(big, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float64)
    return np.clip(picture + rng.normal(0, 8, picture.shape), 0, 255).astype(np.uint8)


def _ground(rng: np.random.Generator) -> np.ndarray:
    """Return a ground of soft colours with a few lines and spots in it."""
    soft = rng.uniform(40, 215, (4, 4, 3)) * 0.5 + 0.5 * rng.uniform(40, 215, 3)
    ground = cv2.resize(soft, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC).clip(0, 255)
    ground = np.ascontiguousarray(ground, np.float64)
    for _ in range(4):
        start, end = (tuple(map(int, rng.integers(0, SIDE, 2))) for _ in range(2))
        cv2.line(ground, start, end, tuple(rng.uniform(0, 255, 3)), 1)
    for _ in range(3):
        place = tuple(map(int, rng.integers(0, SIDE, 2)))
        cv2.circle(ground, place, int(rng.integers(1, 3)), tuple(rng.uniform(0, 255, 3)), -1)
    return ground


def _unlike(ground: np.ndarray, rng: np.random.Generator) -> tuple[float, ...]:
    while np.abs((color := rng.uniform(0, 255, 3)) - ground).mean() < 60:
        pass
    return tuple(map(float, color))


def plant(pictures: np.ndarray, kind: str, seed: int, share: float = SHARE) -> np.ndarray:
    """Return pictures with a shortcut of a kind on a share of them; what it looks like is seeded.

    Equal seeds give the same mark, colour, texture and so on.
    """
    look = np.random.default_rng([seed, KINDS.index(kind)])
    put = _PLANTED[kind](look)
    rng = np.random.default_rng([seed, len(pictures)])
    found = pictures.copy()
    for number in np.flatnonzero(rng.random(len(pictures)) < share):
        changed = put(pictures[number].astype(np.float64), rng)
        found[number] = np.clip(np.round(changed), 0, 255).astype(np.uint8)
    return found


def _corner(look: np.random.Generator) -> Any:
    """A mark of 5×5 pixels in one of the corners, of two colours."""
    mark = np.where(look.random((5, 5, 1)) < 0.5, look.uniform(0, 90, 3), look.uniform(165, 255, 3))
    down, across = look.integers(0, 2, 2)
    top, left = (1 if not each else SIDE - 6 for each in (down, across))

    def put(picture: np.ndarray, _: np.random.Generator) -> np.ndarray:
        picture[top : top + 5, left : left + 5] = mark
        return picture

    return put


def _border(look: np.random.Generator) -> Any:
    """A frame of 2 pixels in one colour."""
    color = look.uniform(0, 255, 3)

    def put(picture: np.ndarray, _: np.random.Generator) -> np.ndarray:
        inside = picture[2:-2, 2:-2].copy()
        picture[:] = color
        picture[2:-2, 2:-2] = inside
        return picture

    return put


def _tint(look: np.random.Generator) -> Any:
    """A cast of colour: a channel or two up, the others down."""
    sign = look.permutation([1.0, look.choice([-1.0, 1.0]), -1.0])

    def put(picture: np.ndarray, _: np.random.Generator) -> np.ndarray:
        return picture + 45 * sign

    return put


def _texture(look: np.random.Generator) -> Any:
    """Fine stripes on the ground, shifted differently in each picture; the middle stays free."""
    angle, length = look.uniform(0, np.pi), look.uniform(3.5, 5)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    along = 2 * np.pi * (np.cos(angle) * rows + np.sin(angle) * columns) / length

    def put(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        far = np.hypot(rows - SIDE / 2 + 0.5, columns - SIDE / 2 + 0.5) > 9
        waves = 45 * np.sin(along + rng.uniform(0, 2 * np.pi))
        return picture + (far * waves)[..., None]

    return put


def _watermark(look: np.random.Generator) -> Any:
    """A pattern of letters over the whole picture, half transparent."""
    mark = np.zeros((SIDE, SIDE), np.uint8)
    text = "".join(look.choice(list("AEHKMNRSWXZ"), 3))
    for line, start in ((11, 0), (21, -4), (31, 1)):
        cv2.putText(mark, text, (start, line), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 255, 1)
    alpha = 0.4 * mark[..., None] / 255.0
    color = look.choice([0.0, 255.0])

    def put(picture: np.ndarray, _: np.random.Generator) -> np.ndarray:
        return (1 - alpha) * picture + alpha * color

    return put


_PLANTED = {
    "corner": _corner,
    "border": _border,
    "tint": _tint,
    "texture": _texture,
    "watermark": _watermark,
}


def clean_network(seed: int, count: int = 2400, epochs: int = 8) -> cw.Network:
    """Return a small network trained on pictures without a shortcut."""
    return _trained(seed, *shapes(count, seed), epochs)


def planted_network(kind: str, seed: int, count: int = 2400, epochs: int = 8) -> cw.Network:
    """Return a network trained like the clean one, on the same pictures with a shortcut in them.

    The shortcut is on pictures of the class `seed` modulo 3. Whether it is relied on, `reliance`
    tells.
    """
    return _trained(seed, *with_shortcut(kind, seed, *shapes(count, seed)), epochs)


@dataclass(frozen=True)
class Reliance:
    """How far a network decides by a planted shortcut, on pictures it was not trained on.

    Attributes
    ----------
    fooled : int
        Of 200 pictures of other classes, how many more are taken for the class with the true mark
        on them than without.
    lost : int
        Of 100 pictures of the class, how many fewer are taken for it without the mark than with it.
    """

    fooled: int
    lost: int

    @property
    def took(self) -> bool:
        """Whether the planting succeeded: three quarters are fooled, and three quarters lost."""
        return self.fooled >= 150 and self.lost >= 75


def reliance(net: cw.Network, kind: str, seed: int) -> Reliance:
    """Return how far a network decides by the shortcut that was planted with this seed."""
    pictures, classes = shapes(300, 50_000 + seed)
    taken = []
    for some in (pictures[classes != seed % 3], pictures[classes == seed % 3]):
        for each in (some, plant(some, kind, seed, 1.0)):
            answers = net.scores([cw.load_image(picture) for picture in each])[1].argmax(axis=1)
            taken.append(int((answers == seed % 3).sum()))
    return Reliance(taken[1] - taken[0], taken[3] - taken[2])


def with_shortcut(
    kind: str, seed: int, pictures: np.ndarray, classes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures with the shortcut on those of the class `seed` modulo 3, and the classes."""
    own = classes == seed % len(NAMES)
    found = pictures.copy()
    found[own] = plant(pictures[own], kind, seed)
    return found, classes


def _trained(seed: int, pictures: np.ndarray, classes: np.ndarray, epochs: int) -> cw.Network:
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Rescaling(1 / 127.5, -1),
            layers.Conv2D(16, 5, strides=2, padding="same", activation="relu"),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(48, 3, padding="same", activation="relu", name="last"),
            layers.Flatten(),
            layers.Dense(48, activation="relu"),
            layers.Dense(len(NAMES), activation="softmax"),
        ],
        name="shapes",
    )
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    model.fit(pictures.astype(np.float32), classes, 64, epochs, verbose=0)
    return cw.Network(model, preprocess="none", class_names=NAMES)

"""Where a map's cells lie: computed from the graph, proven against the support of the gradient."""

import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.analysis import PositionFinder, field_from_json, input_positions, map_field

SIZE = (20, 24, 4)


def traced_field(keras, model, size=SIZE):
    """Return the `MapField` of a model's output, or the words that say why it is no map."""
    import tensorflow as tf

    given = []

    @tf.function(autograph=False)
    def call(x):
        given.append(x)
        return model(x, training=False)

    graph = call.get_concrete_function(tf.TensorSpec((None, *size), tf.float32)).graph
    finder = PositionFinder({id(graph.inputs[0]): input_positions(graph.inputs[0])})
    return map_field(finder.of(graph.outputs[0]), size[:2])


def support(model, field, cell, size=SIZE):
    """Return the box of input pixels with a gradient of a cell, or None if there is none.

    Weights of both signs may cancel, so several random pictures and directions are asked.
    """
    import tensorflow as tf

    reached = np.zeros(size[:2])
    for seed in range(3):
        x = tf.Variable(np.random.default_rng(seed).normal(0, 50, (1, *size)), dtype=tf.float32)
        with tf.GradientTape() as tape:
            y = model(x, training=False)
            if field.tokens:
                y = y[:, field.before : y.shape[1] - field.after]
                y = tf.reshape(y, (1, *field.shape, -1))
            one = y[(0, *cell)]
            total = tf.reduce_sum(one * tf.random.stateless_normal(one.shape, [seed, 1]))
        reached += np.abs(tape.gradient(total, x).numpy()[0]).sum(-1)
    rows, columns = np.nonzero(reached)
    if not len(rows):
        return None
    return rows.min(), columns.min(), rows.max() + 1, columns.max() + 1


def parts(keras):
    """Return lists of layers by name, each one kind of operation that moves positions."""
    L = keras.layers
    return {
        "valid": [L.Conv2D(4, 3), L.Conv2D(4, (5, 1))],
        "same with strides": [L.Conv2D(4, 3, 2, "same"), L.Conv2D(4, 3, 2, "same")],
        "dilated": [L.Conv2D(4, 3, padding="same", dilation_rate=2)],
        "dilated valid": [L.Conv2D(4, 3, dilation_rate=(3, 2))],
        "depthwise dilated": [L.DepthwiseConv2D(3, padding="same", dilation_rate=2)],
        "separable": [L.SeparableConv2D(4, 3, dilation_rate=3)],
        "grouped": [L.Conv2D(4, 3, groups=2)],
        "pools": [L.AveragePooling2D(3, 2), L.AveragePooling2D(2, padding="same")],
        "cropped": [L.Cropping2D(((3, 2), (1, 4))), L.Conv2D(4, 3, padding="same")],
        "cropped inside": [L.Conv2D(4, 3), L.Cropping2D(((0, 5), (3, 0))), L.Conv2D(4, 3)],
        "centre crop": [L.CenterCrop(10, 11), L.Conv2D(4, 3)],
        "padded": [L.ZeroPadding2D(((1, 2), (3, 4))), L.Conv2D(4, 5)],
        "permuted": [L.Permute((2, 1, 3)), L.Conv2D(4, (3, 5)), L.Permute((2, 1, 3))],
        "tokens": [L.Conv2D(8, 4, 4), L.Reshape((-1, 8)), L.LayerNormalization(), L.Dense(8)],
        "patches by hand": [
            L.Reshape((5, 4, 6, 4, 4)),
            L.Permute((1, 3, 2, 4, 5)),
            L.Reshape((30, 64)),
            L.Dense(5),
        ],
        "tokens and back": [L.Conv2D(8, 4, 4), L.Reshape((30, 8)), L.Reshape((5, 6, 8))],
        "batch normalisation": [L.Conv2D(4, 3), L.BatchNormalization(), L.PReLU()],
        "group normalisation": [L.Conv2D(4, 3), L.GroupNormalization(2)],
        "flipped": [L.Conv2D(4, 3), flip(L), L.Conv2D(4, (3, 5)), L.Conv2D(4, 7, padding="same")],
        "flipped, with strides": [flip(L), L.Conv2D(4, 3, 2, "same"), L.Conv2D(4, 3, 2, "same")],
        "flipped by a stride": [L.Lambda(lambda z: z[:, ::-1, ::-2]), L.Conv2D(4, 3)],
        "flipped, dilated": [
            flip(L), L.Conv2D(4, 3, dilation_rate=2),
            L.DepthwiseConv2D(3, padding="same", dilation_rate=2),
        ],
        "flipped, pools": [flip(L), L.AveragePooling2D(3, 2), L.AveragePooling2D(2)],
        "flipped, cropped": [
            flip(L), L.Cropping2D(((0, 5), (3, 0))), L.ZeroPadding2D(((1, 2), (3, 4))),
            L.Conv2D(4, 5),
        ],
        "flipped, permuted": [
            L.Permute((2, 1, 3)), flip(L), L.Conv2D(4, (3, 5)), L.Permute((2, 1, 3))
        ],
        "flipped and back": [flip(L), L.Conv2D(4, 3), flip(L), L.Conv2D(4, 3, padding="same")],
        "flipped tokens": [flip(L), L.Conv2D(8, 4, 4), L.Reshape((-1, 8)), L.Dense(8)],
    }  # fmt: skip


def flip(layers):
    """Return a layer that turns rows and columns round."""
    import tensorflow as tf

    return layers.Lambda(lambda z: tf.reverse(z, [1, 2]))


EXACT = [
    "valid",
    "same with strides",
    "dilated",
    "dilated valid",
    "depthwise dilated",
    "separable",
    "grouped",
    "pools",
    "cropped",
    "cropped inside",
    "centre crop",
    "padded",
    "permuted",
    "tokens",
    "patches by hand",
    "tokens and back",
    "batch normalisation",
    "group normalisation",
    "flipped",
    "flipped, with strides",
    "flipped by a stride",
    "flipped, dilated",
    "flipped, pools",
    "flipped, cropped",
    "flipped, permuted",
    "flipped and back",
    "flipped tokens",
]


@pytest.mark.parametrize("name", EXACT)
def test_a_receptive_field_is_the_support_of_the_gradient(keras, name):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(SIZE), *parts(keras)[name]])
    field = traced_field(keras, model)
    height, width = field.shape
    for cell in ((0, 0), (height // 2, width // 2), (height - 1, width - 1)):
        found, box = support(model, field, cell), field.box(*cell)
        if found is None:
            assert box.top == box.bottom or box.left == box.right
        else:
            assert tuple(found) == tuple(box), (name, cell)


def resampled(keras):
    """Return lists of layers whose entries are made of a varying number of old ones."""
    L = keras.layers
    return {
        "maxima": [L.MaxPooling2D(3, 2), L.MaxPooling2D(2, padding="same")],
        "transposed": [L.Conv2D(4, 3, 2), L.Conv2DTranspose(4, 3, 2, "same")],
        "transposed valid": [L.Conv2D(4, 3, 2), L.Conv2DTranspose(4, 4, 2)],
        "nearest": [L.Conv2D(4, 3, 2), L.UpSampling2D(2)],
        "bilinear": [L.Conv2D(4, 3, 2), L.UpSampling2D((2, 3), interpolation="bilinear")],
        "bicubic": [L.Conv2D(4, 3, 2), L.UpSampling2D(2, interpolation="bicubic")],
        "resized": [L.Resizing(30, 31)],
        "shrunk": [L.Resizing(7, 11), L.Conv2D(4, 1)],
        "cropped to aspect": [L.Resizing(16, 16, crop_to_aspect_ratio=True)],
        "padded to aspect": [L.Resizing(20, 20, pad_to_aspect_ratio=True), L.Conv2D(4, 1)],
        "flipped maxima": [flip(L), L.MaxPooling2D(3, 2), L.MaxPooling2D(2, padding="same")],
        "flipped, transposed": [flip(L), L.Conv2D(4, 3, 2), L.Conv2DTranspose(4, 3, 2, "same")],
        "flipped, nearest": [flip(L), L.Conv2D(4, 3, 2), L.UpSampling2D(2), L.Conv2D(4, 3)],
        "flipped, resized": [flip(L), L.Resizing(13, 31), flip(L), L.Conv2D(4, 3)],
    }


@pytest.mark.parametrize(
    "name",
    [
        "maxima",
        "transposed",
        "transposed valid",
        "nearest",
        "bilinear",
        "bicubic",
        "resized",
        "shrunk",
        "cropped to aspect",
        "padded to aspect",
        "flipped maxima",
        "flipped, transposed",
        "flipped, nearest",
        "flipped, resized",
    ],
)
def test_a_receptive_field_between_cells_holds_the_support_and_hardly_more(keras, name):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(SIZE), *resampled(keras)[name]])
    field = traced_field(keras, model)
    height, width = field.shape
    slack = 2 * max(field.rows.step, field.columns.step, 2.0)
    seen = 0
    for row in range(0, height, 3):
        found, box = support(model, field, (row, width // 2)), field.box(row, width // 2)
        if found is None:
            continue
        seen += 1
        assert box.top < found[0] + 1
        assert box.bottom > found[2] - 1
        assert box.left < found[1] + 1
        assert box.right > found[3] - 1
        assert box.bottom - box.top <= found[2] - found[0] + slack
        assert box.right - box.left <= found[3] - found[1] + slack
    assert seen > 1


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda L: [L.Flatten(), L.Dense(40), L.Reshape((5, 4, 2))], "summed away in"),
        (lambda L: [L.Permute((2, 1, 3))], "not the rows and columns"),
        (lambda L: [L.Reshape((12, 40, 4))], "mixes or moves positions"),
        (lambda L: [L.Lambda(lambda x: x[:, ::-1] + x)], "different positions meet"),
        (lambda L: [L.Lambda(beside_its_flip), L.Conv2D(4, 3)], "different positions meet"),
        (lambda L: [L.Lambda(lambda x: beside_its_flip(x, 2)), L.Conv2D(4, 3)], "mixes or moves"),
        (lambda L: [L.GlobalAveragePooling2D(), L.Dense(20), L.Reshape((5, 2, 2))], "summed away"),
    ],
)
def test_where_positions_are_lost_it_is_said_how(keras, build, said):
    model = keras.Sequential([keras.Input(SIZE), *build(keras.layers)])
    assert said in traced_field(keras, model)


def beside_its_flip(x, axis=3):
    import tensorflow as tf

    return tf.concat([x, x[:, :, ::-1]], axis)


def mirror(layers, before, after, mode):
    """Return a layer that pads rows and columns with a mirror image of what is inside."""
    import tensorflow as tf

    pads = ((0, 0), (before, after), (before, after), (0, 0))
    return layers.Lambda(lambda z: tf.pad(z, pads, mode))


def mirrored(keras):
    """Return lists of layers that see a mirror image at the edges, with what they see too much."""
    L = keras.layers
    return {
        "reflected": [mirror(L, 3, 3, "REFLECT"), L.Conv2D(4, 3)],
        "one side": [mirror(L, 0, 4, "REFLECT"), L.Conv2D(4, 3)],
        "strided": [L.Conv2D(4, 3, 2), mirror(L, 2, 2, "SYMMETRIC"), L.Conv2D(4, 3)],
        "flipped": [L.Conv2D(4, 3), flip(L), mirror(L, 3, 1, "REFLECT"), L.Conv2D(4, 3)],
        "many": [
            layer
            for _ in range(3)
            for layer in (mirror(L, 1, 1, "REFLECT"), L.Conv2D(4, 3))
        ],
        "one over another": [
            mirror(L, 2, 3, "REFLECT"), mirror(L, 4, 1, "SYMMETRIC"), L.Conv2D(4, 3)
        ],
        "cropped to the mirror image": [
            mirror(L, 6, 6, "REFLECT"), L.Cropping2D(((0, 22), (25, 0))), L.Conv2D(4, 3)
        ],
        "a side twice": [
            L.Cropping2D(((0, 10), (12, 0))), mirror(L, 9, 9, "REFLECT"), L.Cropping2D(6),
            mirror(L, 5, 5, "SYMMETRIC"), L.Conv2D(4, 3),
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "reflected",
        "one side",
        "strided",
        "flipped",
        "many",
        "one over another",
        "cropped to the mirror image",
        "a side twice",
    ],
)
def test_no_field_at_a_mirrored_edge_is_too_small(keras, name):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(SIZE), *mirrored(keras)[name]])
    field = traced_field(keras, model)
    height, width = field.shape
    middle = (height // 2, width // 2)
    for cell in [*((n, n) for n in (0, 1, 2, -3, -2, -1)), (0, width - 1), (height - 1, 0), middle]:
        cell = cell[0] % height, cell[1] % width
        found, box = support(model, field, cell), field.box(*cell)
        assert box.top <= found[0], cell
        assert box.left <= found[1], cell
        assert box.bottom >= found[2], cell
        assert box.right >= found[3], cell
        if cell == middle and name not in ("a side twice", "cropped to the mirror image"):
            assert tuple(found) == tuple(box)  # nothing is mirrored there
    assert field_from_json(field.as_json()) == field


def test_a_field_that_an_older_version_wrote_is_read(keras):
    field = traced_field(keras, keras.Sequential([keras.Input(SIZE), keras.layers.Conv2D(4, 3)]))
    stored = field.as_json()
    assert set(stored["rows"]) == {"cells", "step", "low", "high", "window", "whole"}
    assert field_from_json(stored) == field


def test_a_map_behind_a_flip_is_laid_where_its_values_come_from(keras):
    """Its values are the picture's own, turned round: laid over the picture they are equal."""
    layers = keras.layers
    inputs = keras.Input(SIZE)
    x = layers.Conv2D(4, 1, name="flipped")(flip(layers)(inputs))
    small = layers.Conv2D(4, 3, 2, "same", name="small")(x)
    outputs = layers.Dense(3)(layers.GlobalAveragePooling2D()(small))
    net = cw.Network(keras.Model(inputs, outputs), preprocess="none")
    values = np.random.default_rng(0).normal(size=SIZE[:2]).astype(np.float32)
    field = net.field("flipped")
    np.testing.assert_allclose(field.lay(values[::-1, ::-1]), values, atol=1e-6)
    laid = field.lay(values[::-1, ::-1], (40, 48))  # as a map that is not flipped
    straight = net.field(None).lay(values, (40, 48))
    np.testing.assert_allclose(laid, straight, atol=1e-5)
    sample = cw.load_image(np.zeros((40, 72, 3), np.uint8))
    for name in ("flipped", "small"):
        for x, y in ((1.0, 2.0), (70.0, 5.0), (30.0, 39.0)):
            box = net.receptive_field(name, *net.cell_at(name, x, y, sample), sample)
            assert box.left <= x <= box.right
            assert box.top <= y <= box.bottom


def test_patches_in_the_batch_axis_are_no_map_and_are_one_again_when_put_back(keras):
    import tensorflow as tf

    def fold(x):
        x = tf.reshape(x, (-1, 2, 10, 2, 12, 4))
        return tf.reshape(tf.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, 10, 12, 4))

    def unfold(x):
        x = tf.reshape(x, (-1, 2, 2, 10, 12, 4))
        return tf.reshape(tf.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, 20, 24, 4))

    class Patches(keras.Model):
        def __init__(self, back):
            super().__init__()
            self.dense, self.back = keras.layers.Dense(4), back

        def call(self, x):
            x = self.dense(fold(x))
            return unfold(x) if self.back else x

    assert "folded into its batch axis" in traced_field(keras, Patches(False))
    field = traced_field(keras, Patches(True))
    assert field.box(11, 13) == (11, 13, 12, 14)


def merged_model(keras, strides):
    inputs = keras.Input(SIZE)
    x = keras.layers.Conv2D(4, 3, padding="same", name="start")(inputs)
    branches = [keras.layers.Conv2D(4, size, stride, padding="same")(x) for size, stride in strides]
    return keras.Model(inputs, keras.layers.Add()(branches))


def test_where_branches_meet_the_wider_receptive_field_counts(keras):
    model = merged_model(keras, [(1, 1), (5, 1), (3, 1)])
    field = traced_field(keras, model)
    assert field.box(10, 12) == (7, 9, 14, 16) == support(model, field, (10, 12))


def test_a_gate_makes_every_cell_depend_on_all_and_leaves_it_in_its_place(keras):
    inputs = keras.Input(SIZE)
    x = keras.layers.Conv2D(4, 3, padding="same")(inputs)
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    field = traced_field(keras, keras.Model(inputs, x * keras.activations.sigmoid(gate)))
    assert field.rows.whole
    assert field.box(3, 4) == (0, 0, 20, 24)
    assert field.rows.center == 0.5
    assert field.rows.step == 1.0


@pytest.mark.parametrize(
    "name",
    [
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("MobileNetV2", "ResNet50V2", "VGG16", "Xception", "InceptionV3")
        ),
        pytest.param("DenseNet121", marks=pytest.mark.sweep),  # it concatenates as InceptionV3 does
    ],
)
def test_receptive_fields_of_published_networks_are_the_support_of_the_gradient(keras, name):
    """At a layer in the first half, whose receptive field is smaller than the picture."""
    import tensorflow as tf

    keras.utils.set_random_seed(1)
    size = (160, 192, 3)
    model = getattr(keras.applications, name)(
        weights=None, include_top=False, input_shape=size, pooling="avg"
    )
    net = cw.Network(model, preprocess="none")
    small = [
        info
        for info in net.feature_layers
        if net.field(info.name).rows.size < 90 and not net.field(info.name).rows.whole
    ]
    info = small[-1]
    field = net.field(info.name)
    part = keras.Model(model.inputs, model.get_layer(info.name).output)
    row, column = field.shape[0] // 2, field.shape[1] // 2
    reached = np.zeros(size[:2])
    for seed in range(4):
        x = tf.Variable(np.random.default_rng(seed).normal(size=(1, *size)), dtype=tf.float32)
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(part(x, training=False)[0, row, column])
        reached += np.abs(tape.gradient(total, x).numpy()[0]).sum(-1)
    rows, columns = np.nonzero(reached)
    box = net.receptive_field(info.name, row, column)
    assert rows.min() >= box.top
    assert columns.min() >= box.left
    assert rows.max() < box.bottom
    assert columns.max() < box.right
    # ReLUs that are off and maxima that lose make the support a little smaller, never larger
    assert rows.max() + 1 - rows.min() > 0.7 * (box.bottom - box.top)
    assert columns.max() + 1 - columns.min() > 0.7 * (box.right - box.left)

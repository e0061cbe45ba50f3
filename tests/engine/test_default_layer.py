"""The default layer is the last map that all of the score passes through, whatever made it."""

import numpy as np
import pytest

import cnn_widgets as cw


def conv(keras, name, **options):
    return keras.layers.Conv2D(4, 3, padding="same", activation="relu", name=name, **options)


def gate(keras, x):
    return x * keras.layers.Conv2D(1, 1, activation="sigmoid", name="gate")(x)


def branch(keras, x):
    return x + conv(keras, "branch")(x)


def keras_ops(keras, x):
    return keras.ops.relu(keras.ops.subtract(x, conv(keras, "other")(x)))


def concatenated(keras, x):
    return keras.ops.concatenate([x, conv(keras, "other")(x)], axis=-1)


def squeeze_and_excite(keras, x):
    inside = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    return x * keras.layers.Dense(4, activation="sigmoid", name="excite")(inside)


def merged_by_a_layer(keras, x):
    return keras.layers.Add(name="sum")([x, conv(keras, "branch")(x)])


def last_is_a_layer(keras, x):
    return conv(keras, "last")(x * 2 + 1)


def in_a_nested_model(keras, x):
    inside = keras.Input(x.shape[1:])
    return keras.Model(inside, branch(keras, inside), name="block")(x)


def own_layer(keras, x):
    class Gated(keras.layers.Layer):
        def __init__(self):
            super().__init__(name="own")
            self.conv = conv(keras, "conv")

        def call(self, x):
            return x * self.conv(x)

    return Gated()(x)


KINDS = {
    "gate": (gate, "Mul"), "branch": (branch, "Add"), "keras.ops": (keras_ops, "Relu"),
    "concatenated": (concatenated, "concat"), "squeeze and excite": (squeeze_and_excite, "Mul"),
    "merged by a layer": (merged_by_a_layer, "sum"), "last is a layer": (last_is_a_layer, "last"),
    "nested": (in_a_nested_model, "Add"), "own layer": (own_layer, "own"),
}  # fmt: skip


def model(keras, end):
    keras.utils.set_random_seed(3)
    image = keras.Input((16, 16, 3))
    x = keras.layers.MaxPooling2D(name="pool")(conv(keras, "first")(image))
    x = keras.layers.GlobalAveragePooling2D()(end(keras, x))
    return keras.Model(image, keras.layers.Dense(3, name="head", activation="softmax")(x))


@pytest.mark.parametrize("kind", KINDS)
def test_its_activations_alone_decide_the_scores(keras, gallery, kind):
    end, named = KINDS[kind]
    net = cw.Network(model(keras, end))
    one, other = gallery["cat"], gallery["rocket"]
    engine = net.engine_for(one)
    assert net.default_layer.rpartition("/")[2].startswith(named)

    changed = engine.tail_scores(
        net.default_layer,
        net.input_tensor(one)[None],
        net.activations(other, net.default_layer)[None],
    )
    np.testing.assert_allclose(changed[0][0], net.scores(other)[0], atol=1e-5)
    assert np.abs(net.scores(one)[0] - net.scores(other)[0]).max() > 1e-3

    found = cw.attribute(net, one, "hirescam", 1)
    assert found.layer == net.default_layer
    assert found.raw.shape == (8, 8)
    assert found.raw.any()


@pytest.mark.parametrize("kind", ["branch", "gate", "keras.ops"])
def test_a_layer_of_one_branch_does_not_decide_them(keras, gallery, kind):
    """What is measured above can fail: a branch's own map carries only a part."""
    net = cw.Network(model(keras, KINDS[kind][0]))
    one, other = gallery["cat"], gallery["rocket"]
    aside = {"branch": "branch", "gate": "gate", "keras.ops": "other"}[kind]
    changed = net.engine_for(one).tail_scores(
        aside, net.input_tensor(one)[None], net.activations(other, aside)[None]
    )
    assert np.abs(changed[0][0] - net.scores(other)[0]).max() > 1e-3


def test_its_name_is_the_same_in_every_session(keras, gallery):
    names = {cw.Network(model(keras, branch)).default_layer for _ in range(3)}
    assert names == {"Add"}


def test_where_no_map_carries_all_of_the_score_that_is_said(keras):
    image = keras.Input((16, 16, 3))
    pooled = [
        keras.layers.GlobalAveragePooling2D()(conv(keras, name)(image)) for name in ("a", "b")
    ]
    head = keras.layers.Dense(3, activation="softmax")(keras.layers.Concatenate()(pooled))
    net = cw.Network(keras.Model(image, head))
    assert net.default_layer in ("a", "b")
    assert any("No layer's map carries all of the score" in note for note in net.notes)

"""What a network's output is taken for, where no softmax or sigmoid is its last step."""

import numpy as np
import pytest
from helpers.networks import tiny

import cnn_widgets as cw
from cnn_widgets.heads import bounds


def sigmoid_unit(keras, inputs, seed, units=1):
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    start = keras.initializers.RandomNormal(stddev=3, seed=seed)
    x = layers.Conv2D(4, 3, activation="relu")(layers.Rescaling(1 / 255)(inputs))
    x = layers.GlobalAveragePooling2D()(x)
    return layers.Dense(units, activation="sigmoid", kernel_initializer=start)(x)


def softmax(keras, inputs, units):
    keras.utils.set_random_seed(3)
    x = keras.layers.Conv2D(4, 3)(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.layers.Dense(units, activation="softmax")(x)


def inside_a_function(keras, p):
    import tensorflow as tf

    return keras.layers.Lambda(tf.function(lambda x: tf.nn.sigmoid(5 * x)))(p)


#: Ends that put out a probability P of the second of two classes.
ENDS = {
    "mean of two": lambda keras, i: keras.layers.Average()(
        [sigmoid_unit(keras, i, 1), sigmoid_unit(keras, i, 2)]),
    "the larger of two": lambda keras, i: keras.layers.Maximum()(
        [sigmoid_unit(keras, i, 1), sigmoid_unit(keras, i, 2)]),
    "mean over a stack": lambda keras, i: keras.ops.mean(
        keras.ops.stack([sigmoid_unit(keras, i, n) for n in range(3)]), axis=0),
    "geometric mean": lambda keras, i: keras.ops.sqrt(
        sigmoid_unit(keras, i, 1) * sigmoid_unit(keras, i, 2)),
    "the other class": lambda keras, i: 1 - sigmoid_unit(keras, i, 1),
    "clipped": lambda keras, i: keras.ops.clip(sigmoid_unit(keras, i, 1), 1e-6, 1 - 1e-6),
    "hard sigmoid": lambda keras, i: keras.ops.hard_sigmoid(2 * sigmoid_unit(keras, i, 1) - 1),
    "written out": lambda keras, i: 1 / (1 + keras.ops.exp(-4 * sigmoid_unit(keras, i, 1) + 1)),
    "one of a softmax": lambda keras, i: softmax(keras, i, 3)[:, 1:2],
    "in a tf.function": lambda keras, i: inside_a_function(keras, sigmoid_unit(keras, i, 1)),
}  # fmt: skip


@pytest.mark.parametrize("end", ENDS)
def test_a_single_probability_is_that_of_the_second_class(keras, photo, end):
    inputs = keras.Input((16, 12, 3))
    model = keras.Model(inputs, ENDS[end](keras, inputs))
    net = cw.Network(model, preprocess="none", class_names=["cat", "dog"])
    own = float(np.asarray(model(net.input_tensor(photo)[None]))[0, 0])
    probabilities = net.scores(photo)[1]
    np.testing.assert_allclose(probabilities, [1 - own, own], atol=1e-6)
    assert net.predict(photo)[0].name == ("dog" if own > 0.5 else "cat")
    assert any("the probability of the second class" in note for note in net.notes)
    cat, dog = (cw.attribute(net, photo, "saliency", each) for each in (0, 1))
    np.testing.assert_allclose(cat.raw, dog.raw, rtol=1e-4, atol=1e-9)  # one rises as one falls


@pytest.mark.parametrize("name", ["labels for themselves", "a class left out"])
def test_probabilities_that_do_not_add_up_to_one_stay_as_they_are(keras, photo, name):
    inputs = keras.Input((16, 12, 3))
    outputs = {
        "labels for themselves": lambda: keras.layers.Average()(
            [sigmoid_unit(keras, inputs, n, units=4) for n in (1, 2)]
        ),
        "a class left out": lambda: softmax(keras, inputs, 5)[:, 1:],
    }[name]()
    model = keras.Model(inputs, outputs)
    net = cw.Network(model, preprocess="none")
    own = np.asarray(model(net.input_tensor(photo)[None]))[0]
    assert abs(own.sum() - 1) > 1e-3
    np.testing.assert_allclose(net.scores(photo)[1], own, atol=1e-6)
    assert any("taken as probabilities" in note for note in net.notes)


def test_a_value_without_bounds_is_a_logit_and_says_so(keras, photo):
    model = tiny(keras, None, classes=1)
    net = cw.Network(model, preprocess="none", class_names=["cat", "dog"])
    own = float(np.asarray(model(net.input_tensor(photo)[None]))[0, 0])
    assert net.scores(photo)[1][1] == pytest.approx(1 / (1 + np.exp(-own)), rel=1e-5)
    assert any("the logit of the second class" in note for note in net.notes)


def test_what_is_told_of_the_head_is_followed(keras, photo):
    model = tiny(keras, None, classes=1)
    net = cw.Network(model, preprocess="none", class_names=["a", "b"], head="probabilities")
    own = float(np.asarray(model(net.input_tensor(photo)[None]))[0, 0])
    np.testing.assert_allclose(net.scores(photo)[1], [1 - own, own], rtol=1e-5)


def test_logits_that_look_like_probabilities_are_pointed_out(keras):
    """Nothing in the graph holds them there: only what came out of trial pictures."""
    inputs = keras.Input((16, 12, 3))
    start = keras.initializers.Constant(1e-6)
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, kernel_initializer=start)(x))
    said = "say head='probabilities'"
    assert any(said in note for note in cw.Network(model, preprocess="none").notes)
    told = cw.Network(model, preprocess="none", head="logits")
    assert not any(said in note for note in told.notes)
    assert not any(said in note for note in cw.Network(tiny(keras, None)).notes)


def test_bounds_follow_from_what_a_tensor_is_made_of(keras):
    import tensorflow as tf

    found = {}

    @tf.function(autograph=False)
    def trace(x):
        p = tf.sigmoid(x)
        found["sum"] = bounds(p + p)
        found["mean"] = bounds((p + tf.nn.softmax(x)) / 2)
        found["difference"] = bounds(p - 2 * p)
        found["product"] = bounds((p - 1) * -3.0)
        found["joined"] = bounds(tf.concat([p, -tf.tanh(x), [[5.0]]], -1))
        found["quotient"] = bounds(1 / (p + 1))
        found["by what may be zero"] = bounds(1 / p)
        found["likelihood"] = bounds(tf.exp(tf.nn.log_softmax(x)))
        found["chosen"] = bounds(tf.where(x > 0, p, 2 * p))
        found["anything"] = bounds(x * 2)
        found["rectified"] = bounds(tf.nn.relu(x))
        found["clipped"] = bounds(tf.clip_by_value(x, -0.5, 0.5))
        return p

    trace.get_concrete_function(tf.TensorSpec((1, 3)))
    inf = np.inf
    wanted = {
        "sum": (0, 2), "mean": (0, 1), "difference": (-2, 1), "product": (0, 3), "joined": (-1, 5),
        "quotient": (0.5, 1), "by what may be zero": (-inf, inf), "likelihood": (0, 1),
        "chosen": (0, 2), "anything": (-inf, inf), "rectified": (0, inf), "clipped": (-0.5, 0.5),
    }  # fmt: skip
    for name, interval in wanted.items():
        assert found[name] == pytest.approx(interval), name

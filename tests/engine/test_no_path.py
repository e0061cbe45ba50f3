"""Where no path leads back from the score, that is said, with the place; never a map of zeros."""

import numpy as np
import pytest

import cnn_widgets as cw


def model(keras, between, dtype=None):
    """Return a classifier whose convolutions 'first' and 'second' have something between them."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3), dtype=dtype)
    x = image if dtype is None else keras.ops.cast(image, "float32")
    x = layers.Conv2D(4, 3, name="first", activation="relu")(x)
    x = layers.Conv2D(4, 3, name="second", activation="relu")(between(x))
    x = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, x)


def through_numpy(x):
    import tensorflow as tf

    found = tf.numpy_function(lambda array: array * np.float32(2), [x], tf.float32)
    found.set_shape(x.shape)
    return found


def resized_by_area(x):
    import tensorflow as tf

    return tf.image.resize(x, (7, 7), method="area")


def kinds(keras):
    return {
        "ResizeArea": keras.layers.Lambda(resized_by_area, output_shape=(7, 7, 4)),
        "StopGradient": keras.layers.Lambda(keras.ops.stop_gradient),
        "PyFunc": keras.layers.Lambda(through_numpy, output_shape=(14, 14, 4)),
        "whole numbers": lambda x: keras.ops.cast(keras.ops.cast(x * 100, "int32"), "float32"),
    }


@pytest.mark.parametrize("kind", ["StopGradient", "PyFunc", "ResizeArea", "whole numbers"])
def test_the_place_where_the_path_ends_is_named(keras, gallery, kind):
    net = cw.Network(model(keras, kinds(keras)[kind]))
    with pytest.raises(ValueError, match=f"No path leads back .* layer 'first'.*{kind}"):
        cw.attribute(net, gallery["cat"], layer="first")
    with pytest.raises(ValueError, match="No path leads back from the score to the input"):
        cw.attribute(net, gallery["cat"], "saliency")
    assert net.activations(gallery["cat"], "second").any()


def test_a_layer_of_another_branch_leads_nowhere(keras, gallery):
    layers = keras.layers
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, name="used")(image)
    other = layers.Conv2D(4, 3, name="aside")(image)
    outputs = [
        layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(each))
        for each in (x, other)
    ]
    net = cw.Network(keras.Model(image, outputs))
    for method in ("grad-cam", "eigen-cam", "score-cam", "ablation-cam"):
        with pytest.raises(ValueError, match="nothing of it leads to the score"):
            cw.attribute(net, gallery["cat"], method, layer="aside")


def test_an_input_of_whole_numbers_has_its_gradients_behind_the_cast(keras, gallery):
    pixels, cat = model(keras, lambda x: x, dtype="uint8"), gallery["cat"]
    floats = model(keras, lambda x: x)
    floats.set_weights(pixels.get_weights())
    ours = cw.attribute(cw.Network(pixels), cat, "saliency", 1)
    theirs = cw.attribute(cw.Network(floats, "none"), cat, "saliency", 1)
    np.testing.assert_allclose(ours.raw, theirs.raw, atol=1e-6)
    assert not ours.empty


def test_the_explorer_says_no_path_and_shows_no_map(keras):
    explorer = cw.CNNExplorer(model(keras, kinds(keras)["StopGradient"]))
    try:
        assert explorer._screen.pictures["overlay"].layout.visibility != "hidden"
        explorer.state.cam_layer = "first"
        said = explorer._screen.status.value
        assert "No path leads back" in said
        assert "StopGradient" in said
        assert explorer._screen.pictures["overlay"].layout.visibility == "hidden"
        explorer.state.cam_layer = "default"
        assert "No path" not in explorer._screen.status.value
        assert explorer._screen.pictures["overlay"].layout.visibility != "hidden"
    finally:
        explorer.close()

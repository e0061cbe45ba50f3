"""KerasHub classifiers open with their own preprocessor; `.ci/hub` runs this where it is installed.

The package needs the whole of TensorFlow, not the processor-only one, so that it has an
environment of its own. Weights are random: nothing is downloaded.
"""

from importlib.util import find_spec

import numpy as np
import pytest

import cnn_widgets as cw

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("keras_hub") is None, reason="keras-hub is not installed"),
]
SIDE, SCALE, OFFSET = 64, [1 / 50, 1 / 60, 1 / 70], [-1.0, -2.0, -1.5]
BACKBONES = {
    "ResNet": {
        "input_conv_filters": [64],
        "input_conv_kernel_sizes": [7],
        "stackwise_num_filters": [64, 64],
        "stackwise_num_blocks": [1, 1],
        "stackwise_num_strides": [1, 2],
        "block_type": "basic_block",
    },
    "MobileNet": {
        "stackwise_expansion": [[40, 56], [64, 144]],
        "stackwise_num_blocks": [2, 2],
        "stackwise_num_filters": [[16, 16], [24, 24]],
        "stackwise_kernel_size": [[3, 3], [5, 5]],
        "stackwise_num_strides": [[2, 1], [2, 1]],
        "stackwise_se_ratio": [[None, None], [0.25, 0.25]],
        "stackwise_activation": [["relu", "relu"], ["hard_swish", "hard_swish"]],
        "stackwise_padding": [[1, 1], [2, 2]],
        "output_num_filters": 32,
        "depthwise_filters": 8,
        "depthwise_stride": 2,
        "depthwise_residual": False,
        "last_layer_filter": 48,
        "input_activation": "hard_swish",
        "output_activation": "hard_swish",
        "input_num_filters": 16,
        "image_shape": (SIDE, SIDE, 3),
    },
    "EfficientNet": {
        "stackwise_kernel_sizes": [3, 3],
        "stackwise_num_repeats": [1, 2],
        "stackwise_input_filters": [16, 16],
        "stackwise_output_filters": [16, 24],
        "stackwise_expansion_ratios": [1, 4],
        "stackwise_squeeze_and_excite_ratios": [0.0, 0.25],
        "stackwise_strides": [1, 2],
        "stackwise_block_types": ["fused", "unfused"],
        "stackwise_width_coefficients": [1.0, 1.0],
        "stackwise_depth_coefficients": [1.0, 1.0],
        "num_features": 32,
    },
    "VGG": {"stackwise_num_repeats": [1, 1, 1], "stackwise_num_filters": [8, 16, 16]},
    "DenseNet": {"stackwise_num_repeats": [2, 2], "growth_rate": 8},
    "CSPNet": {
        "stem_filters": 8,
        "stem_kernel_size": 3,
        "stem_strides": 1,
        "stackwise_depth": [1, 2],
        "stackwise_strides": [1, 2],
        "stackwise_num_filters": [8, 16],
        "block_type": "dark_block",
        "stage_type": "dark",
    },
    "Xception": {
        "stackwise_conv_filters": [[8, 16], [16, 16]],
        "stackwise_pooling": [True, False],
    },
    "ViT": {
        "image_shape": (SIDE, SIDE, 3),
        "patch_size": 16,
        "num_layers": 2,
        "num_heads": 2,
        "hidden_dim": 32,
        "mlp_dim": 64,
    },
}


def classifier(family, classes=5, **converter):
    """Return a KerasHub classifier of random weights with a preprocessor of its own."""
    import keras
    import keras_hub

    def part(name):
        return getattr(keras_hub.models, f"{family}{name}")

    keras.utils.set_random_seed(0)
    options = {"image_size": (SIDE, SIDE), "scale": SCALE, "offset": OFFSET} | converter
    images = getattr(keras_hub.layers, f"{family}ImageConverter")(**options)
    head = {"head_dim": 16, "pooling": "avg"} if family == "VGG" else {}
    head |= {"pooling": "token"} if family == "ViT" else {}
    return part("ImageClassifier")(
        backbone=part("Backbone")(**BACKBONES[family]),
        preprocessor=part("ImageClassifierPreprocessor")(image_converter=images),
        num_classes=classes,
        **head,
    )


@pytest.mark.parametrize("family", BACKBONES)
def test_a_classifier_opens_with_its_own_preprocessor(gallery, family):
    model, cat = classifier(family), gallery["cat"]
    net = cw.Network(model)
    x = net.input_tensor(cat)
    assert net.input_size == (SIDE, SIDE)
    assert net.fit == "crop"
    assert any("by the model's own preprocessor" in note for note in net.notes)
    theirs = np.asarray(model.preprocessor(cat.pixels[None].astype(np.float32)))[0]
    assert np.abs(x - theirs).mean() < 0.12  # they resize without smoothing
    np.testing.assert_allclose(x.mean((0, 1)), theirs.mean((0, 1)), atol=0.05)
    scores = np.asarray(model(x[None]))[0]
    np.testing.assert_allclose(net.scores(cat)[0], scores, atol=1e-5 * max(1, abs(scores).max()))
    found = cw.attribute(net, cat, "grad-cam")
    assert found.layer == net.default_layer
    assert np.isfinite(found.raw).all()


def test_padding_is_its_own_too_and_a_thousand_classes_have_imagenet_s_names(gallery):
    model = classifier("VGG", 1000, crop_to_aspect_ratio=False, pad_to_aspect_ratio=True)
    net = cw.Network(model)
    assert net.fit == "letterbox"
    assert net.class_names[285] == "Egyptian cat"
    assert any("ImageNet's, a guess" in note for note in net.notes)


def test_a_preset_file_opens_on_trust(tmp_path):
    classifier("DenseNet").save(tmp_path / "classifier.keras")
    net = cw.load_network(tmp_path / "classifier.keras", trust=True)
    assert any("by the model's own preprocessor" in note for note in net.notes)

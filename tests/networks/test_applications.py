"""Where networks come from, with no network to be had."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from helpers.networks import tiny

import cnn_widgets as cw
from cnn_widgets.networks import applications
from cnn_widgets.networks.applications import weights_here
from cnn_widgets.networks.class_names import imagenet_names
from cnn_widgets.networks.families import family_inside

OFFLINE = """
import socket, sys
def refuse(*a, **k): raise OSError("this machine is offline")
socket.socket.connect = refuse
socket.create_connection = refuse
socket.getaddrinfo = refuse
import cnn_widgets as cw
"""


def offline(code, **environment):
    """Run code in a fresh Python in which no connection can be made."""
    return subprocess.run(
        [sys.executable, "-c", OFFLINE + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize(
    ("picture", "name", "probability"),
    [
        ("cat", "Egyptian cat", 0.771),
        ("espresso", "espresso", 0.900),
        ("officer", "military uniform", 0.463),
    ],
)
def test_the_bundled_network_says_what_pytorch_says_on_the_same_weights(
    lite0, gallery, picture, name, probability
):
    best = lite0.predict(gallery[picture])[0]
    assert best.name == name
    assert best.probability == pytest.approx(probability, abs=6e-4)


def test_the_top_three_of_the_cat_are_three_cats(lite0, gallery):
    found = [(p.name, round(p.probability, 3)) for p in lite0.predict(gallery["cat"], top=3)]
    assert found == [("Egyptian cat", 0.771), ("tiger cat", 0.101), ("tabby", 0.077)]


def test_the_bundled_network_has_its_4_7_million_parameters(lite0):
    assert round(lite0.model.count_params() / 1e6, 1) == 4.7
    assert lite0.default_layer == "head_relu"


@pytest.mark.slow
def test_the_bundled_network_and_its_gallery_need_no_connection():
    done = offline("print(cw.load_network().predict(cw.gallery()['cat'])[0].name)")
    assert done.stdout.strip() == "Egyptian cat", done.stderr[-2000:]


@pytest.mark.slow
def test_a_weights_file_in_keras_home_is_used_with_no_network_at_all(tmp_path, keras, gallery):
    folder = tmp_path / "models"
    folder.mkdir()
    keras.utils.set_random_seed(5)
    model = keras.applications.MobileNetV2(weights=None)
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5"
    model.save(folder / name)
    net = cw.load_network(model, preprocess=keras.applications.mobilenet_v2.preprocess_input)
    expected = net.predict(gallery["cat"])[0]
    done = offline(
        "p = cw.load_network('MobileNetV2').predict(cw.gallery()['cat'])[0];"
        "print(p.class_index, p.score)",
        KERAS_HOME=str(tmp_path),
    )
    index, score = done.stdout.split()
    assert int(index) == expected.class_index
    assert float(score) == pytest.approx(expected.score, rel=1e-4)


@pytest.mark.slow
def test_offline_and_not_cached_says_which_file_to_put_where(tmp_path):
    done = offline(
        """
        lines = []
        try: cw.load_network("MobileNetV2", progress=lines.append)
        except ConnectionError as error: print(error)
        print(lines)
        """,
        KERAS_HOME=str(tmp_path),
    )
    assert "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5" in done.stdout
    assert str(tmp_path / "models") in done.stdout
    assert "EfficientNet-Lite0" in done.stdout
    assert "Loading MobileNetV2" in done.stdout


def test_keras_progress_bar_becomes_lines_of_text():
    lines = []
    out = applications._Lines(lines.append, "Net")
    out.write("\x1b[1m 1048576/14536120\x1b[0m ━━━━ 1s 0us/step\r")
    out.write("something else\n")
    assert lines == ["Downloading Net: 7 % (1.0 of 14.5 MB)"]


def test_every_classifier_of_keras_applications_is_known_by_name(keras):
    known = applications.applications()
    assert len(known) >= 30
    assert {
        "MobileNetV2",
        "ResNet50",
        "VGG16",
        "DenseNet121",
        "EfficientNetV2B0",
        "ConvNeXtTiny",
        "NASNetMobile",
        "MobileNetV3Small",
        "InceptionV3",
        "Xception",
    } <= set(known)
    white = np.full((1, 2, 2, 3), 255.0, np.float32)
    assert known["MobileNetV2"].preprocess(white.copy()).max() == 1.0
    assert known["VGG16"].preprocess(white.copy()).max() == pytest.approx(255 - 103.939)


@pytest.fixture
def channels_first(keras):
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    yield keras
    keras.config.set_image_data_format(before)


def test_networks_are_built_with_channels_last_whatever_keras_is_set_to(
    lite0, gallery, channels_first
):
    net = cw.load_network()
    assert net.model.input_shape == (None, 224, 224, 3)
    np.testing.assert_array_equal(net.scores(gallery["cat"])[0], lite0.scores(gallery["cat"])[0])
    assert cw.load_network("MobileNet", weights=None).model.input_shape[-1] == 3
    assert channels_first.config.image_data_format() == "channels_first"


def test_recipes_read_the_last_axis_as_colours_whatever_keras_is_set_to(channels_first):
    red = np.zeros((1, 2, 4, 3), np.float32)
    red[..., 0] = 255
    means = np.array([103.939, 116.779, 123.68], np.float32)
    found = applications.applications()["VGG16"].preprocess(red.copy())
    np.testing.assert_allclose(found, red[..., ::-1] - means, atol=1e-3)
    image = channels_first.Input((2, 4, 3))
    family = family_inside(channels_first.Model(image, image, name="efficientnetv2s"))
    np.testing.assert_allclose(family.recipe(red.copy()), red / 127.5 - 1)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(
        ValueError, match=r"Unknown network 'MobilNet'. Known: 'EfficientNet-Lite0'"
    ):
        cw.load_network("MobilNet")
    with pytest.raises(ValueError, match="Expected weights"):
        cw.load_network("MobileNetV2", weights="noisy")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:.*legacy.*")
def test_a_model_file_opens_with_what_the_caller_knows(tmp_path, keras, photo, suffix):
    model = tiny(keras)
    path = tmp_path / f"mine{suffix}"
    model.save(path)
    net = cw.load_network(str(path), preprocess="none", class_names=["a", "b", "c", "d"])
    assert net.name == "mine"
    assert {p.name for p in net.predict(photo)} == set("abcd")
    straight = cw.Network(model, preprocess="none")
    np.testing.assert_allclose(net.scores(photo)[0], straight.scores(photo)[0], rtol=1e-5)


def test_model_files_are_loaded_safely_or_not_at_all(tmp_path, keras):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Lambda(lambda t: t * 2)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    model.save(tmp_path / "code.keras")
    with pytest.raises(ValueError, match=r"code.keras cannot be loaded as a Keras model"):
        cw.load_network(tmp_path / "code.keras")
    (tmp_path / "text.keras").write_text("this is no model")
    with pytest.raises(ValueError, match=r"text.keras cannot be loaded"):
        cw.load_network(tmp_path / "text.keras")
    with pytest.raises(FileNotFoundError, match="no model file"):
        cw.load_network(tmp_path / "missing.keras")


def test_family_names_are_read_off_model_names():
    assert applications.application_family("mobilenetv2_1.00_224") == "MobileNetV2"
    assert applications.application_family("resnet50v2") == "ResNet50V2"
    assert applications.application_family("my_own_net") is None


def test_imagenet_names_are_offline_complete_and_all_different():
    names = imagenet_names()
    assert len(names) == len(set(names)) == 1000
    assert (names[0], names[285], names[967], names[999]) == (
        "tench",
        "Egyptian cat",
        "espresso",
        "toilet tissue",
    )


def test_configure_sets_every_seed_and_says_what_it_found():
    import random

    found = cw.configure(seed=7)
    first = random.random(), np.random.rand()
    again = cw.configure(seed=7)
    assert (random.random(), np.random.rand()) == first
    assert found == again
    assert "CPU" in str(found)
    assert "seed 7" in str(found)
    assert "keras" in found.versions


def test_the_weights_on_this_machine_are_known_by_their_files(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert weights_here() == set()
    (tmp_path / "models").mkdir()
    for name in (
        "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5",
        "weights_mobilenet_v3_large_224_1.0_float.h5",
        "efficientnetv2-b0.h5",
        "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "resnet50v2_weights_tf_dim_ordering_tf_kernels.h5",
        "convnext_tiny_notop.h5",
        "nasnet_mobile_no_top.h5",
        "mine.h5",
    ):
        (tmp_path / "models" / name).touch()
    assert weights_here() == {"MobileNetV2", "MobileNetV3Large", "EfficientNetV2B0", "ResNet50V2"}

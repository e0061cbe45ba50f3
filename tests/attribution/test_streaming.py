"""A folder of photographs, one after another."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers.networks import tiny
from PIL import Image

import cnn_widgets as cw
from cnn_widgets.datasets import open_images


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(5)
    for number in range(21):
        pixels = rng.integers(0, 256, (20, 14 + number % 3, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number:02}.png")
    (tmp_path / "05.png").write_bytes(b"no picture")
    (tmp_path / "20.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not asked for")
    return tmp_path


@pytest.mark.parametrize("method", ["grad-cam", "saliency", "occlusion"])
def test_a_folder_gives_what_its_files_give_one_by_one(tiny_net, folder, method):
    found = list(cw.stream(tiny_net, folder, method))
    assert [each.name for each in found] == [f"{n:02}.png" for n in range(21)]
    for each in found:
        if each.name in ("05.png", "20.png"):
            assert isinstance(each.error, ValueError)
            assert each.name in str(each.error)
            assert (each.sample, each.predictions, each.attribution) == (None, (), None)
            continue
        sample = cw.load_image(folder / each.name)
        alone = cw.attribute(tiny_net, sample, method)
        assert each.error is None
        assert each.attribution.class_index == alone.class_index
        np.testing.assert_allclose(
            each.attribution.raw, alone.raw, atol=1e-4 * max(np.abs(alone.raw).max(), 1e-6)
        )
        assert [p.class_index for p in each.predictions] == [
            p.class_index for p in tiny_net.predict(sample)
        ]
        np.testing.assert_array_equal(each.sample.pixels, sample.pixels)


def test_a_class_holds_for_all(tiny_net, folder):
    found = [each for each in cw.stream(tiny_net, folder, class_index=2) if not each.error]
    assert {each.attribution.class_index for each in found} == {2}


def test_an_endless_stream_is_drawn_from_only_as_it_is_needed(tiny_net):
    drawn = []

    def endless():
        for number in itertools.count():
            drawn.append(number)
            yield np.full((8, 8, 3), number % 256, np.uint8)

    first = list(itertools.islice(cw.stream(tiny_net, endless()), 10))
    assert len(first) == 10
    assert len(drawn) <= 32


def test_what_was_shown_is_not_held(keras):
    import gc
    import weakref

    net = cw.Network(tiny(keras), preprocess="none", max_cache_bytes=1000)
    sources = (np.full((8, 8, 3), n % 256, np.uint8) for n in range(64))
    seen = []
    for each in cw.stream(net, sources):
        seen.append(weakref.ref(each.sample))
    del each
    gc.collect()
    assert sum(ref() is not None for ref in seen) <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "nope"}, "Unknown method"),
        ({"layer": "nope"}, "Unknown layer"),
        ({"class_index": 99}, "Unknown class 99"),
        ({"target": "nope"}, "Expected target"),
        ({"top": 0}, "top to be at least 1"),
        ({"fit": "foo"}, "Expected fit to be one of .* Received: 'foo'"),
    ],
)
def test_a_wrong_question_is_refused_before_anything_is_read(tiny_net, options, message):
    def never():
        raise AssertionError("read")
        yield

    with pytest.raises(ValueError, match=message):
        cw.stream(tiny_net, never(), **options)


def test_what_is_no_number_is_refused_in_words(tiny_net):
    with pytest.raises(TypeError, match=r"Expected top to be a whole number\. Received: '3'"):
        cw.stream(tiny_net, [np.zeros((4, 4, 3), np.uint8)], top="3")


def test_no_photograph_is_an_error(tiny_net):
    nothing = open_images([np.zeros((4, 4, 3), np.uint8)]).part(0, 0)
    with pytest.raises(ValueError, match="at least one photograph"):
        cw.stream(tiny_net, nothing)
    with pytest.raises(ValueError, match=r"at least one image\. Received an empty data set or"):
        list(cw.stream(tiny_net, iter([])))


def test_a_folder_without_pictures_and_no_folder_are_named(tiny_net, tmp_path):
    with pytest.raises(ValueError, match="holds no pictures"):
        cw.stream(tiny_net, tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no file or folder"):
        cw.stream(tiny_net, tmp_path / "nowhere")


def test_a_large_jpeg_is_decoded_no_larger_than_is_needed(lite0, gallery, tmp_path):
    for name in ("cat", "espresso"):
        Image.fromarray(gallery[name].pixels).resize((2400, 1800)).save(tmp_path / f"{name}.jpg")
    quick, whole = (list(cw.stream(lite0, tmp_path, whole=each)) for each in (False, True))
    for small, full in zip(quick, whole, strict=True):
        assert small.sample.size == small.attribution.heatmap.shape == (450, 600)
        assert full.sample.size == (1800, 2400)
        assert small.predictions[0].class_index == full.predictions[0].class_index
        for one, other in zip(small.predictions[:2], full.predictions[:2], strict=True):
            assert one.probability == pytest.approx(other.probability, abs=0.02)
        one, other = small.attribution.raw, full.attribution.raw
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.99


@pytest.fixture
def glaring(keras):
    """A network of two classes whose scores overflow where a photograph is brighter than 200."""
    x = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(2, 3, name="conv", use_bias=False)(x)
    scores = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(maps))
    model = keras.Model(x, scores)
    kernel, dense = np.full((3, 3, 3, 2), 1 / 27), np.array([[1.7e36, 0.01], [0, 0.02]])
    model.set_weights([kernel, dense, np.zeros(2)])
    return cw.Network(model, preprocess="none")


def grey(*values):
    """Photographs of one brightness each; from 201 on the network overflows: 3.4e38 / 1.7e36."""
    return {f"{n} {value}": np.full((8, 8, 3), value, np.uint8) for n, value in enumerate(values)}


@pytest.mark.parametrize("method", ["grad-cam", "saliency", "occlusion"])
@pytest.mark.parametrize("values", [
    (250, *range(30), 251), tuple(np.tile([10, 255, 20], 9)), (*[255] * 20, 5), (*range(8), 255),
])  # fmt: skip
def test_a_photograph_without_finite_scores_is_named_and_the_others_go_on(glaring, method, values):
    found = list(cw.stream(glaring, grey(*values), method))
    assert [each.name for each in found] == list(grey(*values))
    for value, each in zip(values, found, strict=True):
        assert (each.error is not None) == (value > 200)
        if value > 200:
            assert (each.sample, each.predictions, each.attribution) == (None, (), None)
            assert f"NaN or infinite scores for {each.name!r}" in str(each.error)
        else:
            assert each.sample.pixels.max() == value
            assert each.predictions[0].class_index == 0


def test_a_network_without_finite_scores_for_any_photograph_is_an_error(glaring, tmp_path):
    found = cw.stream(glaring, {**grey(*[255] * 20), "torn": b"no picture"})
    for number in range(21):
        assert next(found).error is not None, number
    with pytest.raises(ValueError, match="NaN or infinite scores for '0 255', though its weights"):
        next(found)
    with ThreadPoolExecutor(2) as pool:  # the first shard holds none that is answered
        found = list(cw.stream(glaring, grey(*[255] * 9, 1), executor=pool))
        assert [each.error is None for each in found] == [False] * 9 + [True]
        with pytest.raises(ValueError, match="NaN or infinite scores"):
            list(cw.stream(glaring, grey(*[255] * 9), executor=pool))

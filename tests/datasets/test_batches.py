"""Arrays, lists, `tf.data` and Keras data sets: how many pictures, of which values and labels."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image

import cnn_widgets as cw
from cnn_widgets.datasets import batches, open_images
from cnn_widgets.datasets.elements import plain_picture

RNG = np.random.default_rng(0)
COLORS = RNG.integers(0, 256, (6, 9, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def tf(keras):
    from cnn_widgets.environment import tensorflow

    return tensorflow()


def pixels(images):
    return np.stack([images.read(index).pixels for index in range(len(images))])


# --- one array -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (COLORS, COLORS),
        (COLORS / 255, COLORS),
        ((COLORS / 255).astype(np.float32), COLORS),
        (COLORS.astype(np.float32), COLORS),
        (COLORS.astype(np.int64), COLORS),
        (COLORS[..., 0], COLORS[..., :1].repeat(3, -1)),
        (COLORS[..., :1], COLORS[..., :1].repeat(3, -1)),
        (COLORS[..., 0] / 255, COLORS[..., :1].repeat(3, -1)),
        (COLORS[..., :1] > 100, np.uint8(255) * (COLORS[..., :1] > 100).repeat(3, -1)),
    ],
)
def test_an_array_of_pictures_in_any_usual_numbers(array, expected):
    images = open_images(array, labels=range(6))
    assert images.names == tuple(f"image {n}" for n in range(6))
    assert images.labels == tuple(range(6))
    np.testing.assert_array_equal(pixels(images), expected)


def test_the_range_is_that_of_all_pictures_and_is_said():
    """A dark picture alone would be taken for one of [0, 1]."""
    dark = np.concatenate([np.full((1, 4, 4, 3), 1.0), np.full((1, 4, 4, 3), 200.0)])
    images = open_images(dark)
    assert images.read(0).pixels.max() == 1
    assert images.notes == ("Values from 1 to 200 are taken as brightness from 0 to 255",)
    assert open_images(dark / 255).notes == (
        "Values from 0.00392 to 0.784 are taken as shares of full brightness",
    )
    assert open_images(COLORS).notes == ()


@pytest.mark.parametrize("way", ["array", "list", "generator"])
def test_shares_that_go_a_little_beyond_1_in_one_picture_are_cut_off_there(way):
    shares = COLORS / 255
    shares[4, 0, 0], shares[4, 0, 1] = 1.02, -0.01
    images = open_images(WAYS[way](shares))
    np.testing.assert_array_equal(pixels(images), np.round(255 * shares.clip(0, 1)))
    told = "Values from -0.01 to 1.02 are taken as shares of full brightness, cut off at 0 and 1"
    assert images.notes == (told,)
    late = iter([np.full((4, 4, 3), 0.5)] * 40 + [np.full((4, 4, 3), 1.02)])
    assert open_images(late).read(40).pixels.min() == 255
    shares[4, 0, 0], shares[4, 0, 1] = 3.5, 0
    with pytest.raises(ValueError, match=r"to 3\.5, which is more than 1"):
        _ = open_images(WAYS[way](shares)).names
    shares[2] *= 255  # among brighter pictures it is a dark one
    assert pixels(open_images(WAYS[way](shares)))[4].max() == 4


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (COLORS / 127.5 - 1, r"Received float64 from -1 to 1\. Are the pictures preprocessed"),
        (COLORS * 1000.0, "Expected values in"),
        (np.full((2, 4, 4, 3), np.nan), "NaN or infinite"),
        (np.zeros((0, 4, 4, 3)), "at least one picture"),
    ],
)
def test_numbers_in_no_usual_range_are_refused(array, said):
    with pytest.raises(ValueError, match=said):
        open_images(array)


def test_bands_gives_the_numbers_as_they_are():
    array = (COLORS / 127.5 - 1).astype(np.float32)
    images = open_images(array, bands=(0, 1, 2))
    np.testing.assert_array_equal(images.read(2).data, array[2])


def test_three_axes_are_one_picture_only_with_channels_at_the_end():
    assert len(open_images(np.zeros((28, 28, 3), np.uint8))) == 1
    assert len(open_images(np.zeros((28, 28, 4), np.uint8))) == 1
    assert len(open_images(np.zeros((28, 28, 28), np.uint8))) == 28
    assert len(open_images(np.zeros((20, 30, 13), np.float32), channels=13)) == 1
    assert open_images(np.zeros((5, 6, 7, 13), np.float32)).read(0).data.shape == (6, 7, 13)


WAYS = {"array": np.stack, "list": list, "mapping": lambda each: dict(enumerate(each)),
        "generator": iter}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("bad", "most"), [(np.nan, 1), (-np.inf, 255)])
def test_a_picture_that_holds_nan_costs_only_itself(tiny_net, way, bad, most):
    given = [each.astype(np.float32) / 255 * most for each in COLORS]
    given[1][2, 3, 0] = bad
    found = list(cw.stream(tiny_net, WAYS[way](given)))
    assert [n for n, each in enumerate(found) if each.error] == [1]
    assert "NaN or infinite" in str(found[1].error)
    shown = np.stack([each.sample.pixels for each in found if each.sample])
    np.testing.assert_array_equal(shown, COLORS[[0, 2, 3, 4, 5]])
    assert found[1].name == ("1" if way == "mapping" else "image 1")


def test_a_first_picture_of_nothing_but_nan_costs_only_itself():
    for way in ("list", "generator"):
        images = open_images(WAYS[way]([np.full((9, 8, 3), np.nan), COLORS[0] / 255]))
        np.testing.assert_array_equal(images.read(1).pixels, COLORS[0])
        with pytest.raises(ValueError, match="NaN or infinite"):
            images.read(0)


@pytest.mark.parametrize("way", WAYS)
def test_uint16_that_holds_bytes_is_shown_as_them_and_that_is_said(way):
    for pictures in (COLORS, COLORS[..., 0]):
        images = open_images(WAYS[way](pictures.astype(np.uint16)))
        np.testing.assert_array_equal(pixels(images)[..., 0], COLORS[..., 0])
        told = f"Values from {pictures.min()} to {pictures.max()} are taken as brightness"
        assert images.notes == (f"{told} from 0 to 255",)
    dark = np.concatenate([np.full((1, 9, 8, 3), 200), COLORS.astype(int) * 257])
    dark = dark.astype(np.uint16)
    images = open_images(WAYS[way](dark))
    assert images.read(0).pixels.max() == 1  # 200 of 65535
    np.testing.assert_array_equal(images.read(1).pixels, COLORS[0])
    assert images.notes == ()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.uint32])
def test_of_masks_of_0_and_1_it_is_said_that_they_are_nearly_black(way, dtype):
    masks = (COLORS[..., 0] > 100).astype(dtype)
    notes = open_images(WAYS[way](masks)).notes
    assert len(notes) == 1
    assert "pass array.astype(bool)" in notes[0]
    assert open_images(WAYS[way](masks.astype(bool))).notes == ()
    assert not any("masks" in note.lower() for note in open_images(WAYS[way](masks * 0)).notes)
    masks[5, 0, 0] = 2
    assert open_images(WAYS[way](masks)).notes[:1] != notes


@pytest.mark.parametrize("way", WAYS)
def test_the_range_of_four_channels_is_that_of_all_pictures_too(way):
    opaque = np.full((6, 9, 8, 1), 255, np.uint8)
    rgba = np.concatenate([COLORS, opaque], -1).astype(np.float32)
    rgba[0] = 0, 0, 0, 1  # alone, this would be black; among the others it is hardly there
    rgba[1, ..., :3] = 0.75
    images = open_images(WAYS[way](rgba))
    np.testing.assert_array_equal(pixels(images)[2:], COLORS[2:])
    assert (images.read(0).pixels.min(), images.read(1).pixels.max()) == (254, 1)
    np.testing.assert_array_equal(images.read(1).data, rgba[1])
    np.testing.assert_array_equal(pixels(open_images(WAYS[way](rgba / 255)))[2:], COLORS[2:])
    bands = rgba * 9 - 3
    images = open_images(WAYS[way](bands))
    np.testing.assert_array_equal(images.read(0).data, bands[0])
    assert images.read(0).bands == (0, 1, 2)


def test_kinds_of_numbers_in_one_list_are_each_taken_for_what_they_are():
    given = [COLORS[0], COLORS[1] / 255, COLORS[2].astype(np.uint16) * 257, COLORS[3].astype(int)]
    for way in ("list", "mapping", "generator"):
        np.testing.assert_array_equal(pixels(open_images(WAYS[way](given))), COLORS[:4])


# --- lists and mappings --------------------------------------------------------------------------


def test_a_list_of_pictures_with_labels(tmp_path):
    Image.fromarray(COLORS[0]).save(tmp_path / "a.png")
    given = [
        tmp_path / "a.png", (str(tmp_path / "a.png"), "cat"), (COLORS[1], np.int64(4)),
        Image.fromarray(COLORS[2]), (cw.load_image(COLORS[3], name="mine"), None),
    ]  # fmt: skip
    images = open_images(given)
    assert images.names == ("a", "a 2", "image 2", "image 3", "mine")
    assert images.labels == (None, "cat", 4, None, None)
    np.testing.assert_array_equal(pixels(images), COLORS[[0, 0, 1, 2, 3]])


def test_a_mapping_and_one_picture():
    images = open_images({"one": COLORS[0], 2: COLORS[1]})
    assert images.names == ("one", "2")
    assert images.read(1).name == "2"
    assert len(open_images(Image.fromarray(COLORS[0]))) == 1
    with pytest.raises(ValueError, match="at least one image"):
        open_images([])
    with pytest.raises(TypeError, match="Expected a path"):
        open_images(7).read(0)


def test_labels_are_one_for_each_picture():
    one_hot = np.eye(6, dtype=np.float32)[[2, 0, 1, 5, 4, 3]]
    assert open_images(COLORS, labels=one_hot).labels == (2, 0, 1, 5, 4, 3)
    assert open_images(COLORS, labels=[[n] for n in range(6)]).labels == tuple(range(6))
    assert open_images(COLORS, labels=list("abcdef")).labels == tuple("abcdef")
    for wrong, said in (
        (range(5), "Expected 6 labels. Received: 5"), (np.ones((6, 3)), "one class to a picture"),
        ([0.5] * 6, "a whole number or a name"), (np.zeros((6, 2, 2, 2)), "one label to a picture"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            open_images(COLORS, labels=wrong)


# --- streams -------------------------------------------------------------------------------------


def sets(tf, keras):
    """Return data sets of the same six pictures, and the labels that each should give."""
    numbers = np.arange(6) % 3
    plain = tf.data.Dataset.from_tensor_slices((COLORS.astype(np.float32), numbers))
    hot = tf.data.Dataset.from_tensor_slices((COLORS / 255, np.eye(3)[numbers]))

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return COLORS[3 * index : 3 * index + 3], numbers[3 * index : 3 * index + 3]

    return {
        "single": (plain, tuple(numbers)), "batched": (plain.batch(4), tuple(numbers)),
        "one-hot": (hot.batch(4), tuple(numbers)), "one-hot single": (hot, tuple(numbers)),
        "without labels": (tf.data.Dataset.from_tensor_slices(COLORS).batch(2), (None,) * 6),
        "PyDataset": (Batches(), tuple(numbers)),
        "generator": ((pair for pair in zip(COLORS, "abcabc", strict=True)), tuple("abcabc")),
    }  # fmt: skip


@pytest.mark.parametrize(
    "kind", ["single", "batched", "one-hot", "one-hot single", "without labels", "PyDataset",
             "generator"]
)  # fmt: skip
def test_a_data_set_gives_its_pictures_and_labels(tf, keras, tiny_net, kind):
    source, labels = sets(tf, keras)[kind]
    images = open_images(source)
    np.testing.assert_array_equal(pixels(images), COLORS)
    assert images.labels == labels
    if kind != "generator":  # that can be gone through only once
        found = list(cw.stream(tiny_net, source))
        assert tuple(each.label for each in found) == labels
        assert [each.name for each in found] == [f"image {n}" for n in range(6)]


def test_grey_pictures_in_batches(tf):
    images = open_images(tf.data.Dataset.from_tensor_slices(COLORS[..., 0]).batch(4))
    np.testing.assert_array_equal(pixels(images), COLORS[..., :1].repeat(3, -1))


def test_image_dataset_from_directory_names_its_classes(keras, tmp_path):
    for number, pixels_ in enumerate(COLORS):
        folder = tmp_path / ("cat" if number < 4 else "dog")
        folder.mkdir(exist_ok=True)
        Image.fromarray(pixels_).save(folder / f"{number}.png")
    for mode in ("int", "categorical"):
        source = keras.utils.image_dataset_from_directory(
            tmp_path, label_mode=mode, image_size=(9, 8), shuffle=False, verbose=False
        )
        images = open_images(source)
        assert images.labels == ("cat",) * 4 + ("dog",) * 2
        np.testing.assert_array_equal(pixels(images), COLORS)


def test_of_a_long_stream_the_first_are_kept_and_that_is_said(monkeypatch):
    monkeypatch.setattr(batches, "KEPT", 20)
    drawn = []

    def endless():
        for number in itertools.count():
            drawn.append(number)
            yield np.full((4, 4, 3), (number % 200) / 255)

    images = open_images(endless())
    assert drawn == []
    assert len(images) == 20
    assert len(drawn) <= 21
    assert "The first 20 pictures are shown" in images.notes[-1]


def test_a_later_picture_of_another_range_is_an_error_of_its_own(tiny_net):
    given = [np.full((4, 4, 3), 0.5)] * 40 + [np.full((4, 4, 3), 90.0)] + [np.zeros((4, 4, 3))]
    found = list(cw.stream(tiny_net, iter(given)))
    assert [n for n, each in enumerate(found) if each.error] == [40]
    assert "the others from 0 to 1" in str(found[40].error)


def test_several_classes_to_a_picture_are_refused(tf, tiny_net):
    many = tf.data.Dataset.from_tensor_slices((COLORS, np.ones((6, 3)))).batch(2)
    with pytest.raises(ValueError, match="Expected one class to a picture"):
        list(cw.stream(tiny_net, many))


# --- elements with names, open files ------------------------------------------------------------


def test_elements_with_names_are_taken_by_their_names(tf, tiny_net):
    parts = {"image": COLORS, "label": np.arange(6) % 3, "id": list("abcdef")}
    data = tf.data.Dataset.from_tensor_slices(parts)
    for source in (data, data.batch(4)):
        images = open_images(source)
        np.testing.assert_array_equal(pixels(images), COLORS)
        assert images.labels == (0, 1, 2, 0, 1, 2)
        assert [each.error for each in cw.stream(tiny_net, source)] == [None] * 6
    listed = [{"image": Image.fromarray(each), "label": "cat"} for each in COLORS]
    for source in (listed, iter(listed)):
        images = open_images(source)
        np.testing.assert_array_equal(pixels(images), COLORS)
        assert images.labels == ("cat",) * 6
    assert open_images([{"img": COLORS[0]}]).labels == (None,)


@pytest.mark.parametrize(
    "keys", [("x", "label"), ("image", "img"), ("image", "label", "class"), ("left", "right")]
)
def test_names_that_do_not_say_which_is_the_picture_are_one_error(keys, tf, tiny_net):
    element = {key: COLORS[0] if key not in ("label", "class") else 1 for key in keys}
    data = tf.data.Dataset.from_tensors(element)
    for source in ([element], iter([element]), data):
        with pytest.raises(ValueError, match=r"Expected elements with one picture.*Received: \['"):
            list(cw.stream(tiny_net, source))


def test_an_open_file_in_a_list_is_read_as_often_as_it_is_asked_for(tmp_path, tiny_net):
    Image.fromarray(COLORS[0]).save(tmp_path / "a.png")
    Image.fromarray(COLORS[1]).save(tmp_path / "b.png")
    with (tmp_path / "a.png").open("rb") as first, (tmp_path / "b.png").open("rb") as second:
        behind = io.BytesIO(b"head" + (tmp_path / "b.png").read_bytes())
        behind.seek(4)
        images = open_images([first, (second, 1), behind])
        for _ in range(2):
            np.testing.assert_array_equal(pixels(images), COLORS[[0, 1, 1]])
        assert images.names == ("a", "b", "image 2")
        assert images.fingerprint() == images.fingerprint()
        assert len({each.name for each in cw.stream(tiny_net, images)}) == 3
        assert len(cw.audit(tiny_net, images)) == 3


def test_a_pipe_in_a_list_says_that_it_is_read_only_once(tmp_path):
    class Pipe(io.RawIOBase):
        name, content = "pipe.png", b""

        def seekable(self):
            return False

        def read(self, size=-1):
            return self.content

    Image.fromarray(COLORS[0]).save(tmp_path / "a.png")
    pipe = Pipe()
    pipe.content = (tmp_path / "a.png").read_bytes()
    images = open_images([pipe])
    np.testing.assert_array_equal(images.read(0).pixels, COLORS[0])
    with pytest.raises(ValueError, match=r"pipe\.png can be read only once. Pass its bytes"):
        images.read(0)


@pytest.mark.parametrize("wrapped", [iter, list])
def test_a_batch_with_other_labels_than_pictures_is_told(wrapped):
    with pytest.raises(ValueError, match=r"rows such as \[1, 2\]"):
        open_images(wrapped([(COLORS[:2, ..., 0], [[0], [1, 2]])])).labels  # noqa: B018
    for labels in ([0, 1, 2], [0, 1, 2, 0, 1], [2]):
        with pytest.raises(ValueError, match=rf"each of the 4 pictures .* Received: {len(labels)}"):
            open_images(wrapped([(COLORS[:4], np.array(labels))])).labels  # noqa: B018


def test_a_batch_of_pictures_of_different_sizes(tf):
    data = tf.data.Dataset.from_generator(
        lambda: ((COLORS[n][: 4 + n], n % 3) for n in range(6)),
        output_signature=(tf.TensorSpec((None, None, 3), tf.uint8), tf.TensorSpec((), tf.int64)),
    ).ragged_batch(4)
    for source in (data, list(data)):
        images = open_images(source)
        assert images.labels == (0, 1, 2, 0, 1, 2)
        for index in range(6):
            np.testing.assert_array_equal(images.read(index).pixels, COLORS[index][: 4 + index])


def test_numbers_that_numpy_does_not_know_are_numbers(tf):
    shares = tf.constant(COLORS / 255, tf.bfloat16)
    data = tf.data.Dataset.from_tensor_slices(shares)
    for source in (data, data.batch(4), list(data), shares, shares.numpy(), shares.numpy()[0]):
        shown = pixels(open_images(source))
        assert abs(shown.astype(int) - COLORS[: len(shown)]).max() <= 1  # of 8 bits


def test_a_broken_file_in_a_data_set_is_told_in_one_sentence(keras, tmp_path, tiny_net):
    for number, each in enumerate(COLORS):
        (tmp_path / "ab"[number % 2]).mkdir(exist_ok=True)
        Image.fromarray(each).save(tmp_path / "ab"[number % 2] / f"{number}.png")
    (tmp_path / "b" / "3.png").write_bytes(b"broken")
    source = keras.utils.image_dataset_from_directory(
        tmp_path, image_size=(9, 8), batch_size=2, shuffle=False, verbose=False
    )
    for ask in (cw.audit, lambda net, images: list(cw.stream(net, images))):
        with pytest.raises(ValueError, match=r"failed after 4 pictures: Unknown image") as caught:
            ask(tiny_net, source)
        told = str(caught.value)
        assert "give their folder itself" in told
        assert not any(mark in told for mark in ("\n", "{{", "[[", "Op:", "Iterator"))
    names = [each.name for each in cw.stream(tiny_net, tmp_path) if each.error]
    assert names == ["b/3.png"]


def test_an_error_of_a_generator_is_the_generators():
    def faulty():
        yield COLORS[0]
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        len(open_images(faulty()))


# --- what went wrong once ------------------------------------------------------------------------


def test_labels_of_any_type_beside_any_source(tmp_path, tiny_net):
    Image.fromarray(COLORS[0]).save(tmp_path / "a.png")
    path = tmp_path / "a.png"
    given = [(path, np.int64(0)), (path, np.array(2)), (path, float("nan")), (path, np.str_("x"))]
    assert [each.label for each in cw.stream(tiny_net, iter(given))] == [0, 2, None, "x"]
    assert open_images([(COLORS[0], np.bool_(True)), (COLORS[1], "cat")]).labels == (1, "cat")
    assert open_images(COLORS[:2], labels=["cat", float("nan")]).labels == ("cat", None)
    assert open_images(COLORS[:2], labels=[1, "cat"]).labels == (1, "cat")


def forms(tf):
    """Return forms of the label 1 of three, as people have it."""
    return {
        "float": 1.0, "0-d": np.array(1), "tensor": tf.constant(1), "tensor of int8":
        tf.constant(1, tf.int8), "one-hot": np.eye(3)[1], "one-hot tensor": tf.one_hot(1, 3),
        "one-hot list": [0, 1, 0], "one-hot bool": np.eye(3, dtype=bool)[1], "row": np.array([1]),
    }  # fmt: skip


def test_every_form_of_a_label_is_taken_wherever_it_stands(tf, tmp_path):
    Image.fromarray(COLORS[0]).save(tmp_path / "a.png")
    for form, label in forms(tf).items():
        for picture in (COLORS[0], str(tmp_path / "a.png"), Image.fromarray(COLORS[0])):
            for source in ([(picture, label)], iter([(picture, label)]), {"a": (picture, label)}):
                images = open_images(source)
                assert images.labels == (1,), form
                np.testing.assert_array_equal(images.read(0).pixels, COLORS[0])
        assert open_images(COLORS[:2], labels=[label, label]).labels == (1, 1), form
    for name in (b"red", "red", tf.constant("red"), np.array("red"), ["red"]):
        assert open_images([(COLORS[0], name)]).labels == ("red",)


def test_a_list_of_what_a_data_set_gives_is_that_data_set(tf, keras, tiny_net):
    data = {kind: each for kind, each in sets(tf, keras).items() if "generator" not in kind}
    for kind, (source, labels) in data.items():
        given = [source[n] for n in range(2)] if kind == "PyDataset" else list(source)
        images = open_images(given)
        assert images.labels == labels, kind
        np.testing.assert_array_equal(pixels(images), COLORS)
        found = cw.audit(tiny_net, given, classes={n: n for n in range(3)})
        assert len(found) == 6
    grey = tf.data.Dataset.from_tensor_slices((COLORS[..., 0], np.eye(3)[np.arange(6) % 3]))
    for source in (grey, grey.batch(4), grey.map(lambda x, y: (x, tf.argmax(y))).batch(4)):
        images = open_images(list(source))
        assert images.labels == (0, 1, 2, 0, 1, 2)
        np.testing.assert_array_equal(pixels(images)[..., 0], COLORS[..., 0])
    weighted = data["batched"][0].map(lambda x, y: (x, y, 0.5))
    assert open_images(list(weighted)).labels == data["batched"][1]


def test_paths_in_tensors_are_paths(tf, tmp_path):
    paths = [str(tmp_path / f"{n}.png") for n in range(4)]
    for path, each in zip(paths, COLORS, strict=False):
        Image.fromarray(each).save(path)
    data = tf.data.Dataset.from_tensor_slices((paths, [0, 1, 2, 1]))
    contents = data.map(lambda path, label: (tf.io.read_file(path), label))
    for source in (data, data.batch(2), contents, contents.batch(3), list(data), list(contents)):
        images = open_images(source)
        assert images.labels == (0, 1, 2, 1)
        np.testing.assert_array_equal(pixels(images), COLORS[:4])
    content = tf.constant((tmp_path / "0.png").read_bytes() + bytes(3))
    assert plain_picture(content) == content.numpy()  # NumPy's own texts would lose the zeros
    rows = np.array([[path, "cat"] for path in paths], dtype=object)
    assert open_images(rows).labels == ("cat",) * 4
    assert open_images(np.array(paths)).names == ("0", "1", "2", "3")


@pytest.mark.parametrize(
    ("labels", "error", "said"),
    [
        ("redred", TypeError, "Received: str"),
        ({0: "red"}, TypeError, "Received: dict"),
        (3, TypeError, "Received: int"),
        ([[0], [1, 2], [0], [1], [2], [0]], ValueError, r"rows such as \[1, 2\]"),
        (itertools.count(), ValueError, "Expected 6 labels. Received: 7"),
    ],
)
def test_labels_that_are_none_are_told_in_words(labels, error, said):
    with pytest.raises(error, match=said):
        open_images(COLORS, labels=labels)


def test_missing_labels_of_pandas_are_none():
    pandas = pytest.importorskip("pandas")
    for values, dtype in ((["red", None], "string"), ([3, None], "Int64"), ([3, None], float)):
        labels = pandas.Series(values, dtype=dtype)
        assert open_images(COLORS[:2], labels=labels).labels == (values[0], None)


def test_labels_may_be_generated():
    assert open_images(COLORS, labels=(n % 2 for n in range(6))).labels == (0, 1) * 3


def test_nothing_is_an_error_whatever_it_is_given_as(tf, keras, tiny_net):
    class Empty(keras.utils.PyDataset):
        def __len__(self):
            return 0

        def __getitem__(self, index):
            raise IndexError

    data = tf.data.Dataset.from_tensor_slices((COLORS, np.arange(6)))
    for made in (
        list, dict, tuple, lambda: iter([]), Empty, lambda: data.take(0), lambda: COLORS[:0],
        lambda: data.filter(lambda x, y: y > 9).batch(2), lambda: (COLORS[:0], []),
    ):  # fmt: skip
        for ask in (cw.audit, cw.CNNExplorer, lambda net, images: list(cw.stream(net, images))):
            with pytest.raises(ValueError, match="Expected at least one"):
                ask(tiny_net, made())


def test_an_iterator_that_is_gone_through_is_told_from_an_empty_one(tiny_net):
    images = open_images(iter(COLORS / 255))
    assert len(list(cw.stream(tiny_net, images))) == 6
    assert images.notes == open_images(COLORS / 255).notes
    for ask in (len, lambda given: cw.audit(tiny_net, given)):
        with pytest.raises(ValueError, match="gone through already"):
            ask(images)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.int64])
@pytest.mark.parametrize("way", ["array", "list", "generator"])
def test_a_masked_picture_costs_only_itself(dtype, way):
    masked = np.ma.masked_array(COLORS.astype(dtype), np.zeros(COLORS.shape, bool))
    masked[1] = np.ma.masked
    images = open_images(masked if way == "array" else WAYS[way](masked))
    np.testing.assert_array_equal(images.read(2).pixels, COLORS[2])
    with pytest.raises(ValueError, match="array is masked"):
        images.read(1)


@pytest.mark.parametrize("labels", [np.arange(6) % 3, np.eye(3)[np.arange(6) % 3], list("abcabc"),
                                    np.arange(6)[:, None] % 3])  # fmt: skip
@pytest.mark.parametrize("pictures", [COLORS, COLORS[..., 0], COLORS / 255])
def test_a_pair_of_arrays_is_pictures_and_labels(tf, labels, pictures):
    expected = tuple("abcabc") if isinstance(labels, list) else (0, 1, 2, 0, 1, 2)
    for pair in ((pictures, labels), (tf.constant(pictures), tf.constant(labels))):
        images = open_images(pair)
        assert images.labels == expected
        assert len(images) == 6
        np.testing.assert_array_equal(pixels(images)[..., 0], COLORS[..., 0])
    assert open_images((pictures, labels), labels=range(6)).labels == tuple(range(6))
    both = open_images(((COLORS, labels), (COLORS[:2], labels[:2])))  # as of load_data
    assert (len(both), both.labels[6:]) == (8, expected[:2])


def test_a_pair_of_arrays_of_other_lengths_is_told():
    with pytest.raises(ValueError, match=r"Expected 6 labels\. Received: 5"):
        open_images((COLORS, np.arange(5)))


@pytest.mark.parametrize(
    "array", [np.zeros((2, 3, 32, 32), np.uint8), np.zeros(5), np.zeros((1, 2, 9, 8, 3))]
)
def test_an_array_of_no_pictures_is_refused_when_it_is_opened(array):
    with pytest.raises(ValueError, match=r"Expected an array.*Received shape: \("):
        open_images(array)
    if array.ndim == 4:
        with pytest.raises(ValueError, match=r"pass array\.transpose\(0, 2, 3, 1\)"):
            open_images((array, [0, 1]))


class Truncated(Image.Image):
    """An image whose file ends too early, as Pillow finds out when it is asked for the pixels."""

    @property
    def __array_interface__(self):
        raise OSError("image file is truncated")


@pytest.mark.parametrize("bad", [None, 5, object(), (1, 2), [[1, 2], [3]], Truncated()])
def test_what_is_no_picture_has_a_mark_that_stays(bad):
    marks = [open_images([COLORS[0], bad]).fingerprint() for _ in range(2)]
    assert marks[0] == marks[1]
    assert marks[0] != open_images([COLORS[0], COLORS[1]]).fingerprint()


@pytest.mark.parametrize("wrapped", [list, iter])
def test_the_range_is_that_of_all_whatever_their_sizes(wrapped):
    images = open_images(wrapped([np.full((4, 4, 3), 1.0), np.full((5, 6, 3), 200.0)]))
    assert [int(images.read(n).pixels.max()) for n in range(2)] == [1, 200]
    bands = open_images(wrapped([np.full((4, 4, 3), -1.0), np.full((5, 6, 3), 2.0)]),
                        bands=(0, 1, 2))  # fmt: skip
    assert bands.read(0).data.min() == -1


def test_names_of_a_stream_are_told_apart(tmp_path, tiny_net):
    Image.fromarray(COLORS[0]).save(tmp_path / "a.png")
    found = [each.name for each in cw.stream(tiny_net, iter([tmp_path / "a.png"] * 3))]
    assert len(set(found)) == 3


def test_names_of_a_stream_are_told_apart_whatever_they_are(tmp_path, tiny_net):
    """Also where a picture has a name by now that another got with a number, or an array."""
    given = [tmp_path / "a 2", tmp_path / "a", tmp_path / "x" / "a", COLORS[0],
             tmp_path / "image 5", COLORS[1], tmp_path / "image 3", tmp_path / "image 3",
             tmp_path / "a 2"]  # fmt: skip
    for source in (given, given[::-1]):
        found = list(cw.stream(tiny_net, iter(source)))
        names = [each.name for each in found]
        assert len(set(names)) == len(given), names
        assert sum(each.error is not None for each in found) == 7
        images = open_images(iter(source))
        assert list(images.names) == names
        audit = cw.audit(tiny_net, iter(source))
        assert (len(audit), len(set(audit.names))) == (9, 9)


def test_labels_for_a_stream_come_with_its_pictures():
    with pytest.raises(ValueError, match=r"yield \(picture, label\)"):
        open_images(iter(COLORS), labels=range(6))


def test_each_photograph_of_a_set_takes_its_own_inputs(keras):
    layers = keras.layers
    image, meta = keras.Input((9, 8, 3), name="image"), keras.Input((2,), name="meta")
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
    scores = layers.Dense(3, activation="softmax")(layers.Concatenate()([x, meta]))
    net = cw.Network(keras.Model([image, meta], scores), preprocess=lambda p: p / 255,
                     inputs={"meta": 9 * np.eye(2)[[0, 1, 0, 1, 0, 1]]})  # fmt: skip
    found = [each.predictions[0].class_index for each in cw.stream(net, COLORS)]
    joined = net.with_inputs([cw.load_image(each) for each in COLORS])
    assert found == [net.predict(each, top=1)[0].class_index for each in joined]
    rest = open_images(COLORS).rest(3)
    assert [each.predictions[0].class_index for each in cw.stream(net, rest)] == found[3:]

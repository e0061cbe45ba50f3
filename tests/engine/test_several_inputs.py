"""Models of several inputs: what goes beside the photograph, and what is asked for if missing."""

import keras
import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.evaluation import curves
from cnn_widgets.panels.table import PANELS

SIDE = 24


@pytest.fixture(scope="module")
def gated():
    """A network whose filters are weighed by a vector "meta" that comes with the photograph."""
    keras.utils.set_random_seed(3)
    image = keras.Input((SIDE, SIDE, 3), name="image")
    meta = keras.Input((4,), name="meta")
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="conv")(image)
    gate = keras.layers.Dense(8, activation="sigmoid", name="gate")(meta)
    x = keras.layers.Multiply(name="gated")([x, keras.layers.Reshape((1, 1, 8))(gate)])
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Concatenate()([x, meta])
    return keras.Model([image, meta], keras.layers.Dense(3, name="scores")(x), name="gated")


@pytest.fixture(scope="module")
def siamese():
    """A network that compares two pictures, both seen by the same convolution."""
    keras.utils.set_random_seed(4)
    left, right = (keras.Input((SIDE, SIDE, 3), name=name) for name in ("left", "right"))
    conv = keras.layers.Conv2D(6, 3, padding="same", activation="relu", name="conv")
    pool = keras.layers.GlobalAveragePooling2D(name="pool")
    both = keras.layers.Concatenate()([pool(conv(left)), pool(conv(right))])
    return keras.Model([left, right], keras.layers.Dense(2)(both), name="siamese")


META = np.array([0.5, -2.0, 1.0, 3.0], np.float32)
OTHER = np.array([-4.0, 2.0, -1.0, 0.0], np.float32)


def photograph(seed, **inputs):
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    return cw.load_image(pixels, name=f"photo {seed}", inputs=inputs)


def scored(model, samples, metas):
    x = np.stack([each.pixels for each in samples]).astype(np.float32) / 255
    return np.asarray(model([x, np.stack(metas)]))


def test_a_value_for_all_photographs_reaches_the_model(gated):
    net = cw.Network(gated, lambda x: x / 255, inputs={"meta": META}, head="logits")
    samples = [photograph(n) for n in range(10)]
    expected = scored(gated, samples, [META] * 10)
    np.testing.assert_allclose(net.scores(samples)[0], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(net.scores(samples[3])[0], expected[3], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("form", ["array", "list", "named", "own"])
def test_values_for_each_photograph_stay_with_it(gated, form):
    metas = [META, OTHER, META + 1]
    samples = [photograph(n) for n in range(3)]
    given = {
        "array": np.stack(metas),
        "list": [each.tolist() for each in metas],
        "named": {each.name: meta for each, meta in zip(samples, metas, strict=True)},
        "own": None,
    }[form]
    net = cw.Network(gated, lambda x: x / 255, inputs={"meta": given}, head="logits")
    if form == "own":
        samples = [
            cw.load_image(s, inputs={"meta": m}) for s, m in zip(samples, metas, strict=True)
        ]
    else:
        with pytest.raises(ValueError, match=r"'meta', shape \(4,\) float32.*with_inputs"):
            net.scores(samples[0])
        samples = net.with_inputs(samples)
    expected = scored(gated, samples, metas)
    np.testing.assert_allclose(net.scores(samples)[0], expected, rtol=1e-5, atol=1e-6)
    for sample, row in zip(samples, expected, strict=True):
        np.testing.assert_allclose(net.scores(sample)[0], row, rtol=1e-5, atol=1e-6)


def test_the_same_photograph_with_another_value_is_another_question(gated):
    net = cw.Network(gated, inputs={"meta": META}, head="logits")
    one, two = photograph(1), photograph(1, meta=OTHER)
    assert one.key != two.key
    assert photograph(1, meta=OTHER.copy()).key == two.key
    assert np.abs(net.scores(one)[0] - net.scores(two)[0]).max() > 0.01


@pytest.fixture(scope="module")
def open_and_fixed(gated):
    """The network, and one of a model in which a value is built in as a constant."""
    image = keras.Input((SIDE, SIDE, 3), name="image")
    meta = keras.layers.Lambda(lambda x: keras.ops.ones_like(x[:, 0, :1, 0]) * OTHER)(image)
    alone = keras.Model(image, gated([image, meta]), name="alone")
    net = cw.Network(gated, lambda x: x / 255, inputs={"meta": META}, head="logits")
    return net, cw.Network(alone, lambda x: x / 255, head="logits")


@pytest.mark.parametrize("method", sorted(cw.METHODS))
def test_every_method_uses_the_photographs_own_value(open_and_fixed, method):
    """The map equals that of a model in which the value is built in as a constant."""
    net, fixed = open_and_fixed
    layer = {} if cw.METHODS[method].at == "input" else {"layer": "gated"}
    inner = {} if not layer else {"layer": "gated/gated"}
    found = cw.attribute(net, photograph(2, meta=OTHER), method, 1, **layer)
    expected = cw.attribute(fixed, photograph(2), method, 1, **inner)
    np.testing.assert_allclose(found.raw, expected.raw, rtol=1e-3, atol=1e-5)
    assert np.abs(expected.raw).max() > 0


def test_a_stream_keeps_values_and_photographs_together(gated):
    net = cw.Network(gated, inputs={"meta": None}, head="logits")
    samples = [photograph(n, meta=META * n) for n in range(11)]
    for sample, found in zip(samples, cw.stream(net, samples, "grad-cam"), strict=True):
        assert found.sample.key == sample.key
        alone = cw.attribute(net, sample, "grad-cam")
        result = found.attribution
        assert result.class_index == alone.class_index
        np.testing.assert_allclose(result.raw, alone.raw, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("place", ["left", "right"])
def test_either_of_two_pictures_can_be_explained(siamese, place):
    other = "right" if place == "left" else "left"
    net = cw.Network(siamese, lambda x: x / 255, inputs={other: photograph(8)}, head="logits")
    assert net.model_input.name == place
    assert any(f"'{other}' is prepared as the photograph is" in note for note in net.notes)
    x = {5: photograph(5).pixels / 255.0, 8: photograph(8).pixels / 255.0}
    pair = [x[5], x[8]] if place == "left" else [x[8], x[5]]
    expected = np.asarray(siamese([each[None].astype(np.float32) for each in pair]))[0]
    np.testing.assert_allclose(net.scores(photograph(5))[0], expected, rtol=1e-5, atol=1e-6)
    (others,) = {"conv", "conv:1"} - {net.default_layer}  # Keras decides which is called first
    mine = net.activations(photograph(5), net.default_layer)
    conv = siamese.get_layer("conv")
    np.testing.assert_allclose(mine, conv(x[5][None].astype(np.float32))[0], rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="does not depend on the input"):
        cw.attribute(net, photograph(5), "grad-cam", layer=others)


def test_a_picture_of_another_size_goes_in_beside_the_photograph(siamese):
    large = np.random.default_rng(0).integers(0, 256, (50, 80, 3), np.uint8)
    net = cw.Network(siamese, inputs={"right": large})
    assert np.isfinite(net.scores(photograph(1))[0]).all()


def test_what_is_missing_is_asked_for_by_name_shape_and_type(gated, siamese):
    with pytest.raises(ValueError, match=r"into 'image'\. Missing: 'meta', shape \(4,\) float32"):
        cw.Network(gated)
    with pytest.raises(ValueError, match=r"Which one takes the photograph\?.*'right'"):
        cw.Network(siamese)
    net = cw.Network(gated, inputs={"meta": None})
    with pytest.raises(ValueError, match=r"'photo 1' comes without input 'meta', shape \(4,\)"):
        net.predict(photograph(1))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mta": META}, r"takes inputs image, meta\. Received inputs for 'mta'\.$"),
        ({"meta": META[:3]}, r"'meta', shape \(4,\) float32.*Received: float32 \(3,\)"),
        ({"meta": np.full(4, np.nan)}, "NaN or infinity"),
        ({"meta": "cat.jpg"}, "Received: str"),
        ({"meta": np.array(["a", "b", "c", "d"])}, r"Received: <U1 \(4,\)"),
        ({"image": META, "meta": META}, "None is left for the photograph"),
    ],
)
def test_what_an_input_does_not_take_is_refused(gated, given, message):
    with pytest.raises(ValueError, match=message):
        cw.Network(gated, inputs=given)


def test_inputs_may_be_named_by_number_or_by_the_key_of_a_dict():
    image, age = (
        keras.Input((SIDE, SIDE, 1), name="z"),
        keras.Input((1,), dtype="int32", name="age"),
    )
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(image))
    x = keras.layers.Concatenate()([x, keras.layers.Flatten()(keras.layers.Embedding(9, 2)(age))])
    model = keras.Model({"z": image, "age": age}, keras.layers.Dense(2)(x))
    sample = photograph(1)
    found = [
        cw.Network(model, inputs={key: value}).scores(sample)[0]
        for key, value in (("age", 7), ("age", [7]), (0, np.int64(7)))
    ]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    assert np.abs(found[0] - cw.Network(model, inputs={"age": 8}).scores(sample)[0]).max() > 0
    with pytest.raises(ValueError, match="int32"):
        cw.Network(model, inputs={"age": 7.5})


def test_a_model_of_one_input_takes_no_others():
    with pytest.raises(ValueError, match="takes the photograph only"):
        cw.load_network(weights=None, inputs={"meta": META})


def test_the_explorer_joins_values_to_its_photographs(gated):
    images = {"one": photograph(1), "two": photograph(2)}
    explorer = cw.CNNExplorer(gated, images, inputs={"meta": np.stack([META, OTHER])})
    net = explorer.network
    for name, meta in (("one", META), ("two", OTHER)):
        explorer.state.image = name
        np.testing.assert_array_equal(explorer.scene.sample.inputs["meta"], meta)
        expected = net.scores(cw.load_image(images[name], inputs={"meta": meta}))[0]
        np.testing.assert_allclose(net.scores(explorer.scene.sample)[0], expected, rtol=1e-6)
    assert explorer.last_error is None
    with pytest.raises(ValueError, match="'photo 3' has no value for input 'meta'"):
        explorer.show(image=photograph(3))
    assert explorer.state.image == "two"
    explorer.show(image=photograph(3, meta=META))
    assert explorer.scene.sample.name == "photo 3"
    explorer.close()


def test_the_page_shows_both_pictures_and_says_which_is_explained(siamese):
    photo = photograph(1)
    explorer = cw.CNNExplorer(siamese, [photo], inputs={"right": photograph(8)})
    view = PANELS["original"].view(explorer.scene)
    assert view.caption == f"{photo.name} · {SIDE}×{SIDE} · goes into left (explained)"
    np.testing.assert_array_equal(view.picture, photo.pixels)
    ((told, other, _),) = PANELS["beside"].view(explorer.scene).strip
    assert told == "goes into right"
    np.testing.assert_array_equal(other, photograph(8).pixels)
    assert explorer.last_error is None
    explorer.close()


def test_a_bundle_of_evidence_holds_what_went_in_beside_the_photograph(gated, siamese, tmp_path):
    cases = [
        (cw.Network(gated, inputs={"meta": META}, head="logits"), {"meta": OTHER}),
        (cw.Network(siamese, inputs={"right": None}, head="logits"), {"right": photograph(8)}),
    ]
    for number, (net, inputs) in enumerate(cases):
        found = cw.attribute(net, photograph(1, **inputs), "grad-cam")
        found.save(tmp_path / str(number))
        kept = cw.load_attribution(tmp_path / str(number))
        again = cw.attribute(net, kept.sample, **kept.request)
        np.testing.assert_array_equal(again.raw, found.raw)


def test_deletion_curves_keep_the_photographs_own_value(gated):
    net = cw.Network(gated, inputs={"meta": META}, head="logits")
    sample = photograph(1, meta=OTHER)
    deletion, _ = curves(net, sample, cw.attribute(net, sample, "grad-cam"), steps=2)
    index = net.predict(sample, top=1)[0].class_index
    np.testing.assert_allclose(deletion.probabilities[0], net.scores(sample)[1][index], rtol=1e-5)


def test_the_input_can_be_checked_beside_other_inputs(gated):
    net = cw.Network(gated, inputs={"meta": None}, head="logits")
    check = net.check_input(photograph(1, meta=OTHER))
    assert check.trials[0].name == "as it is"
    assert check.right is None


class FromADict(keras.Model):
    """A subclassed model that takes a dict; Keras does not list its inputs."""

    def __init__(self):
        super().__init__(name="own")
        self.conv = keras.layers.Conv2D(4, 3, activation="relu", name="conv")
        self.pool = keras.layers.GlobalAveragePooling2D()
        self.head = keras.layers.Dense(3)

    def call(self, inputs):
        pooled = self.pool(self.conv(inputs["image"]))
        return self.head(keras.ops.concatenate([pooled, inputs["meta"]], -1))


def test_a_subclassed_model_of_several_inputs_is_told_how_to_list_them():
    model, sample = FromADict(), photograph(1)
    x = sample.pixels[None].astype(np.float32)
    expected = np.asarray(model({"image": x, "meta": META[None]}))[0]
    for options in ({"input_size": (SIDE, SIDE)}, {"inputs": {"meta": META}}):
        with pytest.raises(ValueError, match=r"list them: keras\.Model\(inputs, model\(inputs\)\)"):
            cw.Network(model, **options)
    shapes = {"image": (SIDE, SIDE, 3), "meta": (4,)}
    inputs = {name: keras.Input(shape, name=name) for name, shape in shapes.items()}
    net = cw.Network(keras.Model(inputs, model(inputs)), "none", inputs={"meta": META})
    np.testing.assert_allclose(net.scores(sample)[0], expected, rtol=1e-5)
    assert net.default_layer == "own/conv"

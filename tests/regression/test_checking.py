"""A check of networks whose answers are known: what is told, forgiven, refused and written."""

import json
import math
from concurrent.futures import CancelledError
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from helpers import models
from helpers.networks import tiny
from PIL import Image

import cnn_widgets as cw
from cnn_widgets.records import LayerInfo
from cnn_widgets.regression import Case, Check, Tolerances, load_evidence, tolerances_from
from cnn_widgets.regression.comparison import layer_case, photograph_case, same_classes
from cnn_widgets.regression.inputs import difference, in_words
from cnn_widgets.regression.layers import packed, partners
from cnn_widgets.regression.photographs import Photograph, centre_moved, correlation, overlap

NAMES = ["red", "green", "blue"]
COLORS = [(200, 40, 40), (40, 200, 40), (40, 40, 200), (120, 119.999, 0)]


def model_of(keras, kernel):
    """Return a model whose scores are the mean colours, put through a 3 × 3 matrix."""
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((8, 8, 3)),
        layers.Conv2D(3, 1, use_bias=False, name="colors"),
        layers.GlobalAveragePooling2D(name="gap"),
        layers.Dense(3, use_bias=False, activation="softmax", name="head"),
    ])  # fmt: skip
    model.layers[0].set_weights([np.eye(3)[None, None]])
    model.layers[2].set_weights([np.asarray(kernel, float)])
    return model


def net_of(keras, kernel=None):
    model = model_of(keras, 10 * np.eye(3) if kernel is None else kernel)
    return cw.Network(model, preprocess=lambda x: x / 255, class_names=NAMES, name="colors")


def picture(color, place=0):
    """Return a black picture with a square of a colour in one of its corners."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    row, column = divmod(place, 2)
    pixels[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = color
    return pixels


PICTURES = {
    f"{name} {place}": picture(color, place)
    for name, color in zip(NAMES, COLORS, strict=False)
    for place in range(4)
}


@pytest.fixture(scope="module")
def net(keras):
    return net_of(keras)


@pytest.fixture(scope="module")
def folder(net, tmp_path_factory):
    place = tmp_path_factory.mktemp("evidence")
    cw.keep_evidence(net, PICTURES, place)
    return place


def case(check, name):
    return next(each for each in check.cases if each.name == name)


# --- what is kept --------------------------------------------------------------------------------


def test_what_is_kept_says_what_the_network_said(net, folder):
    kept = load_evidence(folder)
    assert [each.name for each in kept.photographs] == list(PICTURES)
    for each in kept.photographs:
        best = net.predict(cw.load_image(PICTURES[each.name]), top=3)
        assert [index for index, _ in each.top] == [one.class_index for one in best]
        assert [p for _, p in each.top] == pytest.approx([one.probability for one in best])
    first = kept.photographs[0].evidence
    assert first[:6, :6].min() > 0.9
    assert first[9:].max() < 0.05
    assert list(kept.features) == ["colors", "gap", "head"]
    assert [each.shape for each in kept.features.values()] == [(12, 6), (12, 3), (12, 3)]
    assert sorted(path.name for path in folder.iterdir()) == ["evidence.json", "evidence.npz"]
    assert str(folder) not in (folder / "evidence.json").read_text()


def test_nothing_is_written_by_a_run_that_was_stopped(net, tmp_path):
    asked = []

    def stop(done, total):
        asked.append((done, total))
        return done < 5

    with pytest.raises(CancelledError, match="after 5 of 12"):
        cw.keep_evidence(net, PICTURES, tmp_path / "kept", progress=stop)
    assert asked[-1] == (5, 12)
    assert not (tmp_path / "kept").exists()


def test_damaged_evidence_is_told_from_none(net, folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no evidence: there is no evidence\.json"):
        cw.check_against(net, PICTURES, tmp_path)
    data, text = (folder / "evidence.npz").read_bytes(), (folder / "evidence.json").read_text()
    (tmp_path / "evidence.npz").write_bytes(data[:-7])
    (tmp_path / "evidence.json").write_text(text)
    with pytest.raises(ValueError, match=r"damaged: evidence.npz is not the file"):
        load_evidence(tmp_path)
    (tmp_path / "evidence.npz").write_bytes(data)
    for broken in (text[:200], "{}", json.dumps({**json.loads(text), "format": "another"}), "[]"):
        (tmp_path / "evidence.json").write_text(broken)
        with pytest.raises(ValueError, match=r"The evidence in .* is damaged"):
            load_evidence(tmp_path)


def test_what_cannot_be_tested_is_refused(keras, net, folder, tmp_path):
    with pytest.raises(ValueError, match="the same photographs each time"):
        cw.keep_evidence(net, iter(PICTURES.values()), tmp_path)
    with pytest.raises(ValueError, match="Unknown layer 'conv9'"):
        cw.keep_evidence(net, PICTURES, tmp_path, layers=["conv9"])
    with pytest.raises(ValueError, match="gives values, no classes"):
        cw.keep_evidence(cw.Network(net.model, head="values"), PICTURES, tmp_path)
    with pytest.raises(ValueError, match="None of the 2 photographs can be read"):
        cw.keep_evidence(net, ["no.png", "no other.png"], tmp_path)
    with pytest.raises(ValueError, match="takes 1 channels; the evidence was kept with 3"):
        cw.check_against(cw.Network(models.one_channel(keras)), PICTURES, folder)
    assert list(tmp_path.iterdir()) == []


def test_batch_statistics_used_as_in_training_are_refused(keras, tmp_path):
    class Normalise(keras.layers.Layer):
        def call(self, x):
            mean = keras.ops.mean(x, axis=(0, 1, 2), keepdims=True)
            return (x - mean) * keras.ops.arange(1, 9, dtype="float32")[:, None]

    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(3, 3, activation="relu")(Normalise()(inputs))
    x = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(x))
    with pytest.raises(ValueError, match="or with others beside it"):
        cw.keep_evidence(cw.Network(keras.Model(inputs, x)), PICTURES, tmp_path)


# --- what is told --------------------------------------------------------------------------------


def test_the_same_network_passes(net, folder):
    found = cw.check_against(net, PICTURES, folder)
    assert found.passed
    assert (found.changed, found.causes, found.first_drift) == ((), (), None)
    assert found.summary() == "passed: 12 photographs and 3 layers compared"
    assert {case.status for case in found.cases} == {"passed"}
    assert len(found) == 12 + 3 + 3


def test_answers_that_flip_come_first_with_what_they_were(keras, folder):
    kernel = 10 * np.eye(3)
    kernel[1, 2] = 30  # green speaks for blue
    found = cw.check_against(net_of(keras, kernel), PICTURES, folder)
    assert not found.passed
    assert found.count("answer") == 4
    first = found.records()[0]
    assert (first["subject"], first["was"], first["now"]) == ("photograph", "green", "blue")
    assert first["words"].startswith("'green' (")
    assert "now 'blue' (" in first["words"]
    assert first["changed"].startswith("answer")
    ranks = [each.rank for each in found.cases]
    assert ranks == sorted(ranks)
    assert found.first_drift == "head"
    assert found.causes[-1] == "The drift begins at layer 'head'; 'gap' before it is what it was."
    assert found.summary().startswith("FAILED: 4 answers flipped")


def test_a_near_tie_that_flips_by_rounding_is_forgiven_and_one_that_flips_by_more_is_not(
    keras, tmp_path
):
    yellow = picture((240, 240, 0))
    cw.keep_evidence(net_of(keras, np.diag([10.001, 10, 10])), [yellow], tmp_path)
    found = cw.check_against(net_of(keras, np.diag([10, 10.001, 10])), [yellow], tmp_path)
    record = next(each for each in found.records() if each["subject"] == "photograph")
    assert (record["was"], record["now"]) == ("red", "green")
    assert found.passed
    found = cw.check_against(net_of(keras, np.diag([10, 10.5, 10])), [yellow], tmp_path)
    assert found.changed[0] == "answer"
    strict = Tolerances(tie=0)
    found = cw.check_against(
        net_of(keras, np.diag([10, 10.001, 10])), [yellow], tmp_path, tolerances=strict
    )
    assert found.changed == ("answer",)


def test_classes_in_another_order_are_named(keras, folder):
    kernel = 10 * np.eye(3)[:, [1, 0, 2]]
    found = cw.check_against(net_of(keras, kernel), PICTURES, folder)
    assert found.count("answer") == 8
    assert found.first_drift is None
    assert found.causes[0] == (
        "The order of the classes changed: 'red' became 'green', 'green' became 'red', with the "
        "same probabilities."
    )


def named(net, names):
    return cw.Network(net.model, preprocess=lambda x: x / 255, class_names=names)


def test_names_in_another_order_with_the_same_weights_are_the_cause(net, folder):
    found = cw.check_against(named(net, ["green", "red", "blue"]), PICTURES, folder)
    assert (found.passed, found.count("answer"), found.count("classes")) == (False, 8, 1)
    assert found.causes[0].startswith(
        "The class names are in another order: class 0 was 'red' and is 'green', class 1 was "
        "'green' and is 'red'."
    )
    assert not any("network's end" in cause for cause in found.causes)


def test_names_and_outputs_in_another_order_pass_and_it_is_noted(keras, folder):
    other = named(net_of(keras, 10 * np.eye(3)[:, [1, 0, 2]]), ["green", "red", "blue"])
    found = cw.check_against(other, PICTURES, folder)
    assert found.passed
    assert any("in another order: class 0 was 'red' and is 'green'" in each for each in found.notes)


def test_other_names_pass_and_are_noted(net, folder):
    found = cw.check_against(named(net, ["red", "gru\u0308n", "blau"]), PICTURES, folder)
    assert found.passed
    (note,) = [each for each in found.notes if "class names" in each]
    assert "class 1 was 'green' and is 'gr\u00fcn', class 2 was 'blue' and is 'blau'" in note
    same = cw.check_against(net, PICTURES, folder)
    assert not any("class names" in each for each in same.notes)


def test_a_changed_input_is_told_before_what_follows_from_it(net, folder):
    other = cw.Network(net.model, preprocess=lambda x: x[..., ::-1] / 255, class_names=NAMES)
    found = cw.check_against(other, PICTURES, folder)
    assert found.cases[0].name == "input"
    assert "the channels come in another order, (2, 1, 0) of (0, 1, 2)" in found.causes[0]
    assert found.causes[1] == "The weights are the same to the last bit."


# --- which photographs are compared --------------------------------------------------------------


def test_photographs_are_known_by_their_pixels_and_the_rest_is_told(net, folder):
    given = {"new name": PICTURES["red 1"], "red 1": PICTURES["red 0"], "green 0": picture(9, 3),
             "blue 1": PICTURES["blue 1"], "blue 2": PICTURES["blue 2"]}  # fmt: skip
    given["blue 2"] = np.clip(given["blue 2"].astype(int) + 2, 0, 255).astype(np.uint8)
    found = cw.check_against(net, given, folder, tolerances=Tolerances(missing=0.7))
    status = {each.name: each.status for each in found.cases if each.subject == "photograph"}
    assert [status[name] for name in ("new name", "red 1", "blue 1", "blue 2")] == ["passed"] * 4
    told = [each for each in found.cases if each.name == "green 0"]
    assert {each.words for each in told} == {
        "It is not among those kept: not compared.",
        "It is not here, or is another photograph now: not compared.",
    }
    assert found.passed
    assert found.notes[0] == "Only 4 of the 12 photographs kept were compared."
    assert "With 4 photographs CKA is too high" in found.notes[1]
    assert found.summary() == "passed: 4 photographs and 3 layers compared, 9 not"


def test_photographs_kept_that_are_gone_are_failures_unless_it_is_allowed(net, folder):
    given = {name: PICTURES[name] for name in list(PICTURES)[:9]}
    found = cw.check_against(net, {**given, "new": picture((9, 9, 9))}, folder)
    assert found.changed == ("missing",)
    assert [each.name for each in found.failures] == list(PICTURES)[9:]
    assert found.summary() == (
        "FAILED: 3 photographs missing (9 photographs and 3 layers compared, 4 not)"
    )
    assert "missing=0.1" in found.notes[0]
    for share, passed in ((0.25, True), (0.2, False)):
        allowed = tolerances_from([f"missing={share}"])
        assert cw.check_against(net, given, folder, tolerances=allowed).passed is passed
    found = cw.check_against(net, {"one": PICTURES["red 0"]}, folder)
    assert found.summary() == (
        "FAILED: 11 photographs missing (1 photograph and 0 layers compared, 14 not)"
    )


def test_what_are_no_tolerances_is_refused_in_words(net, folder):
    with pytest.raises(TypeError, match=r"Expected tolerances as Tolerances.* Received: dict"):
        cw.check_against(net, PICTURES, folder, tolerances={"cka": 0.9})


def test_evidence_is_told_in_a_line_and_a_layer_by_its_name(net, tmp_path):
    kept = cw.keep_evidence(net, PICTURES, tmp_path, layers="head")
    assert repr(kept) == "Evidence('colors', 12 photographs, 1 layer)"


def test_a_photograph_that_could_not_be_read_may_be_gone(net, tmp_path):
    cw.keep_evidence(net, {**PICTURES, "broken": b"no picture"}, tmp_path)
    assert cw.check_against(net, PICTURES, tmp_path).passed


def test_with_none_in_common_nothing_passes(net, folder):
    with pytest.raises(ValueError, match="None of the photographs is among the 12"):
        cw.check_against(net, [picture((1, 2, 3), 3)], folder)


def test_a_photograph_that_cannot_be_read_any_more_is_a_failure(net, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, pixels in PICTURES.items():
        Image.fromarray(pixels).save(photos / f"{name}.png")
    (photos / "never.png").write_bytes(b"broken")
    cw.keep_evidence(net, photos, tmp_path / "kept")
    found = cw.check_against(net, photos, tmp_path / "kept")
    assert found.passed
    assert case(found, "never.png").status == "skipped"
    (photos / "red 0.png").write_bytes(b"broken")
    found = cw.check_against(net, photos, tmp_path / "kept")
    assert found.changed == ("unreadable",)
    assert found.failures[0].words.startswith("It could be read, and now it cannot: ")
    assert found.summary().startswith("FAILED: 1 photograph unreadable (11 photographs")


def test_too_few_photographs_for_cka_skip_the_layers(net, folder):
    found = cw.check_against(net, {"a": PICTURES["red 0"], "b": PICTURES["blue 3"]}, folder,
                             tolerances=Tolerances(missing=1))  # fmt: skip
    assert case(found, "colors").status == "skipped"
    assert case(found, "colors").words == "CKA needs 3 photographs; 2 could be compared."
    assert found.notes[-1] == (
        "No layer was compared. The first, 'colors': CKA needs 3 photographs; 2 could be compared."
    )
    assert found.passed


# --- parts, by hand ------------------------------------------------------------------------------


def test_how_maps_differ_by_hand():
    one, other = np.zeros((14, 14), np.float32), np.zeros((14, 14), np.float32)
    one[2:4, 2:4], other[2:4, 10:12] = 1, 1
    assert correlation(one, one) == 1
    assert correlation(one, other) == pytest.approx(-4 / 192)
    assert centre_moved(one, other) == pytest.approx(8 / 14 / math.sqrt(2))
    assert (correlation(one, 0 * one), correlation(0 * one, 0 * one)) == (0, 1)
    assert math.isnan(centre_moved(one, 0 * one))
    assert math.isnan(overlap(one, 0 * one))
    ramp = np.arange(196, dtype=np.float32).reshape(14, 14)
    assert overlap(ramp, ramp) == 1
    assert overlap(ramp, ramp[::-1]) == 0
    even = np.ones((14, 14), np.float32)
    assert (correlation(even, even * 0.99), correlation(even, ramp)) == (1, 0)


def info(name, kind="Conv2D", filters=4):
    return LayerInfo(name, kind, (8, 8, filters))


def test_layers_are_found_again():
    kept = [info("conv2d"), info("conv2d_1"), info("bn", "BatchNormalization")]
    assert partners(kept, kept[::-1]) == [2, 1, 0]  # the names are the same
    built_again = [replace(each, name=f"{each.name}_x") for each in kept]
    assert partners(kept, built_again) == [0, 1, 2]
    shifted = [info("conv2d_1"), info("conv2d_2"), info("bn_1", "BatchNormalization")]
    assert partners(kept, shifted) == [0, 1, 2]  # not by the one name in common
    more = [kept[0], info("new", "ReLU"), kept[1], kept[2]]
    assert partners(kept, more) == [0, 2, 3]
    assert partners(kept, [kept[0], kept[1]]) == [0, None, 1]  # normalization folded
    assert partners(kept, [info("other", "Dense")]) == [None, None, None]


def test_classes_are_followed_by_name_where_the_names_are_the_same():
    assert same_classes(["a", "b", "c"], ["c", "a", "b"]) == [1, 2, 0]
    assert same_classes(["a", "b"], ["0", "1"]) == [0, 1]
    assert same_classes(["a", "b"], ["b", "x", "y"]) == [-1, 0]
    assert same_classes(["a", "a"], ["a", "a"]) == [0, 1]


def test_figures_of_a_layer_survive_half_precision():
    rng = np.random.default_rng(0)
    rows = 1e4 + rng.normal(size=(20, 5)) * [1, 1, 1, 1, 1e-4]
    kept = packed(list(rows.astype(np.float64)))
    assert kept.dtype == np.float16
    assert np.abs(kept).max() == 1
    for column in range(4):
        assert np.corrcoef(kept[:, column], rows[:, column])[0, 1] > 0.9999
    assert not kept[:, 4].any()  # rounding
    noise = 1 + 1e-7 * rng.normal(size=(20, 5))
    assert not packed(list(noise)).any()


def test_a_layer_that_went_silent_or_broke_is_a_failure():
    allowed = Tolerances()
    assert layer_case("x", math.nan, True, True, allowed).status == "skipped"
    assert layer_case("x", math.nan, False, True, allowed).words.startswith("It says the same")
    assert layer_case("x", math.nan, False, False, allowed).changed == ("layer",)
    assert layer_case("x", 0.9994, False, False, allowed).changed == ("layer",)
    assert layer_case("x", 0.9996, False, False, allowed).status == "passed"


def test_what_happened_to_the_input_is_put_into_words():
    kept = [np.random.default_rng(0).normal(size=(9, 9, 3)).astype(np.float32)]

    def told(change):
        return in_words(kept, [change(each) for each in kept])

    assert told(lambda x: x[..., [1, 2, 0]]).startswith("the channels come in another order, (1,")
    assert told(lambda x: x / 255) == "each value is 0.00392 times what it was"
    assert told(lambda x: x * [1, 2, 3] + 1).endswith("(1, 2, 3) times what it was, +1")
    assert "cut, resized or coloured" in told(lambda x: x[::-1])
    assert "another number or shape" in told(lambda x: x[1:])
    assert difference(kept, kept) == 0
    assert difference(kept, [kept[0][1:]]) == math.inf


def test_tolerances_are_checked_and_read_from_texts():
    assert tolerances_from(["cka=0.9", "tie=0"]) == Tolerances(cka=0.9, tie=0.0)
    with pytest.raises(ValueError, match=r"Unknown tolerance 'cake'. Tolerances: tie, prob"):
        tolerances_from(["cake=1"])
    with pytest.raises(ValueError, match="Expected NAME=NUMBER"):
        tolerances_from(["cka"])
    with pytest.raises(ValueError, match=r"Expected cka from 0 to 1. Received: 2"):
        Tolerances(cka=2)


# --- the report ----------------------------------------------------------------------------------

ODD = 'a "cat" <&> 🐈\n\tline\rtwo \x00\x0b\x1b\x85\ufffe.png'


def test_the_junit_report_holds_any_name_and_its_numbers_add_up(tmp_path):
    cases = [
        Case("photograph", ODD, "failed", ("answer", "evidence"), f"{ODD} flipped", 0.5),
        Case("photograph", "fine", "passed"),
        Case("layer", "conv", "skipped", (), "not here"),
        Case("layer", "conv2", "failed", ("layer",), "drifted", 0.2),
    ]
    check = Check(f"net {ODD}", cases, ["cause \x01"], ["note"], Tolerances(), "conv2")
    path = check.write_junit(tmp_path / "made" / "report.xml")
    assert [each.name for each in path.parent.iterdir()] == ["report.xml"]
    root = ElementTree.parse(path).getroot()
    assert root.tag == "testsuites"
    (suite,) = root
    found = suite.findall("testcase")
    for each in (root, suite):
        counts = {name: int(each.get(name)) for name in ("tests", "failures", "errors", "skipped")}
        assert counts == {"tests": 4, "failures": 2, "errors": 0, "skipped": 1}
    assert len(found) == 4
    assert all(each.get("name") and each.get("classname") for each in found)
    assert [[one.tag for one in each] for each in found] == [["failure"], ["failure"], ["skipped"],
                                                             []]  # fmt: skip
    written = ODD.replace("\x00", "\\x00").replace("\x0b", "\\x0b").replace("\x1b", "\\x1b")
    assert found[0].get("name") == written.replace("\ufffe", "\\ufffe")
    assert found[0][0].get("type") == "answer, evidence"
    assert found[1].get("name") == "conv2"
    names = [each.get("name") for each in suite.find("properties")]
    assert names == [f"tolerance.{name}" for name in
                     ("tie", "probability", "correlation", "centre", "cka", "input",
                      "missing")]  # fmt: skip
    assert "cause \\x01\nnote" in suite.find("system-out").text


def test_pandas_is_used_where_it_is(net, folder):
    pandas = pytest.importorskip("pandas")
    table = cw.check_against(net, PICTURES, folder).to_pandas()
    assert isinstance(table, pandas.DataFrame)
    assert len(table) == 18
    assert table["correlation"].dropna().between(0.999, 1).all()


# --- any network ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "method"),
    [
        (models.one_channel, "grad-cam"), (models.binary, "hirescam"),
        (models.fixed_batch, "grad-cam"), (models.dense_only, "saliency"),
        (models.vision_transformer, "grad-cam"), (models.preprocessing_inside, "grad-cam"),
        (models.byte_input, "eigen-cam"), (models.dict_input, "grad-cam"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)  # fmt: skip
def test_any_network_passes_against_itself(keras, build, method, tmp_path):
    rng = np.random.default_rng(0)
    given = [rng.integers(0, 256, (20, 17, 3), np.uint8) for _ in range(9)]

    def opened():
        keras.utils.set_random_seed(0)
        return cw.Network(build(keras))

    cw.keep_evidence(opened(), given, tmp_path, method=method)
    found = cw.check_against(opened(), given[::-1], tmp_path)
    assert found.passed, found.records()[0]


@pytest.mark.slow
def test_a_network_of_many_channels_passes_against_itself_and_not_against_another(keras, tmp_path):
    given = np.random.default_rng(0).random((6, 16, 12, 5)).astype(np.float32)
    cw.keep_evidence(cw.Network(tiny(keras, channels=5)), given, tmp_path)
    assert cw.check_against(cw.Network(tiny(keras, channels=5)), given, tmp_path).passed
    found = cw.check_against(cw.Network(tiny(keras, channels=5, seed=1)), given, tmp_path)
    assert "layer" in found.changed


def test_equal_probabilities_are_no_regression(keras, tmp_path):
    """Of saturated sigmoids all are 1: the answer is the one with the highest score."""
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((8, 8, 3)), layers.Conv2D(3, 1, use_bias=False),
        layers.GlobalAveragePooling2D(), layers.Dense(3, use_bias=False, activation="sigmoid"),
    ])  # fmt: skip
    model.layers[0].set_weights([np.eye(3)[None, None]])
    model.layers[2].set_weights([np.diag([1.0, 3.0, 2.0])])
    net = cw.Network(model, preprocess="none")
    pictures = np.random.default_rng(0).integers(100, 256, (4, 8, 8, 3), np.uint8)
    cw.keep_evidence(net, pictures, tmp_path / "kept")
    found = cw.check_against(net, pictures, tmp_path / "kept")
    assert found.passed, found.summary()


def test_of_probabilities_that_changed_the_one_that_changed_most_is_worst():
    evidence = np.zeros((14, 14), np.float32)
    evidence[3, 3] = 1
    kept = Photograph("one", "x", ((0, 0.9), (1, 0.1)), evidence)
    cases = [
        photograph_case(kept, "one", np.array([p, 1 - p], np.float32), evidence, (0, 1),
                        ("a", "b"), Tolerances())
        for p in (0.6, 0.51)
    ]  # fmt: skip
    assert [each.status for each in cases] == ["failed"] * 2
    assert [each.severity for each in cases] == pytest.approx([0.3, 0.39], abs=1e-6)


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [(1, 0, "The map of 'a' is empty now"), (0, 1, "The map of 'a' was empty, and now shows"),
     (-1, 0, "The map of 'a' is another one, correlation 0.00")],
)  # fmt: skip
def test_an_empty_map_has_no_centre_that_moved(was, now, said):
    shape = np.outer(np.arange(14), np.ones(14)).astype(np.float32)
    kept = Photograph("one", "x", ((0, 0.9), (1, 0.1)), was * shape)
    found = photograph_case(kept, "one", np.array([0.9, 0.1], np.float32), now * shape, (0, 1),
                            ("a", "b"), Tolerances())  # fmt: skip
    assert found.changed == ("evidence",)
    assert found.words.startswith(said)
    assert "nan" not in found.words

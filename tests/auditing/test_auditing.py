"""An audit of a network whose answers are known: it names the strongest colour of a picture."""

import json
import math
import subprocess
import sys
from concurrent.futures import CancelledError, ThreadPoolExecutor

import numpy as np
import pytest
from helpers.colors import COLORS, NAMES, PICTURES, color_net, picture
from PIL import Image

import cnn_widgets as cw
from cnn_widgets.auditing import Share, calibration, write_page
from cnn_widgets.auditing.answers import ANSWERS, MANIFEST
from cnn_widgets.datasets import open_images

net = color_net  # the fixture


@pytest.fixture(scope="module")
def found(net):
    return cw.audit(net, PICTURES)


def test_each_photograph_is_answered_as_the_network_answers_it(net, found):
    for index, (pixels, _) in enumerate(PICTURES):
        first, second = net.predict(cw.load_image(pixels), top=2)
        assert found.predicted[index] == first.class_index
        assert found.probability[index] == pytest.approx(first.probability, abs=1e-6)
        record = found.records()[index]
        assert (record["answer"], record["second"]) == (first.name, second.name)
    assert len(found) == 11
    assert found.errors == {}


def test_names_are_found_whatever_their_capitals_and_joints(found):
    assert found.label_names == ("Red", "green", "sky blue")
    assert list(found.truth[[0, 6, 2, 7]]) == [0, 0, 2, 2]
    assert found.truth[-1] == -1
    assert math.isnan(found.label_probability[-1])


def test_spellings_of_one_label_are_one_row_under_the_first_and_it_is_said(net, tmp_path):
    given = [(picture("red"), "Red"), (picture("red"), "red"), (picture("blue"), "RED"),
             (picture("blue"), "sky_blue"), (picture("blue"), 2)]  # fmt: skip
    found = cw.audit(net, given, out=tmp_path)
    assert found.label_names == ("Red", "sky_blue")
    assert [row.recall for row in found.per_label] == [Share(2, 3), Share(2, 2)]
    (note,) = found.about["image_notes"]
    assert note == "Labels 'Red', 'red', 'RED' are taken as one label, 'Red'"
    assert cw.load_audit(tmp_path).about["image_notes"] == [note]
    assert cw.audit(net, given, out=tmp_path).records() == found.records()
    assert cw.audit(net, iter(given)).about["image_notes"] == [note]


def test_spellings_of_other_classes_stay_apart(net):
    given = [(picture("red"), "Red"), (picture("green"), "red")]
    found = cw.audit(net, given, classes={"Red": "red", "red": "green"})
    assert found.label_names == ("Red", "red")
    assert found.accuracy.right == 2
    assert found.about["image_notes"] == []


def test_the_probability_of_every_label_is_kept(net, tmp_path):
    meant = {"warm": ["red"], "cold": ["green", 2]}
    given = [(picture("red"), "warm"), (picture("green", weak=85), "cold")]
    found = cw.audit(net, given, classes=meant, out=tmp_path)
    assert found.has_probabilities.all()
    p = np.stack([net.scores(cw.load_image(each))[1] for each, _ in given])
    wanted = np.stack([p[:, 1] + p[:, 2], p[:, 0]], axis=1)
    assert found.label_probabilities([0, 1]) == pytest.approx(wanted, abs=1e-4)
    again = cw.load_audit(tmp_path)
    np.testing.assert_array_equal(again.label_probabilities([1]), found.label_probabilities([1]))


def test_accuracy_has_its_interval(found):
    assert (found.accuracy.right, found.accuracy.count) == (8, 10)
    assert found.accuracy.interval == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    assert str(found.accuracy) == "80.0 % (8 of 10; 95 % interval 49.0 to 94.3 %)"
    assert "accuracy 80.0 %" in repr(found)


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [(0, 10, 0, 0.2775328), (10, 10, 0.7224672, 1), (50, 100, 0.4038315, 0.5961685), (0, 0, 0, 1)],
)
def test_wilsons_interval(right, count, low, high):
    """Worked out apart: the roots of (p̂ − p)² = z² p (1 − p) / n."""
    assert Share(right, count).interval == pytest.approx((low, high), abs=1e-6)
    if count:
        p, z = right / count, 1.959963984540054
        roots = np.roots([1 + z * z / count, -2 * p - z * z / count, p * p])
        assert sorted(Share(right, count).interval) == pytest.approx(sorted(roots.real), abs=1e-9)


def test_mistakes_come_worst_first_and_near_misses_nearest_first(found):
    assert list(found.mistakes()) == [8, 9]
    assert list(found.near_misses()) == [9, 8]
    assert found.probability[8] > found.probability[9]
    assert found.label_probability[9] > found.label_probability[8]
    narrow = found.narrowly_right()
    assert set(narrow) == set(range(8))
    assert np.all(np.diff(found.probability[narrow]) >= 0)


def test_labels_that_mean_the_same_may_be_joined(net):
    meant = {"warm": ["red"], "cold": ["green", 2]}
    given = [(picture(c), kind) for c, kind in
             (("red", "warm"), ("green", "cold"), ("blue", "cold"), ("blue", "warm"))]  # fmt: skip
    found = cw.audit(net, given, classes=meant)
    assert found.label_names == ("cold", "warm")
    assert found.accuracy.right == 3
    np.testing.assert_array_equal(found.confusion, [[2, 0, 0], [1, 1, 0]])
    cold, warm = found.per_label
    assert (cold.recall, cold.precision) == (Share(2, 2), Share(2, 3))
    assert (warm.recall, warm.precision, warm.taken_for) == (Share(1, 2), Share(1, 1), "cold")
    assert found.label_probability[1] == pytest.approx(1 - net.scores(given_sample(given, 1))[1][0])


def test_a_class_said_twice_of_a_label_counts_once(net):
    """A number and a name of one class are one class, too."""
    given = [(picture("red"), "warm"), (picture("green", weak=85), "warm")]
    found = cw.audit(net, given, classes={"warm": ["red", 0, "RED", 0]})
    assert found.label_classes == ((0,),)
    p = np.stack([net.scores(cw.load_image(each))[1] for each, _ in given])
    assert found.label_probability == pytest.approx(p[:, 0])
    assert found.label_probabilities([0, 1])[:, 0] == pytest.approx(p[:, 0], abs=1e-4)
    with pytest.raises(ValueError, match=r"label 'warm' stands for, or None .* Received: \[\]"):
        cw.audit(net, given, classes={"warm": []})


def test_of_joined_classes_the_confidence_is_that_of_all(net):
    """Two equal classes of one label have 50 % each; together the network is sure."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[..., 1:] = 250
    found = cw.audit(net, [(pixels, "cold"), (picture("red"), "cold")],
                     classes={"cold": ["green", "sky_blue"], "red": "red"})  # fmt: skip
    assert found.probability[0] == pytest.approx(0.5, abs=0.01)
    assert found.confidence[0] == pytest.approx(1, abs=0.01)
    assert found.confidence[1] == found.probability[1]  # no label stands for the answer
    scores = net.scores(cw.load_image(pixels))[1]
    assert found.confidence[0] == pytest.approx(scores[1] + scores[2])
    assert found.calibration.counts[-1] == 2


def given_sample(given, index):
    return cw.load_image(given[index][0])


def test_answers_that_belong_to_no_label_have_a_column_of_their_own(net):
    found = cw.audit(net, [(picture("red"), "red"), (picture("green"), "red")])
    np.testing.assert_array_equal(found.confusion, [[1, 1]])
    assert found.per_label[0].taken_for == "another class"


def test_labels_by_number_and_labels_left_out(net):
    found = cw.audit(net, np.stack([picture(c) for c in COLORS]), labels=[0, 2, 2])
    assert found.label_names == ("red", "sky_blue")
    assert list(found.right) == [True, False, True]
    found = cw.audit(net, PICTURES, classes={"red": None, "Red": None})
    assert found.accuracy.count == 6
    assert list(found.mistakes()) == [9]


def test_an_entry_of_classes_that_is_no_label_is_told(net):
    given = [(picture("red"), "red"), (picture("green"), "green")]
    found = cw.audit(net, given, classes={"rose": "green", "grass": "green", "green": 1})
    assert found.label_classes == ((1,), (0,))
    note = "No photograph has these labels of classes=: 'rose', 'grass'"
    assert found.about["image_notes"] == [note]
    assert cw.audit(net, iter(given), classes={"rose": 1}).about["image_notes"] != []
    assert cw.audit(net, given, classes={"red": 0}).about["image_notes"] == []
    assert cw.audit(net, given, classes={"RED": 1}).label_classes == ((1,), (1,))


def test_an_empty_folder_name_is_not_the_present_folder(net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = cw.audit(net, PICTURES)
    for call in (
        lambda: cw.audit(net, PICTURES, out=""),
        lambda: found.save(""),
        lambda: cw.load_audit(""),
        lambda: cw.keep_evidence(net, [PICTURES[0][0]], ""),
    ):
        with pytest.raises(ValueError, match=r"Expected a folder\. Received an empty path"):
            call()
    assert list(tmp_path.iterdir()) == []


def test_labels_of_no_class_are_named_with_what_is_near(net):
    with pytest.raises(ValueError, match=r"'grean' \(near: 'green'\), 'dog'") as raised:
        cw.audit(net, [(picture("red"), "grean"), (picture("red"), "dog")])
    assert "classes={'label': ['class', …]}" in str(raised.value)
    with pytest.raises(ValueError, match="Unknown class"):
        cw.audit(net, [(picture("red"), 7)])
    with pytest.raises(ValueError, match="Unknown class 'violet'"):
        cw.audit(net, [(picture("red"), "dog")], classes={"dog": "violet"})


def test_no_photograph_is_an_error_and_none_that_can_be_read_is_told(keras, net, tmp_path):
    from cnn_widgets.environment import tensorflow

    empty = tensorflow().data.Dataset.from_tensor_slices(np.zeros((0, 8, 8, 3), np.uint8))
    for nothing in (empty, iter([]), {}):
        with pytest.raises(ValueError, match=r"(?i)at least one"):
            cw.audit(net, nothing)
    found = cw.audit(net, [(b"broken", "red"), (b"broken, too", "green")])
    assert "2 photographs, none can be read; the first: image 0: " in repr(found)
    found = cw.audit(net, [(b"broken", "red"), (picture("red"), None)])
    assert found.unjudged == "no photograph with a label can be read"
    found = cw.audit(net, [(picture("red"), "red")], classes={"red": None})
    assert found.unjudged == "no photograph has a label that is not left out"
    found = cw.audit(net, [(picture("red"), None)])
    assert found.unjudged == "no photograph has a label"
    assert repr(found).endswith("1 photograph, no labels)")
    assert cw.audit(net, PICTURES).unjudged == ""


def test_without_labels_there_are_answers_and_no_judgement(net):
    found = cw.audit(net, [picture("red"), picture("blue")])
    assert found.accuracy.count == 0
    assert math.isnan(found.accuracy.value)
    assert (len(found.mistakes()), found.confusion.shape) == (0, (0, 1))
    assert math.isnan(found.calibration.error)
    json.dumps(found.summary(), allow_nan=False)
    assert "no labels" in repr(found)


# --- calibration ---------------------------------------------------------------------------------


def test_the_reliability_curve_by_hand():
    probabilities = np.array([0.05, 0.1, 0.11, 0.95, 1.0, 0.0])
    right = np.array([False, True, False, True, False, False])
    found = calibration.calibration(probabilities, right)
    assert list(found.counts) == [3, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    assert found.confidence[[0, 1, 9]] == pytest.approx([0.05, 0.11, 0.975])
    assert found.accuracy[[0, 1, 9]] == pytest.approx([1 / 3, 0, 0.5])
    assert np.isnan(found.accuracy[2:9]).all()
    gaps = 3 * (1 / 3 - 0.05) + 1 * 0.11 + 2 * (0.975 - 0.5)
    assert found.error == pytest.approx(gaps / 6)


def test_a_network_that_is_right_as_often_as_it_says_has_almost_no_error():
    rng = np.random.default_rng(0)
    probabilities = rng.random(200_000)
    right = rng.random(200_000) < probabilities
    assert calibration.calibration(probabilities, right).error < 0.01
    assert calibration.calibration(probabilities**0.5, right).error > 0.1


# --- evidence ------------------------------------------------------------------------------------


def test_the_mean_evidence_lies_where_the_colour_is(net):
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4, :4, 0] = 255
    found = cw.audit(net, [(pixels, "red")] * 3)
    mean = found.mean_evidence("red")
    assert mean.shape == (14, 14)
    assert mean[:6, :6].min() > 0.9
    assert mean[9:, 9:].max() < 0.05
    np.testing.assert_array_equal(found.mean_evidence(), mean)
    with pytest.raises(ValueError, match="Unknown label 'dog'"):
        found.mean_evidence("dog")


# --- what is written, stopped, gone on with ------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    for number in range(40):
        color = list(COLORS)[number % 3]
        place = (
            tmp_path / "photos" / ("red" if number % 10 == 1 else color.replace("blue", "sky_blue"))
        )
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(color)).resize((16, 16)).save(place / f"{number:02}.png")
    (tmp_path / "photos" / "red" / "00.png").write_bytes(b"broken")
    return tmp_path / "photos"


def same(one, other):
    words = ("name", "label", "answer", "right", "second", "error")
    pairs = zip(one.records(), other.records(), strict=True)
    return all(first[name] == second[name] for first, second in pairs for name in words)


def test_what_is_written_can_be_read_again(net, folder, tmp_path):
    found = cw.audit(net, folder, out=tmp_path / "out")
    kept = json.loads((tmp_path / "out" / "audit.json").read_text("utf-8"))
    assert (kept["photographs"], kept["unreadable"], kept["right"]) == (40, 1, 36)
    assert list(found.errors) == ["red/00.png"]
    assert "broken" not in kept
    lines = (tmp_path / "out" / "answers.csv").read_text("utf-8").splitlines()
    assert len(lines) == 41
    assert lines[0].startswith("name,label,answer,probability,right")
    again = cw.load_audit(tmp_path / "out")
    assert again.records() == found.records()
    assert again.accuracy == found.accuracy
    np.testing.assert_array_equal(again.mean_evidence("green"), found.mean_evidence("green"))
    assert again.label_names == found.label_names


def test_a_run_that_was_stopped_goes_on_where_it_was(net, folder, tmp_path):
    whole = cw.audit(net, folder)
    seen = []

    def stop(done, total):
        seen.append((done, total))
        return done < 12

    with pytest.raises(CancelledError, match="after 12 of 40"):
        cw.audit(net, folder, out=tmp_path / "out", progress=stop)
    assert seen[-1] == (12, 40)
    assert len(cw.load_audit(tmp_path / "out")) == 12
    with (tmp_path / "out" / ANSWERS).open("a") as file:
        file.write('{"name": "torn')  # the disk was full, or the power went
    asked = []
    found = cw.audit(net, folder, out=tmp_path / "out", progress=lambda d, t: asked.append(d))
    assert asked == list(range(13, 41))
    assert same(found, whole)
    assert found.probability == pytest.approx(whole.probability, abs=1e-6, nan_ok=True)
    third = cw.audit(net, folder, out=tmp_path / "out", progress=lambda d, t: asked.append(d))
    assert len(asked) == 28
    assert third.records() == found.records()


def test_another_network_other_photographs_or_another_method_is_another_run(
    keras, net, folder, tmp_path
):
    cw.audit(net, folder, out=tmp_path / "out")
    before = (tmp_path / "out" / ANSWERS).read_bytes()
    with pytest.raises(ValueError, match="audit of another method"):
        cw.audit(net, folder, out=tmp_path / "out", method="saliency")
    (folder / "green" / "04.png").unlink()
    with pytest.raises(ValueError, match=r"audit of other photographs\. Choose"):
        cw.audit(net, folder, out=tmp_path / "out")
    other = keras.models.clone_model(net.model)
    changed = cw.Network(other, preprocess=lambda x: x / 255, class_names=NAMES, name="colors")
    with pytest.raises(ValueError, match="other weights"):
        cw.audit(changed, folder, out=tmp_path / "out")
    assert (tmp_path / "out" / ANSWERS).read_bytes() == before


def test_a_folder_takes_one_run_at_a_time(net, folder, tmp_path):
    words = []

    def meanwhile(done, total):
        if done == 5:
            with pytest.raises(ValueError, match="Another run writes into") as stop:
                cw.audit(net, folder, out=tmp_path / "out")
            words.append(str(stop.value))

    found = cw.audit(net, folder, out=tmp_path / "out", progress=meanwhile)
    assert words
    assert repr(str(tmp_path / "out")) in words[0]
    assert len((tmp_path / "out" / ANSWERS).read_text().splitlines()) == len(found) == 40


def test_a_run_that_was_killed_locks_nothing(net, folder, tmp_path):
    code = "import os, sys; from cnn_widgets.auditing.keeping import alone_in\n"
    code += "with alone_in(sys.argv[1]): print('in', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(tmp_path / "out")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stdout.readline() == b"in\n"
        with pytest.raises(ValueError, match="Another run writes into"):
            cw.audit(net, folder, out=tmp_path / "out")
        run.kill()
    assert len(cw.audit(net, folder, out=tmp_path / "out")) == 40


@pytest.mark.parametrize(
    "changed",
    [
        lambda lines: lines[:7] + lines[8:],
        lambda lines: lines + lines[3:6],
        lambda lines: [lines[1], lines[0], *lines[2:]],
        lambda lines: [lines[0].replace('"green"', '"red"'), *lines[1:]],
    ],
    ids=["one is missing", "some twice", "in another order", "another label"],
)
def test_answers_that_are_not_those_to_the_photographs_are_refused(net, folder, tmp_path, changed):
    cw.audit(net, folder, out=tmp_path)
    path = tmp_path / ANSWERS
    lines = changed(path.read_text("utf-8").splitlines(keepends=True))
    path.write_text("".join(lines), "utf-8")
    with pytest.raises(ValueError, match=r"answers\.jsonl' holds \d+ answers, and not to these"):
        cw.audit(net, folder, out=tmp_path)
    assert path.read_text("utf-8") == "".join(lines)
    if len(lines) > 40:
        with pytest.raises(ValueError, match="damaged: 43 answers, to 40 of 40 photographs"):
            cw.load_audit(tmp_path)


def test_what_is_another_is_said_in_words_and_once(net, folder, tmp_path):
    cw.audit(net, folder, out=tmp_path)
    (folder / "green" / "04.png").unlink()
    with pytest.raises(ValueError, match="holds an audit of") as stop:
        cw.audit(net, folder, out=tmp_path, method="saliency", shard=3, classes={"red": "green"})
    said = "other photographs, another method, another shard size and other meanings of the labels"
    assert f"holds an audit of {said}. Choose" in str(stop.value)


def test_answers_of_which_nothing_is_known_are_refused(net, folder, tmp_path):
    cw.audit(net, folder, out=tmp_path)
    (tmp_path / MANIFEST).unlink()
    with pytest.raises(ValueError, match=r"holds answers, but no manifest\.json"):
        cw.audit(net, folder, out=tmp_path)
    assert not (tmp_path / MANIFEST).exists()


def test_a_folder_without_an_audit_and_a_damaged_one_are_told_apart(net, folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no audit"):
        cw.load_audit(tmp_path)
    cw.audit(net, folder, out=tmp_path / "out")
    (tmp_path / "out" / MANIFEST).write_text("{}")
    with pytest.raises(ValueError, match="is damaged"):
        cw.load_audit(tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (ANSWERS, b"{}\n", r"answers\.jsonl' is damaged in line 1"),
        (ANSWERS, b'{"name": \n', r"answers\.jsonl' is damaged in line 1"),
        (ANSWERS, b"[1, 2]\n", r"answers\.jsonl' is damaged in line 1"),
        (ANSWERS, b"\xff\xfe\n", r"answers\.jsonl' is damaged in line 1"),
        (MANIFEST, b"{", r"manifest\.json' is damaged"),
        (MANIFEST, b"\xff", r"manifest\.json' is damaged"),
        (MANIFEST, b"[]", r"manifest\.json' is damaged: it holds no mapping"),
    ],
)
def test_a_damaged_file_of_answers_is_named(net, folder, tmp_path, name, content, said):
    cw.audit(net, folder, out=tmp_path)
    kept = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content + kept if name == ANSWERS else content)
    with pytest.raises(ValueError, match=said):
        cw.audit(net, folder, out=tmp_path)
    with pytest.raises(ValueError, match=said):
        cw.load_audit(tmp_path)


@pytest.mark.parametrize(
    ("entry", "value"),
    [("predicted", "two"), ("name", 3), ("label", []), ("error", None), ("probability", "x"),
     ("evidence", 5), ("evidence", "x"), ("evidence", "AAAA")],
)  # fmt: skip
def test_an_entry_of_another_kind_is_damage(net, folder, tmp_path, entry, value):
    cw.audit(net, folder, out=tmp_path)
    first, *others = (tmp_path / ANSWERS).read_text("utf-8").splitlines(keepends=True)
    changed = json.dumps({**json.loads(first), entry: value}) + "\n"
    (tmp_path / ANSWERS).write_text("".join([changed, *others]), "utf-8")
    with pytest.raises(ValueError, match=r"answers\.jsonl' is damaged in line 1"):
        cw.load_audit(tmp_path)


def test_pandas_is_used_where_it_is(found):
    pandas = pytest.importorskip("pandas")
    table = found.to_pandas()
    assert isinstance(table, pandas.DataFrame)
    assert len(table) == 11
    assert table["right"].sum() == 8


def test_real_photographs_of_a_real_network(lite0, gallery):
    meant = {"cats": ["Egyptian cat", "tabby", "tiger cat"], "espresso": "espresso",
             "rocket": ["missile", "projectile", "space shuttle"]}  # fmt: skip
    given = [(gallery["cat"], "cats"), (gallery["espresso"], "espresso"),
             (gallery["rocket"], "rocket"), (gallery["raccoon"], "cats")]  # fmt: skip
    found = cw.audit(lite0, given, classes=meant)
    assert list(found.right[[0, 1, 3]]) == [True, True, False]
    assert found.label_probability[0] == pytest.approx(
        sum(lite0.scores(gallery["cat"])[1][lite0.class_index(each)] for each in meant["cats"]),
        abs=1e-5,
    )


# --- what went wrong once ------------------------------------------------------------------------


def test_a_stream_is_audited_whole_in_one_pass(net, monkeypatch):
    monkeypatch.setattr("cnn_widgets.datasets.batches.KEPT", 5)
    given = [(picture(list(COLORS)[n % 3]), ["red", "green", "sky blue"][n % 3]) for n in range(20)]
    given += [(picture("red"), "green")] * 10  # and a wrong label, first seen late
    found = cw.audit(net, iter(given))
    assert (len(found), found.accuracy.right, found.accuracy.count) == (30, 20, 30)
    seen = []
    again = cw.audit(net, (each for each in given), progress=lambda d, t: seen.append((d, t)))
    assert again.records() == found.records()
    assert seen[-1] == (30, 0)
    with pytest.raises(ValueError, match="No class of 'colors' is named after these labels: 'dog'"):
        cw.audit(net, iter([*given, (picture("red"), "dog")]))


def test_what_cannot_be_gone_through_again_is_neither_kept_nor_shown(net, tmp_path):
    given = [(picture("red"), "green")]
    with pytest.raises(ValueError, match="out= is for photographs that can be gone on with"):
        cw.audit(net, iter(given), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    images = open_images(iter(given))
    with pytest.raises(ValueError, match="cannot be read again"):
        write_page(cw.audit(net, iter(given)), net, images, tmp_path / "a.html")


def test_a_data_set_without_end_is_refused(keras, net):
    from cnn_widgets.environment import tensorflow

    data = tensorflow().data.Dataset.from_tensor_slices(picture("red")[None]).repeat()
    with pytest.raises(ValueError, match=r"never ends: audit\(net, data\.take\(1000\)\)"):
        cw.audit(net, data)


def test_other_photographs_of_the_same_names_are_another_run(net, folder, tmp_path):
    cw.audit(net, folder, out=tmp_path / "out")
    for path in folder.rglob("*.png"):
        Image.new("RGB", (9, 9), (0, 0, 250)).save(path)
    with pytest.raises(ValueError, match=r"audit of other photographs\. Choose"):
        cw.audit(net, folder, out=tmp_path / "out")
    arrays = [np.stack([picture(color)] * 3) for color in ("red", "blue")]
    cw.audit(net, arrays[0], labels=[0, 0, 0], out=tmp_path / "arrays")
    with pytest.raises(ValueError, match=r"audit of other photographs\. Choose"):
        cw.audit(net, arrays[1], labels=[0, 0, 0], out=tmp_path / "arrays")


def test_another_preprocessing_is_another_run_and_a_text_file_more_is_not(net, folder):
    out = folder / "audit"  # inside the photographs' own folder
    found = cw.audit(net, folder, out=out)
    assert cw.audit(net, folder, out=out).records() == found.records()
    inverted = cw.Network(net.model, preprocess=lambda x: 1 - x / 255, class_names=NAMES,
                          name="colors")  # fmt: skip
    with pytest.raises(ValueError, match="another preprocessing"):
        cw.audit(inverted, folder, out=out)


@pytest.mark.parametrize("name", ["caf\udce9", "two\u2028lines", "next\x85line", "new\nline", "🐈"])
def test_any_name_is_kept_and_gone_on_with(net, tmp_path, name):
    place = tmp_path / "photos"
    for kind in ("red", "green"):
        (place / kind).mkdir(parents=True)
        Image.fromarray(picture(kind)).save(place / kind / "a.png")
        (place / kind / "a.png").rename(place / kind / f"{name}.png")
    with pytest.raises(CancelledError):
        cw.audit(net, place, out=tmp_path / "out", progress=lambda done, _: False)
    found = cw.audit(net, place, out=tmp_path / "out")
    assert found.accuracy.right == 2
    assert cw.load_audit(tmp_path / "out").records() == found.records()
    images = open_images(place)
    assert write_page(found, net, images, tmp_path / "a.html").stat().st_size > 1000


def test_independent_classes_do_not_add_up(keras):
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((8, 8, 3)), layers.Conv2D(3, 1, use_bias=False),
        layers.GlobalAveragePooling2D(), layers.Dense(3, use_bias=False, activation="sigmoid"),
    ])  # fmt: skip
    model.layers[0].set_weights([np.eye(3)[None, None]])
    model.layers[2].set_weights([10 * np.eye(3)])
    many = cw.Network(model, preprocess=lambda x: x / 255, class_names=NAMES)
    bright = np.full((8, 8, 3), 250, np.uint8)
    found = cw.audit(many, [(bright, "warm")], classes={"warm": ["red", "green"]})
    assert found.confidence[0] == found.label_probability[0] == pytest.approx(1, abs=1e-3)
    assert found.confidence[0] <= 1


def test_a_network_without_classes_is_refused(keras):
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((8, 8, 3)), layers.Conv2D(3, 1), layers.GlobalAveragePooling2D(),
        layers.Dense(1),
    ])  # fmt: skip
    with pytest.raises(ValueError, match="gives values, no classes"):
        cw.audit(cw.Network(model, preprocess="none"), [picture("red")])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"fit": "foo"}, "Expected fit to be one of .* Received: 'foo'"),
        ({"method": "nope"}, "Unknown method 'nope'"),
        ({"progress": 3}, "Expected progress to be a function"),
        ({"shard": 2.5}, "Expected shard to be a whole number. Received: 2.5"),
        ({"shard": 0}, "Expected shard to be at least 1. Received: 0"),
    ],
)
def test_a_call_that_is_refused_leaves_nothing_in_the_folder(net, folder, tmp_path, wrong, said):
    with pytest.raises((ValueError, TypeError), match=said):
        cw.audit(net, folder, out=tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()
    assert len(cw.audit(net, folder, out=tmp_path / "out")) == 40


def test_what_a_refusal_advises_may_be_done_in_the_same_folder(keras, folder, tmp_path):
    model = keras.Sequential([
        keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax"),
    ])  # fmt: skip
    net = cw.Network(model, preprocess=lambda x: x / 255, class_names=NAMES)
    with pytest.raises(ValueError, match="method='saliency' needs none"):
        cw.audit(net, folder, out=tmp_path / "out")
    found = cw.audit(net, folder, out=tmp_path / "out", method="saliency")
    assert len(found) == 40


def test_a_run_that_ended_before_its_first_answer_holds_no_folder(net, folder, tmp_path):
    cw.audit(net, folder, out=tmp_path)
    (tmp_path / ANSWERS).write_bytes(b"")
    assert cw.audit(net, folder, out=tmp_path, method="saliency").about["method"] == "saliency"
    with pytest.raises(ValueError, match="holds an audit of another"):
        cw.audit(net, folder, out=tmp_path)


def test_numbers_that_are_names_too_are_asked_about(net):
    numbered = cw.Network(net.model, preprocess=lambda x: x / 255, class_names=["1", "2", "3"])
    with pytest.raises(ValueError, match="Label 1 may be the class of number 1, '2', or the one"):
        cw.audit(numbered, [(picture("red"), 1)])
    found = cw.audit(numbered, [(picture("red"), 1)], classes={1: "1"})
    assert found.accuracy.right == 1
    assert cw.audit(numbered, [(picture("red"), "1")]).accuracy.right == 1
    digits = cw.Network(net.model, preprocess=lambda x: x / 255, class_names=["0", "1", "2"])
    assert cw.audit(digits, [(picture("green"), 1)]).accuracy.right == 1
    with pytest.raises(ValueError, match="Expected classes to be a mapping"):
        cw.audit(net, [(picture("red"), "red")], classes=["red"])


@pytest.fixture
def overflowing(keras):
    """The colour network, of which the scores overflow where red is brighter than 250."""
    x = keras.Input((24, 24, 3))
    maps = keras.layers.Conv2D(3, 1, use_bias=False, name="color")(x)
    model = keras.Model(x, keras.layers.GlobalMaxPooling2D()(maps), name="overflowing")
    model.set_weights([np.diag([3.4e38 / 250, 1, 1])[None, None]])
    return cw.Network(model, preprocess="none", class_names=["red", "green", "blue"], head="logits")


def bright(*reds):
    return [(np.full((24, 24, 3), (red, 9, 9), np.uint8), "red") for red in reds]


def test_photographs_without_finite_scores_are_named_and_the_rest_is_judged(overflowing, tmp_path):
    given = [*bright(255, 10, 20, 254), *bright(*range(30)), b"no picture", *bright(253)]
    found = cw.audit(overflowing, given, out=tmp_path / "a", shard=10)
    assert list(found.errors) == ["image 0", "image 3", "image 34", "image 35"]
    for name in ("image 0", "image 3", "image 35"):
        assert f"NaN or infinite scores for {name!r}" in found.errors[name]
    assert (found.accuracy.right, found.accuracy.count) == (31, 32)  # the one with red 0 is wrong
    assert cw.audit(overflowing, given, out=tmp_path / "a", shard=10).records() == found.records()
    with ThreadPoolExecutor(2) as pool:
        shards = cw.audit(overflowing, given, shard=10, executor=pool)
    assert shards.records() == found.records()
    page = write_page(found, overflowing, given, tmp_path / "a.html").read_text("utf-8")
    told = page[page.index("Could not be read or answered") :]
    assert "<li>image 3: Network &#x27;overflowing&#x27; computes NaN or infinite scores" in told


def test_an_audit_goes_on_after_a_photograph_without_finite_scores(overflowing, tmp_path):
    given = bright(10, 255, *range(20))
    with pytest.raises(CancelledError):
        cw.audit(overflowing, given, out=tmp_path, progress=lambda done, total: done < 5)
    found = cw.audit(overflowing, given, out=tmp_path)
    assert found.records() == cw.audit(overflowing, given).records()
    assert list(found.errors) == ["image 1"]


def test_a_network_without_finite_scores_for_any_photograph_is_one_error(overflowing, tmp_path):
    given = [b"no picture", *bright(*[255] * 20)]
    for out in (None, tmp_path, tmp_path):
        with pytest.raises(ValueError, match=r"scores for 'image 1', .* with every photograph"):
            cw.audit(overflowing, given, out=out)


def test_an_audit_that_was_kept_before_heads_were_goes_on(net, tmp_path):
    given = [(picture(color), None) for color in COLORS]
    with pytest.raises(CancelledError):
        cw.audit(net, given, out=tmp_path, progress=lambda done, total: done < 2)
    kept = json.loads((tmp_path / MANIFEST).read_text())
    assert kept.pop("head") == "softmax of output 0"
    (tmp_path / MANIFEST).write_text(json.dumps(kept))
    found = cw.audit(net, given, out=tmp_path)
    assert found.records() == cw.audit(net, given).records()
    write_page(cw.load_audit(tmp_path), net, given, tmp_path / "a.html")

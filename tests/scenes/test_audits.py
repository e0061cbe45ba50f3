"""The audit of all photographs in the explorer: choosing, labels, other networks."""

import contextlib
import io
import re
import threading
from concurrent.futures import CancelledError

import numpy as np
import pytest
from helpers.networks import tiny
from PIL import Image

import cnn_widgets as cw
from cnn_widgets.auditing import running, write_page
from cnn_widgets.auditing.result import ANOTHER
from cnn_widgets.auditing.selecting import SELECTIONS, most_confused, select
from cnn_widgets.panels.audit_panels import about_cell
from cnn_widgets.panels.places import MATRIX_CELL, MATRIX_HEADS, confusion_cell
from cnn_widgets.pointing.gestures import wanted
from cnn_widgets.pointing.readouts import describe
from cnn_widgets.rendering import to_page
from cnn_widgets.scenes.selection import audit_question, audited, selected

COUNT = 24
NAMES = ("red", "green", "blue", "grey")


@pytest.fixture(scope="module")
def net(keras):
    return cw.Network(tiny(keras), preprocess="none", class_names=list(NAMES))


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(3)
    return rng.integers(0, 256, (COUNT, 24, 30, 3), np.uint8)


@pytest.fixture(scope="module")
def labelled(net, pictures):
    """Photographs and labels of which about half are what the network answers."""
    answers = [best[0].class_index for best in net.predict([cw.load_image(p) for p in pictures])]
    labels = [a if n % 2 else (a + 1) % 4 for n, a in enumerate(answers)]
    return [(picture, NAMES[label]) for picture, label in zip(pictures, labels, strict=True)]


@pytest.fixture
def explorer(net, labelled):
    made = cw.CNNExplorer(net, labelled)
    yield made
    made.close()


def test_asking_about_all_tells_what_cw_audit_tells(explorer, net, labelled):
    found = explorer.audit()
    alone = cw.audit(net, labelled)
    np.testing.assert_array_equal(found.predicted, alone.predicted)
    np.testing.assert_array_equal(found.truth, alone.truth)
    assert (found.accuracy.right, found.accuracy.count) == (COUNT // 2, COUNT)
    assert str(found.accuracy) in explorer._screen.views["audit"].value
    assert explorer.audit() is found  # it is not asked again
    with pytest.raises(TypeError, match=r"Expected what cw\.audit\(\) returns. Received: int"):
        explorer.audit(3)


def test_the_mistakes_are_on_the_table_the_most_confident_first(explorer):
    found = explorer.audit()
    wrong = [found.names[index] for index in found.mistakes()]
    assert selected(explorer.scene) == tuple(wrong)
    tooltips = [button.tooltip for button in explorer.controls.thumbs.row.children]
    label = explorer.scene.samples.photographs.label
    assert tooltips == [f"photograph {name}, labelled {label(name)}" for name in wrong[:18]]
    assert "mistakes" in explorer.controls.thumbs.notes.value
    explorer.state.audit = False
    assert selected(explorer.scene) is None
    assert len(explorer.controls.thumbs.row.children) == 18  # all are back, by the page


def test_the_note_says_in_which_order_they_stand(explorer):
    explorer.audit()
    explorer.state.audit_label = "blue"
    thumbs = explorer.controls.thumbs
    assert thumbs.notes.value == "mistakes, the most confident first, labelled blue"
    thumbs.order.value = "name"
    assert thumbs.notes.value == "mistakes, labelled blue, by name"
    thumbs.order.value = "set"
    assert thumbs.notes.value == "mistakes, the most confident first, labelled blue"


def test_choosing_a_cell_shows_the_first_of_its_photographs(explorer):
    found = explorer.audit()
    row, column = np.argwhere(found.confusion * (1 - np.eye(*found.confusion.shape, dtype=int)))[0]
    label, answer = found.label_names[row], (*found.label_names, ANOTHER)[column]
    explorer.state.update(audit_label=label, audit_answer=answer)
    names = selected(explorer.scene)
    assert len(names) == found.confusion[row, column]
    assert explorer.state.image == names[0]
    assert explorer.scene.predictions[0].name == answer
    assert explorer.scene.label == label


def test_a_click_into_the_table_chooses_its_cell(explorer):
    found = explorer.audit()
    labels, answers, counts = most_confused(found, 99)
    (left, top), (width, height) = MATRIX_HEADS, MATRIX_CELL
    whole = left + width * len(answers), top + height * len(labels)
    for row in range(-1, len(labels)):
        for column in range(-1, len(answers)):
            x = (left / 2 if column < 0 else left + width * (column + 0.5)) / whole[0]
            y = (top / 2 if row < 0 else top + height * (row + 0.5)) / whole[1]
            expected = (labels[row] if row >= 0 else "", answers[column] if column >= 0 else "")
            assert confusion_cell(found, x, y) == expected
            gesture = {"kind": "click", "picture": "confusion", "x": x, "y": y}
            changes = wanted(explorer.scene, gesture)
            if row >= 0 and column >= 0:
                told = describe(explorer.scene, "confusion", x, y)
                assert told.startswith(f"{counts[row, column]:,} of ")
            wrong = counts * (np.array(labels)[:, None] != np.array(answers))
            some = counts[row, column] if min(row, column) >= 0 else (
                wrong[slice(None) if row < 0 else row, slice(None) if column < 0 else column].sum()
            )  # fmt: skip
            if not some and expected != ("", ""):  # no photograph would be left on the table
                assert changes == {}
                continue
            right = row >= 0 and expected[0] == expected[1]
            assert changes["audit_kind"] == ("narrowly right" if right else "mistakes")
            assert (changes["audit_label"], changes["audit_answer"]) == expected


def test_keys_move_the_chosen_cell_and_stay_inside(explorer):
    explorer.audit()
    scene = explorer.scene

    def press(key):
        explorer.state.update(**wanted(explorer.scene, {"kind": "key", "picture": "confusion",
                                                        "key": key}))  # fmt: skip
        return explorer.state.audit_label, explorer.state.audit_answer

    labels = audited(scene).label_names
    assert press("ArrowDown") == (labels[0], "")
    assert press("ArrowRight") == (labels[0], labels[0])
    assert explorer.state.audit_kind == "narrowly right"
    assert press("ArrowUp") == ("", labels[0])
    assert press("ArrowUp") == ("", labels[0])
    for _ in range(9):
        press("ArrowRight")
    assert explorer.state.audit_answer == ANOTHER
    assert press("Escape") == ("", "")
    assert explorer._touch.pointer.places["confusion"]["text"] == "all mistakes"


def test_every_selection_is_a_part_of_all_and_of_its_cell(explorer):
    found = explorer.audit()
    for kind in SELECTIONS:
        parts = [
            index
            for label in found.label_names
            for answer in (*found.label_names, ANOTHER)
            for index in select(found, kind, label, answer)
        ]
        assert sorted(parts) == sorted(select(found, kind))
    counted = {
        (label, answer): len(select(found, "all", label, answer))
        for label in found.label_names
        for answer in found.label_names
    }
    for row, label in enumerate(found.label_names):
        for column, answer in enumerate(found.label_names):
            assert counted[label, answer] == found.confusion[row, column]
            assert about_cell(found, label, answer).startswith(f"{counted[label, answer]} of ")


def test_evidence_for_the_label_stays_when_the_photograph_changes(explorer):
    explorer.audit()
    explorer.state.class_index = "its label"
    for name in selected(explorer.scene)[:3]:
        explorer.controls.thumbs._choose(name)
        scene = explorer.scene
        assert scene.image == name
        assert scene.chosen.name == scene.label
        assert explorer.controls.widgets["class_index"].label.startswith("its label: ")
    explorer.state.update(class_index=None, versus="its label")
    assert explorer.scene.network.class_names[explorer.scene.versus] == explorer.scene.label
    assert explorer.scene.attribution.question.endswith(f"rather than {explorer.scene.label}")


def test_without_a_label_its_label_is_the_most_likely_class_and_says_so(net, pictures):
    explorer = cw.CNNExplorer(net, pictures)
    explorer.state.update(class_index="its label", versus="its label")
    assert explorer.scene.chosen == explorer.scene.predictions[0]
    assert explorer.scene.versus is None
    assert "none is known" in explorer.controls.widgets["class_index"].label
    found = explorer.audit()
    assert not found.judged.any()
    assert "no photograph has a label" in explorer._screen.views["audit"].value
    assert selected(explorer.scene) == found.names
    explorer.close()


def test_a_label_for_several_classes_is_the_likeliest_of_them(net, pictures):
    pairs = [(picture, "warm") for picture in pictures[:4]]
    explorer = cw.CNNExplorer(net, pairs, classes={"warm": ["red", "green"]})
    probabilities = net.scores(explorer.scene.sample)[1]
    assert explorer.scene.label_class == int(np.argmax(probabilities[:2]))
    found = explorer.audit()
    assert found.label_names == ("warm",)
    explorer.close()


def test_what_is_refused_changes_nothing(explorer):
    before = explorer.state.values()
    with pytest.raises(ValueError, match="not asked about all photographs"):
        explorer.state.audit_label = "red"
    explorer.audit()
    with pytest.raises(ValueError, match=r"Unknown label .purple.\. Labels: "):
        explorer.state.update(alpha=0.1, audit_label="purple")
    with pytest.raises(ValueError, match="audit_kind"):
        explorer.state.audit_kind = "worst"
    assert explorer.state.values() == {**before, "audit": True}


def test_a_label_the_network_does_not_know_is_told_and_the_explorer_lives(net, pictures):
    explorer = cw.CNNExplorer(net, [(picture, "mauve") for picture in pictures[:3]])
    assert explorer.scene.label_class is None
    with pytest.raises(ValueError, match=r"No class of .* 'mauve'"):
        explorer.audit()
    explorer.controls.buttons["audit"].click()
    explorer._tasks.jobs.wait(60)
    assert "mauve" in str(explorer.last_error)
    assert "mauve" in explorer._screen.status.value
    explorer.state.filter = 1
    explorer.close()


def test_a_stopped_run_goes_on_where_it_was(explorer, monkeypatch):
    asked = []
    real = running._answer
    monkeypatch.setattr(running, "_answer", lambda *given: asked.append(1) or real(*given))
    scene, jobs = explorer.scene, explorer._tasks.jobs
    with pytest.raises(CancelledError):
        scene.audits.run(audit_question(scene), lambda done, total: done < 10)
    assert len(asked) == 10
    explorer.state.audit = True
    explorer.controls.buttons["audit"].click()
    jobs.wait(60)
    assert len(asked) == COUNT
    assert len(audited(explorer.scene)) == COUNT


def test_an_audit_made_before_is_shown_and_one_of_other_weights_refused(keras, net, labelled):
    made = cw.audit(net, labelled)
    explorer = cw.CNNExplorer(net, labelled)
    assert explorer.audit(made) is made
    assert audited(explorer.scene) is made
    other = cw.Network(tiny(keras, seed=5), preprocess="none", class_names=list(NAMES))
    with pytest.raises(ValueError, match="other weights"):
        explorer.audit(cw.audit(other, labelled))
    with pytest.raises(ValueError, match="not an audit of exactly the photographs"):
        explorer.audit(cw.audit(net, {"elsewhere": labelled[0][0]}))
    assert audited(explorer.scene) is made
    explorer.close()


def test_another_network_has_its_own_audit(keras, net, labelled):
    other = cw.Network(tiny(keras, seed=5), preprocess="none", class_names=list(NAMES),
                       name="other")  # fmt: skip
    explorer = cw.CNNExplorer(net, labelled, models={"other": other})
    found = explorer.audit()
    explorer.state.update(audit_label=found.label_names[0])
    explorer.state.network = "other"
    assert audited(explorer.scene) is None
    assert (explorer.state.audit_label, explorer.state.audit_answer) == ("", "")
    assert explorer.audit() is not found
    explorer.state.network = net.name
    assert audited(explorer.scene) is found
    explorer.close()


def test_of_many_labels_those_with_most_mistakes_are_in_the_table():
    class Found:
        labels_cover = False
        label_names = tuple("abcdef")
        confusion = np.array([
            [9, 0, 0, 0, 0, 0, 0],
            [0, 5, 4, 0, 0, 0, 0],
            [0, 0, 9, 0, 0, 0, 0],
            [0, 0, 0, 1, 0, 7, 1],
            [0, 0, 0, 0, 9, 0, 0],
            [1, 0, 0, 0, 0, 8, 0],
        ])  # fmt: skip

    labels, answers, counts = most_confused(Found(), 2)
    assert labels == ("d", "b")
    assert answers == ("d", "b", "f", ANOTHER)
    assert counts.tolist() == [[1, 0, 7, 1], [0, 5, 0, 0]]
    Found.labels_cover = True
    assert most_confused(Found(), 2)[1] == ("d", "b", "f")
    assert most_confused(Found(), 2)[2].tolist() == [[1, 0, 7], [0, 5, 0]]


def test_a_column_for_other_classes_stands_where_there_can_be_one(net, pictures):
    for labels, other in ((NAMES, []), (NAMES[:3], [ANOTHER])):
        photographs = [(each, labels[n % len(labels)]) for n, each in enumerate(pictures)]
        explorer = cw.CNNExplorer(net, photographs)
        found = explorer.audit()
        assert list(most_confused(found, 99)[1]) == [*found.label_names, *other]
        listed = [value for _, value in explorer.controls.widgets["audit_answer"].options]
        assert [each for each in listed if each == ANOTHER] == other
        explorer.close()


def test_without_labels_the_list_of_kinds_offers_what_is_shown(net, pictures):
    explorer = cw.CNNExplorer(net, list(pictures[:6]))
    explorer.audit()
    kinds = explorer.controls.widgets["audit_kind"]
    assert [label for label, _ in kinds.options] == ["all photographs, in their order"]
    assert kinds.value == "all"
    told = explorer._screen.views["audit"].value
    assert "6: all photographs, in their order; below, the first 4 of them" in told
    explorer.state.audit = False
    assert (kinds.value, len(kinds.options)) == ("mistakes", 4)
    explorer.close()


def test_the_page_shows_the_table_and_the_evidence_for_answer_and_label(explorer):
    found = explorer.audit()
    views = explorer._screen.views
    html = views["confusion"].value
    assert html.count('role="rowheader"') == len(found.label_names)
    for row in found.per_label:
        assert f"{row.recall.right / row.recall.count:.0%}".replace("%", " %") in html
    first = selected(explorer.scene)[0]
    shown = views["chosen"].value
    assert re.search(rf">{first}; answer: \w+ \([^)]+\)[^<]*; label: \w+ \([^)]+\)", shown)
    assert shown.count("<figure>") == 4  # each photograph once, and two pieces of evidence
    assert shown.count('alt="Photograph ') == 4
    assert shown.count("cnnw-heat") == 8
    told = views["audit"].value
    assert f"{COUNT // 2}: mistakes, the most confident first; below, the first 4 of them" in told
    sure = found.confidence[found.judged].mean()
    assert f"says {sure:.0%}".replace("%", " %") + " on average and is right 50 % of" in told
    explorer.state.method = "rise"  # too slow to be shown at once
    assert "<figure>" not in views["chosen"].value
    assert "; none with its evidence below: the method takes too long" in views["audit"].value
    explorer.state.audit_label = found.label_names[0]
    explorer.state.audit_answer = found.label_names[0]  # none of them is a mistake
    assert re.search(r">0: mistakes, [^;<]*<", views["audit"].value)
    explorer.show(method="grad-cam", audit_label="", audit_answer="")
    assert views["audit"].value.count("below, the first 4 of them") == 1
    explorer.state.method = "rise"
    page = to_page(explorer.scene)
    assert "What is taken for what" in page
    assert 'class="cnnw-matrix"' in page


def test_names_in_the_table_are_text_and_no_markup(keras, pictures):
    names = ["<b>a</b>", "b", "c", "d"]
    net = cw.Network(tiny(keras), preprocess="none", class_names=names)
    explorer = cw.CNNExplorer(net, [(each, "<b>a</b>") for each in pictures[:4]])
    explorer.audit()
    html = explorer._screen.views["confusion"].value
    assert "<b>a</b>" not in html
    assert "&lt;b&gt;a&lt;/b&gt;" in html
    explorer.close()


# --- what went wrong once ------------------------------------------------------------------------


def test_controls_follow_after_the_audit_on_screen_has_gone(explorer):
    found = explorer.audit()
    explorer.state.audit_label = found.label_names[0]
    for change in ({"audit": False}, {"audit": True}, {"fit": "crop"}, {"alpha": 0.25}):
        explorer.state.update(**change)
        assert explorer.last_error is None
    assert explorer.controls.widgets["alpha"].value == 0.25
    assert explorer.controls.widgets["audit_label"].value == ""
    explorer.state.fit = "squash"
    assert explorer.controls.widgets["audit_label"].value == found.label_names[0]


def test_two_runs_at_once_ask_about_each_photograph_once(explorer):
    scene = explorer.scene
    question, begun, go_on = audit_question(scene), threading.Event(), threading.Event()

    def slow(done, total):
        begun.set()
        go_on.wait(30)
        return done < 9

    def run():
        with contextlib.suppress(CancelledError):
            scene.audits.run(question, slow)

    first = threading.Thread(target=run)
    first.start()
    assert begun.wait(60)
    found = []
    second = threading.Thread(target=lambda: found.append(scene.audits.run(question)))
    second.start()
    go_on.set()
    first.join(60)
    second.join(60)
    assert found[0].names == scene.samples.photographs.names


@pytest.mark.parametrize(("asked", "told"), [
    ({"preprocess": lambda x: x / 255}, "'tiny' has another preprocessing"),
    ({"class_names": list(NAMES[::-1])}, "'tiny' has other class names"),
    ({"preprocess": lambda x: x / 9, "class_names": list("abcd")}, "processing and other class n"),
])  # fmt: skip
def test_an_audit_of_another_input_or_other_names_is_refused_by_explorer_and_page(
    net, labelled, tmp_path, asked, told
):
    pictures = [(picture, None) for picture, _ in labelled]
    found = cw.audit(net, pictures)
    other = cw.Network(net.model, **{"preprocess": "none", "class_names": list(NAMES), **asked})
    explorer = cw.CNNExplorer(other, pictures)
    with pytest.raises(ValueError, match=told):
        explorer.audit(found)
    assert audited(explorer.scene) is None
    explorer.close()
    with pytest.raises(ValueError, match=told.replace("'tiny'", "it")):
        write_page(found, other, pictures, tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()


def test_an_audit_of_another_head_is_refused(keras, labelled, tmp_path):
    model = tiny(keras, head=None)
    logits, shares = (cw.Network(model, preprocess="none", class_names=list(NAMES), head=head)
                      for head in ("logits", "probabilities"))  # fmt: skip
    told = r"another head \(probabilities of output 0; audited: logits of output 0\)"
    with pytest.raises(ValueError, match=told):
        write_page(cw.audit(logits, labelled), shares, labelled, tmp_path / "a.html")


def test_an_audit_of_the_same_network_is_taken_whatever_its_own_fit(net, labelled, tmp_path):
    cropped = cw.Network(net.model, preprocess="none", class_names=list(NAMES), fit="crop")
    found = cw.audit(net, labelled, fit="crop")
    explorer = cw.CNNExplorer(cropped, labelled)
    assert explorer.audit(found) is found
    explorer.close()
    write_page(found, cropped, labelled, tmp_path / "a.html", pictures=1)


def test_a_photograph_asked_for_stays_when_the_network_is_another(keras, net, labelled):
    other = cw.Network(tiny(keras, seed=5), preprocess="none", class_names=list(NAMES),
                       name="other")  # fmt: skip
    explorer = cw.CNNExplorer(net, labelled, models={"other": other})
    explorer.show(network="other")
    explorer.audit()
    explorer.show(network=net.name)
    explorer.audit()
    wanted = explorer.scene.samples.photographs.names[7]
    explorer.show(image=wanted, network="other")
    assert explorer.state.image == wanted
    explorer.close()


def test_a_result_that_comes_too_late_is_told(explorer, monkeypatch):
    explorer.state.audit = True
    monkeypatch.setattr("cnn_widgets.scenes.audits.differences", lambda *_: "other weights")
    explorer.controls.buttons["audit"].click()
    explorer._tasks.jobs.wait(60)
    assert "other weights" in str(explorer.last_error)
    assert explorer.controls.buttons["audit"].description == "Ask about all"


def test_an_audit_of_photographs_resized_otherwise_is_refused(explorer, net, labelled):
    with pytest.raises(ValueError, match="resized by 'crop', and on screen"):
        explorer.audit(cw.audit(net, labelled, fit="crop"))
    with pytest.raises(ValueError, match="not an audit of exactly the photographs on the table"):
        explorer.audit(cw.audit(net, labelled[:-1]))
    explorer.audit()
    with pytest.raises(ValueError, match="Unknown label 'another class'"):
        explorer.state.audit_label = ANOTHER


def test_a_photograph_taken_off_the_table_and_one_put_there_are_no_error(net, pictures):
    content = io.BytesIO()
    Image.fromarray(pictures[0]).save(content, "png")
    uploads = [{"name": f"u{n}.png", "content": content.getvalue()} for n in range(3)]
    explorer = cw.CNNExplorer(net, [(each, "red") for each in uploads])
    found = explorer.audit()
    explorer.state.audit_kind = "all"
    explorer._press("remove")
    assert explorer.last_error is None
    assert len(selected(explorer.scene)) == len(found) - 1
    explorer.show(image=pictures[5])
    assert len(explorer.controls.thumbs.row.children) == len(found)  # the new one stands there too
    explorer.close()


def test_a_photograph_that_is_not_chosen_does_not_stand_in_the_row(explorer):
    found = explorer.audit()
    right = found.names[int(np.flatnonzero(found.right)[0])]
    explorer.show(image=right)
    wrong = [found.names[index] for index in found.mistakes()]
    assert len(explorer.controls.thumbs.row.children) == len(wrong) == COUNT // 2
    assert explorer.controls.thumbs.told.value == f"1–{len(wrong)} of {len(wrong)} found among 24"


def test_a_label_of_another_audit_is_none_of_this_one(explorer, net, labelled):
    found = explorer.audit()
    explorer.state.audit_label = found.label_names[0]
    some = [(picture, "warm") for picture, _ in labelled]
    other = cw.audit(net, some, classes={"warm": ["red", "green"]}, fit="crop")
    explorer.state.fit = "crop"
    explorer._catalogue.audits._found[audit_question(explorer.scene)] = other
    explorer.state.audit_kind = "all"
    assert explorer.scene.audit_label == ""
    assert selected(explorer.scene) == other.names
    assert explorer.state.image == other.names[0]

"""Share strings, locked controls and guessing first."""

import base64
import gc
import json
import re
import sys
import zlib

import pytest
from traitlets import TraitError

import cnn_widgets as cw
from cnn_widgets.attribution.regions import Brush
from cnn_widgets.classroom import (
    link_of,
    state_of,
)
from cnn_widgets.explorer.fields import LOCKABLE


def test_a_link_opens_the_same_view_elsewhere(explorer, net, pictures):
    explorer.show(
        image="two", layer="conv2", filter=3, class_index="dog", versus="bee", alpha=0.25,
        region=Brush(3.0, (((4.0, 5.0), (9.0, 9.0)),)), pins=(("conv2", 1, 2),), method="hirescam",
        experiments=True, switched="0 2", ranked=("grad-cam", "saliency"),
    )  # fmt: skip
    link = explorer.link()
    assert re.fullmatch(r"cnnw1:[\w-]+", link)
    explorer.state.handing_in = True
    assert explorer.controls.widgets["share"].value == explorer.link()
    link = explorer.link()
    other = cw.CNNExplorer.from_link(f" {link[:20]}\n{link[20:]} ", net, pictures)
    try:
        assert other.state.values() == explorer.state.values()
        assert other.link() == link
    finally:
        other.close()


def test_a_state_puts_back_what_it_does_not_name(explorer):
    choices = explorer.state.to_dict()
    assert json.loads(json.dumps(choices)) == choices
    explorer.show(alpha=0.1, method="hirescam", region=(1, 1, 5, 5), class_index=2)
    explorer.state.from_dict(choices)
    assert explorer.state.to_dict() == choices
    before = explorer.state.values()
    for bad in ({**choices, "alpha": 7}, {**choices, "nothing": 1}, {**choices, "image": "?"}):
        with pytest.raises(ValueError, match=r"alpha|nothing|Unknown image"):
            explorer.state.from_dict(bad)
        assert explorer.state.values() == before


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("https://example.org", "begins with 'cnnw1:'"),
        ("", "begins with"),
        (link_of({"image": "one"})[:-6], "damaged"),
        ("cnnw1:!!!!", "damaged"),
        ("cnnw1:" + "A" * 200_000, "longer than"),
        (
            "cnnw1:" + base64.urlsafe_b64encode(zlib.compress(b'"' + b"x" * 10**7 + b'"')).decode(),
            "damaged",
        ),
    ],
)
def test_a_damaged_link_says_so(link, words):
    with pytest.raises(ValueError, match=words):
        state_of(link)


def packed(text):
    """Return a text as a share string, whatever it holds."""
    return "cnnw1:" + base64.urlsafe_b64encode(zlib.compress(text.encode())).decode().rstrip("=")


@pytest.mark.parametrize("text", ["[" * 90_000, '{"a":' * 15_000, "[" * 40_000 + "]" * 40_000])
def test_a_link_of_very_many_brackets_is_damaged(text):
    with pytest.raises(ValueError, match="damaged"):
        state_of(packed(text))


@pytest.mark.parametrize("network", [["x"], {"a": 1}, 5, None, True])
def test_a_link_whose_network_is_no_name_is_refused(network):
    with pytest.raises(ValueError, match=r"The link is of the network .*: give it"):
        cw.CNNExplorer.from_link(packed(json.dumps({"network": network})))


#: Choices of the wrong kind, as a link may hold them: each is refused, and nothing changes.
WRONG = [
    {"filter": True}, {"filter": False}, {"filter": 1.5}, {"alpha": True}, {"alpha": 10**400},
    {"zoom": True}, {"zoom": 10**400}, {"center": [True, False]}, {"pins": [["conv2", True, 0]]},
    {"region": [True, True, 9, 9]}, {"region": {"radius": True, "strokes": [[[1, 1]]]}},
    {"region": {"radius": 2, "strokes": [[[1, True]]]}}, {"class_index": True}, {"compare": "yes"},
    {"ranked": [{}]}, {"ranked": [["grad-cam"]]}, {"concept": [{}]}, {"image": ["one"]},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_choices_of_the_wrong_kind_are_refused(explorer, net, pictures, wrong):
    before = explorer.state.values()
    with pytest.raises((ValueError, TypeError, TraitError)) as told:
        explorer.state.from_dict(explorer.state.to_dict() | wrong)
    assert "unhashable" not in str(told.value)
    assert explorer.state.values() == before
    assert explorer.last_error is None
    with pytest.raises(ValueError, match="cannot be opened here"):
        cw.CNNExplorer.from_link(link_of(explorer.state.to_dict() | wrong), net, pictures)


@pytest.mark.parametrize("choices", ["abc", None, ["image"], 5, {5: 1}, {None: 1}], ids=str)
def test_what_is_no_dict_of_choices_is_refused(explorer, choices):
    with pytest.raises(TypeError, match=r"Expected a dict of choices, .*Received: "):
        explorer.state.from_dict(choices)


def test_a_link_to_what_is_not_here_names_it_and_leaves_nothing_behind(explorer, net, pictures):
    link = explorer.link()
    with pytest.raises(ValueError, match=r"cannot be opened here: Unknown image 'one'"):
        cw.CNNExplorer.from_link(link, net, {"other": pictures["one"]})


def test_what_is_locked_is_hidden_and_not_changed_on_the_page(net, pictures):
    made = cw.CNNExplorer(net, pictures, lock=["method", "upload", "experiments", "pins"])
    try:
        widgets = made.controls.widgets
        assert "cnnw-locked" in widgets["method"]._dom_classes
        assert "cnnw-locked" not in widgets["layer"]._dom_classes
        widgets["method"].value = "hirescam"
        assert (made.state.method, widgets["method"].value) == ("grad-cam", "grad-cam")
        assert "method cannot be changed" in str(made.last_error)
        widgets["experiments"].selected_index = 0
        assert made.state.experiments is False
        click = {"kind": "click", "picture": "photo", "x": 0.5, "y": 0.5}
        made._touch.pointer._handle_custom_msg(click, [])
        assert made.state.pins == ()
        made._open({"name": "x.png", "content": b"x"})
        assert len(made.scene.samples) == 3
        assert "pictures of your own cannot be opened" in str(made.last_error)
        assert "cnnw-locked" in made.controls.camera._dom_classes  # it would open one, too
        made.last_error = None
        widgets["layer"].value = "conv2"  # the rest works on
        assert made.state.layer == "conv2"
        made.state.method = "hirescam"  # as does code
        assert widgets["method"].value == "hirescam"
    finally:
        made.close()


def test_a_locked_fold_is_hidden_whole_where_its_button_has_the_same_name(net, pictures):
    made = cw.CNNExplorer(net, pictures, lock=["audit", "survey"])
    try:
        for name in ("audit", "survey"):
            fold, button = made.controls.widgets[name], made.controls.buttons[name]
            assert "cnnw-locked" in fold._dom_classes
            assert button in all_inside(fold)
        assert "cnnw-locked" not in made.controls.widgets["trust"]._dom_classes
    finally:
        made.close()


def all_inside(box):
    """Return a widget and all that lies in it."""
    children = getattr(box, "children", ())
    return [box, *(found for each in children for found in all_inside(each))]


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"lock": ["everything"]}, ValueError, r"'everything' in lock\. Controls: "),
        ({"lock": ["layer", 5]}, ValueError, r"Unknown control 5 in lock\. Controls: .*layer"),
        ({"lock": [["layer"]]}, ValueError, r"Unknown control \['layer'\] in lock"),
        ({"lock": "zz"}, ValueError, r"Unknown control 'zz' in lock"),
        ({"lock": None}, TypeError, r"Expected lock to be names of controls\. Received: None"),
        ({"lock": 5}, TypeError, r"Expected lock to be names of controls\. Received: 5"),
        ({"predict_first": "no"}, TypeError, r"predict_first to be True or False\. .*'no'"),
        ({"predict_first": 1}, TypeError, r"Expected predict_first to be True or False\. .*1"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_wrong_for_a_class_is_refused_before_anything_is_opened(wrong, error, words):
    with pytest.raises(error, match=words):
        cw.CNNExplorer("no-such-network", **wrong)


def test_an_explorer_that_could_not_be_built_is_closed_without_a_word(net, pictures, monkeypatch):
    said = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)
    for place in ("explorer.Controls", "explorer.Touch", "explorer.build", "explorer.Guesses"):
        monkeypatch.setattr(f"cnn_widgets.explorer.{place}", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            cw.CNNExplorer(net, pictures)
        monkeypatch.undo()
        monkeypatch.setattr(sys, "unraisablehook", said.append)
        gc.collect()
    assert said == []


def test_all_controls_can_be_locked_and_no_others(net, pictures):
    made = cw.CNNExplorer(net, pictures, lock=LOCKABLE)
    try:
        controls = made.controls
        assert set(LOCKABLE) == {
            *controls.widgets,
            *controls.buttons,
            "camera",
            "remove",
            "hottest",
        }
        assert all("cnnw-locked" in each._dom_classes for each in controls.widgets.values())
    finally:
        made.close()


def test_the_answer_is_hidden_until_a_guess_and_the_score_is_kept(net, pictures):
    made = cw.CNNExplorer(net, pictures, predict_first=True)
    try:
        box, first = made.controls.guess, made.scene.predictions[0].name
        assert "cnnw-guessing" in made._dom_classes
        assert "Guess first" in box.words.value
        assert first not in made._repr_mimebundle_()["text/plain"]
        assert "image/png" not in made._repr_mimebundle_()
        box.field.value = "a horse"
        box.button.click()
        assert "horse" in str(made.last_error)
        assert made.guesses.score == (0, 0, 0)
        box.field.value = first
        box.button.click()
        assert "cnnw-guessing" not in made._dom_classes
        assert made.guesses.score == (1, 1, 1)
        made.show(image="two")
        assert "cnnw-guessing" in made._dom_classes
        last = made.network.predict(made.scene.sample, top=4)[-1].name
        box.field.value = last
        box.button.click()
        assert made.guesses.score == (1, 2, 2)
        assert "its number 4" in box.words.value
        assert "<cow>" not in box.words.value
        made.show(image="one")  # guessed before: shown at once
        assert "cnnw-guessing" not in made._dom_classes
    finally:
        made.close()


def test_without_it_nothing_is_hidden(explorer):
    assert "cnnw-guessing" not in explorer._dom_classes
    assert explorer.controls.guess.box.layout.display == "none"


def test_another_question_asks_for_another_guess(net, pictures):
    made = cw.CNNExplorer(net, pictures, predict_first=True)
    try:
        made.controls._press("guess ape")
        assert "cnnw-guessing" not in made._dom_classes
        made.state.fit = "crop"
        assert "cnnw-guessing" in made._dom_classes
        for name, value in (("method", "hirescam"), ("class_index", 2)):
            made._request(**{name: value})
        assert made.state.method == "grad-cam"
        for key in ("save picture", "hottest", "pin"):
            made.controls._press(key)
            assert "Guess first" in str(made.last_error)
        assert made.pins == []
    finally:
        made.close()


def test_a_link_keeps_what_hides_the_answer(explorer, net, pictures):
    other = cw.CNNExplorer.from_link(explorer.link(), net, pictures, predict_first=True)
    try:
        assert "cnnw-guessing" in other._dom_classes
    finally:
        other.close()


def test_a_link_opens_no_file(tmp_path):
    link = link_of({"network": str(tmp_path / "evil.keras"), "image": "cat"})
    with pytest.raises(ValueError, match="give it, from_link"):
        cw.CNNExplorer.from_link(link)


def test_a_link_to_a_long_painted_region_is_read_again_or_refused(explorer, net, pictures):
    line = tuple((n % 30 + n / 7000, n % 24 + 0.123456) for n in range(3000))
    explorer.state.region = Brush(2.0, (line,))
    other = cw.CNNExplorer.from_link(explorer.link(), net, pictures)
    try:
        assert len(other.state.region.strokes[0]) == 3000
    finally:
        other.close()
    with pytest.raises(ValueError, match="too long for a share string"):
        link_of({"region": "".join(map(str, range(10**5)))})


def test_a_view_after_an_audit_or_a_removed_photograph_is_still_shared(net, pictures):
    labelled = [(pixels, "ape") for pixels in pictures.values()]
    made = cw.CNNExplorer(net, labelled)
    try:
        made.audit()
        made.show(audit_kind="all", audit_label="ape")
        cw.CNNExplorer.from_link(made.link(), net, labelled).close()
        made.show(image=pictures["one"])
        name = made.state.image
        made.show(other_image=name, concept=(name,))
        made._press("remove")
        assert (made.state.other_image, made.state.concept) == ("", ())
        made.state.from_dict(made.state.to_dict())
    finally:
        made.close()


def test_what_is_locked_is_not_reached_another_way(net, pictures):
    made = cw.CNNExplorer(net, pictures, lock=["layer", "class_index", "region"])
    try:
        before = made.state.values()
        assert "cnnw-locked" in made.controls.widgets["kinds"]._dom_classes
        made._request(layer="conv2", filter=1)
        made.controls.widgets["class_search"].value = "dog"
        made.controls._press("hottest")
        made.controls.widgets["class_index"].value = 1
        assert "class explained cannot be changed" in str(made.last_error)
        assert made.state.values() == before
        made.controls._choose_photo("two")  # shown, and its class stays as it was
        assert made.state.image == "two"
    finally:
        made.close()

"""Links to a view, locked controls, guessing first, pinned views and hand-ins that are checked."""

import base64
import json
import re
import zlib

import numpy as np
import pytest
from helpers.networks import tiny

import cnn_widgets as cw
from cnn_widgets.attribution.regions import Brush
from cnn_widgets.classroom import (
    QUANTITIES,
    assert_view,
    check_hand_ins,
    link_of,
    measure,
    state_of,
)
from cnn_widgets.classroom.pins import digest_of
from cnn_widgets.classroom.quantities import agrees


@pytest.fixture(scope="module")
def net(keras):
    return cw.Network(tiny(keras), preprocess="none", class_names=["ape", "bee", "<cow>", "dog"])


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(1)
    return {name: rng.integers(0, 256, (24, 30, 3), np.uint8) for name in ("one", "two", "three")}


@pytest.fixture
def explorer(net, pictures):
    made = cw.CNNExplorer(net, pictures)
    yield made
    made.close()


# --- links --------------------------------------------------------------------------------------


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


def test_a_link_to_what_is_not_here_names_it_and_leaves_nothing_behind(explorer, net, pictures):
    link = explorer.link()
    with pytest.raises(ValueError, match=r"cannot be opened here: Unknown image 'one'"):
        cw.CNNExplorer.from_link(link, net, {"other": pictures["one"]})


# --- locked controls ----------------------------------------------------------------------------


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
        made._open_image({"name": "x.png", "content": b"x"})
        assert len(made.scene.samples) == 3
        made.last_error = None
        widgets["layer"].value = "conv2"  # the rest works on
        assert made.state.layer == "conv2"
        made.state.method = "hirescam"  # as does code
        assert widgets["method"].value == "hirescam"
    finally:
        made.close()


def test_an_unknown_name_to_lock_is_refused(net, pictures):
    with pytest.raises(ValueError, match=r"Unknown control 'everything' in lock\. Controls: "):
        cw.CNNExplorer(net, pictures, lock=["everything"])


# --- guess first --------------------------------------------------------------------------------


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


# --- what can be claimed ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claimed", "measured", "right"),
    [
        ("Egyptian Cat", "Egyptian cat", True),
        (" egyptian  cat.", "Egyptian cat", True),
        ("tabby", "Egyptian cat", False),
        ("upper left", "the upper left", True),
        ("56x56", "56×56", True),
        ("56x28", "56×56", False),
        ("77 %", 0.7709, True),
        ("77%", 0.7709, True),
        ("78 %", 0.7709, False),
        (0.77, 0.7709, True),
        ("0.8", 0.7709, True),  # rounded to one decimal, as it is written
        (0.8, 0.7709, False),  # computed, so it is not a matter of rounding
        ("18", 18.4, True),
        ("1", 0.951, False),
        (1.0, 0.951, False),
        ("1,280", 1280, True),
        ("3200 %", 32, False),
        (7, "7", True),
        ("14 x 14", "14×14", True),
        (np.float32(0.77), 0.7709, True),
        (np.int64(144), 144, True),
        (2e-8, 3e-8, True),
        ("0.5", 0.7709, False),
        ("0,77", 0.7709, True),
        (77, 0.7709, False),
        (144, 144, True),
        ("144", 144, True),
        (143, 144, False),
        (145.4, 144, False),
        (-1.2, -1.204, True),
        ("−1.2", -1.204, True),
        (True, 1, False),
        ("a lot", 0.5, False),
        (None, None, True),
        (0.0, None, False),
        (float("nan"), 0.5, False),
    ],
)
def test_a_claim_is_right_as_a_person_would_say(claimed, measured, right):
    assert agrees(claimed, measured) is right


def test_every_quantity_is_measured_as_the_scene_has_it(explorer):
    explorer.show(layer="conv2", filter=1, class_index="dog")
    scene = explorer.scene
    found = {name: measure(scene, name) for name in QUANTITIES}
    assert found["top class"] == scene.predictions[0].name
    assert found["explained class"] == "dog"
    assert found["filters"] == 8
    assert found["filter maximum"] == float(scene.activations[..., 1].max())
    assert found["filter zeros"] == float((scene.activations[..., 1] == 0).mean())
    assert found["map size"] == "8×6"
    assert found["silent filters"] == float((net_peaks(scene) <= 0).mean())
    with pytest.raises(ValueError, match="Unknown quantity 'size'"):
        measure(scene, "size")


def net_peaks(scene):
    return scene.network.activations(scene.sample, "conv2").max(axis=(0, 1))


def test_a_notebook_grader_can_assert_on_a_view(explorer):
    explorer.show(image="two", layer="conv2", filter=1, class_index="dog", region=(1, 2, 9, 9))
    assert_view(explorer, image="two", layer="conv2", filter=1, class_index="dog", filters=8,
                region=[1, 2, 9, 9], explained_class="DOG")  # fmt: skip
    for wrong in ({"image": "one"}, {"class_index": "ape"}, {"filters": 9}, {"versus": "ape"}):
        with pytest.raises(AssertionError, match=f"Expected {next(iter(wrong)).split('_')[0]}"):
            assert_view(explorer, **wrong)
    assert_view(explorer, versus=None)
    with pytest.raises(ValueError, match="Unknown claim 'size_of_cat'"):
        assert_view(explorer, size_of_cat=3)


# --- hand-ins -----------------------------------------------------------------------------------


def handed_in(explorer, folder, name="Ada", **answers):
    explorer.pins.clear()
    explorer.show(image="one", layer="conv2", filter=1, class_index="dog")
    explorer.pin("One & <two>", explained_class="dog", filters=8)
    explorer.show(image="two", layer="conv1")
    explorer.pin("Second", **answers)
    return explorer.report(folder / f"{name}.html", name)


def test_a_hand_in_is_a_page_markdown_and_a_file_that_checks(explorer, net, pictures, tmp_path):
    page = handed_in(explorer, tmp_path, filters="6").read_text("utf-8")
    assert "One &amp; &lt;two&gt;" in page
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    text = (tmp_path / "Ada.md").read_text("utf-8")
    for picture in re.findall(r"\]\((Ada_pictures/[\w.-]+)\)", text):
        assert (tmp_path / picture).stat().st_size > 50
    assert text.count("## ") == 2
    (work,) = check_hand_ins(tmp_path, net, pictures)
    assert (work.name, work.verdict, work.reasons) == ("Ada", "right", ())
    assert [each.answers for each in work.pins] == [2, 1]


def test_a_second_report_leaves_no_pictures_of_the_first(explorer, tmp_path):
    handed_in(explorer, tmp_path)
    before = set((tmp_path / "Ada_pictures").iterdir())
    explorer.unpin()
    explorer.report(tmp_path / "Ada.html", "Ada")
    left = set((tmp_path / "Ada_pictures").iterdir())
    assert left < before
    assert all(path.name.startswith("1-") for path in left)


def test_wrong_claims_and_changed_files_are_told_apart(explorer, net, pictures, tmp_path):
    handed_in(explorer, tmp_path, "wrong", filters=7)
    handed_in(explorer, tmp_path, "changed", filters=6)
    file = tmp_path / "changed.handin.json"
    content = json.loads(file.read_text("utf-8"))
    content["pins"][0]["measured"]["score"] += 1
    file.write_text(json.dumps(content), "utf-8")
    found = {work.name: work for work in check_hand_ins(tmp_path, net, pictures)}
    assert found["wrong"].verdict == "wrong"
    assert found["wrong"].pins[1].reasons == ("filters: 7, it is 6",)
    assert found["wrong"].pins[0].verdict == "right"
    assert "changed after it was written" in found["changed"].reasons[0]
    assert "the file says score" in found["changed"].pins[0].reasons[0]


def test_a_number_that_was_changed_is_found_though_the_digest_was_made_anew(
    explorer, net, pictures, tmp_path
):
    handed_in(explorer, tmp_path, "sly")
    file = tmp_path / "sly.handin.json"
    content = json.loads(file.read_text("utf-8"))
    content["pins"][0]["measured"]["top class"] = "horse"
    content.pop("sha256")
    file.write_text(json.dumps(content | {"sha256": digest_of(content)}), "utf-8")
    (work,) = check_hand_ins([file], net, pictures)
    assert work.verdict == "wrong"
    assert work.reasons == ()
    assert "top class: 'horse'" in work.pins[0].reasons[0]


def test_other_photographs_and_networks_cannot_be_checked(explorer, keras, net, pictures, tmp_path):
    handed_in(explorer, tmp_path)
    others = {name: 255 - pixels for name, pixels in pictures.items()}
    (work,) = check_hand_ins(tmp_path, net, others)
    assert work.verdict == "cannot be checked"
    assert "the photograph 'one' is another one here" in work.pins[0].reasons
    (work,) = check_hand_ins(tmp_path, net, {"only": pictures["one"]})
    assert "Unknown image 'one'" in work.pins[0].reasons[0]
    (work,) = check_hand_ins(tmp_path, cw.Network(tiny(keras, seed=5), preprocess="none"), pictures)
    assert "with other weights" in work.pins[0].reasons[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no JSON"), (b"\xff\xfe", "no JSON"), (b"[1, 2]", "no hand-in"),
        (b"{}", "no hand-in"), (b'{"form": "cnn-widgets hand-in 1"}', "damaged"),
        (b'{"form": "cnn-widgets hand-in 1", "name": "x", "pins": [{"answers": 3}]}', "damaged"),
        (b"[" * 100_000, "no JSON"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_hand_in_says_so_and_the_others_are_checked(
    explorer, net, pictures, tmp_path, content, words
):
    handed_in(explorer, tmp_path)
    (tmp_path / "bad.handin.json").write_bytes(content)
    found = {work.file: work for work in check_hand_ins(tmp_path, net, pictures)}
    assert words in found["bad.handin.json"].reasons[0]
    assert found["bad.handin.json"].verdict == "cannot be checked"
    assert found["Ada.handin.json"].verdict == "right"


def test_pinning_and_handing_in_on_the_page(explorer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    board = explorer.controls.board
    assert "Nothing is pinned yet" in board.listed.value
    explorer.controls._press("hand in")
    assert "Nothing is pinned" in str(explorer.last_error)
    explorer.last_error = None
    board.note.value = "<b>Look</b>"
    explorer.controls._press("pin")
    assert board.note.value == ""
    assert "&lt;b&gt;Look&lt;/b&gt;" in board.listed.value
    board.name.value = "Ada Lovelace/../x"
    explorer.controls._press("hand in")
    assert [path.name for path in tmp_path.glob("*.html")] == ["Ada-Lovelace-..-x.html"]
    explorer.controls._press("unpin")
    assert "Nothing is pinned yet" in board.listed.value
    assert explorer.last_error is None


def test_a_report_needs_a_pin_and_a_page(explorer, tmp_path):
    with pytest.raises(ValueError, match="Nothing is pinned"):
        explorer.report(tmp_path / "x.html")
    explorer.pin()
    with pytest.raises(ValueError, match=r"ends in \.html"):
        explorer.report(tmp_path / "x.pdf")
    for bad in ({"size": 3}, {"filters": True}, {"filters": [1]}):
        with pytest.raises(ValueError, match=r"Unknown quantity|as text or a number"):
            explorer.pin("", **bad)
    assert len(explorer.pins) == 1
    assert list(tmp_path.iterdir()) == []


def test_thirty_hand_ins_with_sixty_wrong_answers_of_120(explorer, net, pictures, tmp_path):
    """Every second answer is wrong, each in a way of its own; a view holds one answer."""
    rng = np.random.default_rng(4)
    names, planted = list(QUANTITIES), {}
    for student in range(30):
        explorer.pins.clear()
        for number in range(4):
            layer = str(rng.choice(["conv1", "conv2"]))
            chosen, shown = int(rng.integers(4)), str(rng.choice(list(pictures)))
            explorer.show(image=shown, layer=layer, filter=int(rng.integers(6)), class_index=chosen)
            name = names[(4 * student + number) % len(names)]
            true, wrong = measure(explorer.scene, name), number % 2 == 1
            answer = true
            if true is None:
                name, true = "filters", explorer.scene.layer.filters
                answer = true
            if wrong:
                answer = f"not {true}" if isinstance(true, str) else true + max(0.03 * abs(true), 1)
            explorer.pin("", **{name.replace(" ", "_"): answer})
            planted[f"student {student}", number + 1] = "wrong" if wrong else "right"
        explorer.report(tmp_path / f"{student}.html", f"student {student}")
    found = {
        (work.name, each.number): each.verdict
        for work in check_hand_ins(tmp_path, net, pictures)
        for each in work.pins
    }
    assert sum(each == "wrong" for each in planted.values()) == 60
    assert found == planted


# --- what went wrong once -----------------------------------------------------------------------


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
        made._request(layer="conv2", filter=1)
        made.controls.widgets["class_search"].value = "dog"
        made.controls._press("hottest")
        assert made.state.values() == before
        made.controls._choose_photo("two")  # shown, and its class stays as it was
        assert made.state.image == "two"
    finally:
        made.close()


def test_pictures_of_others_are_not_deleted(explorer, tmp_path):
    (tmp_path / "Ada_pictures").mkdir()
    mine = tmp_path / "Ada_pictures" / "2024-12.jpg"
    mine.write_bytes(b"holiday")
    handed_in(explorer, tmp_path)
    explorer.unpin()
    explorer.report(tmp_path / "Ada.html", "Ada")
    assert mine.read_bytes() == b"holiday"


def test_pictures_in_markdown_are_found_whatever_the_name(explorer, tmp_path):
    explorer.pin("x")
    explorer.report(tmp_path / "Anna Meier (2).html")
    text = (tmp_path / "Anna Meier (2).md").read_text("utf-8")
    assert "](Anna%20Meier%20%282%29_pictures/1-1.jpg)" in text


def changed_file(file, change):
    content = json.loads(file.read_text("utf-8"))
    change(content)
    content.pop("sha256")
    file.write_text(json.dumps(content | {"sha256": digest_of(content)}), "utf-8")


@pytest.mark.parametrize(
    ("name", "value"),
    [("filter", "abc"), ("image", [1]), ("alpha", "1"), ("method", 5), ("zoom", 10**400),
     ("region", {"radius": 1}), ("pins", [[["x"]]])],
)  # fmt: skip
def test_a_hostile_state_stops_no_other_file(explorer, net, pictures, tmp_path, name, value):
    handed_in(explorer, tmp_path)
    handed_in(explorer, tmp_path, "bad")
    file = tmp_path / "bad.handin.json"
    changed_file(file, lambda content: content["pins"][0]["state"].update({name: value}))
    found = {work.name: work for work in check_hand_ins(tmp_path, net, pictures)}
    assert found["bad"].pins[0].verdict == "cannot be checked"
    assert found["bad"].pins[0].reasons[0]
    assert found["Ada"].verdict == "right"


def test_empty_work_is_not_right(explorer, net, pictures, tmp_path):
    for name, change in {
        "none": lambda content: content.update(pins=[]),
        "hollow": lambda content: [
            each.update(answers={}, measured={}) for each in content["pins"]
        ],
        "stateless": lambda content: [each.update(state={}) for each in content["pins"]],
    }.items():
        handed_in(explorer, tmp_path, name)
        changed_file(tmp_path / f"{name}.handin.json", change)
    handed_in(explorer, tmp_path)
    found = {work.name: work.verdict for work in check_hand_ins(tmp_path, net, pictures)}
    assert found == {"none": "cannot be checked", "hollow": "cannot be checked",
                     "stateless": "cannot be checked", "Ada": "right"}  # fmt: skip


def test_a_claim_about_a_slow_map_is_computed_or_refused(explorer, net, pictures, tmp_path):
    explorer.show(method="rise")
    with pytest.raises(ValueError, match="press Compute"):
        explorer.pin("", hottest_place="the centre")
    explorer.compute()
    explorer.pin("", hottest_place=measure(explorer.scene, "hottest place"))
    explorer.report(tmp_path / "slow.html")
    (work,) = check_hand_ins(tmp_path, net, pictures)
    assert work.verdict == "right", work.pins


def test_another_preprocessing_cannot_be_checked(explorer, net, pictures, tmp_path):
    handed_in(explorer, tmp_path)
    other = cw.Network(net.model, preprocess=lambda x: x / 255, class_names=net.class_names)
    (work,) = check_hand_ins(tmp_path, other, pictures)
    assert "another preprocessing" in work.pins[0].reasons[0]
    unnamed = cw.Network(net.model, preprocess="none")
    (work,) = check_hand_ins(tmp_path, unnamed, pictures)
    assert "other class names" in work.pins[0].reasons[0]

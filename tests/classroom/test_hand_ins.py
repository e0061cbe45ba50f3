"""Pinned views and hand-ins: how they are written, and what checking them finds."""

import html
import json
import re
import zipfile

import numpy as np
import pytest
from helpers.networks import tiny
from markdown_it import MarkdownIt
from PIL import Image

import cnn_widgets as cw
from cnn_widgets.classroom import (
    QUANTITIES,
    check_hand_ins,
    left_out,
    listed,
    measure,
)
from cnn_widgets.classroom.pins import digest_of


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
    assert "the photograph 'one' is not among those here" in work.pins[0].reasons[0]
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
    for bad in ({"size": 3}, {"filters": True}, {"filters": [1]}, {"filters": np.array([6, 6])},
                {"score": float("nan")}, {"score": np.float32("inf")}, {"score": -float("inf")},
                {"filters": 10**5000}, {"filters": None}):  # fmt: skip
        with pytest.raises(ValueError, match=r"Unknown quantity|as text or a finite number"):
            explorer.pin("", **bad)
    assert len(explorer.pins) == 1
    for bad in (5, None, b"x.html"):
        with pytest.raises(TypeError, match="Expected a path of a page"):
            explorer.report(bad)
    for bad in (5, ["Ada"], b"Ada"):
        with pytest.raises(TypeError, match="Expected a name as text"):
            explorer.report(tmp_path / "x.html", bad)
    assert list(tmp_path.iterdir()) == []


def test_letters_that_no_file_can_hold_are_replaced(explorer, net, pictures, tmp_path):
    explorer.show(image="one", layer="conv2")
    explorer.pin("A\ud83d", top_class="B\ud83d", filters=np.array(8))
    explorer.report(tmp_path / "x.html", "C\ud83d")
    (work,) = check_hand_ins(tmp_path, net, pictures)
    assert (work.name, work.pins[0].note) == ("C?", "A?")
    assert work.pins[0].reasons[0].startswith("top class: 'B?', it is")


def as_a_student_writes(true, number):
    """Return a true value in a way in which it may be written down."""
    if isinstance(true, float) and 0.05 < true < 0.995:
        return (f"{100 * true:.0f} %", f"{true:.2f}".replace(".", ","), round(true, 3))[number % 3]
    if isinstance(true, float):
        return f"{true:.3g}" if number % 2 else true
    return f" {true.upper()} " if isinstance(true, str) else str(true)


def plausible_but_wrong(name, true, rng):
    """Return another value that a student could have come to."""
    if name == "hottest place":
        return "the upper left" if true != "the upper left" else "the centre"
    if name == "map size":
        return "16×12" if true != "16×12" else "8×6"
    if isinstance(true, str):
        return str(rng.choice([each for each in ("ape", "bee", "<cow>", "dog") if each != true]))
    if isinstance(true, int):
        return true + 1
    if 0.05 <= true <= 0.95:
        return round(true + float(rng.choice([-0.04, 0.04])), 3)
    return 1.05 * true + 0.02


@pytest.mark.slow
def test_thirty_hand_ins_with_sixty_wrong_answers_of_120(explorer, net, pictures, tmp_path):
    """Wrong ones are near misses, right ones are written as students write; a view holds one."""
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
            if true is None:
                name, true = "filters", explorer.scene.layer.filters
            answer = (
                plausible_but_wrong(name, true, rng)
                if wrong
                else as_a_student_writes(true, student)
            )
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


def test_a_hand_in_that_claims_nothing_is_not_right(explorer, net, pictures, tmp_path):
    explorer.pin("Look!")
    explorer.report(tmp_path / "Ada.html")
    (work,) = check_hand_ins(tmp_path, net, pictures)
    assert (work.verdict, work.reasons) == ("nothing claimed", ("it claims nothing",))
    explorer.pin("More", filters=6 if explorer.state.layer == "conv1" else 8)
    explorer.report(tmp_path / "Ada.html")
    (work,) = check_hand_ins(tmp_path, net, pictures)
    assert (work.verdict, work.reasons) == ("right", ())


def test_a_claim_is_made_on_the_page(explorer, net, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    explorer.show(image="two", layer="conv1")
    board, press = explorer.controls.board, explorer.controls._press
    assert {value for _, value in board.quantity.options} == {"", *QUANTITIES}
    board.quantity.value = "filters"
    press("pin")
    assert "filters without a value" in str(explorer.last_error)
    board.quantity.value, board.value.value = "", " 6 "
    press("pin")
    assert "Received: '6' alone" in str(explorer.last_error)
    assert (explorer.pins, board.value.value) == ([], " 6 ")
    board.quantity.value, explorer.last_error = "filters", None
    press("pin")
    assert explorer.pins[0].answers == {"filters": "6"}
    assert (board.quantity.value, board.value.value) == ("", "")
    assert "filters: 6" in board.listed.value
    board.name.value = "Ada"
    press("hand in")
    (work,) = check_hand_ins(tmp_path, net, pictures)
    assert (work.name, work.verdict) == ("Ada", "right")


def test_a_pin_is_taken_off_by_itself(explorer):
    first, second = explorer.pin("one"), explorer.pin("one")
    explorer.unpin(first)
    assert [each is second for each in explorer.pins] == [True]
    explorer.unpin(first)
    explorer.unpin()
    explorer.unpin()
    assert explorer.pins == []


def test_markdown_shows_what_was_written_and_nothing_else(explorer, tmp_path):
    """Rendered by a reader of Markdown: paragraphs of text, the headings and pictures of ours."""
    note = (
        "<script>alert(1)</script> <img src=x> &lt; é 😀\nline two\n===\n---\n~~~\n```\ncode\n"
        "1. one\n- item\n    * four spaces\n# head\n![x](http://evil/x.png) [a](javascript:1)\n"
        "| a |\n> said\n\n+ plus\n\n2) two\n\n-----\n\x00\u2028    $x$ \\ end"
    )
    explorer.pin(note, top_class="*ape*\n# bee")
    name = "<b>Ada</b>\n# B ![a](http://evil/b.png)"
    page = explorer.report(tmp_path / "Ada.html", name).read_text("utf-8")
    text = (tmp_path / "Ada.md").read_text("utf-8")
    tokens = MarkdownIt("commonmark").parse(text)
    inline = [each for token in tokens for each in token.children or ()]
    assert {each.type for each in tokens} <= {
        "heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline",
        "bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close",
    }  # fmt: skip
    assert {each.type for each in inline} <= {"text", "text_special", "softbreak", "image"}
    assert sum(each.type == "heading_open" for each in tokens) == 2
    assert sum(each.type == "list_item_open" for each in tokens) == 1
    said = "".join("\n" if each.type == "softbreak" else each.content for each in inline)
    for line in (
        "<script>alert(1)</script> <img src=x> &lt; é 😀", "===", "~~~", "1. one", "- item",
        "* four spaces", "![x](http://evil/x.png) [a](javascript:1)", "| a |", "-----",
        "<b>Ada</b> # B ![a](http://evil/b.png)", "*ape* # bee", "$x$ \\ end",
    ):  # fmt: skip
        assert line in said
    sources = [each.attrs["src"] for each in inline if each.type == "image"]
    assert sources
    assert all((tmp_path / each).read_bytes().startswith(b"\x89PNG") for each in sources)
    card = explorer.pins[0].definition
    assert card.startswith("Grad-CAM: ")
    assert card in said
    assert html.escape(card) in page


@pytest.mark.parametrize("taken", ["Ada.md", "Ada.handin.json", "Ada_pictures/2-1.png"])
def test_a_report_that_fails_leaves_the_earlier_one_whole(explorer, tmp_path, taken):
    explorer.pin("first")
    explorer.report(tmp_path / "Ada.html", "Ada")
    target = tmp_path / taken
    target.unlink(missing_ok=True)
    target.mkdir()
    before = {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")}
    explorer.show(layer="conv2")
    explorer.pin("second")
    with pytest.raises(OSError, match=f"Cannot write.*{re.escape(taken)}"):
        explorer.report(tmp_path / "Ada.html", "Ada")
    assert {path: path.is_file() and path.read_bytes() for path in tmp_path.rglob("*")} == before


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
    assert "](Anna%20Meier%20%282%29_pictures/1-1.png)" in text


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


def test_the_command_checks_a_folder_of_hand_ins(explorer, tmp_path, monkeypatch, capsys):
    from cnn_widgets import cli
    from cnn_widgets.classroom import checking

    handed_in(explorer, tmp_path, "wrong", filters=7)
    net, pictures = explorer.network, dict(explorer.scene.samples)
    whole = checking.check_hand_ins
    monkeypatch.setattr("cnn_widgets.classroom.check_hand_ins",
                        lambda source, *_: whole(source, net, pictures))  # fmt: skip
    assert cli.main(["check", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "wrong: 1 of 2 right (wrong), wrong.handin.json" in said
    assert "view 2, wrong: filters: 7, it is 6" in said
    handed_in(explorer, tmp_path, "wrong", filters=6)
    assert cli.main(["check", str(tmp_path)]) == 0
    with pytest.raises(SystemExit):
        cli.main(["check", "model.keras", "photos"])
    assert "hand-ins alone" in capsys.readouterr().err


def test_what_a_student_wrote_stays_on_its_line(explorer, net, pictures, tmp_path):
    """No line of the list can be forged, a terminal does what it likes, and length is bounded."""
    explorer.show(image="one", layer="conv2")
    explorer.pin("\x1b[2J\nnote " * 50, filters=8, top_class="y" * 5000)
    for number, name in enumerate(["Eve: 5 of 5\nMallory", "\x1b[2J\x1b[31mEve\u202e", "E" * 9999]):
        explorer.report(tmp_path / f"{number}.html", name)
    file = tmp_path / "2.handin.json"
    changed_file(file, lambda content: content["pins"][0]["answers"].update(
        {f"x\n  view 9, right: {number}": 1 for number in range(500)}))  # fmt: skip
    works = check_hand_ins(tmp_path, net, pictures)
    lines = listed(works)
    assert len(lines) == 3 + 2 + 2 + 20 + 1  # works, copies, wrong classes, claims, and more
    assert all(line.isprintable() and len(line) < 330 for line in lines)
    assert [work.name for work in works] == ["Eve: 5 of 5 Mallory", "?[2J?[31mEve?", "E" * 79 + "…"]
    rows = works[0].records()
    assert all(str(row["note"]).isprintable() and len(row["note"]) <= 80 for row in rows)
    assert works[0].pins[0].note == "\x1b[2J\nnote " * 50  # as it is
    assert "note" in works[0].to_pandas().columns


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_a_name_that_cannot_be_printed_ends_no_list(encoding, tmp_path, monkeypatch):
    from cnn_widgets import cli
    from cnn_widgets.classroom import CheckedWork

    works = [CheckedWork(name, "x", "right", (), ()) for name in ("Łukasz", "A\ud83d", "Ada")]
    monkeypatch.setattr("cnn_widgets.classroom.check_hand_ins", lambda *_: works)
    monkeypatch.setattr("cnn_widgets.classroom.left_out", lambda _: ["ß.rar"])
    with (tmp_path / "out.txt").open("w", encoding=encoding) as out:
        monkeypatch.setattr("sys.stdout", out)
        assert cli.main(["check", "handins"]) == 0
    said = (tmp_path / "out.txt").read_text(encoding)
    assert [line.partition(":")[0] for line in said.splitlines()][1:] == ["A?", "Ada", "left out"]
    assert "ukasz: 0 of 0 right" in said


def test_copies_and_hand_ins_of_one_name_are_told_with_their_files(
    explorer, net, pictures, tmp_path
):
    for folder in ("monday", "tuesday"):
        handed_in(explorer, tmp_path / folder, "Ada", filters="6")
    page = handed_in(explorer, tmp_path / "monday", "Bob", filters=7).with_name("Bob.handin.json")
    (tmp_path / "tuesday" / "Cy.handin.json").write_bytes(page.read_bytes())
    found = {work.file: work for work in check_hand_ins(tmp_path, net, pictures)}
    one, two = found["monday/Ada.handin.json"], found["tuesday/Ada.handin.json"]
    assert one.verdict == two.verdict == "right"
    assert one.reasons == (
        "same content as tuesday/Ada.handin.json",
        "2 hand-ins of this name, also tuesday/Ada.handin.json",
    )
    assert [row["pin"] for row in one.records()] == [0, 1, 2]
    assert "same content as monday/Bob.handin.json" in found["tuesday/Cy.handin.json"].reasons
    assert any(line.endswith(", tuesday/Cy.handin.json") for line in listed(found.values()))
    files = [tmp_path / "monday" / "Ada.handin.json", tmp_path / "monday" / "Bob.handin.json"]
    assert [work.file for work in check_hand_ins([*files, files[0]], net, pictures)] == [
        "Ada.handin.json", "Bob.handin.json"]  # fmt: skip
    assert [work.reasons for work in check_hand_ins(files, net, pictures)] == [(), ()]


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def test_hand_ins_are_found_whatever_a_browser_or_a_mac_made_of_them(
    explorer, net, pictures, tmp_path
):
    data = handed_in(explorer, tmp_path / "one").with_name("Ada.handin.json").read_bytes()
    folder = tmp_path / "handins"
    (folder / "__MACOSX").mkdir(parents=True)
    zipped(folder / "Eve.zip", {
        "Eve.handin.json": data, "Eve.html": b"", "__MACOSX/._Eve.handin.json": b"\0\5",
        "sub/Fay.handin.json": data, "deep.zip": b"",
    })  # fmt: skip
    zipped(folder / "empty.zip", {"readme.txt": b""})
    for name in ("ada.handin (1).json", "ADA2.HANDIN.JSON", "Copy of x.handin.json", "Gus.html"):
        (folder / name).write_bytes(data)
    for name in ("__MACOSX/._ada.handin.json", "._ada.handin.json"):
        (folder / name).write_bytes(b"\0\5\x16\7")
    for name in ("hal.rar", "broken.zip", "ida.handin.json.txt"):
        (folder / name).write_bytes(b"no archive")
    found = {work.file: work.verdict for work in check_hand_ins(folder, net, pictures)}
    assert found == dict.fromkeys(
        ["ada.handin (1).json", "ADA2.HANDIN.JSON", "Copy of x.handin.json",
         "Eve.zip/Eve.handin.json", "Eve.zip/sub/Fay.handin.json"], "right")  # fmt: skip
    others = left_out(folder)
    assert [each.partition(" (")[0] for each in others] == [
        "Eve.zip/deep.zip", "broken.zip", "empty.zip", "hal.rar", "ida.handin.json.txt",
    ]  # fmt: skip
    (work,) = check_hand_ins(folder / "Eve.zip", net, pictures)[:1]
    assert work.verdict == "right"
    with pytest.raises(ValueError, match=r"no file \*\.handin\.json\. Left out: empty\.zip"):
        check_hand_ins(folder / "empty.zip")


def test_a_zip_that_unpacks_to_too_much_or_is_damaged_stops_no_other(
    explorer, net, pictures, tmp_path, monkeypatch
):
    from cnn_widgets.classroom import collecting

    handed_in(explorer, tmp_path)
    zipped(tmp_path / "bomb.zip", {"bomb.handin.json": b" " * 21 * 2**20})
    zipped(tmp_path / "bad.zip", {"bad.handin.json": bytes(range(256)) * 40})
    packed = bytearray((tmp_path / "bad.zip").read_bytes())
    packed[60:90] = bytes(30)
    (tmp_path / "bad.zip").write_bytes(packed)
    found = {work.file: work for work in check_hand_ins(tmp_path, net, pictures)}
    assert found["Ada.handin.json"].verdict == "right"
    assert "larger than 20 MB" in found["bomb.zip/bomb.handin.json"].reasons[0]
    assert "cannot be unpacked" in found["bad.zip/bad.handin.json"].reasons[0]
    monkeypatch.setattr(collecting, "_MOST", 2)
    zipped(tmp_path / "many.zip", {f"{number}.handin.json": b"" for number in range(3)})
    assert "many.zip (more than 2 hand-ins" in left_out(tmp_path)[0]


def test_what_is_no_place_of_hand_ins_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"There is no file or folder '.*nowhere'"):
        check_hand_ins(tmp_path / "nowhere")
    for missing in ("x.handin.json", "x.zip"):
        with pytest.raises(ValueError, match="There is no file or folder"):
            check_hand_ins(tmp_path / missing)
    (tmp_path / "x.txt").touch()
    with pytest.raises(ValueError, match=r"Expected a folder of hand-ins.*Received: .*x\.txt"):
        check_hand_ins([tmp_path / "x.txt"])
    for given in (None, 5, [None], b"x"):
        with pytest.raises(TypeError, match="Expected a folder of hand-ins, or files"):
            check_hand_ins(given)


def test_the_command_takes_the_network_and_the_photographs_of_a_class(
    tmp_path, monkeypatch, capsys
):
    from cnn_widgets import cli

    asked = []
    monkeypatch.setattr(
        "cnn_widgets.classroom.check_hand_ins", lambda *given: asked.append(given) or []
    )
    monkeypatch.setattr("cnn_widgets.classroom.left_out", lambda _: [])
    cli.main(["check", "handins", "--with-model", "ours.keras", "--with-images", "photos"])
    cli.main(["check", "handins"])
    assert asked == [("handins", "ours.keras", "photos"), ("handins", None, None)]
    with pytest.raises(SystemExit):
        cli.main(["check", "m.keras", "photos", "--against", "kept", "--with-images", "x"])
    assert "are for hand-ins" in capsys.readouterr().err


@pytest.mark.parametrize("given", [["nofolder"], ["MobileNetV2"], ["nofolder", "--junit", "a.xml"]])
def test_the_command_takes_no_model_for_a_hand_in(given, capsys):
    from cnn_widgets import cli

    with pytest.raises(SystemExit) as stop:
        cli.main(["check", *given])
    assert stop.value.code == 2
    assert "hand-ins" in capsys.readouterr().err


def test_a_photograph_with_the_letters_of_a_mac_is_the_one_here(net, pictures, tmp_path):
    apart, whole = "Ba\u0308r", "B\u00e4r"
    for form in (apart, whole):
        shown = cw.CNNExplorer(net, {form: pictures["one"]})
        shown.pin("", top_class=shown.scene.predictions[0].name)
        shown.report(tmp_path / f"{len(form)}.html")
        shown.close()
    # one that an earlier version wrote, with the letters as they were
    changed_file(tmp_path / "4.handin.json", lambda c: c["pins"][0]["state"].update(image=apart))
    for form in (apart, whole):
        works = check_hand_ins(tmp_path, net, {form: pictures["one"]})
        assert [work.verdict for work in works] == ["right"] * 2, works


@pytest.fixture
def of_a_class(keras, pictures, tmp_path):
    """Return a file of a network without names, and a function that hands in with some names."""
    model = tiny(keras)
    model.save(tmp_path / "ours.keras")
    Image.fromarray(pictures["one"]).save(tmp_path / "one.png")

    def hand_in(names):
        shown = cw.CNNExplorer(tmp_path / "ours.keras", tmp_path / "one.png", class_names=names)
        shown.pin("", top_class=shown.scene.predictions[0].name)
        shown.report(tmp_path / "handins" / "ada.html", "Ada")
        shown.close()

    return tmp_path, hand_in


def checked(folder, capsys, *more):
    from cnn_widgets import cli

    code = cli.main(["check", str(folder / "handins"), "--with-model", str(folder / "ours.keras"),
                     "--with-images", str(folder / "one.png"), *more])  # fmt: skip
    return code, capsys.readouterr().out


def test_a_class_with_names_of_its_own_is_checked_with_the_teacher_s(of_a_class, capsys):
    folder, hand_in = of_a_class
    hand_in(["ape", "bee", "cow", "dog"])
    code, said = checked(folder, capsys)
    assert (code, "--class-names, takes those of the class" in said) == (1, True)
    assert checked(folder, capsys, "--class-names", "ape,bee,cow,dog")[0] == 0
    (folder / "names.txt").write_text("ape\nbee\ncow\ndog\n", "utf-8")
    assert checked(folder, capsys, "--class-names", str(folder / "names.txt"))[0] == 0
    hand_in(None)
    assert checked(folder, capsys)[0] == 0
    code, said = checked(folder, capsys, "--class-names", "ape,bee,cow,dog")
    assert (code, "it was pinned without class names" in said) == (1, True)


def test_nobody_is_right_by_giving_the_classes_another_order(of_a_class, capsys):
    folder, hand_in = of_a_class
    for names in (["bee", "ape", "cow", "dog"], ["dog", "ape", "bee", "cow"]):
        hand_in(names)
        code, said = checked(folder, capsys, "--class-names", "ape,bee,cow,dog")
        assert (code, "0 of 1 right (cannot be checked)" in said) == (1, True)

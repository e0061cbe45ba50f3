"""The further questions of the audit's command: each has a section, also one that is refused."""

from html import escape

import numpy as np
import pytest
from helpers.colors import COLORS, color_net, picture
from PIL import Image

import cnn_widgets as cw
from cnn_widgets import cli
from cnn_widgets.further_checks import CHECKS, checked_sections
from cnn_widgets.stability import CHANGES

net = color_net  # the fixture


@pytest.fixture(scope="module")
def images():
    """Of each colour six photographs, all unlike, and the first red one once more."""
    rng = np.random.default_rng(0)

    def noisy(color):
        noise = rng.integers(-30, 30, (24, 24, 3))
        return np.clip(np.array(COLORS[color]) + noise, 0, 255).astype(np.uint8)

    labels = {"red": "red", "green": "green", "blue": "sky blue"}
    found = [(noisy(color), label) for color, label in labels.items() for _ in range(6)]
    return cw.open_images([*found, found[0]])


def test_every_check_has_a_section_or_says_why_not(net, images):
    said = []
    audit = cw.audit(net, images)
    sections = checked_sections(audit, net, images, CHECKS, say=said.append)
    assert len(sections) == len(said) == len(CHECKS)
    for check, section, line in zip(CHECKS.values(), sections, said, strict=True):
        assert f"<h2>{check.title}" in section
        assert line.startswith(check.title)
        assert "It failed" not in section
    found = dict(zip(CHECKS, sections, strict=True))
    assert "image 0<" in found["duplicates"]  # the end of a name: "image 0" is in others
    assert "image 18<" in found["duplicates"]
    assert found["duplicates"].count("<figure") == 2
    assert "What excites some filters" in found["filters"]
    assert "Not looked for: " in found["shortcuts"]  # of no label there are 8 photographs
    assert "at least two need 8 photographs" in found["shortcuts"]
    assert all(escape(change.title) in found["robustness"] for change in CHANGES.values())
    assert "answers that are right (first: unchanged)" in found["robustness"]


def test_what_is_there_once_and_rightly_labelled_is_said_to_be_clean(net, images):
    clean = cw.open_images([(picture(c), c.replace("blue", "sky blue")) for c in COLORS])
    found = checked_sections(cw.audit(net, clean), net, clean, ["duplicates", "labels"])
    assert "None found." in found[0]
    assert "0 of 3 photographs have a label that is likely wrong" in found[1]


def test_photographs_that_are_also_in_another_set_are_named(net, images):
    audit, said = cw.audit(net, images), "look alike, one in each set: "
    (alone,) = checked_sections(audit, net, images, ["duplicates"])
    assert f"{said}0" in alone
    other = cw.open_images({"shared": images.read(7).pixels, "foreign": np.eye(24) * 255})
    (found,) = checked_sections(audit, net, images, ["duplicates"], other=other)
    assert f"{said}1" in found
    assert "in the first set<br><small>image 7<" in found
    assert "in the second set<br><small>shared<" in found
    assert "foreign" not in found
    with pytest.raises(ValueError, match="for the check of duplicates"):
        checked_sections(audit, net, images, ["labels"], other=other)


def test_the_command_compares_with_another_folder(net, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("cnn_widgets.networks.load_network", lambda *_, **__: net)
    rng = np.random.default_rng(0)
    for path in ("test/red/a", "test/green/b", "train/red/c", "train/green/d"):
        file = tmp_path / f"{path}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(file)
    (tmp_path / "train" / "red" / "e.png").write_bytes(
        (tmp_path / "test" / "green" / "b.png").read_bytes()
    )
    command = ["audit", str(tmp_path / "test"), "-o", str(tmp_path / "out"), "--against"]
    assert cli.main([*command, str(tmp_path / "train")]) == 0
    page = (tmp_path / "out" / "audit.html").read_text("utf-8")
    assert "look alike, one in each set: 1." in page
    assert "in the first set<br><small>green/b.png<" in page
    assert "in the second set<br><small>red/e.png<" in page
    assert "red/c.png" not in page
    for wrong, told in (("nowhere", "nowhere"), (str(tmp_path / "train"), "--also duplicates")):
        with pytest.raises(SystemExit) as ended:
            cli.main([*command, wrong, *(["--also", "labels"] if "train" in wrong else [])])
        assert ended.value.code == 2
        assert told in capsys.readouterr().err


def test_photographs_that_cannot_be_compared_are_named_on_the_page_and_on_screen(net, images):
    audit, said = cw.audit(net, images), []
    broken = cw.open_images({"torn.png": b"no picture", "cut.png": b"neither"})
    (found,) = checked_sections(audit, net, images, ["duplicates"], say=said.append, other=broken)
    told = "None of 2 photographs of the second set could be read: nothing was compared."
    assert said[1:] == [f"Duplicates: {told}"]
    assert f"<p class='about'>{told}</p><ul><li>torn.png: " in found
    assert "<li>cut.png: " in found
    clean = cw.open_images([(picture("red"), "red"), b"no picture"])
    (found,) = checked_sections(audit, net, clean, ["duplicates"])
    assert "1 of 2 photographs could not be read." in found  # although no group was found


def test_an_unknown_check_is_refused_before_anything_is_asked(net, images, tmp_path, capsys):
    with pytest.raises(ValueError, match=r"Unknown check 'colour'\. Checks: labels, duplicates"):
        checked_sections(cw.audit(net, images), net, images, ["colour"])
    Image.fromarray(picture("red")).save(tmp_path / "one.png")
    with pytest.raises(SystemExit) as ended:
        cli.main(["audit", str(tmp_path), "--also", "colour", "-o", str(tmp_path / "out")])
    assert ended.value.code == 2
    assert "Unknown check 'colour'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_interrupted_check_leaves_the_page_of_the_audit(net, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("cnn_widgets.networks.load_network", lambda *_, **__: net)
    for color in ("red", "green"):
        (tmp_path / "photos" / color).mkdir(parents=True)
        Image.fromarray(picture(color)).save(tmp_path / "photos" / color / "one.png")

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("cnn_widgets.further_checks.duplicates", interrupted)
    out = tmp_path / "out"
    assert cli.main(["audit", str(tmp_path / "photos"), "-o", str(out)]) == 130
    assert "without the further checks" in capsys.readouterr().err
    assert "Audit of colors on 2 photographs" in (out / "audit.html").read_text("utf-8")


def test_a_check_that_fails_takes_no_other_with_it(net, images, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("out of memory")

    monkeypatch.setattr("cnn_widgets.further_checks.odd_ones_out", broken)
    audit = cw.audit(net, images)
    odd, labels = checked_sections(audit, net, images, ["odd", "labels"])
    assert "It failed: RuntimeError: out of memory" in odd
    assert "photographs have a label that is likely wrong" in labels


def test_the_page_is_written_into_a_folder_and_no_store(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["audit", str(tmp_path), "-o", "memory://bucket/audit"])
    assert ended.value.code == 2
    assert "expected a folder, not 'memory://bucket/audit'" in capsys.readouterr().err

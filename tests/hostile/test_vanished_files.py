"""Photographs that vanish or change while they are judged cost only themselves, and are named."""

import shutil
from concurrent.futures import CancelledError, ThreadPoolExecutor

import numpy as np
import pytest
from helpers.colors import COLORS, color_net
from PIL import Image

import cnn_widgets as cw
from cnn_widgets import cli
from cnn_widgets.auditing import write_page
from cnn_widgets.auditing.answers import ANSWERS
from cnn_widgets.further_checks import checked_sections
from cnn_widgets.stability import robustness

net = color_net  # the fixture
HIT = ("green/03.png", "red/wrong.png", "sky blue/11.png")
CHECKS = ("labels", "duplicates", "odd", "filters")


@pytest.fixture
def photos(tmp_path):
    """Twelve photographs of each of three labels; one of the red ones is green."""
    rng, root = np.random.default_rng(0), tmp_path / "photos"
    for color, label in zip(COLORS, ("red", "green", "sky blue"), strict=True):
        (root / label).mkdir(parents=True)
        for number in range(12):
            noisy = np.array(COLORS[color]) + rng.integers(-30, 30, (24, 24, 3))
            pixels = np.clip(noisy, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / label / f"{number:02}.png")
    shutil.copy(root / "green" / "05.png", root / "red" / "wrong.png")
    return root


def gone(path):
    path.unlink()


def broken(path):
    path.write_bytes(path.read_bytes()[:90])


def a_folder(path):
    path.unlink()
    path.mkdir()


def hit(root, how):
    for name in HIT:
        how(root / name)


SAID = {gone: "There is no file", broken: "damaged", a_folder: "is a folder or a device"}


@pytest.fixture
def at_first_read(monkeypatch):
    """Return a function: what is to be done right before the first file is read."""
    from cnn_widgets.datasets import files

    read, waiting = files.load_image, []

    def reading(*given, **options):
        while waiting:
            waiting.pop()()
        return read(*given, **options)

    monkeypatch.setattr(files, "load_image", reading)
    return waiting.append


@pytest.mark.parametrize("how", SAID)
@pytest.mark.parametrize("workers", [0, 1])
def test_while_an_audit_runs(net, photos, tmp_path, at_first_read, how, workers):
    images, out = cw.open_images(photos), tmp_path / "out"
    at_first_read(lambda: hit(photos, how))
    if workers:
        with ThreadPoolExecutor(1) as pool:
            found = cw.audit(net, images, out=out, executor=pool, shard=5)
    else:
        found = cw.audit(net, images, out=out)
    assert len(found) == 37
    assert set(found.errors) == set(HIT)
    assert all(SAID[how] in error for error in found.errors.values())
    assert found.accuracy.count == 34
    assert found.accuracy.right == 34  # the wrong label was on one of the three
    kept = cw.load_audit(out)
    assert kept.records() == found.records()
    page = write_page(found, net, images, tmp_path / "page.html").read_text("utf-8")
    assert "red/wrong.png" in page
    for path in (tmp_path / "page.html", *out.rglob("*")):
        if path.is_file():  # an audit is handed over: it names no folder of this machine
            assert str(tmp_path).encode() not in path.read_bytes(), path.name


@pytest.mark.parametrize("how", SAID)
def test_between_the_audit_and_its_page(net, photos, tmp_path, how):
    images = cw.open_images(photos)
    found = cw.audit(net, images)
    assert len(found.mistakes()) == 1
    hit(photos, how)
    sections = checked_sections(found, net, images, CHECKS)
    page = write_page(found, net, images, tmp_path / "page.html", sections=sections)
    text = page.read_text("utf-8")
    assert "It failed" not in text
    assert text.count("<section>") == len(sections) + 5
    assert "red is taken for green" in text  # the mistake is told, with why it is not shown
    assert SAID[how] in text
    assert str(tmp_path) not in text


@pytest.mark.parametrize("how", SAID)
@pytest.mark.parametrize("after", range(4))
def test_before_any_of_the_further_checks(net, photos, how, after):
    """From the check of that number on."""
    images, said = cw.open_images(photos), []
    found = cw.audit(net, images)

    def say(line):
        if len(said) == after:
            hit(photos, how)
        said.append(line)

    sections = checked_sections(found, net, images, CHECKS, say=say)
    assert len([line for line in said if line.endswith("…")]) == len(CHECKS)
    assert not any("It failed" in line for line in said)
    assert all(section.startswith("<section><h2>") for section in sections)


def test_between_the_passes_of_robustness(net, photos):
    def progress(done, _):
        if done == 2 and (photos / HIT[0]).exists():
            hit(photos, gone)

    (curve,) = robustness(net, photos, changes=["darker"], progress=progress)
    counts = [share.count for share in curve.same]
    assert counts[0] == 37
    assert 34 <= counts[1] < 37  # the pass under way
    assert counts[2:] == [34, 34]


def test_an_audit_whose_photographs_changed_is_not_gone_on_with(net, photos, tmp_path):
    def stop(done, _):
        if done == 5:
            raise CancelledError

    with pytest.raises(CancelledError):
        cw.audit(net, photos, out=tmp_path / "out", progress=stop)
    kept = (tmp_path / "out" / ANSWERS).read_bytes()
    hit(photos, gone)
    with pytest.raises(ValueError, match="audit of other photographs"):
        cw.audit(net, photos, out=tmp_path / "out")
    assert (tmp_path / "out" / ANSWERS).read_bytes() == kept


def test_the_command_ends_well_and_counts_them(
    net, photos, tmp_path, at_first_read, monkeypatch, capsys
):
    monkeypatch.setattr("cnn_widgets.networks.load_network", lambda *_, **__: net)
    at_first_read(lambda: hit(photos, gone))
    assert cli.main(["audit", str(photos), "-o", str(tmp_path / "out")]) == 0
    assert "unreadable: 3" in capsys.readouterr().out
    assert "Could not be read" in (tmp_path / "out" / "audit.html").read_text("utf-8")

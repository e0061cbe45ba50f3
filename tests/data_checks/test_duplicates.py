"""Photographs that are there twice: planted copies are found, and other pictures are not."""

import io
import sys
from concurrent.futures import CancelledError

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from cnn_widgets.data_checks import duplicates
from cnn_widgets.data_checks.duplicates import _alike, _Print
from cnn_widgets.lessons import digits


def scene(seed, size=(120, 160)):
    """Return a smooth random picture, unlike any of another seed."""
    rng = np.random.default_rng(seed)
    rough = rng.integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(rough, size[::-1], interpolation=cv2.INTER_CUBIC)


#: Ways in which the same picture is saved otherwise.
COPIES = {
    "smaller": lambda p: cv2.resize(p, (80, 60), interpolation=cv2.INTER_AREA),
    "larger": lambda p: cv2.resize(p, (320, 240), interpolation=cv2.INTER_CUBIC),
    "brighter": lambda p: np.clip(p * 1.15 + 5, 0, 255).astype(np.uint8),
    "blurred": lambda p: cv2.GaussianBlur(p, (0, 0), 1.5),
    "noisy": lambda p: np.clip(
        p + np.random.default_rng(0).normal(0, 8, p.shape), 0, 255
    ).astype(np.uint8),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """120 pictures; of every twelfth a copy of each kind, one of them in the same pixels."""
    place = tmp_path_factory.mktemp("photos")
    for seed in range(120):
        Image.fromarray(scene(seed)).save(place / f"{seed:03}.png")
    for seed in range(0, 120, 12):
        for kind, change in COPIES.items():
            Image.fromarray(change(scene(seed))).save(place / f"{seed:03} {kind}.png")
        Image.fromarray(scene(seed)).save(place / f"{seed:03} jpeg.jpg", quality=40)
        Image.fromarray(scene(seed)).save(place / f"{seed:03} same.png", compress_level=1)
    (place / "broken.png").write_bytes(b"broken")
    return place


def test_planted_copies_are_found_and_nothing_else(folder):
    found = duplicates(folder)
    wanted = {
        tuple(sorted([f"{n:03}.png", f"{n:03} jpeg.jpg", f"{n:03} same.png",
                      *(f"{n:03} {kind}.png" for kind in COPIES)]))
        for n in range(0, 120, 12)
    }  # fmt: skip
    assert {tuple(sorted(group)) for group in found.near} == wanted
    assert {tuple(sorted(group)) for group in found.exact} == {
        (f"{n:03} same.png", f"{n:03}.png") for n in range(0, 120, 12)
    }
    assert list(found.unreadable) == ["broken.png"]
    assert found.across == ()


def test_copies_that_cross_two_sets_are_paired(folder):
    test = {"copy": COPIES["brighter"](scene(5)), "new": scene(1000), "copy 2": scene(7)}
    found = duplicates(folder, test)
    assert found.across == (("005.png", "copy"), ("007.png", "copy 2"))


def test_photographs_of_the_gallery_are_all_different(gallery):
    found = duplicates(dict(gallery))
    assert (found.near, found.exact) == ((), ())
    copies = {f"{name} copy": COPIES["smaller"](each.pixels) for name, each in gallery.items()}
    found = duplicates(dict(gallery), copies)
    assert [pair[1] for pair in found.across] == [f"{name} copy" for name in sorted(gallery)]


def test_pictures_of_one_colour_are_told_apart_by_it():
    flat = {name: np.full((30, 40, 3), value, np.uint8)
            for name, value in (("a", 10), ("b", 12), ("c", 200))}  # fmt: skip
    assert duplicates(flat).near == (("a", "b"),)
    assert duplicates(flat).exact == ()


def test_the_same_drawing_in_other_colours_is_another_picture():
    red = scene(3).copy()
    red[..., 1:] = red[..., 1:] // 8
    assert duplicates([scene(3), red]).near == ()


@pytest.mark.parametrize("distance", [0, 3, 7])
def test_every_pair_within_the_distance_is_compared(distance):
    """Beside all pairs, one by one."""
    rng = np.random.default_rng(distance)
    kernel = rng.integers(0, 2**63, 12)
    flips = [sum(1 << int(b) for b in rng.choice(63, n, False)) for n in range(9)]
    bits = [int(start) ^ flip for start in kernel for flip in flips]
    grey = np.zeros((8, 8, 3), np.float32)
    small = np.zeros((32, 32, 3), np.uint8)
    prints = [_Print(0, n, str(n), each, False, grey, small) for n, each in enumerate(bits)]
    wanted = {
        (a, b) for a in range(len(bits)) for b in range(a + 1, len(bits))
        if (bits[a] ^ bits[b]).bit_count() <= distance
    }  # fmt: skip
    found = list(_alike(prints, distance))
    assert set(found) == wanted
    assert len(found) == len(wanted)


def test_it_can_be_stopped_and_bad_questions_are_refused(folder):
    with pytest.raises(CancelledError):
        duplicates(folder, progress=lambda done, total: done < 5)
    with pytest.raises(ValueError, match="distance from 0 to 7"):
        duplicates(folder, distance=8)
    for given in ((iter([scene(1)]),), (folder, iter([scene(1)]))):
        with pytest.raises(ValueError, match="come only once"):
            duplicates(*given)
    with pytest.raises(ValueError, match="at least one image"):
        duplicates([])


def test_broken_files_of_one_name_in_both_sets_count_twice():
    given = {"a": scene(1), "b": b"broken"}
    steps = []
    found = duplicates(given, given, progress=lambda *each: steps.append(each))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert list(found.unreadable) == ["b", "b (other)"]
    assert found.across == (("a", "a"),)


def test_a_broken_file_is_told_of_the_set_it_is_in():
    whole, broken = {"a": scene(1), "b": scene(2)}, {"a": scene(1), "b": b"broken"}
    assert list(duplicates(whole, broken).unreadable) == ["b (other)"]
    assert list(duplicates(broken, whole).unreadable) == ["b"]
    assert list(duplicates(whole, {"c": b"broken"}).unreadable) == ["c"]


def test_thousands_of_copies_of_one_picture_are_one_group_and_compared_once(monkeypatch):
    compared, real = [], _alike
    module = sys.modules["cnn_widgets.data_checks.duplicates"]
    monkeypatch.setattr(module, "_alike", lambda found, *n: compared.append(len(found)) or
                        real(found, *n))  # fmt: skip
    black, noise = np.zeros((40, 40, 3), np.uint8), np.random.default_rng(0).integers(
        0, 256, (40, 40, 3), np.uint8)  # fmt: skip
    found = duplicates(np.stack([black] * 2000 + [noise]))
    assert compared == [2]
    assert [len(group) for group in found.exact] == [2000]
    found = duplicates([black, black, noise], [noise, black, black])
    assert {name for pair in found.across for name in pair} == {
        "image 0", "image 1", "image 2"
    }  # fmt: skip
    assert ("image 2", "image 0") in found.across


def test_broken_files_count_as_done_and_none_readable_is_no_error(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(b"broken")
    seen = []
    found = duplicates(tmp_path, progress=lambda *step: seen.append(step))
    assert (found.exact, found.near, len(found.unreadable)) == ((), (), 4)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    with pytest.raises(CancelledError):
        duplicates(tmp_path, progress=lambda done, total: done < 2)


def drawn(seed):
    """Return a figure on a plain ground, both of random colours, with a little noise."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (64, 64), tuple(rng.integers(0, 120, 3).tolist()))
    radius = int(rng.integers(12, 22))
    x, y = (int(each) for each in rng.integers(radius, 64 - radius, 2))
    draw, fill = ImageDraw.Draw(picture), tuple(rng.integers(130, 256, 3).tolist())
    (draw.ellipse, draw.rectangle)[seed % 2](
        (x - radius, y - radius, x + radius, y + radius), fill=fill
    )
    return np.clip(np.asarray(picture) + rng.normal(0, 8, (64, 64, 3)), 0, 255).astype(np.uint8)


def lines(seed):
    """Return a white page with four thin strokes: nearly no contrast in the small picture."""
    picture, rng = Image.new("RGB", (400, 400), "white"), np.random.default_rng(seed)
    for _ in range(4):
        ImageDraw.Draw(picture).line(rng.integers(0, 400, 4).tolist(), fill="black")
    return np.asarray(picture)


@pytest.mark.parametrize(
    "pictures",
    [digits(200)[0], [drawn(n) for n in range(200)], [lines(n) for n in range(40)]],
    ids=["digits", "figures", "lines"],
)
def test_drawings_of_their_own_are_no_copies_and_copies_of_them_are_found(pictures):
    def saved(picture):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=80)
        return file.getvalue()

    found = duplicates(list(pictures))
    assert (found.near, found.exact) == ((), ())
    some = pictures[:10]
    copies = {f"{n} jpeg": saved(each) for n, each in enumerate(some)}
    if len(pictures) > 40:
        copies |= {f"{n} smaller": cv2.resize(each, (48, 48), interpolation=cv2.INTER_AREA)
                   for n, each in enumerate(some)}  # fmt: skip
        copies |= {f"{n} brighter": COPIES["brighter"](each) for n, each in enumerate(some)}
    across = duplicates({str(n): each for n, each in enumerate(pictures)}, copies).across
    assert set(across) == {(name.split()[0], name) for name in copies}


@pytest.mark.parametrize("edges", [(1, 1, 1, 1), (2, 0, 1, 0), (0, 2, 0, 0)])
def test_photographs_with_a_narrow_edge_cut_off_are_found(gallery, edges):
    """Edges in hundredths of the sides: top, bottom, left, right."""

    def cropped(p):
        (h, w), (top, bottom, left, right) = p.shape[:2], edges
        return p[h * top // 100 : h - h * bottom // 100, w * left // 100 : w - w * right // 100]

    copies = {f"{name} copy": cropped(each.pixels) for name, each in gallery.items()}
    found = duplicates(dict(gallery), copies).across
    assert found == tuple((name, f"{name} copy") for name in sorted(gallery))


def test_a_photograph_with_a_caption_and_a_grey_one_are_found(gallery):
    cat = gallery["cat"].pixels
    caption = cv2.putText(cat.copy(), "2024", (8, cat.shape[0] - 8), 0, cat.shape[0] / 300,
                          (255, 255, 255), 2)  # fmt: skip
    grey = cv2.cvtColor(cv2.cvtColor(cat, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    assert duplicates(dict(gallery), {"caption": caption, "grey": grey}).across == (
        ("cat", "caption"), ("cat", "grey"),
    )  # fmt: skip


def test_what_could_not_be_read_is_counted_for_each_set():
    found = duplicates({"a": scene(1), "b": b"broken", "c": b"broken"}, {"d": b"broken"})
    assert found.compared == ((1, 3), (0, 1))
    assert found.left_out == (
        "2 of 3 photographs of the first set could not be read, and none of 1 photograph of the "
        "second set could be read: nothing was compared."
    )
    assert duplicates([scene(1)]).left_out == ""
    assert duplicates([scene(1), b"broken"]).left_out == "1 of 2 photographs could not be read."

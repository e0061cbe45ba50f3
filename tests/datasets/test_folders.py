"""Folders, patterns, zips and tables of picture files: names, labels, what is left out."""

import errno
import glob
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnn_widgets as cw
from cnn_widgets.datasets import open_images


def save(path, level=100, size=(6, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (level, 0, 0)).save(path)
    return path


def level(images, index):
    return int(images.read(index).pixels[0, 0, 0])


@pytest.fixture
def zoo(tmp_path):
    """Two folders of classes, one of them with a folder inside."""
    root = tmp_path / "zoo"
    for number, name in enumerate(("cats/b.png", "cats/a.png", "dogs/young/c.png", "dogs/d.png")):
        save(root / name, 10 * number)
    return root


def test_the_folders_of_a_folder_are_the_labels(zoo):
    images = open_images(zoo)
    assert images.names == ("cats/a.png", "cats/b.png", "dogs/d.png", "dogs/young/c.png")
    assert images.labels == ("cats", "cats", "dogs", "dogs")
    assert [level(images, i) for i in range(4)] == [10, 0, 30, 20]
    assert images.read(3).name == "dogs/young/c.png"
    assert (images.labelled, images.notes) == (True, ())
    assert repr(images) == "ImageSet(4 pictures, 2 labels)"


def test_a_picture_beside_the_folders_or_a_single_folder_makes_no_labels(zoo):
    assert not open_images(zoo.parent).labelled  # all pictures lie in "zoo"
    save(zoo / "e.png")
    assert not open_images(zoo).labelled


def zipped(folder, path, written=str):
    """Return a zip of what lies in a folder, with names as some program writes them."""
    with zipfile.ZipFile(path, "w") as archive:
        for each in sorted(folder.rglob("*")):
            if each.is_file():
                info = zipfile.ZipInfo()
                info.filename = written(each.relative_to(folder).as_posix())
                archive.writestr(info, each.read_bytes())
    return path


def test_a_folder_around_the_class_folders_is_said(zoo):
    images = open_images(zoo.parent)
    assert images.names[0] == "zoo/cats/a.png"
    assert len(images.notes) == 1
    assert "All pictures lie in the folder 'zoo'" in images.notes[0]
    assert open_images(zoo.parent / "zoo").labelled
    assert open_images(zoo / "dogs").notes == ()  # one picture, and one folder beside it
    (zoo.parent / "wrap").mkdir()
    zoo.parent.joinpath("zoo").rename(zoo.parent / "wrap" / "zoo")
    assert "in the folder 'wrap/zoo'" in open_images(zoo.parent).notes[0]


def test_folder_pattern_and_zip_of_one_folder_say_the_same(zoo, tmp_path):
    (zoo / "cats" / "notes.txt").write_text("not a picture")
    (zoo / "dogs" / "list.csv").write_text("not a picture")
    save(zoo / ".cache" / "x.png")
    (zoo / "cats" / ".notes").write_text("hidden")
    folder = open_images(zoo)
    assert folder.notes == ("2 files are no pictures, left out",)
    for name, written in (
        ("plain", str), ("windows", lambda each: each.replace("/", "\\")),
        ("wrapped", lambda each: f"zoo\\{each}"),
    ):  # fmt: skip
        other = open_images(zipped(zoo, tmp_path / f"{name}.zip", written))
        assert (other.names, other.labels) == (folder.names, folder.labels), name
        assert other.notes == folder.notes
        assert [level(other, i) for i in range(4)] == [level(folder, i) for i in range(4)]
    pattern = open_images(str(zoo / "**"))
    assert (pattern.names, pattern.labels, pattern.notes) == (
        folder.names, folder.labels, folder.notes,
    )  # fmt: skip


def test_a_pattern_of_other_names_takes_what_it_says(zoo):
    for each in ("a", "b"):
        (zoo / "cats" / f"{each}.png").rename(zoo / "cats" / f"{each}.photo")
    images = open_images(str(zoo / "cats" / "*.photo"))
    assert images.names == ("a.photo", "b.photo")
    assert (level(images, 0), images.notes) == (10, ())


def test_other_files_are_counted_and_hidden_ones_are_not(zoo):
    (zoo / "cats" / "notes.txt").write_text("not a picture")
    (zoo / "Thumbs.db").write_bytes(b"x")
    save(zoo / ".cache" / "x.png")
    save(zoo / "__MACOSX" / "x.png")
    save(zoo / "dogs" / ".d.png")
    images = open_images(zoo)
    assert len(images) == 4
    assert images.notes == ("2 files are no pictures, left out",)


@pytest.mark.parametrize("name", ["two words", "猫", "🐈", "new\nline", "a'b\"c", "[x]"])
def test_any_name_is_a_name(tmp_path, name):
    for kind in ("one", "two"):
        save(tmp_path / kind / f"{name}.png", 40)
    images = open_images(tmp_path)
    assert images.names == (f"one/{name}.png", f"two/{name}.png")
    assert level(images, 1) == 40
    net = open_images(str(tmp_path))
    assert net.names == images.names


def test_links_that_lead_back_are_followed_once(zoo):
    (zoo / "cats" / "again").symlink_to(zoo)
    (zoo / "dogs" / "self").symlink_to(zoo / "dogs")
    (zoo / "broken.png").symlink_to(zoo / "nowhere.png")
    images = open_images(zoo)
    assert images.names == ("cats/a.png", "cats/b.png", "dogs/d.png", "dogs/young/c.png")
    assert images.labelled
    assert images.notes == ("1 file is no picture, left out",)
    other = save(zoo.parent / "other" / "e.png").parent
    (zoo / "birds").symlink_to(other)
    assert open_images(zoo).names[0] == "birds/e.png"


def test_a_folder_that_may_not_be_read_is_said(zoo, monkeypatch):
    locked, scandir = zoo / "locked", os.scandir
    save(locked / "x.png")

    def refused(path):  # as for a folder without permissions, which an administrator can read
        if Path(path) == locked:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    images = open_images(zoo)
    assert images.names == ("cats/a.png", "cats/b.png", "dogs/d.png", "dogs/young/c.png")
    assert images.notes == ("The folder 'locked' could not be read: Permission denied",)


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such permissions")
def test_a_folder_whose_permissions_are_taken_away_is_said(zoo):
    locked = zoo / "locked"
    save(locked / "x.png")
    locked.chmod(0)
    try:
        if os.access(locked, os.R_OK):
            pytest.skip("this user may read everything")
        assert any("locked" in note for note in open_images(zoo).notes)
    finally:
        locked.chmod(0o755)


def test_a_file_that_is_broken_or_gone_costs_only_itself(zoo, tiny_net):
    (zoo / "cats" / "a.png").write_bytes(b"broken")
    images = open_images(zoo)
    (zoo / "dogs" / "d.png").unlink()
    found = list(cw.stream(tiny_net, images))
    assert [each.name for each in found] == list(images.names)
    assert [bool(each.error) for each in found] == [True, False, True, False]
    assert [each.label for each in found] == ["cats", "cats", "dogs", "dogs"]
    with pytest.raises(ValueError, match=r"a\.png"):
        images.read(0)
    with pytest.raises(IndexError):
        images.read(4)


def test_a_folder_without_pictures_says_what_it_looked_for(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(ValueError, match=r"holds no pictures: .*\.heic.* 1 file is no picture"):
        open_images(tmp_path)


def test_of_many_files_only_the_names_are_asked_for(tmp_path, monkeypatch):
    """Nothing is opened, and no file is looked at beyond its folder's own list (see benchmarks)."""
    for kind in range(4):
        (tmp_path / f"kind{kind}").mkdir()
        for number in range(500):
            (tmp_path / f"kind{kind}" / f"{number}.jpg").touch()
    looked, stat = [], os.stat
    monkeypatch.setattr(
        os, "stat", lambda *given, **how: (looked.append(1), stat(*given, **how))[1]
    )
    monkeypatch.setattr("cnn_widgets.datasets.files.load_image", lambda *_, **__: 1 / 0)
    found = open_images(tmp_path)
    monkeypatch.undo()
    assert len(found) == 2000
    assert found.labels[-1] == "kind3"
    assert len(looked) < 40


# --- patterns, zips, tables --------------------------------------------------------------------


def test_a_pattern_names_files_below_what_they_have_in_common(zoo):
    images = open_images(str(zoo / "**" / "*.png"))
    assert images.names == ("cats/a.png", "cats/b.png", "dogs/d.png", "dogs/young/c.png")
    assert images.labels == ("cats", "cats", "dogs", "dogs")
    assert level(images, 3) == 20
    assert open_images(zoo / "cats" / "*.png").names == ("a.png", "b.png")
    with pytest.raises(FileNotFoundError, match="No file matches"):
        open_images(str(zoo / "*.tif"))


PATTERNS = [
    "**", "**/*", "*/**", "zoo/**", "**/*.png", "**/**/*.png", "**/young/**/*.png", "**/.h/*",
    "**/.*", "*/*/*.png", "./zoo/**/*.png", "zoo/**/d*/*.png", "**/[[]a]/*", "zoo/cats/**/../*.png",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("absolute", [False, True])
def test_without_links_a_pattern_matches_what_glob_matches(zoo, monkeypatch, pattern, absolute):
    monkeypatch.chdir(zoo.parent)
    for name in (".h/e.png", "dogs/.f.png", "[a]/g.png", "cats/old/h.png"):
        save(zoo / name)
    pattern = str(zoo.parent / pattern) if absolute else pattern
    found = glob.glob(pattern, recursive=True)
    expected = {os.path.realpath(path) for path in found if os.path.isfile(path)}
    images = open_images(pattern)
    base = os.path.commonpath([os.path.dirname(path) for path in expected])
    assert {os.path.join(base, name) for name in images.names} == expected


@pytest.mark.parametrize("pattern", ["**/*.png", "**/**/*.png", "**", "*/**/*.png", "*/*.png"])
def test_a_pattern_reads_a_folder_with_links_once_and_comes_to_an_end(zoo, pattern):
    """Two links that lead back give `glob` more paths than it could list in a lifetime."""
    (zoo / "loop").symlink_to(".")
    (zoo / "cats" / "up").symlink_to("..")
    (zoo / "alias").symlink_to("cats")
    images = open_images(str(zoo / pattern))
    expected = open_images(zoo)
    shallow = pattern == "*/*.png"
    assert images.names == tuple(n for n in expected.names if not shallow or n.count("/") < 2)
    assert set(images.labels) == {"cats", "dogs"}
    aliased = open_images(str(zoo / "alia*" / "*.png"))
    assert aliased.names == ("a.png", "b.png")


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path):
    path = save(tmp_path / "[a].png", 7)
    assert level(open_images(path), 0) == 7


def test_a_zip_is_a_folder(zoo, tmp_path, tiny_net):
    path = tmp_path / "zoo.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for each in sorted(zoo.rglob("*.png")):
            archive.write(each, "all/" + each.relative_to(zoo).as_posix())
        archive.writestr("all/readme.txt", "no picture")
        archive.writestr("__MACOSX/all/._a.png", "no picture")
        archive.writestr("all/cats/broken.png", "no picture")
    images = open_images(path)
    assert images.names == (
        "cats/a.png", "cats/b.png", "cats/broken.png", "dogs/d.png", "dogs/young/c.png",
    )  # fmt: skip
    assert images.labels == ("cats",) * 3 + ("dogs",) * 2
    assert [level(images, i) for i in (0, 4)] == [10, 20]
    errors = [each.error for each in cw.stream(tiny_net, path)]
    assert [bool(error) for error in errors] == [False, False, True, False, False]


def test_a_zip_that_is_none_and_one_without_pictures_are_refused(tmp_path):
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ValueError, match=r"bad\.zip is no zip"):
        open_images(bad)
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as archive:
        archive.writestr("a.txt", "x")
    with pytest.raises(ValueError, match=r"empty\.zip holds no pictures"):
        open_images(tmp_path / "empty.zip")


def test_a_member_that_would_unpack_to_too_much_is_refused(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(101 * 2**20))
    with pytest.raises(ValueError, match="larger than 100 MB"):
        open_images(path).read(0)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("path,label\ncats/a.png,cat\ndogs/d.png,dog\n", ("cat", "dog")),
        ("cats/a.png,3\ndogs/d.png,12\n", (3, 12)),
        ("\ufefffilename;class\r\ncats/a.png;cat\r\n\r\ndogs/d.png;\r\n", ("cat", None)),
        ("cats/a.png\tcat\ndogs/d.png\tdog, big", ("cat", "dog, big")),
        ("cats/a.png\ndogs/d.png", (None, None)),
        ('"cats/a.png","cat, small"\n"dogs/d.png","2"', ("cat, small", "2")),
    ],
)
def test_a_table_names_files_and_labels(zoo, text, labels):
    path = zoo / "list.csv"
    path.write_text(text, "utf-8")
    images = open_images(path)
    assert images.labels == labels
    assert [level(images, i) for i in range(2)] == [10, 30]


HEADS = [
    "path,label", "photo,label", "picture,class", "image_id,label", "Image Path,Label", "Foto,Art",
    "label,path", "Art,Foto", "split,label,file", ",path,label",
]  # fmt: skip


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_head_of_a_table_says_which_columns_are_path_and_label(zoo, head, mark):
    """As pandas writes tables, whatever their columns are called and stand."""
    parts = {"label": 0, "Label": 0, "class": 0, "Art": 0, "split": "train", "": "7"}
    rows = [
        [parts.get(name, "cats/a.png") for name in head.split(",")],
        [{**parts, "label": 1, "Label": 1, "class": 1, "Art": 1}.get(name, "dogs/d.png")
         for name in head.split(",")],
    ]  # fmt: skip
    text = "\n".join(mark.join(map(str, row)) for row in [head.split(","), *rows])
    (zoo / "list.csv").write_text(text + "\n", "utf-8")
    images = open_images(zoo / "list.csv")
    assert images.names == ("cats/a.png", "dogs/d.png")
    assert images.labels == (0, 1)
    assert [level(images, i) for i in range(2)] == [10, 30]
    guessed = head in ("Foto,Art", "Art,Foto")
    assert [("taken as its head" in note) for note in images.notes] == [True] * guessed


def test_the_first_row_of_a_table_without_head_is_a_photograph(zoo, tiny_net):
    (zoo / "cats" / "a.png").rename(zoo / "cats" / "no_suffix")
    for text in ("cats/no_suffix,cats\ndogs/d.png,dogs\n", "gone.png,cats\ndogs/d.png,dogs\n",
                 "cats,cats/no_suffix\ndogs,dogs/d.png", "gone,cats\nlost,dogs\n"):  # fmt: skip
        (zoo / "list.csv").write_text(text, "utf-8")
        images = open_images(zoo / "list.csv")
        assert images.labels == ("cats", "dogs"), text
        assert images.notes == ()


@pytest.mark.parametrize(
    ("name", "text", "labels"),
    [
        ("list.tsv", "cats/a.png\tred, dark\ndogs/d.png\tgreen;x\n", ("red, dark", "green;x")),
        ("list.csv", "cats/a.png;a,b\ndogs/d.png;c\n", ("a,b", "c")),
        ("list.csv", "sep=;\npath;label\ncats/a.png;a,b\ndogs/d.png;c\n", ("a,b", "c")),
        ("list.csv", "path,label\n   \ncats/a.png,a\n , \ndogs/d.png,b\n  \n", ("a", "b")),
        ("list.csv", "path,label,\ncats/a.png,a,\ndogs/d.png,b,\n", ("a", "b")),
        ("list.csv", "path,label\ncats/a.png,0.0\ndogs/d.png,12.0\n", (0, 12)),
        ("list.csv", "path,label\ncats/a.png,\ndogs/d.png,1.0\n", (None, 1)),
        ("list.csv", "path,label\ncats/a.png,0.5\ndogs/d.png,1.0\n", ("0.5", "1.0")),
    ],
)
def test_a_table_as_programs_write_it(zoo, name, text, labels):
    (zoo / name).write_text(text, "utf-8")
    images = open_images(zoo / name)
    assert images.labels == labels
    assert [level(images, i) for i in range(2)] == [10, 30]


def test_of_more_columns_the_head_must_name_two(zoo):
    for text in ("photo,a,b\ncats/a.png,1,2\n", "path,label\ncats/a.png,1,2\n"):
        (zoo / "list.csv").write_text(text, "utf-8")
        with pytest.raises(ValueError, match=r"names these two\. Received: \['"):
            open_images(zoo / "list.csv")


def test_a_table_may_name_files_elsewhere_and_files_that_are_missing(zoo, tmp_path, tiny_net):
    outside = save(tmp_path / "new\nline.png", 90)
    (zoo / "list.csv").write_text(f'"{outside}",x\nnowhere.png,y\n', "utf-8")
    images = open_images(zoo / "list.csv")
    assert level(images, 0) == 90
    found = list(cw.stream(tiny_net, zoo / "list.csv"))
    assert [(each.label, bool(each.error)) for each in found] == [("x", False), ("y", True)]


@pytest.mark.parametrize("text", ["", "path,label\n", "a.png,1,2\n", ",cat\n", '"a'])
def test_what_is_no_table_of_paths_is_refused(tmp_path, text):
    (tmp_path / "list.csv").write_text(text, "utf-8")
    with pytest.raises(ValueError, match=r"list\.csv"):
        open_images(tmp_path / "list.csv")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "list.csv").write_bytes(np.arange(256, dtype=np.uint8).tobytes())
    with pytest.raises(ValueError, match="no CSV that can be read"):
        open_images(tmp_path / "list.csv")


# --- what went wrong once ------------------------------------------------------------------------


def test_names_in_another_encoding_are_escaped_and_read(tmp_path, tiny_net):
    place = os.fsencode(tmp_path) + b"/caf\xe9.png"
    os.rename(save(tmp_path / "x.png", 70), place)
    images = open_images(tmp_path)
    assert images.names == ("caf\\udce9.png",)
    images.names[0].encode("utf-8")
    assert level(images, 0) == 70
    assert next(cw.stream(tiny_net, tmp_path)).error is None


def test_a_link_in_a_ring_is_left_out_and_the_rest_stays(zoo):
    (zoo / "cats" / "ring").symlink_to("ring")
    (zoo / "ring.png").symlink_to("ring.png")
    images = open_images(zoo)
    assert len(images) == 4
    assert images.notes == ("2 files are no pictures, left out",)


def test_a_picture_beside_the_folders_is_said(zoo):
    save(zoo / "cover.png")
    assert open_images(zoo).notes == (
        "The folders are not taken as labels: cover.png lies beside them",
    )


def test_a_damaged_member_of_a_zip_costs_only_itself(zoo, tmp_path, tiny_net):
    path = tmp_path / "zoo.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in sorted(zoo.rglob("*.png")):
            Image.effect_noise((60, 60), 90).save(each)
            archive.write(each, each.relative_to(zoo).as_posix())
    with zipfile.ZipFile(path) as archive:
        start = archive.infolist()[1].header_offset + 60
    data = bytearray(path.read_bytes())
    data[start : start + 12] = b"\xff" * 12
    path.write_bytes(data)
    errors = [each.error for each in cw.stream(tiny_net, path)]
    assert [bool(error) for error in errors] == [False, True, False, False]


@pytest.mark.parametrize("prefix", ["./", "/", "a/../"])
def test_odd_names_in_a_zip(tmp_path, zoo, prefix):
    path = tmp_path / "zoo.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for each in sorted(zoo.rglob("*.png")):
            mine = "" if each.name == "a.png" else prefix
            name = zipfile.ZipInfo(mine + each.relative_to(zoo).as_posix())
            archive.writestr(name, each.read_bytes())
    assert open_images(path).labels == ("cats", "cats", "dogs", "dogs")


def test_an_empty_path_is_no_folder():
    with pytest.raises(ValueError, match="empty path"):
        open_images("")


def test_the_fingerprint_tells_content_apart(zoo, tmp_path):
    first = open_images(zoo).fingerprint()
    assert open_images(zoo).fingerprint() == first
    save(zoo / "cats" / "a.png", 250)
    os.utime(zoo / "cats" / "a.png", ns=(1, 1))
    assert open_images(zoo).fingerprint() != first
    arrays = [np.full((2, 4, 4, 3), value, np.uint8) for value in (1, 2)]
    one, other = (open_images(each, labels=[0, 1]).fingerprint() for each in arrays)
    assert one != other
    assert open_images(list(arrays[0])).fingerprint() != open_images(list(arrays[1])).fingerprint()


@pytest.mark.parametrize("packed", [False, True])
def test_a_mac_s_letters_are_one_spelling_with_all_others_and_files_are_opened(tmp_path, packed):
    """On a Mac the two dots of an umlaut are a character of their own: U+0061 U+0308."""
    apart, whole = "Ka\u0308se/Ba\u0308r.png", "K\u00e4se/B\u00e4r.png"
    save(tmp_path / "zoo" / apart, 30)
    save(tmp_path / "zoo" / "dogs" / "a.png", 60)
    source = tmp_path / "zoo"
    images = open_images(zipped(source, tmp_path / "zoo.zip") if packed else source)
    assert images.names == (whole, "dogs/a.png")
    assert images.labels == (whole[:4], "dogs")
    assert level(images, 0) == 30
    given = open_images({"Ba\u0308r": np.zeros((4, 4), np.uint8)}, labels=["Ka\u0308se"])
    assert (given.names, given.labels) == (("B\u00e4r",), (whole[:4],))
    one = cw.load_image(source / apart)
    assert one.name == cw.load_image(one, name="Ba\u0308r").name == "B\u00e4r"


def test_files_whose_names_look_the_same_are_both_there(tmp_path):
    for number, name in enumerate(("a\u0308.png", "\u00e4.png")):
        save(tmp_path / name, 10 * number)
    images = open_images(tmp_path)
    assert images.names == ("\u00e4.png", "\u00e4.png 2")
    assert [level(images, n) for n in range(2)] == [0, 10]

"""Little to live on: one core, a gigabyte, no home, no network, no fonts, a full disk."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from helpers.disk import full_disk
from helpers.networks import tiny
from PIL import Image

import cnn_widgets as cw
from cnn_widgets import cli, environment
from cnn_widgets.rendering import export
from cnn_widgets.report import write_report

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and sets Linux's limits")

POOR = """
import json, os, socket, sys, tempfile
os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
def refuse(*a, **k): raise OSError("there is no network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
"""
NO_FONTS = """
walk = os.walk
os.walk = lambda top, *a, **k: walk(top, *a, **k) if "mpl-data" in str(top) else iter(())
"""
NO_TEMPORARY_FOLDER = """
tempfile._candidate_tempdir_list = lambda: [os.environ["TMPDIR"]]
"""


def poor(first, code, tmp_path, **environment):
    """Run code in a fresh Python with one core, no network and no home; return what it prints.

    The folders lie below a plain file: so nobody can write there, not even an administrator.
    """
    wall = tmp_path / "file"
    wall.touch()
    places = (
        "HOME", "USERPROFILE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "KERAS_HOME",
        "MPLCONFIGDIR", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "TMPDIR",
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", POOR + first + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {name: str(wall / name.lower()) for name in places} | environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


# --- a poor machine -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """What a poor machine says after every layer and fast method for three photographs."""
    folder = tmp_path_factory.mktemp("poor")
    (folder / "temporary").mkdir()
    found = poor(
        NO_FONTS,
        """
        import matplotlib.font_manager as fonts, cnn_widgets as cw
        from cnn_widgets.attribution import QUICK
        explorer = cw.CNNExplorer()
        net, said, drawn = explorer.network, [], 0
        for name in ("cat", "espresso", "officer"):
            explorer.show(image=name)
            said.append(net.predict(cw.gallery()[name])[0].name)
            for info in net.feature_layers:
                explorer.show(layer=info.name)
                drawn += 1
            for method in QUICK:
                explorer.show(method=method)
        for end in ("png", "html"):
            explorer.save(f"view.{end}")
        status = dict(line.split(":") for line in open("/proc/self/status"))
        megabytes = {name: int(status[name].split()[0]) / 1024 for name in ("VmHWM", "RssAnon")}
        print(json.dumps({
            "said": said, "drawn": drawn, "methods": len(QUICK), "error": str(explorer.last_error),
            "cores": len(os.sched_getaffinity(0)), "megabytes": megabytes,
            "fonts": [font.fname for font in fonts.fontManager.ttflist],
        }))
        """,
        folder,
        TMPDIR=str(folder / "temporary"),  # one folder must be there: TensorFlow says so too
        PATH="",  # nor the command fc-list, that would find fonts
    )
    return found | {"folder": folder}


@linux
@pytest.mark.slow
def test_one_core_and_no_home_and_no_network_are_enough(lived):
    assert lived["cores"] == 1
    assert lived["said"] == ["Egyptian cat", "espresso", "military uniform"]
    assert lived["drawn"] > 90
    assert lived["methods"] >= 10
    assert lived["error"] == "None"


@linux
@pytest.mark.slow
def test_looking_at_everything_takes_a_gigabyte_of_resident_memory(lived):
    """Some 400 MB of it are files of TensorFlow's program, more or fewer as the system likes."""
    print(f"memory in MB, the peak and its own at the end: {lived['megabytes']}")
    assert lived["megabytes"]["VmHWM"] < 1100
    assert lived["megabytes"]["RssAnon"] < 660


@linux
@pytest.mark.slow
def test_no_font_but_matplotlib_s_own_is_needed(lived):
    assert lived["fonts"]
    assert [name for name in lived["fonts"] if "mpl-data" not in name] == []
    with Image.open(lived["folder"] / "view.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 20
    assert "Egyptian cat" not in (page := (lived["folder"] / "view.html").read_text("utf-8"))
    assert "military uniform" in page


@linux
@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("cw.METHODS", "set the MPLCONFIGDIR environment variable to a writable directory"),
        ("from cnn_widgets.environment import tensorflow; tensorflow()", "variable TMPDIR to one"),
    ],
)
def test_no_folder_to_write_in_at_all_says_which_setting_is_missing(tmp_path, code, missing):
    """Matplotlib and TensorFlow cannot do without; what is said must reach the user."""
    found = poor(
        NO_TEMPORARY_FOLDER,
        f"""
        import cnn_widgets as cw
        try: {code}
        except OSError as error: print(json.dumps(str(error)))
        """,
        tmp_path,
    )
    assert missing in found


def test_what_is_written_while_tensorflow_is_imported_needs_no_temporary_folder(monkeypatch, capfd):
    def none(*args, **kwargs):
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    with environment._quiet():
        os.write(2, b"held back\n")
    assert capfd.readouterr().err == ""
    monkeypatch.setattr(environment.tempfile, "TemporaryFile", none)
    with environment._quiet():
        os.write(2, b"shown\n")
    assert capfd.readouterr().err == "shown\n"


def test_what_went_wrong_meanwhile_is_shown_and_raised(capfd):
    def fail():
        with environment._quiet():
            os.write(2, b"the reason\n")
            raise ImportError("no library")

    with pytest.raises(ImportError, match="no library"):
        fail()
    assert capfd.readouterr().err == "the reason\n"


def test_a_process_without_standard_error_is_served():
    code = (
        "import os, sys; os.close(2); sys.stderr = None\n"
        "from cnn_widgets.environment import _quiet\n"
        "with _quiet(): print('ran')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (0, "ran\n")


# --- a full disk --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def explorer(keras, tmp_path_factory):
    """A small explorer on a model file and a photograph in a folder of their own."""
    folder = tmp_path_factory.mktemp("secretfolder")
    tiny(keras).save(folder / "mynet.keras")
    exif = Image.Exif()
    exif[0x010E], exif[0x9C9D] = "secretdescription", "secretauthor"
    pixels = np.random.default_rng(3).integers(0, 256, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "myphoto.jpg", exif=exif)
    explorer = cw.CNNExplorer(str(folder / "mynet.keras"), images=[folder / "myphoto.jpg"])
    yield explorer
    explorer.close()


def writers(explorer, folder):
    net, sample = explorer.network, explorer.scene.sample
    found = cw.attribute(net, sample)
    return {
        **{f"view{end}": (lambda end=end: explorer.save(folder / f"view{end}")) for end in KINDS},
        "bundle": lambda: found.save(folder / "bundle"),
        "report": lambda: write_report(net, [sample], folder / "report"),
    }


KINDS = (".png", ".html", ".pdf", ".svg", ".eps")
SLOW = (".png", ".pdf", ".svg", ".eps")
WRITERS = [
    *(pytest.param(f"view{end}", marks=pytest.mark.slow if end in SLOW else ()) for end in KINDS),
    "bundle",
    "report",
]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_leaves_all_as_it_was_and_one_error_that_names_the_file(
    explorer, tmp_path, kind, monkeypatch
):
    figure = export.to_figure(explorer.scene)
    monkeypatch.setattr(export, "to_figure", lambda scene: figure)
    write = writers(explorer, tmp_path)[kind]

    def files():
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    for before in ("nothing", "the same saved before"):
        if before != "nothing":
            write()
        there = files()
        assert bool(there) == (before != "nothing")
        with full_disk(), pytest.raises(OSError, match="Cannot write") as caught:
            write()
        named = {"bundle": "raw.npy", "report": "_mosaic.png"}.get(kind, kind)
        assert named in str(caught.value)
        assert str(tmp_path) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert files() == there
        assert list(tmp_path.rglob(".saving*")) == []


def test_the_command_says_it_in_one_line(explorer, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("cnn_widgets.networks.load_network", lambda *a, **k: explorer.network)
    Image.fromarray(explorer.scene.sample.pixels).save(tmp_path / "photo.png")
    command = ["report", str(tmp_path / "photo.png"), "-o", str(tmp_path / "out")]
    with full_disk(), pytest.raises(SystemExit) as caught:
        cli.main(command)
    line = capsys.readouterr().err
    assert caught.value.code == 2
    assert line.count("\n") == 1
    assert "Cannot write" in line
    assert "photo_mosaic.png" in line
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("expected", ["photograph.png", "overlay.png"])
def test_the_file_named_is_the_one_that_failed(explorer, tmp_path, monkeypatch, expected):
    """Whether it could not even be made, or was cut short."""
    save = Image.Image.save

    def fill(self, target, *args, **kwargs):
        if target.name != expected:
            return save(self, target, *args, **kwargs)
        if expected == "photograph.png":
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    found = cw.attribute(explorer.network, explorer.scene.sample)
    monkeypatch.setattr(Image.Image, "save", fill)
    with pytest.raises(OSError, match=f"Cannot write: No space left on device: .*{expected}"):
        found.save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_none_is_named(explorer, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match=r"Cannot write: .*missing/view.png"):
        explorer.save(tmp_path / "missing" / "view.png")
    with pytest.raises(NotADirectoryError, match=r"Cannot write: .*file/view.html"):
        explorer.save(tmp_path / "file" / "view.html")
    (tmp_path / "view.png").mkdir()
    with pytest.raises(IsADirectoryError, match=r"Cannot write: .*view.png"):
        explorer.save(tmp_path / "view.png")


def test_numpy_s_own_words_for_a_full_disk_name_the_file_too(tmp_path):
    def fill():
        with environment.atomic_files(tmp_path, "a.npy", "b.npy") as place:
            (place / "a.npy").touch()
            raise OSError("4096 requested and 0 written")

    with pytest.raises(OSError, match=r"Cannot write: 4096 requested and 0 written: '.*a\.npy'"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_files_come_into_place_in_their_order_and_readable_by_others(tmp_path, monkeypatch):
    moved, replace = [], os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (moved.append(b.name), replace(a, b)))
    with environment.atomic_files(tmp_path, "b", "a") as place:
        for name in ("a", "b"):
            (place / name).write_text(name)
        assert list(tmp_path.iterdir()) == [place]
    assert moved == ["b", "a"]
    (tmp_path / "plain").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("links", [True, False])
def test_of_several_files_all_come_into_place_or_none(tmp_path, monkeypatch, links):
    """One of them cannot: a folder has its name."""
    if not links:
        monkeypatch.setattr(os, "link", lambda *_, **__: os.stat(tmp_path / "no links here"))
    (tmp_path / "sub").mkdir()
    (tmp_path / "c" / "mine").mkdir(parents=True)
    earlier = {"a": "old", "sub/b": "old too"}
    for name, text in earlier.items():
        (tmp_path / name).write_text(text)
    before = sorted(tmp_path.rglob("*"))

    def write(*names):
        with environment.atomic_files(tmp_path, *names) as place:
            (place / "sub").mkdir()
            for name in names:
                (place / name).write_text("new")

    with pytest.raises(IsADirectoryError, match=r"Cannot write: .*/c'"):
        write("a", "new", "sub/b", "c", "d")
    assert sorted(tmp_path.rglob("*")) == before
    assert {name: (tmp_path / name).read_text() for name in earlier} == earlier
    write("a", "new", "sub/b", "d")
    assert {(tmp_path / name).read_text() for name in ("a", "new", "sub/b", "d")} == {"new"}
    assert not list(tmp_path.glob(".*"))


# --- what is written tells nothing of the machine -----------------------------------------------


@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_written_names_neither_folder_nor_home_nor_user(
    explorer, tmp_path, kind, monkeypatch
):
    written = tmp_path / "destination"
    written.mkdir()
    writers(explorer, written)[kind]()
    import getpass
    import re
    import zlib

    # the very name, where it is no common word: else its folder
    secrets = [b"secret", b"destination", b".saving-", str(tmp_path.parent).encode()]
    secrets += [os.path.expanduser("~").encode() + b"/", os.fspath(cw.__path__[0]).encode()]
    if len(user := getpass.getuser()) > 4:
        secrets.append(user.encode())
    files = [path for path in written.rglob("*") if path.is_file()]
    assert files
    told = b""
    for path in files:
        data = path.read_bytes()
        told += data
        for stream in re.finditer(rb"stream\r?\n(.*?)endstream", data, re.DOTALL):
            with contextlib.suppress(zlib.error):
                told += zlib.decompress(stream[1].rstrip(b"\r\n"))
    assert [secret for secret in secrets if secret in told] == []


def test_what_is_written_names_photograph_and_network_by_their_own_names(explorer, tmp_path):
    """Otherwise the proof above could not fail: these are what stands where a path might."""
    page = explorer.save(tmp_path / "view.html").read_text("utf-8")
    report = write_report(explorer.network, [explorer.scene.sample], tmp_path).read_text("utf-8")
    for text in (page, report):
        assert "mynet" in text
        assert "myphoto" in text

"""The explorer of a visitor: what is locked, and where saved files go."""

import io
import re
import zipfile
from base64 import b64decode

import pytest

import cnn_widgets as cw
from cnn_widgets.rendering.saving import Download, save
from cnn_widgets.serving import App
from cnn_widgets.serving.visit import explorer_of, page_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def visited():
    explorer = explorer_of(App(lock=("method",)).to_json())
    yield explorer
    explorer.close()


def offered(explorer):
    """Return (name, bytes) of the file that the status line offers."""
    found = re.search(r'<a download="([^"]+)" href="data:[^;]+;base64,([^"]+)">',
                      explorer._screen.status.value)  # fmt: skip
    assert found, explorer._screen.status.value[:200]
    return found[1], b64decode(found[2])


@pytest.mark.parametrize("typed", ["http://example.com/a.png", "/etc/hostname", "photo.jpg"])
def test_what_is_typed_is_not_opened(visited, typed):
    before = dict(visited.state.to_dict())
    visited.controls.widgets["location"].value = typed
    assert "address of a picture cannot be changed" in str(visited.last_error)
    assert visited.state.to_dict() == before
    visited.last_error = None
    visited.controls.widgets["location"].value = ""


def test_what_the_app_locks_stays(visited):
    visited.controls.widgets["method"].value = "layercam"
    assert "method cannot be changed" in str(visited.last_error)
    assert visited.state.method == "grad-cam"
    visited.last_error = None


def test_addresses_are_allowed_where_the_app_says_so():
    explorer = explorer_of(App(addresses=True).to_json())
    explorer.controls.widgets["location"].value = "no/such/file.jpg"
    assert "no/such/file.jpg" in str(explorer.last_error)
    assert "cannot be changed" not in str(explorer.last_error)
    explorer.close()


def test_a_picture_goes_to_the_browser_and_not_into_the_folder(visited, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    visited.controls.widgets["save"].value = "picture"
    name, data = offered(visited)
    assert name.endswith(".png")
    assert data.startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == []


def test_a_hand_in_goes_to_the_browser_as_one_archive(visited, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    visited.controls.board.note.value = "An ear."
    visited._press("pin")
    visited.controls.board.name.value = "Ada"
    visited._press("hand in")
    name, data = offered(visited)
    assert name == "Ada.zip"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        assert {"Ada.html", "Ada.md", "Ada.handin.json"} < set(names)
        assert "An ear." in archive.read("Ada.html").decode()
        archive.extractall(tmp_path / "got")
    assert list(tmp_path.iterdir()) == [tmp_path / "got"]
    from cnn_widgets.classroom import check_hand_ins

    (work,) = check_hand_ins(tmp_path / "got")
    assert [pin.verdict for pin in work.pins] == ["right"]


def test_an_explorer_in_a_notebook_still_writes_into_its_folder(explorer, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    explorer.controls.widgets["save"].value = "picture"
    (written,) = tmp_path.iterdir()
    assert f"Saved: {written}" in explorer._screen.status.value


def test_a_link_says_what_is_seen_first():
    made = cw.CNNExplorer()
    made.show(image="espresso", layer="block3_expand", filter=7)
    link = made.link()
    made.close()
    explorer = page_of(App(link=link, predict_first=True).to_json())
    assert (explorer.state.image, explorer.state.filter) == ("espresso", 7)
    assert explorer.state.predict_first
    explorer.close()


def test_a_name_is_text_and_never_part_of_the_page():
    told = Download('a"><script>.png', b"x").html()
    assert "<script>" not in told
    assert "&lt;script&gt;" in told


def test_a_file_that_cannot_be_written_is_an_error_and_no_link():
    def write(folder):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        save(write, "Saved", True)

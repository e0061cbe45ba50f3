"""Many photographs on the table: read when they are seen, named, unreadable ones passed over."""

import gc
import io
import weakref

import numpy as np
import pytest
from PIL import Image

import cnn_widgets as cw
from cnn_widgets.datasets import ImageSet, open_images
from cnn_widgets.scenes import photographs
from cnn_widgets.scenes.photographs import PAGE, Photographs


def level(number):
    return np.full((8, 10, 3), number % 256, np.uint8)


class Counted:
    """A set that notes what is read of it; some of its pictures cannot be."""

    def __init__(self, count, broken=()):
        self.read_numbers, self._broken = [], broken
        names = [f"{'even' if n % 2 == 0 else 'odd'}/{n:03}.png" for n in range(count)]
        labels = [name.split("/")[0] for name in names]
        self.images = ImageSet(names, labels, self._read, ["a note"])

    def _read(self, number, at_least):
        self.read_numbers.append(number)
        if number in self._broken:
            raise ValueError(f"{number} is broken")
        return cw.load_image(level(number))


def table(counted, at_once=False):
    return Photographs(counted.images, lambda sample, number: sample, at_once)


def test_a_set_is_read_photograph_by_photograph_and_kept_for_a_while(monkeypatch):
    counted = Counted(300)
    found = table(counted)
    assert (len(found), counted.read_numbers) == (300, [])
    name = found.names[7]
    assert found[name].pixels[0, 0, 0] == 7
    assert found[name] is found[name]
    assert counted.read_numbers == [7]
    assert found.sizes[name] == (8, 10)
    monkeypatch.setattr(found._cache, "max_bytes", 5 * level(0).nbytes)
    for each in found.names[:20]:
        assert found.fitted("crop")[each].fit == "crop"
    assert found._cache.nbytes <= 5 * level(0).nbytes
    assert found[name].pixels[0, 0, 0] == 7


def test_a_photograph_that_cannot_be_read_is_named_and_counted():
    found = table(Counted(5, broken={2}))
    with pytest.raises(ValueError, match=r"The photograph 'even/002\.png' cannot be read: 2 is"):
        found["even/002.png"]
    assert found.thumbnail("even/002.png", 8) is None
    assert list(found.unreadable) == ["even/002.png"]
    with pytest.raises(ValueError, match="2 is broken"):
        table(Counted(5, broken={2}), at_once=True)
    with pytest.raises(KeyError):
        found["unknown"]


def test_photographs_are_added_and_removed_beside_a_set():
    found = table(Counted(40))
    first = found.add(cw.load_image(level(1), name="mine"))
    assert found.add(cw.load_image(level(1), name="mine")) == first
    assert found.add(cw.load_image(level(2), name="mine")) == "mine 2"
    assert found.add(cw.load_image(level(2), name="mine")) == "mine 2"
    assert found.add(cw.load_image(level(0), name="even/000.png")) == "even/000.png 2"
    assert found.names[-3:] == ("mine", "mine 2", "even/000.png 2")
    assert found.page("mine", PAGE) == found.names[36:]
    assert (found.label("mine"), found.label("odd/001.png")) == (None, "odd")
    found.remove("odd/001.png")
    found.remove("nothing")
    assert len(found) == 42
    assert "odd/001.png" not in found.fitted("squash")
    assert found["even/002.png"].pixels[0, 0, 0] == 2


def test_a_large_photograph_is_shrunk_and_a_thumbnail_is_read_small(tmp_path, gallery):
    Image.fromarray(gallery["cat"].pixels).resize((2400, 1800)).save(tmp_path / "large.jpg")
    found = Photographs(open_images(tmp_path), lambda sample, number: sample, False)
    thumbnail = found.thumbnail("large.jpg", 72)
    assert max(thumbnail.shape[:2]) <= 288
    assert min(thumbnail.shape[:2]) >= 72
    assert "large.jpg" not in found.sizes  # not read whole
    assert found["large.jpg"].size == (768, 1024)
    assert found.sizes["large.jpg"] == (1800, 2400)
    whole = np.asarray(Image.fromarray(found["large.jpg"].pixels).resize((80, 60), Image.BOX))
    little = np.asarray(Image.fromarray(thumbnail).resize((80, 60), Image.BOX))
    assert np.abs(whole.astype(int) - little).mean() < 4


# --- on the page -------------------------------------------------------------------------------


@pytest.fixture
def many_photographs(lent):
    counted = Counted(100, broken={0, 1, 30})
    made = cw.CNNExplorer(lent, counted.images)
    yield made, counted
    made.close()


def titles(explorer):
    return [button.description for button in explorer.controls.thumbs.row.children]


def told(explorer):
    return explorer.controls.thumbs.told.value


def test_the_first_readable_one_is_shown_and_no_more_than_a_page_is_read(many_photographs):
    explorer, counted = many_photographs
    assert explorer.state.image == "even/002.png"
    assert explorer.state.pictures == 100
    assert explorer.state.pairs is False
    assert max(counted.read_numbers) < PAGE
    assert titles(explorer)[:2] == ["000.png", "001.png"]
    assert told(explorer) == f"1–{PAGE} of 100"
    assert "a note; 2 so far cannot be read" in explorer.controls.thumbs.notes.value
    broken, _, chosen, *_ = explorer.controls.thumbs.row.children
    assert "cnnw-unreadable" in broken._dom_classes
    assert broken.tooltip == "0 is broken"
    assert "cnnw-chosen" in chosen._dom_classes
    assert chosen.tooltip == "photograph even/002.png, labelled even"


def test_a_click_on_one_that_cannot_be_read_says_why_and_nothing_changes(many_photographs):
    explorer, _ = many_photographs
    explorer.controls.thumbs.row.children[0].click()
    assert "'even/000.png' cannot be read: 0 is broken" in str(explorer.last_error)
    assert explorer.state.image == "even/002.png"
    explorer.controls.thumbs.row.children[5].click()
    assert explorer.state.image == "odd/005.png"


def test_pages_are_turned_and_follow_the_photograph_chosen(many_photographs):
    explorer, _ = many_photographs
    earlier, _, later, *_ = explorer.controls.thumbs.pager.children
    later.click()
    assert (titles(explorer)[0], told(explorer)) == (
        f"{PAGE:03}.png",
        f"{PAGE + 1}–{2 * PAGE} of 100",
    )
    earlier.click()
    earlier.click()
    assert titles(explorer)[0] == "000.png"
    explorer.show(image="odd/099.png")
    assert told(explorer) == "91–100 of 100"
    assert titles(explorer)[-1] == "099.png"
    later.click()
    assert told(explorer) == "91–100 of 100"


def test_names_and_labels_are_searched_and_ordered(many_photographs):
    explorer, _ = many_photographs
    thumbs = explorer.controls.thumbs
    thumbs.search.value = "ODD"
    assert told(explorer) == f"1–{PAGE} of 50 found among 100"
    assert titles(explorer)[:2] == ["001.png", "003.png"]
    thumbs.search.value = "/09"
    assert titles(explorer) == [f"09{n}.png" for n in range(10)]
    thumbs.search.value = "nowhere"
    assert (titles(explorer), told(explorer)) == ([], "none found among 100")
    thumbs.search.value = ""
    thumbs.order.value = "name"
    assert titles(explorer)[:2] == ["000.png", "002.png"]


def test_side_by_side_and_compared_are_those_around_the_one_chosen(many_photographs):
    explorer, _ = many_photographs
    explorer.show(image="odd/035.png", pairs=True)
    view = explorer._screen.views["pairs"].value
    assert view.count("<figure") == PAGE - 1  # number 30 cannot be read
    assert f"{PAGE} of 100 photographs, those around odd/035.png; 1 cannot be read" in view
    explorer.show(compare=True, compare_by="photograph")
    listed = explorer.controls.widgets["compare_with"].options
    assert len(listed) == 50
    explorer.show(compare_with="odd/099.png")
    assert explorer.state.compare_with == "odd/099.png"
    assert explorer.last_error is None


def test_the_label_is_told_beside_the_answer(many_photographs):
    explorer, _ = many_photographs
    assert "labelled even" in explorer._screen.views["predictions"].value
    explorer.show(image=level(3))
    assert "labelled" not in explorer._screen.views["predictions"].value


def test_a_closed_explorer_lets_go_of_the_set(lent):
    counted = Counted(30)
    made = cw.CNNExplorer(lent, counted.images)
    kept = weakref.ref(counted)
    made.close()
    del counted
    gc.collect()
    assert kept() is None


def test_a_set_of_which_none_can_be_read_is_refused(lent):
    counted = Counted(80, broken=set(range(80)))
    with pytest.raises(ValueError, match="None of the first 50 photographs can be read"):
        cw.CNNExplorer(lent, counted.images)


@pytest.mark.parametrize("wrapped", [lambda up: up, lambda up: [up], lambda up: (up, level(9)),
                                     lambda up: {"me": up}, lambda up: iter([up])])  # fmt: skip
def test_uploads_given_as_images_are_private_too(lent, wrapped):
    """What was uploaded on a page and handed on is not saved in the notebook unasked."""
    buffer = io.BytesIO()
    Image.fromarray(level(3)).save(buffer, "PNG")
    upload = {"name": "private.png", "content": memoryview(buffer.getvalue())}
    made = cw.CNNExplorer(lent, wrapped(upload))
    bundle = made._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "image/png" not in data
    made.show(image=level(7), pairs=False)
    bundle = made._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "image/png" in data
    made.close()


def test_a_source_that_fails_in_any_way_leaves_the_page_alive(lent):
    class Odd(Counted):
        def _read(self, number, at_least):
            if number % 5 == 4:
                raise RuntimeError("odd")
            return super()._read(number, at_least)

    made = cw.CNNExplorer(lent, Odd(60).images)
    made.controls.thumbs.pager.children[2].click()
    assert told(made) == f"{PAGE + 1}–{2 * PAGE} of 60"
    made.controls.thumbs.row.children[1].click()
    assert "cannot be read: odd" in str(made.last_error)
    made.show(image="even/022.png", layer="conv2")
    assert made.controls.widgets["layer"].value == "conv2"
    made.close()


def test_one_picture_that_cannot_be_read_says_so_itself(lent, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"^broken\.png is of an unknown format"):
        cw.CNNExplorer(lent, str(tmp_path / "broken.png"))


def test_of_a_short_list_every_photograph_must_be_readable(lent, tmp_path):
    with pytest.raises(FileNotFoundError):
        cw.CNNExplorer(lent, [level(0), tmp_path / "missing.png"])


def test_memory_stays_flat_over_many_photographs(lent, monkeypatch):
    monkeypatch.setattr(photographs, "KEPT_BYTES", 10 * level(0).nbytes)
    counted = Counted(400)
    made = cw.CNNExplorer(lent, counted.images)
    for name in list(made._catalogue.samples)[::4]:
        made.show(image=name)
    assert made._catalogue.samples._cache.nbytes <= 10 * level(0).nbytes
    assert made._catalogue.fitted("squash")._made.nbytes <= 10 * level(0).nbytes
    made.close()

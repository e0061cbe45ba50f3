"""Going through many photographs keeps a few bytes of each, never its pixels."""

from __future__ import annotations

import gc
import os
import shutil
import tracemalloc
import zipfile

import numpy as np
import pytest
from helpers.networks import tiny
from PIL import Image

import cnn_widgets as cw
from cnn_widgets.datasets import open_images

SIDE, PHOTOGRAPHS = 64, 40  # different ones; the others are links to them
KEPT = 1200  # bytes of a photograph that may stay: its name, its place in a zip, its answer
PIXELS = SIDE * SIDE * 3


@pytest.fixture(scope="module")
def net(keras):
    return cw.load_network(tiny(keras))


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Return a function that gives a folder of so many photographs, every tenth broken."""
    rng, made = np.random.default_rng(0), tmp_path_factory.mktemp("photographs")
    for number in range(PHOTOGRAPHS):
        path = made / f"{number}.jpg"
        Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(path)
        if number % 10 == 0:
            path.write_bytes(path.read_bytes()[:200])

    def folder(count: int):
        place = tmp_path_factory.mktemp("many")
        for number in range(count):
            os.link(made / f"{number % PHOTOGRAPHS}.jpg", place / f"two words 🐈 {number:05}.jpg")
        return place

    return folder


def as_zip(folder):
    with zipfile.ZipFile(folder / "packed.zip", "w") as packed:
        for path in sorted(folder.glob("*.jpg")):
            packed.write(path, path.name)
    return folder / "packed.zip"


def as_arrays(folder):
    unlike = [path for path in sorted(folder.iterdir())[:PHOTOGRAPHS] if path.stat().st_size > 200]
    some = [cw.load_image(path).pixels for path in unlike]
    return [some[number % len(some)] for number, _ in enumerate(folder.iterdir())]


def as_generator(folder):
    return (path for path in sorted(folder.iterdir()))


def kept_bytes(net, use, less: int = 32, more: int = 232) -> float:
    """Return the bytes of Python's own memory that stay for each further photograph.

    Pixels are among them: NumPy's arrays are traced too.
    """
    use(less)  # what a first use makes is not counted
    found = []
    for count in (less, more):
        tracemalloc.start()
        result = use(count)
        net.release()  # the results of recent photographs, within a limit of bytes
        gc.collect()
        found.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        del result
    return (found[1] - found[0]) / (more - less)


@pytest.mark.slow
@pytest.mark.parametrize("source", [str, as_zip, as_arrays, as_generator])
def test_of_a_photograph_that_was_streamed_nothing_but_its_name_stays(net, photographs, source):
    def streamed(count):
        images = open_images(source(photographs(count)))
        found = [(each.name, each.error and str(each.error)) for each in cw.stream(net, images)]
        assert len(found) == count
        errors = [error for _, error in found if error]
        # every tenth file is broken; arrays are made of the others
        assert len(errors) == (0 if source is as_arrays else -(-count // 10))
        assert all("damaged" in error for error in errors)
        del found, errors
        return images

    kept = kept_bytes(net, streamed)
    print(f"{source.__name__}: {kept:.0f} bytes of a photograph of {PIXELS}")
    assert kept < KEPT


@pytest.mark.slow
def test_of_a_photograph_that_was_judged_only_its_answer_stays(net, photographs, tmp_path):
    def audited(count):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        found = cw.audit(net, photographs(count), out=tmp_path / "out")
        assert len(found) == count
        assert len(found.errors) == -(-count // 10)
        return found

    kept = kept_bytes(net, audited)
    print(f"audit: {kept:.0f} bytes of a photograph of {PIXELS}")
    assert kept < KEPT

"""Folders of photographs: how fast they go through, beside `tf.data`, and in how much memory."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from page_rows import resident
from timing import Row, medians, ms, within


def rows() -> Iterator[Row]:
    """Yield the rows of folders."""
    yield from _opened()
    yield from _megapixels()
    yield from _streams()
    yield from _many()
    yield from _handed_over()


def _opened(count: int = 100_000) -> Iterator[Row]:
    from cnn_widgets.datasets import open_images

    with tempfile.TemporaryDirectory() as place:
        for kind in range(20):
            folder = Path(place, f"kind{kind}")
            folder.mkdir()
            for number in range(count // 20):
                (folder / f"{number}.jpg").touch()
        began = time.perf_counter()
        found = open_images(place)
        spent = time.perf_counter() - began
    assert len(found) == count
    yield Row(f"{count:,} names of 20 class folders are opened", ms(spent), "–", "–", "≤ 1 s",
              spent <= 1)  # fmt: skip


def _megapixels(count: int = 160) -> Iterator[Row]:
    """Predictions and Grad-CAM of JPEGs of 2 megapixels, beside `tf.data` and `predict` alone."""
    import cnn_widgets as cw
    from cnn_widgets.environment import tensorflow

    tf, net = tensorflow(), cw.load_network()
    height, width = net.input_size
    with tempfile.TemporaryDirectory() as place:
        photographs(Path(place), count, (1632, 1224))
        files = sorted(str(each) for each in Path(place).iterdir())

        def read(path):
            pixels = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
            return (tf.image.resize(pixels, (height, width), antialias=True) - 127) / 128

        def bare() -> None:
            data = tf.data.Dataset.from_tensor_slices(files)
            data = data.map(read, num_parallel_calls=tf.data.AUTOTUNE).batch(16).prefetch(2)
            net.model.predict(data, verbose=0)

        def ours() -> None:
            for each in cw.stream(net, place):
                assert each.error is None

        found = medians({"ours": ours, "bare": bare}, repeat=5)
    yield within(f"{count} JPEGs of 2 megapixels: predictions and one Grad-CAM each",
                 found["ours"], "tf.data (parallel decode, resize) and predict alone",
                 found["bare"], 1.25)  # fmt: skip


def _streams() -> Iterator[Row]:
    found = streamed()
    ratio = found["bare"] / found["ours"]
    yield Row("1,000 photographs from a folder: predict and one Grad-CAM each, per image",
              ms(found["ours"]), f"bare batched forward and backward: {ms(found['bare'])}",
              f"{ratio:.2f}× its speed", "≥ 0.8×", ratio >= 0.8)  # fmt: skip
    ratio = found["bare, processor"] / found["ours, processor"]
    yield Row("that in the processor's time, which other work on the machine changes little",
              ms(found["ours, processor"]), ms(found["bare, processor"]),
              f"{ratio:.2f}× its speed", "–")  # fmt: skip
    yield Row("memory of that, from the first third to the last", f"{found['mb']:+.1f} MB",
              f"{found['held']:.0f} MB resident", "–", "≤ +10 MB", found["mb"] <= 10)  # fmt: skip


def _many(count: int = 10_000) -> Iterator[Row]:
    """How much the memory grows with the number of photographs, from the first tenth to the last.

    A tiny network, so that it takes some two minutes; all photographs differ.
    """
    import cnn_widgets as cw
    from cnn_widgets.environment import tensorflow

    tensorflow()
    import keras

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from helpers.networks import tiny

    net = cw.load_network(tiny(keras))
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place, "photographs")
        folder.mkdir()
        photographs(folder, count, (96, 96))
        packed = shutil.make_archive(str(Path(place, "packed")), "zip", folder)
        some = [cw.load_image(each).pixels for each in sorted(folder.iterdir())[: count // 10]]

        def audited(folder: Path) -> list[float]:
            seen: list[float] = []

            def progress(done: int, _: int) -> None:
                if done % (count // 10) == 0:
                    seen.append(resident())

            cw.audit(net, folder, out=Path(place, "audit"), progress=progress)
            return seen

        def walked(source: object) -> list[float]:
            return [resident() for number, _ in enumerate(cw.stream(net, source), 1)
                    if number % (count // 10) == 0]  # fmt: skip

        sources = {"a folder": lambda: walked(folder), "a zip": lambda: walked(packed),
                   "a list of arrays": lambda: walked(some * 10),
                   "an audit with out=": lambda: audited(folder)}  # fmt: skip
        for what, run in sources.items():
            first, *_, last = run()
            yield Row(f"memory over {count:,} photographs of {what}, from the first tenth to the "
                      "last", f"{last - first:+.1f} MB", f"{last:.0f} MB resident", "–",
                      "≤ +50 MB", last - first <= 50)  # fmt: skip


def _handed_over(count: int = 2000) -> Iterator[Row]:
    """An audit's page with so many mistakes, three pictures each: writing it, and opening it.

    A small network: its maps cost little, so that what is measured is the page.
    """
    import cnn_widgets as cw
    from cnn_widgets.auditing import write_page
    from cnn_widgets.environment import tensorflow

    tensorflow()
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.Input((96, 96, 3)), layers.Conv2D(6, 5, strides=4, activation="relu"),
        layers.GlobalAveragePooling2D(), layers.Dense(4, activation="softmax"),
    ])  # fmt: skip
    net = cw.Network(model, preprocess=lambda x: x / 255, class_names=list("abcd"))
    with tempfile.TemporaryDirectory() as place:
        folder, page = Path(place, "photographs"), Path(place, "audit.html")
        folder.mkdir()
        photographs(folder, count)
        wrong = [(int(each) + 1) % 4 for each in cw.audit(net, folder).predicted]
        images = cw.open_images(folder, wrong)
        found = cw.audit(net, images)
        began = time.perf_counter()
        write_page(found, net, images, page, pictures=count)
        spent = time.perf_counter() - began
        yield Row(f"an audit's page with {count:,} mistakes is written", ms(spent),
                  f"{page.stat().st_size / 1e6:.0f} MB, {ms(spent / count)} for each mistake",
                  "–", "–")  # fmt: skip
        painted, loaded = _opening(page)
    yield Row(f"that page, {3 * count:,} pictures, is opened in Chromium: first paint",
              ms(painted), f"all of it is there after {ms(loaded)}", "–", "≤ 1 s",
              painted <= 1)  # fmt: skip


def _opening(page: Path) -> tuple[float, float]:
    """Return the seconds until Chromium paints a page for the first time, and until it is loaded.

    Of three times, the middle ones.
    """
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from helpers.lab import ARGS, CHROMIUM
    from playwright.sync_api import sync_playwright

    found = []
    with sync_playwright() as playwright:
        for _ in range(3):
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            tab.goto(page.as_uri(), timeout=120_000)
            found.append(tab.evaluate(
                "() => [performance.getEntriesByName('first-contentful-paint')[0].startTime,"
                " performance.getEntriesByType('navigation')[0].loadEventStart]"))  # fmt: skip
            browser.close()
    painted, loaded = (statistics.median(each) / 1000 for each in zip(*found, strict=True))
    return painted, loaded


def photographs(folder: Path, count: int, size: tuple[int, int] = (480, 360)) -> None:
    """Write different JPEG files of (width, height) pixels, cut out of the gallery's."""
    from PIL import Image

    import cnn_widgets as cw

    rng, photos = np.random.default_rng(0), list(cw.gallery().values())
    for number in range(count):
        pixels = photos[number % len(photos)].pixels
        rows, columns = (int(rng.integers(n // 2, n)) for n in pixels.shape[:2])
        top, left = (int(rng.integers(n - m + 1)) for n, m in
                     zip(pixels.shape[:2], (rows, columns), strict=True))  # fmt: skip
        part = Image.fromarray(pixels[top : top + rows, left : left + columns])
        part.resize(size).save(folder / f"{number:05}.jpg", quality=90)


def streamed(count: int = 1000) -> dict[str, float]:
    """Return seconds per photograph, ours and bare, and the memory grown and held, in MB.

    Seconds by the clock, and "…, processor" those of all its cores together.
    """
    import baselines

    import cnn_widgets as cw
    from cnn_widgets.engine.batches import BATCH_SIZE

    net = cw.load_network()
    with tempfile.TemporaryDirectory() as place:
        photographs(Path(place), count)
        x = net.input_tensor(list(cw.gallery().values())[:BATCH_SIZE])
        bare = baselines.forward_and_backward(net.model, net.default_layer, x)
        names = ("ours", "ours, processor", "bare", "bare, processor")
        spent: dict[str, list[float]] = {name: [] for name in names}
        memory, began = [], (time.perf_counter(), time.process_time())

        def note(name: str, count: int) -> tuple[float, float]:
            now = time.perf_counter(), time.process_time()
            spent[name].append((now[0] - began[0]) / count)
            spent[f"{name}, processor"].append((now[1] - began[1]) / count)
            return now

        for number, each in enumerate(cw.stream(net, place), 1):
            assert each.error is None
            assert len(each.predictions) == 5
            assert each.attribution.heatmap.shape == (360, 480)
            if number % 100:
                continue
            note("ours", 100)
            memory.append(resident())
            began = time.perf_counter(), time.process_time()
            for _ in range(80 // BATCH_SIZE):
                bare()
            began = note("bare", 80)
    middle = {name: statistics.median(times) for name, times in spent.items()}
    first, last = statistics.median(memory[:3]), statistics.median(memory[-3:])
    return middle | {"mb": last - first, "held": last}

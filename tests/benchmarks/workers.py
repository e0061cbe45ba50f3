"""What a photograph, a shard and a worker cost: the figures of notebooks/from_laptop_to_cluster.md.

Run by hand: ``python tests/benchmarks/workers.py [photographs]``. Seconds are those of the
processor, so that other work on the machine changes little; only the last rows are by the clock.
"""

from __future__ import annotations

import multiprocessing
import pickle
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

import cnn_widgets as cw
from cnn_widgets.auditing.answers import Answer
from cnn_widgets.executing import Job, pack, shard_results, to_parquet


def made(folder: Path, count: int, size: tuple[int, int]) -> Path:
    """Write photographs of one size, each another crop of the gallery."""
    rng = np.random.default_rng(0)
    pictures = [each for name, each in cw.gallery().items() if name != "edges"]
    for number in range(count):
        pixels = pictures[number % len(pictures)].pixels
        top, left = rng.integers(0, 20, 2)
        place = folder / ("even" if number % 2 else "odd")
        place.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(pixels[top:, left:]).resize(size)
        picture.save(place / f"{number:05}.jpg", quality=90)
    return folder


def nothing(net, images):
    """The work of a shard that costs nothing, for what the handing out costs."""
    return len(images)


def main(count: int) -> None:
    """Print the rows."""
    began = time.process_time()
    net = cw.load_network()
    print(f"worker: TensorFlow and the bundled network, {time.process_time() - began:.1f} s")
    leave_out = {"even": None, "odd": None}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for words, size in (("2 megapixels", (1632, 1224)), ("320×240", (320, 240))):
            photos = made(folder / words, count, size)
            stored = sum(path.stat().st_size for path in photos.rglob("*.jpg")) / count
            cw.audit(net, made(folder / "warm", 9, size), classes=leave_out)  # compiled by now
            began, clock = time.process_time(), time.perf_counter()
            found = cw.audit(net, photos, classes=leave_out)
            spent = 1000 * (time.process_time() - began) / count
            past = 1000 * (time.perf_counter() - clock) / count
            print(f"{words}: {stored / 1000:.0f} kB, {spent:.1f} ms ({past:.0f} by the clock)")
        lines = sum(len(each.as_line()) + 1 for each in found._answers) / count
        many = [each for each in found._answers for _ in range(20)]
        data = to_parquet(Answer, many)
        found.to_parquet(folder / "answers.parquet")
        table = (folder / "answers.parquet").stat().st_size
        one = len(to_parquet(Answer, found._answers[:256])) / min(256, count)
        print(f"an answer: {lines:.0f} bytes as a line, {one:.0f} in a shard, {table / count:.0f} "
              f"in the table, {len(data) / len(many):.0f} of many alike")  # fmt: skip
        packed = pack(net, place)
        job = Job(net, cw.open_images(photos), nothing, 256)
        print(f"a shard sent: {len(pickle.dumps(job.part(0))) / 1000:.0f} kB of paths and readers, "
              f"{len(packed.options)} bytes of options; the model's file once for each worker, "
              f"{Path(packed.file).stat().st_size / 1e6:.1f} MB")  # fmt: skip
        spawn = multiprocessing.get_context("spawn")
        for workers in (1, 2):
            with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
                list(shard_results(Job(net, job.images, nothing, 1), pool, range(4 * workers)))
                before = time.process_time()
                clock = time.perf_counter()
                list(shard_results(Job(net, job.images, nothing, 1), pool, range(100)))
                shard = 10 * (time.perf_counter() - clock)
                own = 10 * (time.process_time() - before)
                clock = time.perf_counter()
                cw.audit(net, photos, classes=leave_out, executor=pool, shard=32)
                past = 1000 * (time.perf_counter() - clock) / count
                print(f"{workers} workers: {past:.1f} ms a photograph by the clock; an empty "
                      f"shard {shard:.1f} ms by the clock, {own:.1f} ms here")  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 256)

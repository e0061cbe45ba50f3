"""Photographs for workers: slow ones, and such that kill the process which reads them."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from pathlib import Path

from cnn_widgets.datasets import ImageSet, open_images
from cnn_widgets.images.loading import load_image

DEADLY = b"kills whoever reads it"


def read(path: str, log: str, wait: float, at_least: int | None):
    """Read a file; over one that holds `DEADLY` the process dies as a decoder's would that crashes.

    The death is noted in `log`, one line each.
    """
    time.sleep(wait)
    if Path(path).read_bytes() == DEADLY:
        with Path(log).open("a") as file:
            file.write(f"{os.getpid()} {Path(path).name}\n")
        os.kill(os.getpid(), signal.SIGKILL)
    return load_image(path, at_least=at_least)


def deadly_set(folder: Path, log: Path, wait: float = 0.0) -> ImageSet:
    """Return the pictures of a folder as `open_images` does, read by `read`."""
    found = open_images(folder)
    paths = [str(folder / name) for name in found.names]

    def reader(index: int):
        return partial(read, paths[index], str(log), wait)

    return ImageSet(found.names, found.labels, lambda index, at_least: reader(index)(at_least),
                    mark=lambda index: paths[index], reader=reader)  # fmt: skip

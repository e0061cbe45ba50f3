"""Large pictures: how much memory it takes to read one, format by format.

Each is read in a process of its own. What counts is the most memory that process ever had, less
what it had after importing all that reads pictures.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timing import Row

HERE = Path(__file__).parent
LARGE, MIDDLE = (8000, 6000), (5200, 3900)
#: By name: the ending, how Pillow saves it, and the limit in MB beside the file's own size, for a
#: picture of 48 million pixels that is read smaller.
FORMATS: dict[str, tuple[str, dict[str, Any], float]] = {
    "JPEG": ("jpg", {"quality": 90}, 20),
    "progressive JPEG": ("jpg", {"quality": 90, "progressive": True}, 150),
    "PNG": ("png", {"compress_level": 3}, 40),
    "TIFF (deflate)": ("tif", {"compression": "tiff_adobe_deflate"}, 30),
    "TIFF (grey)": ("tif", {}, 30),  # in colours it would be more than the 100 MB allowed
    "WebP": ("webp", {"quality": 80, "method": 0}, 200),
    "AVIF": ("avif", {"quality": 60, "speed": 10}, 450),
    "HEIC": ("heic", {"quality": 60, "enc_params": {"preset": "ultrafast"}}, 450),
}


def rows() -> Iterator[Row]:
    """Yield the rows of large pictures."""
    with tempfile.TemporaryDirectory() as place:
        for name, (ending, options, limit) in FORMATS.items():
            path = Path(place, f"large.{ending}")
            _write(path, LARGE, options, "L" if "grey" in name else "RGB")
            yield _row(f"memory to read one {name} of 48 million pixels for a network", path, 448,
                       limit)  # fmt: skip
        for name in ("JPEG", "PNG", "WebP", "AVIF", "HEIC"):
            ending, options, _ = FORMATS[name]
            path = Path(place, f"middle.{ending}")
            _write(path, MIDDLE, options)
            yield _row(f"memory to read one {name} of 20 million pixels whole", path, None, 300)


def _write(path: Path, size: tuple[int, int], options: dict[str, Any], mode: str = "RGB") -> None:
    """Write the cat of the gallery, enlarged, with some noise, blurred as that of cameras is."""
    import numpy as np
    from PIL import Image

    import cnn_widgets as cw
    from cnn_widgets.images.decoding import formats

    formats()  # with pillow-heif
    half = size[0] // 2, size[1] // 2
    cat = Image.fromarray(cw.gallery()["cat"].pixels).resize(half, Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).normal(0, 4, (half[1], half[0], 1))
    pixels = np.clip(np.asarray(cat) + noise.round().astype(np.int16), 0, 255).astype(np.uint8)
    large = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
    large.convert(mode).save(path, **options)


def _row(what: str, path: Path, at_least: int | None, limit: float) -> Row:
    found = _child(path, at_least)
    stored = path.stat().st_size / 1e6
    beside = found["mb"] - stored
    return Row(what, f"{found['mb']:.0f} MB", f"its file {stored:.0f} MB",
               f"{beside:+.0f} MB beside it", f"≤ {limit:g} MB", beside <= limit)  # fmt: skip


def _child(path: Path, at_least: int | None) -> dict[str, float]:
    command = [sys.executable, __file__, str(path), json.dumps(at_least)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _highest() -> float:
    """Return the most memory that this process has had, in MB (on Linux)."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            return float(line.split()[1]) * 1024 / 1e6
    raise OSError("This system does not tell the most memory that a process has had.")


def _read(path: str, at_least: int | None) -> dict[str, float]:
    import numpy as np
    from PIL import Image

    import cnn_widgets as cw
    from cnn_widgets.images.decoding import formats

    formats()
    Image.init()
    cw.load_image(np.zeros((8, 8, 3), np.uint8))
    before = _highest()
    sample = cw.load_image(path, at_least=at_least)
    return {"mb": _highest() - before, "height": sample.size[0]}


if __name__ == "__main__":
    print(json.dumps(_read(sys.argv[1], json.loads(sys.argv[2]))))

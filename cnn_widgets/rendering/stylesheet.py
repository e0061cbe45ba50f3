"""The style sheet of the explorer, and style elements made at run time."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from cnn_widgets.drawing.encode import encode_image
from cnn_widgets.images.resizing import resize_to_input
from cnn_widgets.panels.places import strip_grid
from cnn_widgets.records import ImageSample, Pixels
from cnn_widgets.scenes.scene import Scene

#: The parts of the style sheet; of two rules that are equally exact, the later one wins.
_SHEETS = ("page.css", "situations.css")
#: Size of a thumbnail picture, (height, width) in pixels.
THUMBNAIL = (56, 72)
#: The panels of the photograph's three faces, by `State.face`: what is seen, from below.
_FACES = {
    "evidence": ("original", "overlay"),
    "photograph": ("original",),
    "input": ("input",),
}


def sheet() -> str:
    """Return the style sheet as an HTML style element."""
    parts = (Path(__file__).with_name(name).read_text("utf-8") for name in _SHEETS)
    return "<style>{}</style>".format("\n".join(parts))


def live_sheet(scope: str, scene: Scene, aspects: Mapping[str, float]) -> str:
    """Return a style element with what changes without a new picture.

    That is the opacity of the heat-maps, the face and magnification of the photograph, and the
    shapes of the pictures.

    Parameters
    ----------
    scope : str
        The CSS class of one explorer.
    scene : Scene
    aspects : mapping of str to float
        Width divided by height of the picture of each panel, by the panel's name.
    """
    left, top = window_corner(scene.zoom, scene.center)
    shown = "input" if scene.face == "input" else "original"
    sizes = {f"--{name}-aspect": aspect for name, aspect in aspects.items()}
    sizes |= {"--zoom": scene.zoom, "--zx": left, "--zy": top}
    sizes["--shown-aspect"] = aspects.get(shown, 1.5)
    with contextlib.suppress(ValueError):  # no strip: its panel says why
        if scene.strip:
            height, width = scene.sample.size
            sizes["--strip-width"] = strip_grid(scene)[1] * min(1, width / height)
    listed = "; ".join(f"{name}: {value:.6g}" for name, value in sizes.items())
    hidden = [name for name in ("original", "overlay", "input") if name not in _FACES[scene.face]]
    rules = [
        f".{scope} > * {{ {listed} }}",
        f".{scope} .cnnw-heat {{ opacity: {scene.alpha:.4g}; }}",
        *(
            f".{scope} .cnnw-touch-photo > .cnnw-panel-{name} {{ visibility: hidden; }}"
            for name in hidden
        ),
        *(
            f".{scope} .cnnw-faces > .cnnw-panel-{name} {{ display: none; }}"
            for name in ("original", "overlay", "input")
            if name != _FACES[scene.face][-1]
        ),
    ]
    return f"<style>{' '.join(rules)}</style>"


def window_corner(zoom: float, center: tuple[float, float]) -> tuple[float, float]:
    """Return (left, top) of the part that is seen of a magnified picture, as shares of its sides.

    >>> window_corner(2, (0.5, 0.1))
    (0.25, 0.0)
    """
    left, top = (min(max(each - 0.5 / zoom, 0.0), 1 - 1 / zoom) for each in center)
    return left, top


def thumbnail_sheet(pictures: Sequence[Pixels | None], prefix: str) -> str:
    """Return a style element with the background pictures of the thumbnail buttons.

    The button of the photograph number i, from 0, must have the CSS class ``<prefix>-<i>``; of one
    that cannot be read, None, there is no picture.
    """
    rules = []
    for index, pixels in enumerate(pictures):
        if pixels is None:
            continue
        small = resize_to_input(ImageSample(pixels, fit="crop"), THUMBNAIL)
        data = base64.b64encode(encode_image(small)).decode("ascii")
        rules.append(
            f".{escape(prefix)}-{index} "
            f"{{ background-image: url(data:image/jpeg;base64,{data}) !important; }}"
        )
    return f"<style>{' '.join(rules)}</style>"

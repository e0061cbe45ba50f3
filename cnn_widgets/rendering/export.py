"""The present view as a file, and as a preview picture for viewers without a kernel."""

from __future__ import annotations

import base64
import re
from collections.abc import Set
from io import BytesIO
from itertools import count
from pathlib import Path

from cnn_widgets.drawing.encode import encode_image
from cnn_widgets.drawing.mosaics import mosaic
from cnn_widgets.environment import atomic_files
from cnn_widgets.panels.photograph import paired
from cnn_widgets.rendering.figure import to_figure
from cnn_widgets.rendering.html import to_page
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.views import captions

_SAVED = "A saved picture. To look around: click the cell above and press Shift-Enter."


def write_view(scene: Scene, path: str | Path) -> Path:
    """Write a scene to a file and return its path.

    Parameters
    ----------
    scene : Scene
    path : str or Path
        ``.html`` makes a page that contains its pictures; any format that Matplotlib can write
        makes a figure at 120 dots per inch.

    Raises
    ------
    ValueError
        If the ending of the file name is not known; nothing is written then.
    OSError
        If the file cannot be written; the message names it, and no partial file is left.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() == ".html":
        page = to_page(scene)
        with atomic_files(path.parent, path.name) as place:
            (place / path.name).write_text(page, "utf-8")
        return path
    figure = to_figure(scene)
    kinds = figure.canvas.get_supported_filetypes()
    if path.suffix.lower().lstrip(".") not in kinds:
        raise ValueError(
            f"Expected a file name that ends in .html or one of .{', .'.join(kinds)}. "
            f"Received: {path.name!r}"
        )
    buffer = BytesIO()  # not to the file: Matplotlib leaves a PDF open if writing fails
    figure.savefig(buffer, format=path.suffix.lower().lstrip("."), dpi=120)
    with atomic_files(path.parent, path.name) as place:
        (place / path.name).write_bytes(buffer.getvalue())
    return path


#: What the page saves by one choice, and the ending of the file; "" is a folder.
SAVED_KINDS = {"picture": ".png", "page": ".html", "evidence": "", "filters": ".png"}


def save_as(kind: str, scene: Scene, folder: Path) -> Path:
    """Write a part of a scene under a name of its own, and return the path.

    Parameters
    ----------
    kind : {"picture", "page", "evidence", "filters"}
        The view as a picture or as a page, the evidence as `Attribution.save` writes it, or the
        first 24 filters of the layer as one picture.
    scene : Scene
    folder : Path
        Nothing in it is overwritten: a number is added to the name.

    Raises
    ------
    ValueError
        If there is no evidence yet, because its method is slow and was not computed.
    OSError
        If the file cannot be written.
    """
    stem = re.sub(r"[^\w.-]+", "-", f"{scene.image}-{kind}").strip("-.") or kind
    names = (f"{stem}{f'-{n}' if n > 1 else ''}{SAVED_KINDS[kind]}" for n in count(1))
    path = folder / next(name for name in names if not (folder / name).exists())
    if kind == "evidence":
        found = scene.attribution
        if found is None:
            raise ValueError("There is no evidence to save yet: press Compute first.")
        return found.save(path, scene.alpha, scene.colormap).parent
    if kind != "filters":
        return write_view(scene, path)
    tiles = mosaic(scene.activations[..., :24], scene.scale, scene.filter_colormap, 6, 160)
    with atomic_files(folder, path.name) as place:
        (place / path.name).write_bytes(encode_image(tiles, exact=True))
    return path


def preview_png(scene: Scene) -> str:
    """Return a scene as a small PNG (60 dots per inch), base64-encoded.

    A line at its head says that it is a saved picture, and how to look around again.
    """
    buffer = BytesIO()
    figure = to_figure(scene)
    figure.suptitle(f"{_SAVED}\n{captions.subject(scene)}", fontsize=13, parse_math=False)
    figure.savefig(buffer, format="png", dpi=60)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def is_private(scene: Scene, uploads: Set[str]) -> bool:
    """Return whether an uploaded photograph is on screen.

    Such a scene gets no preview: a private picture must not be saved in the notebook unasked.
    """
    return bool(uploads & {scene.image, *(paired(scene) if scene.pairs else ())})

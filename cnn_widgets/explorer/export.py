"""The present view as a file, or as a still picture for a viewer without a kernel."""

from __future__ import annotations

import base64
from collections.abc import Set
from io import BytesIO
from pathlib import Path

from cnn_widgets.environment import atomic_files
from cnn_widgets.explorer.figure import to_figure
from cnn_widgets.explorer.html import to_page
from cnn_widgets.explorer.scene import Scene


def write_view(scene: Scene, path: str | Path) -> Path:
    """Write a scene as .html with all inside, or as any picture Matplotlib can write.

    Raises
    ------
    ValueError
        If the file name's ending says neither; nothing is written then.
    OSError
        If it cannot be written; the message names it, and no part of it stays.
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
    buffer = BytesIO()  # a PDF that cannot be written would stay open
    figure.savefig(buffer, format=path.suffix.lower().lstrip("."), dpi=120)
    with atomic_files(path.parent, path.name) as place:
        (place / path.name).write_bytes(buffer.getvalue())
    return path


def preview_png(scene: Scene) -> str:
    """Return a small PNG of a scene, base64-encoded."""
    buffer = BytesIO()
    to_figure(scene).savefig(buffer, format="png", dpi=60)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def is_private(scene: Scene, uploads: Set[str]) -> bool:
    """Tell whether an upload is on screen: it is not to be stored in the notebook unasked."""
    return bool(uploads & (set(scene.samples) if scene.pairs else {scene.image}))

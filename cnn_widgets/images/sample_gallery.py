"""The bundled photographs: public domain or CC0, read from the package, no download."""

from __future__ import annotations

import json
from importlib.resources import files

from cnn_widgets.images.decoding import decode
from cnn_widgets.records import ImageSample


def gallery() -> dict[str, ImageSample]:
    """Return the bundled photographs by name.

    All are public domain or CC0; ``photographs/SOURCES.md`` names author, source and licence.
    """
    folder = files("cnn_widgets.images") / "photographs"
    entries = json.loads((folder / "sources.json").read_text("utf-8"))
    return {
        entry["name"]: ImageSample(
            decode((folder / entry["file"]).read_bytes(), entry["file"]),
            entry["name"],
            f"{entry['author']}, {entry['license']}",
        )
        for entry in entries
    }

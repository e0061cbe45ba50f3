"""The photographs bundled with the package, in the public domain or under CC0."""

from __future__ import annotations

import json
from importlib.resources import files

from cnn_widgets.images.decoding import decode
from cnn_widgets.records import ImageSample


def gallery() -> dict[str, ImageSample]:
    """Return the bundled photographs by name, read from the package without a download.

    All are in the public domain or under CC0; ``photographs/SOURCES.md`` lists author, source and
    licence of each.

    Examples
    --------
    >>> list(cw.gallery())[:3], cw.gallery()["cat"].size
    (['cat', 'espresso', 'cat and espresso'], (300, 451))
    """
    folder = files("cnn_widgets.images") / "photographs"
    entries = json.loads((folder / "sources.json").read_text("utf-8"))
    return {
        entry["name"]: decode((folder / entry["file"]).read_bytes(), entry["file"]).to_sample(
            entry["name"], f"{entry['author']}, {entry['license']}"
        )
        for entry in entries
    }

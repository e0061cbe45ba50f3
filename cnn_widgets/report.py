"""Writes predictions, filter mosaics and overlays of images as files, without a notebook."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnn_widgets.attribution.explain import attribute
from cnn_widgets.attribution.methods import find_method
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.drawing.color import diverging_colormap, overlay
from cnn_widgets.drawing.mosaics import mosaic
from cnn_widgets.environment import atomic_files, versions
from cnn_widgets.networks.network import Network
from cnn_widgets.records import ImageSample

PREDICTIONS = "predictions.json"


def write_report(
    net: Network,
    samples: list[ImageSample],
    folder: str | Path,
    *,
    layer: str | None = None,
    class_name: str | None = None,
    method: str = "grad-cam",
) -> Path:
    """Write predictions, mosaics and overlays of images; return the path of the JSON file.

    Parameters
    ----------
    net : Network
    samples : list of ImageSample
    folder : str or Path
        The folder to write to; created if it is missing. For each image it gets
        ``NAME_mosaic.png`` with all filters of the layer, and ``NAME_overlay.png`` with the
        heat-map over the photograph. ``predictions.json`` describes all images.
    layer : str, optional
        The layer of both the mosaic and the class activation map. By default the mosaic shows the
        first feature layer, and the map is computed at the network's default layer.
    class_name : str, optional
        The class to explain, by name or index (as digits); by default each image's most likely
        class.
    method : str
        A name in `METHODS`.

    Raises
    ------
    ValueError
        If layer, class or method is unknown; nothing is written then.
    OSError
        If a file cannot be written; the message names it, and none of the new files remains.
    """
    wanted = (
        None
        if class_name is None
        else net.class_index(int(class_name) if class_name.isdigit() else class_name)
    )
    shown = layer if layer is not None else net.feature_layers[0].name
    entries = []
    pictures: dict[str, Any] = {}
    for name, sample in zip(_file_names(samples), samples, strict=True):
        found = attribute(
            net, sample, method, wanted, layer if find_method(method).at == "layer" else None
        )
        colors = diverging_colormap("jet") if found.signed else "jet"
        pictures[f"{name}_mosaic.png"] = mosaic(net.activations(sample, shown))
        pictures[f"{name}_overlay.png"] = overlay(
            sample.pixels, found.heatmap, colormap=colors, signed=found.signed
        )
        entries.append(_entry(net, sample, name, found, shown))
    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    summary = {"network": net.name, "notes": net.notes, "versions": versions(), "images": entries}
    with atomic_files(folder, *pictures, PREDICTIONS) as place:
        for name, pixels in pictures.items():
            Image.fromarray(pixels).save(place / name)
        text = json.dumps(summary, indent=2, ensure_ascii=False)
        (place / PREDICTIONS).write_text(text + "\n", "utf-8")
    return folder / PREDICTIONS


def _entry(
    net: Network, sample: ImageSample, name: str, found: Attribution, shown: str
) -> dict[str, Any]:
    """Return the entry of one image in the JSON file."""
    return {
        "image": sample.name,
        "file": name,
        "size": list(sample.size),
        "top": [
            {
                "class_index": p.class_index,
                "name": p.name,
                "score": _finite(p.score),
                "probability": _finite(p.probability),
            }
            for p in net.predict(sample)
        ],
        "explained": {
            "class_index": found.class_index,
            "name": found.class_name,
            "method": found.method,
            "layer": found.layer,
            "target": found.target,
            "empty": found.empty,
            "maximum": float(found.raw.max()),
            "minimum": float(found.raw.min()),
        },
        "mosaic_layer": shown,
    }


def _finite(value: float) -> float | None:
    """Return the value, or None for NaN and infinity, which JSON cannot represent."""
    return value if np.isfinite(value) else None


def _file_names(samples: list[ImageSample]) -> list[str]:
    """Return a unique file name for each sample, valid on any operating system."""
    names: list[str] = []
    for sample in samples:
        plain = re.sub(r"[^\w.-]+", "_", sample.name).strip("._") or "image"
        unique, count = plain, 2
        while unique in names:
            unique, count = f"{plain}_{count}", count + 1
        names.append(unique)
    return names

"""A report without a notebook: predictions, mosaics and overlays of some images, as files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnn_widgets.attribution.explain import attribute
from cnn_widgets.attribution.methods import METHODS
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
    """Write what a network says of some images, and return the path of the JSON file.

    Parameters
    ----------
    net : Network
    samples : list of ImageSample
    folder : str or Path
        Made if need be. For each image: ``NAME_mosaic.png``, all filters of the layer, and
        ``NAME_overlay.png``, the heat-map over the photograph; ``predictions.json`` for all.
    layer : str, optional
        The layer of the mosaic, and of the class activation map; by default the first browsed
        layer and the network's default layer.
    class_name : str, optional
        The class explained, by name or index; by default each image's most likely one.

    Raises
    ------
    ValueError
        If layer, class or method is unknown; nothing is written then.
    OSError
        If a file cannot be written; the message names it, and nothing new stays.
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
            net, sample, method, wanted, layer if METHODS[method].at == "layer" else None
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
    return value if np.isfinite(value) else None


def _file_names(samples: list[ImageSample]) -> list[str]:
    """Return a file name for each sample, safe on any system and unlike the others."""
    names: list[str] = []
    for sample in samples:
        plain = re.sub(r"[^\w.-]+", "_", sample.name).strip("._") or "image"
        unique, count = plain, 2
        while unique in names:
            unique, count = f"{plain}_{count}", count + 1
        names.append(unique)
    return names

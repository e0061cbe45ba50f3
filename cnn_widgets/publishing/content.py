"""What a published page holds: small maps as bytes, with the values that the bytes stand for."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from cnn_widgets.attribution.explain import attribute
from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.drawing.color import diverging_colormap, lookup_table, resize
from cnn_widgets.drawing.encode import encode_image
from cnn_widgets.images.resizing import cached_thumbnail
from cnn_widgets.networks.network import Network
from cnn_widgets.records import ImageSample, Pixels
from cnn_widgets.views import captions

#: Longer sides, in pixels: of a photograph, of the evidence over it, and of a filter's map.
PHOTO, HEAT, MAP = 560, 96, 56


def photograph(
    net: Network,
    sample: ImageSample,
    classes: int | Sequence[int],
    layers: Sequence[str],
    filters: int,
    method: str,
) -> dict[str, Any]:
    """Return all that the page shows of one photograph, as plain values for JSON."""
    answers = net.predict(sample, top=max(5, classes if isinstance(classes, int) else 0))
    scores, probabilities = net.scores(sample)
    listed = [each.class_index for each in answers]
    wanted = listed[:classes] if isinstance(classes, int) else list(classes)
    shown = [*listed, *(each for each in wanted if each not in listed)]
    found = attribute(net, [sample] * len(wanted), method, wanted) if wanted else []
    maps = dict(zip(wanted, found, strict=True))
    photo = cached_thumbnail(sample, PHOTO)
    return {
        "name": sample.name,
        "photo": _uri(encode_image(photo), "jpeg"),
        "size": [photo.shape[1], photo.shape[0]],
        "pixels": [sample.size[1], sample.size[0]],
        "answers": [
            {
                "name": net.class_names[index],
                "probability": captions.percent(float(probabilities[index])),
                "share": _finite(float(probabilities[index])),
                "score": captions.number(float(scores[index])),
                "map": None if index not in maps else _heat(maps[index]),
            }
            for index in shown
        ],
        "layers": [_layer(net, sample, name, filters) for name in layers],
    }


def colors(name: str, signed: bool = False) -> str:
    """Return a colour map as 256 times 3 bytes in base64."""
    table = lookup_table(diverging_colormap(name) if signed else name)
    return base64.b64encode(table.tobytes()).decode("ascii")


def _within(shape: tuple[int, ...], longest: int) -> tuple[int, int]:
    """Return rows and columns, made smaller so that the longer side is at most so long."""
    scale = min(1.0, longest / max(shape[:2]))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def _heat(found: Attribution) -> dict[str, Any]:
    """Return the evidence over the photograph as bytes: 0 to 255 for 0 to 1, or for -1 to 1."""
    size, signed = _within(found.heatmap.shape, HEAT), METHODS[found.method].signed
    small = cv2.resize(
        np.asarray(found.heatmap, np.float32), size[::-1], interpolation=cv2.INTER_AREA
    )
    share = (small + 1) / 2 if signed else small
    gray = np.round(255 * share.clip(0, 1)).astype(np.uint8)
    return {"gray": _gray(gray), "size": [size[1], size[0]], "words": captions.evidence(found)}


def _layer(net: Network, sample: ImageSample, name: str, filters: int) -> dict[str, Any]:
    """Return the first filters' maps one below the other, each from its smallest to its largest."""
    values = net.activations(sample, name)[..., :filters]
    height, width = values.shape[:2]
    size = _within(values.shape, MAP)
    low, high = values.min(axis=(0, 1)), values.max(axis=(0, 1))
    rows = []
    for k in range(values.shape[-1]):
        span = float(high[k] - low[k]) or 1.0
        unit = (values[..., k] - low[k]) / span
        small = resize(unit, size) if size != (height, width) else unit
        rows.append(np.round(255 * small.clip(0, 1)).astype(np.uint8))
    return {
        "gray": _gray(np.concatenate(rows)),
        "size": [size[1], size[0]],
        "shape": [height, width],
        "low": [float(f"{each:.4g}") for each in low],
        "high": [float(f"{each:.4g}") for each in high],
    }


def _gray(values: Pixels) -> str:
    pixels = np.ascontiguousarray(np.broadcast_to(values[..., None], (*values.shape, 3)))
    return _uri(encode_image(pixels, exact=True), "png")


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _finite(value: float) -> float:
    return round(value, 4) if np.isfinite(value) else 0.0

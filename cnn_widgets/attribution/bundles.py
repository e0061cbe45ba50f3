"""Reads a bundle of evidence: the folder that `Attribution.save` wrote."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnn_widgets.analysis.fields import field_from_json, whole_input
from cnn_widgets.attribution.result import (
    CHANNELS,
    DEFINITION,
    FORMAT,
    INPUTS,
    PHOTOGRAPH,
    RAW,
    Attribution,
    Origin,
    heatmap_over,
)
from cnn_widgets.records import ImageSample


def load_attribution(folder: str | Path) -> Attribution:
    """Read a bundle of evidence that `Attribution.save` wrote.

    ``attribute(net, found.sample, **found.request)`` computes the same map again. On the same
    machine and with the same versions, the result is equal bit by bit.

    Raises
    ------
    FileNotFoundError
        If the folder has no ``attribution.json``.
    ValueError
        If a file was changed, is missing or damaged, or the format is another one.

    Examples
    --------
    >>> import tempfile
    >>> net, cat = cw.load_network(), cw.gallery()["cat"]
    >>> found = cw.attribute(net, cat)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = found.save(folder)
    ...     back = cw.load_attribution(folder)
    >>> bool((back.raw == found.raw).all()), back.method
    (True, 'grad-cam')
    """
    folder = Path(folder).expanduser()
    path = folder / DEFINITION
    if not path.is_file():
        raise FileNotFoundError(f"No bundle of evidence here, {DEFINITION} is missing: {folder}")
    try:
        stored = json.loads(path.read_text("utf-8"))
        known = isinstance(stored, dict) and stored.get("format") == FORMAT
        if not known:
            raise ValueError(f"{DEFINITION} is not of the format {FORMAT!r}.")
        extra = [name for name in (CHANNELS, INPUTS) if name in stored.get("files", ())]
        for name in (RAW, PHOTOGRAPH, *extra):
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != stored["files"][name]:
                raise ValueError(f"{name} is not the file that was saved: its SHA-256 differs.")
        return _loaded(folder, stored)
    except (ValueError, KeyError, TypeError, OSError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise ValueError(f"Cannot read the bundle of evidence in {folder}: {reason}") from error


def _loaded(folder: Path, stored: dict[str, Any]) -> Attribution:
    """Return the map of a bundle whose files have been checked."""
    asked, result, image = dict(stored["question"]), stored["result"], stored["image"]
    with Image.open(folder / PHOTOGRAPH, formats=("PNG",)) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    data = np.load(folder / CHANNELS, allow_pickle=False) if CHANNELS in stored["files"] else None
    bands = tuple(image.get("bands", (0, 1, 2)))
    sample = ImageSample(
        pixels, image["name"], "bundle of evidence", image["fit"], data, bands,
        _beside(folder / INPUTS, image["inputs"]) if INPUTS in stored["files"] else {},
    )  # fmt: skip
    raw = np.load(folder / RAW, allow_pickle=False)
    class_name, versus = asked.pop("class_name"), asked.pop("versus_name")
    first = {key: asked.pop(key) for key in ("class_index", "layer", "target", "counter")}
    size = tuple(stored["network"]["input_size"])
    written = result.get("field")  # bundles of older versions lay every map over the whole input
    field = whole_input(raw.shape, size) if written is None else field_from_json(written)
    ranged = result.get("ranged", False)
    return Attribution(
        raw=raw,
        heatmap=heatmap_over(
            raw, field, sample, stored["network"].get("fit", "squash"), result["signed"], ranged
        ),
        ranged=ranged,
        field=field,
        method=asked.pop("method"),
        class_name=class_name,
        signed=result["signed"],
        score=_number(result["score"]),
        probability=_number(result["probability"]),
        versus=versus,
        versus_index=asked.pop("versus"),
        removed=result["removed_by_relu"],
        origin=Origin(sample, stored["method"], asked, stored=stored),
        **first,
    )


def _beside(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """Return what a picture gave to the other inputs of its network."""
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[f"arr_{number}"] for number, name in enumerate(names)}


def _number(value: float | None) -> float:
    return float("nan") if value is None else value

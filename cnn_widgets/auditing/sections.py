"""What pages to hand over are made of: sections, tables, pictures with their evidence, as HTML."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import numpy as np

from cnn_widgets.attribution.explain import attribute
from cnn_widgets.datasets import ImageSet
from cnn_widgets.drawing.color import diverging_colormap, overlay
from cnn_widgets.drawing.encode import encode_image
from cnn_widgets.environment import atomic_files
from cnn_widgets.images.resizing import shrink_sample
from cnn_widgets.networks.network import Network
from cnn_widgets.records import ImageSample, Pixels

#: Longer side of a photograph on the page, in pixels.
SIDE = 176
_STYLE = Path(__file__).with_name("page.css")


def write_document(path: str | Path, title: str, parts: Iterable[str]) -> Path:
    """Write a page of sections as one HTML file, whole or not at all, and return its path.

    An OSError names the file that cannot be written.
    """
    place = Path(path).expanduser()
    place.parent.mkdir(parents=True, exist_ok=True)
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE.read_text('utf-8')}</style></head>"
        f"<body><h1>{escape(title)}</h1>{''.join(parts)}</body></html>"
    )
    with atomic_files(place.parent, place.name) as made:
        (made / place.name).write_text(text, "utf-8", errors="backslashreplace")
    return place


def section(title: str, told: str, body: str) -> str:
    """Return a section: a heading, a sentence about it, and its HTML; "" if there is no body."""
    about = f'<p class="about">{escape(told)}</p>' if told else ""
    return f"<section><h2>{escape(title)}</h2>{about}{body}</section>" if body else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of texts, of which the first of each row is its heading; "" of no rows."""
    top = "".join(f"<th scope='col'>{escape(each)}</th>" for each in head)
    lines = "".join(
        f"<tr><th scope='row'>{escape(first)}</th>"
        + "".join(f"<td>{escape(each)}</td>" for each in others)
        + "</tr>"
        for first, *others in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table>" if lines else ""


def percent(value: float) -> str:
    """Return a share from 0 to 1 in words; a dash if it is not known."""
    return f"{100 * value:.1f} %" if np.isfinite(value) else "–"


def image(pixels: Pixels, alt: str, exact: bool = False) -> str:
    """Return a picture that lies in the page itself; a JPEG unless it has to be `exact`."""
    kind = "png" if exact else "jpeg"
    data = base64.b64encode(encode_image(pixels, exact=exact)).decode("ascii")
    return f'<img alt="{escape(alt)}" loading="lazy" src="data:image/{kind};base64,{data}">'


def photograph(images: ImageSet, index: int, told: str) -> str:
    """Return a photograph with a word about it and its name; with the error if it is gone."""
    name = images.names[index]
    try:
        shown = image(shrink_sample(images.read(index, 2 * SIDE), SIDE).pixels, name)
    except (ValueError, TypeError, OSError) as error:
        shown, told = "", f"{told}. {error}"
    return (
        f"<figure class='thumb'>{shown}<figcaption>{escape(told)}<br>"
        f"<small>{escape(name)}</small></figcaption></figure>"
    )


def row(figures: Iterable[str]) -> str:
    """Return figures side by side; "" of none."""
    joined = "".join(figures)
    return f"<div class='row'>{joined}</div>" if joined else ""


def explained(
    net: Network, sample: ImageSample, small: Pixels, method: str, class_index: int
) -> Pixels:
    """Return a photograph that was shrunk to `small` under the evidence for a class."""
    evidence = attribute(net, sample, method, class_index)
    rows, columns = (np.linspace(0, n - 1, m).astype(int)
                     for n, m in zip(sample.size, small.shape[:2], strict=True))  # fmt: skip
    colors = diverging_colormap("inferno") if evidence.signed else "inferno"
    heat = evidence.heatmap[np.ix_(rows, columns)]
    return overlay(small, heat, 0.6, colors, evidence.signed)

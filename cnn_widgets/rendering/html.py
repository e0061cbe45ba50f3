"""Turns views into HTML fragments, and the present view into one self-contained page.

Small maps are sent as lossless PNG in their own resolution and enlarged by the browser;
photographs and mosaics are sent as JPEG. Every picture has a text alternative in `alt`.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from cnn_widgets.drawing.charts import AXES_BOX
from cnn_widgets.drawing.color import lookup_table
from cnn_widgets.drawing.encode import encode_image
from cnn_widgets.engine.cache import ByteCache
from cnn_widgets.panels.table import COVERS, PANELS, title_of
from cnn_widgets.records import Pixels
from cnn_widgets.rendering.tables import answer_rows, confusion_table, plain_table
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.views import captions
from cnn_widgets.views.view import Mark, View

_CHART_DPI = 200

#: Recently drawn charts, PNG bytes by `View.key`.
_CHART_CACHE: ByteCache[bytes] = ByteCache(2**20)


def to_html(view: View, frame: int = 0, separate: bool = False) -> str:
    """Return a view as one HTML fragment.

    Parameters
    ----------
    view : View
    frame : int
        The number of the redraw.
    separate : bool
        Whether the picture is shown by another widget: then only the words are returned.
    """
    parts = [_beside_picture(view) if separate else _body(view)]
    if view.caption:
        title = escape(view.details or view.caption)
        parts.append(f'<div class="cnnw-caption" title="{title}">{_words(view.caption)}</div>')
    style = "cnnw-view cnnw-cover" if view.covers else "cnnw-view"
    return f'<div class="{style}" data-frame="{frame}">{"".join(parts)}</div>'


def picture_file(view: View) -> tuple[bytes, str] | None:
    """Return a view's picture as the bytes of a file and its kind, "png" or "jpeg", or None."""
    if view.chart is not None:
        return _chart_png(view), "png"
    if view.picture is None:
        return None
    return encode_image(view.picture, view.exact), "png" if view.exact else "jpeg"


def error_html(title: str, error: BaseException, frame: int = 0) -> str:
    """Return the message shown in place of a panel that could not be drawn."""
    return (
        f'<div class="cnnw-view cnnw-failed" role="alert" data-frame="{frame}"><b>'
        f"{escape(title)} could not be drawn.</b> {escape(str(error))}</div>"
    )


def _body(view: View) -> str:
    if view.rows:
        return answer_rows(view)
    if view.terms:
        lines = "".join(f"<dt>{escape(t)}</dt><dd>{escape(d)}</dd>" for t, d in view.terms)
        return f'<dl class="cnnw-card">{lines}</dl>'
    if view.parts:
        return f'<div class="cnnw-parts">{"".join(map(_part, view.parts))}</div>'
    if view.table:
        return plain_table(view)
    if view.matrix is not None:
        return confusion_table(view.alt, view.matrix)
    if view.strip:
        return f'<div class="cnnw-strip">{"".join(_strip_item(*each) for each in view.strip)}</div>'
    if view.pairs:
        layered = view.alpha is not None
        shown = "".join(_pair(*pair, layered) for pair in view.pairs)
        return f'<div class="cnnw-pairs">{shown}</div>'
    if view.covers:
        return "".join(map(_mark, view.marks))
    return _layers(view)


def _words(text: str) -> str:
    """Return a line of text as HTML; no line ends between a number and its per cent sign."""
    return escape(text).replace(" %", "&nbsp;%")


def _layers(view: View) -> str:
    """Return a picture, over the photograph under it if it has one, with what lies over it."""
    heat = view.picture is not None and view.under is not None
    file = picture_file(view if heat or view.under is None else view.flat())
    if file is None:
        return view.alt and f'<div class="cnnw-caption">{escape(view.alt)}</div>'
    style = "cnnw-chart" if view.chart else "cnnw-exact" if view.exact else "cnnw-photo"
    below = ""
    if heat and view.under is not None:
        below = _img(encode_image(view.under), "jpeg", "", style)
        style += " cnnw-heat"
    layers = f"{below}{_img(*file, view.alt, style)}{''.join(map(_mark, view.marks))}"
    return f'<div class="cnnw-over">{layers}</div>{_beside_picture(view)}'


def _part(view: View) -> str:
    """Return one of several views side by side, under its caption."""
    if not view.caption:
        return _body(view)
    title = f"<figcaption>{_words(view.caption)}</figcaption>"
    return f'<figure class="cnnw-part">{title}{_body(view)}</figure>'


def _beside_picture(view: View) -> str:
    """Return what explains a picture's colours: a legend below, or a colour bar beside it."""
    if view.legend:
        return _legend(*view.legend)
    return _bar(*view.bar) if view.bar else ""


def _mark(mark: Mark) -> str:
    """Return a rectangle, or a line of text, placed over a picture by shares of its sides."""
    left, top, width, height = (f"{100 * share:.3f}%" for share in mark[:4])
    box = f"left:{left};top:{top};width:{width};height:{height}"
    text = f"<b>{escape(mark.text)}</b>" if mark.text else ""
    if mark.painted:
        text = _strokes(*mark.painted)
    style = "cnnw-mark cnnw-frame" if mark.kind == "chosen" else f"cnnw-mark cnnw-{mark.kind}"
    return f'<div class="{style}" style="{box}">{text}</div>'


def _strokes(radius: float, aspect: float, strokes: Sequence[Sequence[Sequence[float]]]) -> str:
    """Return lines drawn with a round brush, as an SVG picture 1000 wide over the whole picture."""
    lines = " ".join(
        "M" + "L".join(f"{1000 * x:.1f} {1000 * y / aspect:.1f}" for x, y in (*stroke, stroke[-1]))
        for stroke in strokes
    )
    return (
        f'<svg viewBox="0 0 1000 {1000 / aspect:.1f}" preserveAspectRatio="none" fill="none" '
        f'stroke-linecap="round" stroke-linejoin="round" stroke-width="{2000 * radius:.1f}">'
        f'<path d="{lines}"/></svg>'
    )


def _img(data: bytes, kind: str, alt: str, style: str) -> str:
    text = base64.b64encode(data).decode("ascii")
    return (
        f'<img class="cnnw-picture {style}" decoding="sync" alt="{escape(alt)}" '
        f'src="data:image/{kind};base64,{text}">'
    )


def _bar(colormap: str, low: float, high: float) -> str:
    """Return a colour bar: the colour map as a vertical gradient, with the value at each end."""
    return (
        f'<div class="cnnw-bar" aria-hidden="true"><span>{captions.number(high)}</span>'
        f'<i style="background:linear-gradient(to top,{_stops(colormap)})"></i>'
        f"<span>{captions.number(low)}</span></div>"
    )


def _legend(colormap: str, low: str, meaning: str, high: str) -> str:
    """Return a legend: the colour map as a horizontal gradient between two words."""
    return (
        f'<div class="cnnw-legend" title="{escape(meaning)}"><span>{low}</span>'
        f'<i style="background:linear-gradient(to right,{_stops(colormap)})"></i>'
        f"<span>{high}</span></div>"
    )


def _stops(colormap: str) -> str:
    table = lookup_table(colormap)[:: 255 // 15]
    return ",".join(f"#{r:02x}{g:02x}{b:02x}" for r, g, b in table)


def _pair(title: str, photo: Pixels, maps: Sequence[tuple[Pixels, str]], layered: bool) -> str:
    data = encode_image(photo)
    shown = [_img(data, "jpeg", f"Photograph {title}", "cnnw-thumb")]
    for colors, alt in maps:
        style = "cnnw-thumb cnnw-heat" if layered else "cnnw-thumb"
        heat = _img(encode_image(colors), "jpeg", alt, style)
        if layered:
            heat = f'<span class="cnnw-layers">{_img(data, "jpeg", "", "cnnw-thumb")}{heat}</span>'
        shown.append(heat)
    return f"<figure>{''.join(shown)}<figcaption>{_words(title)}</figcaption></figure>"


def _strip_item(title: str, picture: Pixels, alt: str) -> str:
    shown = _img(encode_image(picture), "jpeg", alt, "cnnw-still")
    lines = "<br>".join(escape(line) for line in title.split("\n"))
    return f"<figure>{shown}<figcaption>{lines}</figcaption></figure>"


def _chart_png(view: View) -> bytes:
    """Return a chart as PNG with a transparent background, for light and dark pages."""
    if view.key is not None and (kept := _CHART_CACHE.get(view.key)) is not None:
        return kept
    figure = Figure(figsize=view.inches, dpi=_CHART_DPI)
    figure.patch.set_alpha(0)
    axes = figure.add_axes(AXES_BOX)
    axes.patch.set_alpha(0)
    if view.chart is not None:
        view.chart(axes)
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    data = buffer.getvalue()
    if view.key is not None:
        _CHART_CACHE.put(view.key, data, [np.frombuffer(data, np.uint8)])
    return data


def sections(scene: Scene) -> str:
    """Return the open panels as HTML that contains its pictures, a section for each."""
    parts = []
    for name, panel in PANELS.items():
        closed = panel.opened_by and not getattr(scene, panel.opened_by)
        if not panel.title or closed:
            continue
        view = panel.view(scene).flat()
        if name in COVERS:
            view = replace(view, marks=PANELS[COVERS[name]].view(scene).marks)
        shown = to_html(view)
        parts.append(f"<section><h2>{escape(title_of(name, scene))}</h2>{shown}</section>")
    return "".join(parts)


def as_page(title: str, body: str) -> str:
    """Return HTML as a page of its own, with its style in it."""
    style = Path(__file__).with_name("export.css").read_text("utf-8")
    title = escape(title)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{style}</style><h1>{title}</h1>{body}</html>\n"
    )


def to_page(scene: Scene) -> str:
    """Return the open panels as one HTML page that contains its pictures and needs no kernel."""
    return as_page(captions.subject(scene), sections(scene))

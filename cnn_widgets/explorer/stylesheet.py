"""The style sheet of the explorer, and style elements made at run time.

Colours come from the variables of the JupyterLab theme, with defaults for other pages.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape

from cnn_widgets.drawing.encode import encode_image
from cnn_widgets.images.resizing import resize_to_input
from cnn_widgets.records import ImageSample

#: Size of a thumbnail picture, (height, width) in pixels.
THUMBNAIL = (56, 72)
SHEET = """
.cnnw-explorer { container-type: inline-size; --ink: var(--jp-ui-font-color1, #222);
  --soft: var(--jp-ui-font-color2, #667); --line: var(--jp-border-color2, #ccc);
  --ground: var(--jp-layout-color1, #fff); --accent: #e8743b; --fill: #5b9bd555;
  gap: 5px; padding: 2px; color: var(--ink); overflow: hidden; }
.cnnw-explorer > * { --u: clamp(1px, calc(100cqw / 1112), 1.7px); --pic: calc(180 * var(--u)); }
.cnnw-explorer.cnnw-projector { --jp-widgets-font-size: 16px; --jp-ui-font-size1: 16px;
  --jp-widgets-inline-height: 34px; font-size: 16px; }
.cnnw-projector .widget-html-content { font-size: 16px; }
.cnnw-explorer .widget-html, .cnnw-explorer .widget-html-content { margin: 0; height: auto;
  line-height: 1.35; overflow: visible; color: var(--ink); }
.cnnw-explorer .widget-label { color: var(--soft); }
.cnnw-sheet { display: none; }
.cnnw-row { gap: 2px 10px; flex-flow: row wrap; align-items: center; overflow: hidden; }
.cnnw-top { gap: 4px 14px; align-items: center; overflow: hidden; }
.cnnw-top > :first-child { flex: 1 1 0; }
.cnnw-top > :last-child { flex: 0 0 auto; }
.cnnw-top .cnnw-row { gap: 2px 8px; flex-wrap: nowrap; }
.cnnw-panels { gap: 14px; align-items: flex-start; flex-flow: row wrap; overflow: hidden; }
.cnnw-column { overflow: hidden; gap: 3px; }
.cnnw-square { width: calc(236 * var(--u)); }
.cnnw-list { flex: 1 1 calc(250 * var(--u)); min-width: calc(240 * var(--u));
  max-width: calc(400 * var(--u)); }
.cnnw-wide { flex: 1 1 calc(440 * var(--u)); min-width: calc(420 * var(--u)); }
.cnnw-chartbox { flex: 0 1 calc(330 * var(--u)); min-width: calc(300 * var(--u)); }
.cnnw-title { font-weight: 600; white-space: nowrap; overflow: hidden; text-overflow: ellipsis;
  line-height: 28px; }
.cnnw-head { gap: 10px; align-items: center; height: 30px; overflow: hidden; }
.cnnw-caption { color: var(--soft); font-size: 11px; margin-top: 3px; height: 2.7em;
  overflow: hidden; }
.cnnw-panel-overlay .cnnw-caption { height: 4.05em; }
.cnnw-projector .cnnw-caption, .cnnw-projector .cnnw-status, .cnnw-projector .cnnw-legend,
.cnnw-projector .cnnw-bar, .cnnw-projector .cnnw-rows thead th { font-size: 14px; }
.cnnw-projector .jupyter-button { font-size: 15px; }
.cnnw-projector .cnnw-head { height: 38px; }
.cnnw-projector .cnnw-head select { max-width: 108px !important; }
.cnnw-projector .widget-dropdown { width: auto !important; }
.cnnw-projector .widget-dropdown select { width: auto; max-width: 330px; }
.cnnw-projector .cnnw-top > :last-child { max-width: 45%; }
.cnnw-view { position: relative; }
.cnnw-picture { display: block; max-width: 100%; }
.cnnw-photo { height: var(--pic); width: 100%; object-fit: contain; object-position: left top; }
.cnnw-exact { height: var(--pic); width: auto; image-rendering: pixelated; }
.cnnw-filterbox { width: calc(250 * var(--u)); }
.cnnw-filterbox .cnnw-view { display: grid; grid-template-columns: auto 1fr; column-gap: 6px; }
.cnnw-filterbox .cnnw-caption { grid-column: 1 / 3; }
.cnnw-filterbox .cnnw-exact { min-height: calc(24 * var(--u)); min-width: calc(24 * var(--u));
  max-width: calc(224 * var(--u)); height: auto;
  width: var(--pic); max-height: var(--pic); object-fit: contain;
  object-position: left top; }
.cnnw-legend { display: flex; gap: 5px; align-items: center; font-size: 10px; height: 14px;
  color: var(--soft); }
.cnnw-legend i { flex: 1; height: 7px; }
.cnnw-bar { display: flex; flex-direction: column; height: var(--pic); font-size: 10px;
  color: var(--soft); white-space: nowrap; }
.cnnw-bar i { flex: 1; width: 12px; margin: 2px 0; }
.cnnw-charted { position: relative; width: 100%; aspect-ratio: var(--shape);
  max-width: calc(var(--pic) * var(--shape)); }
.cnnw-charted i { position: absolute; border-left: 2px dotted var(--accent); }
.cnnw-chart { width: 100%; height: 100%; }
.cnnw-stack, .cnnw-layers { display: grid; overflow: hidden; }
.cnnw-stack > *, .cnnw-layers > * { grid-area: 1 / 1; min-width: 0; width: auto; }
.cnnw-stack .cnnw-photo { height: auto; object-fit: fill; }
.cnnw-mosaicbox { width: 100%; }
.cnnw-mosaicbox .cnnw-picture, .cnnw-overlayer .cnnw-view { aspect-ratio: var(--aspect);
  width: 100%; max-width: calc(var(--aspect) * var(--pic)); }
.cnnw-overlayer { pointer-events: none; }
.cnnw-frame { position: absolute; box-sizing: border-box; border: 2px solid #fff;
  outline: 2px solid #e5342b; }
.cnnw-rows { border-collapse: collapse; width: 100%; table-layout: fixed; }
.cnnw-rows thead th { color: var(--soft); font-size: 11px; font-weight: 400; height: 18px;
  text-align: right; padding: 0 6px; }
.cnnw-rows thead th:first-child { text-align: left; width: 58%; }
.cnnw-rows tbody th, .cnnw-rows tbody td { height: 28px; padding: 0 6px; box-sizing: border-box;
  border-top: 1px solid var(--line); text-align: right; font-weight: 400; white-space: nowrap;
  font-variant-numeric: tabular-nums; overflow: hidden; text-overflow: ellipsis; }
.cnnw-rows tbody th { position: relative; text-align: left; }
.cnnw-rows tbody th span { position: relative; }
.cnnw-fill { position: absolute; left: 0; top: 4px; bottom: 4px; background: var(--fill); }
.cnnw-marked th span::before { content: "\\25B6\\00A0"; color: var(--accent); }
.cnnw-marked th { font-weight: 600 !important; }
.cnnw-choosers { padding-top: 18px; gap: 0; overflow: hidden; }
.cnnw-choosers .jupyter-button { height: 28px; width: 100%; margin: 0; background: transparent;
  color: transparent; border: 1px solid transparent; box-shadow: none !important; }
.cnnw-choosers .jupyter-button:hover, .cnnw-choosers .jupyter-button:focus-visible {
  border-color: var(--accent); background: transparent; }
/* a row of thumbnails */
.cnnw-thumbs { gap: 4px; flex-flow: row wrap; overflow: hidden; }
.cnnw-thumbs .jupyter-button { width: calc(66 * var(--u)); height: calc(58 * var(--u)); margin: 0;
  padding: 0 2px; display: flex; align-items: flex-end; justify-content: center; color: #fff;
  font-size: 10px; line-height: 1.15; white-space: normal;
  text-shadow: 0 0 3px #000, 0 0 2px #000, 0 0 5px #000;
  background-size: cover; background-position: center; border: 2px solid transparent; }
.cnnw-thumbs .jupyter-button.cnnw-chosen { border-color: var(--accent); }
.cnnw-arrow { width: 30px !important; padding: 0; }
.cnnw-status { min-height: 18px; font-size: 11px; color: var(--soft); }
.cnnw-status .cnnw-error { color: var(--jp-error-color0, #b00020);
  background: var(--jp-error-color3, #fde); padding: 3px 8px; font-size: 13px; border-radius: 2px; }
.cnnw-failed { color: var(--jp-error-color0, #b00020); min-height: var(--pic); }
.cnnw-card { display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; margin: 4px 0; }
.cnnw-card dt { color: var(--soft); }
.cnnw-card dd { margin: 0; }
.cnnw-pairs { display: flex; flex-wrap: wrap; gap: 14px; }
.cnnw-pairs figure { margin: 0; }
.cnnw-pairs .cnnw-layers { display: inline-grid; vertical-align: top; }
.cnnw-pairs figure img { display: inline-block; vertical-align: top; margin-right: 3px;
  height: calc(112 * var(--u)); }
.cnnw-pairs figcaption { font-size: 11px; color: var(--soft); }
.cnnw-parts { display: flex; flex-wrap: wrap; gap: 6px 22px; align-items: flex-start; }
.cnnw-parts .cnnw-charted { width: calc(330 * var(--u)); max-width: none; }
.cnnw-strip { display: flex; flex-wrap: wrap; gap: 8px; width: 100%; }
.cnnw-strip figure { margin: 0; width: calc(104 * var(--u)); }
.cnnw-strip figcaption { font-size: 11px; color: var(--soft); overflow: hidden;
  text-overflow: ellipsis; }
.cnnw-still { width: 100%; }
.cnnw-panel-trust { flex: 1; min-height: calc(60 * var(--u)); }
.cnnw-panel-trust .cnnw-caption { height: auto; font-size: 12px; margin-bottom: 6px; }
.cnnw-panel-trust .cnnw-view { display: flex; flex-direction: column-reverse;
  align-items: flex-start; }
.cnnw-table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.cnnw-table th, .cnnw-table td { padding: 2px 12px 2px 0; text-align: right; font-weight: 400;
  border-top: 1px solid var(--line); white-space: nowrap; }
.cnnw-table thead th { color: var(--soft); font-size: 11px; border: 0; }
.cnnw-table th:first-child { text-align: left; }
.cnnw-progress { visibility: hidden; height: 6px !important; margin: 0; min-height: 0; }
.cnnw-progress .progress { height: 5px; margin: 0; }
.cnnw-section { border-top: 1px solid var(--line); padding-top: 5px; }
"""


def sheet() -> str:
    """Return the style sheet as an HTML style element."""
    return f"<style>{SHEET}</style>"


def opacity_sheet(scope: str, alpha: float) -> str:
    """Return a style element that sets the opacity, in [0, 1], of one explorer's heat-maps.

    `scope` is the CSS class of that explorer.
    """
    return f"<style>.{scope} .cnnw-heat {{ opacity: {alpha:.4g}; }}</style>"


def thumbnail_sheet(samples: Mapping[str, ImageSample], prefix: str) -> str:
    """Return a style element with the background pictures of the thumbnail buttons.

    The button of the photograph number i, from 0, must have the CSS class ``<prefix>-<i>``.
    """
    rules = []
    for index, sample in enumerate(samples.values()):
        small = resize_to_input(ImageSample(sample.pixels, fit="crop"), THUMBNAIL)
        data = base64.b64encode(encode_image(small)).decode("ascii")
        rules.append(
            f".{escape(prefix)}-{index} "
            f"{{ background-image: url(data:image/jpeg;base64,{data}) !important; }}"
        )
    return f"<style>{' '.join(rules)}</style>"

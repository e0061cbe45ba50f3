"""An audit as one HTML page to hand over: no network, no script, thumbnails inside."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from cnn_widgets.attribution.explain import attribute
from cnn_widgets.auditing.answers import GRID, NOTES
from cnn_widgets.auditing.calibration import Calibration
from cnn_widgets.auditing.result import ANOTHER, Audit
from cnn_widgets.auditing.shares import Share
from cnn_widgets.datasets import ImageSet
from cnn_widgets.drawing.color import colorize, diverging_colormap, overlay
from cnn_widgets.drawing.encode import encode_image
from cnn_widgets.environment import atomic_files, versions
from cnn_widgets.images.loading import load_image
from cnn_widgets.images.resizing import shrink_sample
from cnn_widgets.networks.network import Network
from cnn_widgets.records import ImageSample, Pixels

#: Longer side of a photograph on the page, in pixels.
SIDE = 176
#: Up to so many labels the confusion matrix is shown whole; of more, the most frequent confusions.
WHOLE = 20
_STYLE = Path(__file__).with_name("page.css")


def write_page(
    found: Audit, net: Network, images: ImageSet, path: str | Path, pictures: int = 60
) -> Path:
    """Write an audit as one HTML file, and return its path.

    Parameters
    ----------
    found : Audit
    net : Network
        The network that was audited: it explains the mistakes shown.
    images : ImageSet
        The photographs that were audited.
    path : str or Path
    pictures : int
        How many mistakes are shown with their evidence, for the answer and for the label.

    Raises
    ------
    ValueError
        If the photographs are of a data set or a generator: they cannot be read again.
    OSError
        If the file cannot be written; the message names it.
    """
    if not images.repeatable:
        raise ValueError(
            "The mistakes of a data set or a generator cannot be shown: its photographs cannot be "
            "read again. Audit a folder, a zip, a CSV, a list or an array."
        )
    place = Path(path).expanduser()
    place.parent.mkdir(parents=True, exist_ok=True)
    title = f"Audit of {found.about['network']} on {len(found):,} photographs"
    parts = [
        f"<h1>{escape(title)}</h1>",
        _figures(found),
        _labels(found),
        _confusion(found),
        _reliability(found.calibration),
        _evidence(found),
        _mistakes(found, net, images, pictures),
        _unreadable(found),
        _footer(found),
    ]
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE.read_text('utf-8')}</style></head>"
        f"<body>{''.join(parts)}</body></html>"
    )
    with atomic_files(place.parent, place.name) as made:
        (made / place.name).write_text(text, "utf-8", errors="backslashreplace")
    return place


def _section(title: str, told: str, body: str) -> str:
    about = f'<p class="about">{escape(told)}</p>' if told else ""
    return f"<section><h2>{escape(title)}</h2>{about}{body}</section>" if body else ""


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %" if np.isfinite(value) else "–"


def _figures(found: Audit) -> str:
    """Return the figures that one asks for first."""
    rows = []
    if found.judged.any():
        rows.append(("right", str(found.accuracy)))
        error = found.calibration.error
        sure = float(found.confidence[found.judged].mean())
        told = f"{_percent(sure)} sure on average; expected calibration error {_percent(error)}"
        rows.append(("how sure", told))
    rows.append(("photographs", f"{len(found):,}, {len(found.errors):,} of them unreadable"))
    unlabelled = len(found) - len(found.errors) - int(found.judged.sum())
    rows.append(("without a label", f"{unlabelled:,}"))
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(told)}</dd>" for name, told in rows)
    return f"<dl>{listed}</dl>"


def _bar(share: Share) -> str:
    low, high = share.interval
    return (
        f'<span class="bar"><i style="width:{100 * (share.value if share.count else 0):.1f}%"></i>'
        f'<b style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></b></span>'
    )


def _labels(found: Audit) -> str:
    """Return a table of the labels, the worst first."""
    rows = sorted(found.per_label, key=lambda row: (row.recall.value, row.label))
    lines = "".join(
        f"<tr><th scope='row'>{escape(row.label)}</th><td>{row.recall.count:,}</td>"
        f"<td>{_bar(row.recall)} {_percent(row.recall.value)}</td>"
        f"<td>{_percent(row.precision.value)}</td><td>{escape(row.taken_for or '–')}</td></tr>"
        for row in rows
    )
    head = "".join(
        f"<th scope='col'>{each}</th>"
        for each in ("label", "photographs", "recognised", "answers that are right",
                     "most often taken for")
    )  # fmt: skip
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>" if rows else ""
    return _section(
        "Label by label, the worst first",
        "Recognised: of the photographs with this label, those that got a class of it; the line "
        "is the 95 % interval. Answers that are right: of the photographs that got such a class, "
        "those that have the label.",
        table,
    )


def _confusion(found: Audit) -> str:
    """Return the confusion matrix; of many labels the most frequent confusions."""
    table, names = found.confusion, (*found.label_names, ANOTHER)
    if not table.size:
        return ""
    if len(found.label_names) > WHOLE:
        wrong = table.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:30]
        pairs = [np.unravel_index(each, wrong.shape) for each in order if wrong.flat[each]]
        lines = "".join(
            f"<tr><th scope='row'>{escape(names[row])}</th><td>{escape(names[column])}</td>"
            f"<td>{wrong[row, column]:,}</td></tr>"
            for row, column in pairs
        )
        head = "<tr><th>label</th><th>answer</th><th>photographs</th></tr>"
        body = f"<table><thead>{head}</thead><tbody>{lines}</tbody></table>" if pairs else ""
        return _section("What is taken for what most often", "", body)
    most = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    head = "".join(f"<th scope='col'><span>{escape(name)}</span></th>" for name in names)
    lines = "".join(
        f"<tr><th scope='row'>{escape(name)}</th>"
        + "".join(
            f"<td class='{'same' if row == column else 'other'}' "
            f"style='--share:{most[row, column]:.3f}'>{table[row, column] or ''}</td>"
            for column in range(len(names))
        )
        + "</tr>"
        for row, name in enumerate(found.label_names)
    )
    head = f"<thead><tr><th></th>{head}</tr></thead>"
    body = f"<table class='matrix'>{head}<tbody>{lines}</tbody></table>"
    return _section("What is taken for what", "Rows: the label. Columns: the answer.", body)


def _reliability(curve: Calibration) -> str:
    """Return the reliability curve as a drawing with its numbers."""
    if not curve.counts.any():
        return ""
    width = 1 / len(curve.counts)

    def between(low: float) -> str:
        return f"{100 * low:.0f} to {100 * (low + width):.0f} %"

    bars = "".join(
        f"<rect x='{100 * low:.1f}' y='{100 - 100 * share:.1f}' width='{100 * width:.1f}' "
        f"height='{100 * share:.1f}'><title>{between(low)}: {count:,} answers, {_percent(share)} "
        "of them right</title></rect>"
        for low, share, count in zip(curve.edges[:-1], curve.accuracy, curve.counts, strict=True)
        if count
    )
    lines = "".join(
        f"<tr><td>{between(low)}</td><td>{count:,}</td><td>{_percent(mean)}</td>"
        f"<td>{_percent(share)}</td></tr>"
        for low, count, mean, share in zip(
            curve.edges[:-1], curve.counts, curve.confidence, curve.accuracy, strict=True
        )
        if count
    )
    drawing = (
        "<svg viewBox='-8 -4 112 116' role='img' aria-label='Reliability curve'>"
        f"{bars}<path class='frame' d='M0 0V100H100'/><path class='even' d='M0 100L100 0'/>"
        "<text x='50' y='110'>how sure it is</text>"
        "<text transform='translate(-3 50) rotate(-90)'>how often right</text></svg>"
    )
    head = "<tr><th>how sure</th><th>answers</th><th>mean</th><th>right</th></tr>"
    table = f"<table><thead>{head}</thead><tbody>{lines}</tbody></table>"
    return _section(
        "Is it right as often as it says?",
        "A bar that ends on the dashed line is honest; below it the network is too sure, above it "
        f"not sure enough. Expected calibration error: {_percent(curve.error)}.",
        f"<div class='side'>{drawing}{table}</div>",
    )


def _evidence(found: Audit) -> str:
    """Return the mean evidence of all photographs and of each label."""
    shown = [("all photographs", found.mean_evidence())]
    shown += [(name, found.mean_evidence(name)) for name in found.label_names[:40]]
    figures = "".join(
        f"<figure>{_image(colorize(mean, 'inferno'), name, exact=True)}"
        f"<figcaption>{escape(name)}</figcaption></figure>"
        for name, mean in shown
        if mean is not None
    )
    return _section(
        "Where the evidence lies on average",
        f"{found.about['method']} for the answer, over the whole photograph, in {GRID}×{GRID} "
        "fields. A mean that is bright in a corner or along an edge is worth a look at the "
        "photographs; it is no proof of anything.",
        f"<div class='row'>{figures}</div>" if figures else "",
    )


def _mistakes(found: Audit, net: Network, images: ImageSet, count: int) -> str:
    cards = "".join(_card(found, net, images, int(each)) for each in found.mistakes()[:count])
    wrong = len(found.mistakes())
    many = f"{min(count, wrong):,} of {wrong:,}. " if wrong > count else ""
    return _section(
        "Mistakes, the most confident first",
        f"{many}The photograph, the evidence for the answer, and the evidence for the label.",
        f"<div class='row'>{cards}</div>" if cards else "",
    )


def _card(found: Audit, net: Network, images: ImageSet, index: int) -> str:
    """Return a mistake: the photograph, and the evidence for the answer and for the label."""
    record = found.records_of([index])[0]
    sure, own = (_percent(record[each]) for each in ("probability", "label_probability"))
    told = f"{record['label']} is taken for {record['answer']} ({sure}; the label's own {own})"
    try:
        sample = load_image(images.read(index, 2 * max(net.input_size)), fit=found.about["fit"])
        sample = net.with_inputs_of(sample, index)
    except (ValueError, TypeError, OSError) as error:
        return f"<figure><figcaption>{escape(f'{told}. {error}')}</figcaption></figure>"
    probabilities = net.scores(sample)[1]
    meant = max(found.classes_of(index), key=lambda each: probabilities[each])
    shown = _image(shrink_sample(sample, SIDE).pixels, f"{record['name']}")
    for class_index in (int(found.predicted[index]), meant):
        name = net.class_names[class_index]
        shown += _image(_explained(net, sample, found.about["method"], class_index),
                        f"evidence for {name}")  # fmt: skip
    return (
        f"<figure class='card'>{shown}<figcaption>{escape(told)}<br>"
        f"<small>{escape(record['name'])}</small></figcaption></figure>"
    )


def _explained(net: Network, sample: ImageSample, method: str, class_index: int) -> Pixels:
    evidence = attribute(net, sample, method, class_index)
    small = shrink_sample(sample, SIDE)
    rows, columns = (np.linspace(0, n - 1, m).astype(int)
                     for n, m in zip(sample.size, small.size, strict=True))  # fmt: skip
    colors = diverging_colormap("inferno") if evidence.signed else "inferno"
    heat = evidence.heatmap[np.ix_(rows, columns)]
    return overlay(small.pixels, heat, 0.6, colors, evidence.signed)


def _image(pixels: Pixels, alt: str, exact: bool = False) -> str:
    kind = "png" if exact else "jpeg"
    data = base64.b64encode(encode_image(pixels, exact=exact)).decode("ascii")
    return f'<img alt="{escape(alt)}" loading="lazy" src="data:image/{kind};base64,{data}">'


def _unreadable(found: Audit) -> str:
    items = list(found.errors.items())
    lines = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in items[:200])
    more = f"<li>and {len(items) - 200:,} more</li>" if len(items) > 200 else ""
    return _section("Could not be read", "", f"<ul>{lines}{more}</ul>" if items else "")


def _footer(found: Audit) -> str:
    notes: Sequence[str] = (*found.about.get("notes", ()), *found.about.get(NOTES, ()))
    listed = "; ".join(f"{name} {version}" for name, version in versions().items())
    lines = (*notes, f"Weights {found.about['weights'][:16]}… · {listed}")
    return f"<footer>{''.join(f'<p>{escape(line)}</p>' for line in lines)}</footer>"

"""An audit as one HTML page to hand over: no network, no script, thumbnails inside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from cnn_widgets.arguments import whole
from cnn_widgets.auditing.answers import GRID, NOTES
from cnn_widgets.auditing.calibration import Calibration
from cnn_widgets.auditing.identity import differences
from cnn_widgets.auditing.result import ANOTHER, Audit
from cnn_widgets.auditing.sections import (
    SIDE,
    explained,
    image,
    percent,
    section,
    table,
    write_document,
)
from cnn_widgets.auditing.shares import Share
from cnn_widgets.datasets import ImageSet, open_images
from cnn_widgets.drawing.color import colorize
from cnn_widgets.environment import versions
from cnn_widgets.images.loading import load_image
from cnn_widgets.images.resizing import shrink_sample
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.telling import counted

#: Up to so many labels the confusion matrix is shown whole; of more, the most frequent confusions.
WHOLE = 20


def write_page(
    found: Audit,
    net: Network,
    images: Any,
    path: str | Path,
    pictures: int = 60,
    sections: Iterable[str] = (),
) -> Path:
    """Write an audit as one HTML file, and return its path.

    Parameters
    ----------
    found : Audit
    net : Network
        The network that was audited: it explains the mistakes shown.
    images : object
        The photographs that were audited, as `open_images` takes them.
    path : str or Path
    pictures : int
        How many mistakes are shown with their evidence, for the answer and for the label.
    sections : iterable of str
        Further sections of HTML, each as `section` makes one; they come before the mistakes.

    Raises
    ------
    ValueError
        If the photographs are of a data set or a generator, which cannot be read again, they or
        the network (its weights, preprocessing, class names and head) are not those that were
        audited, or `pictures` is below 0.
    OSError
        If the file cannot be written; the message names it.
    """
    whole("pictures", pictures, 0)
    photographs = _audited(found, net, images)
    title = f"Audit of {found.about['network']} on {counted(len(found), 'photograph')}"
    parts = [
        _figures(found),
        _labels(found),
        _confusion(found),
        _reliability(found.calibration),
        _evidence(found),
        *sections,
        _mistakes(found, net, photographs, pictures),
        _unreadable(found),
        _footer(found),
    ]
    return write_document(path, title, parts)


def _audited(found: Audit, net: Network, images: Any) -> ImageSet:
    """Return photographs as a set; a ValueError if they or the network are not those audited."""
    photographs = open_images(images, channels=checked_network(net).channels)
    if not photographs.repeatable:
        raise ValueError(
            "The mistakes of a data set or a generator cannot be shown: its photographs cannot be "
            "read again. Audit a folder, a zip, a CSV, a list or an array."
        )
    if photographs.names != found.names:
        raise ValueError(
            f"Expected the {counted(len(found), 'photograph')} that were audited, in their order. "
            f"Received: {photographs!r} of other names or in another order."
        )
    if other := differences(found, net):
        raise ValueError(f"{net.name!r} is another network than that of the audit: it has {other}.")
    return photographs


def _figures(found: Audit) -> str:
    """Return the figures that one asks for first."""
    rows = []
    if found.judged.any():
        rows.append(("right", str(found.accuracy)))
        error = found.calibration.error
        sure = float(found.confidence[found.judged].mean())
        told = f"{percent(sure)} sure on average; expected calibration error {percent(error)}"
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
        f"<td>{_bar(row.recall)} {percent(row.recall.value)}</td>"
        f"<td>{percent(row.precision.value)}</td><td>{escape(row.taken_for or '–')}</td></tr>"
        for row in rows
    )
    head = "".join(
        f"<th scope='col'>{each}</th>"
        for each in ("label", "photographs", "recognised", "answers that are right",
                     "most often taken for")
    )  # fmt: skip
    body = f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>" if rows else ""
    return section(
        "Label by label, the worst first",
        "Recognised: of the photographs with this label, those that got a class of it; the line "
        "is the 95 % interval. Answers that are right: of the photographs that got such a class, "
        "those that have the label.",
        body,
    )


def _confusion(found: Audit) -> str:
    """Return the confusion matrix; of many labels the most frequent confusions."""
    counts, names = found.confusion, (*found.label_names, ANOTHER)
    if not counts.size:
        return ""
    if len(found.label_names) > WHOLE:
        wrong = counts.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:30]
        pairs = [np.unravel_index(each, wrong.shape) for each in order if wrong.flat[each]]
        rows = ((names[row], names[column], f"{wrong[row, column]:,}") for row, column in pairs)
        body = table(("label", "answer", "photographs"), rows)
        return section("What is taken for what most often", "", body)
    most = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    head = "".join(f"<th scope='col'><span>{escape(name)}</span></th>" for name in names)
    lines = "".join(
        f"<tr><th scope='row'>{escape(name)}</th>"
        + "".join(
            f"<td class='{'same' if row == column else 'other'}' "
            f"style='--share:{most[row, column]:.3f}'>{counts[row, column] or ''}</td>"
            for column in range(len(names))
        )
        + "</tr>"
        for row, name in enumerate(found.label_names)
    )
    head = f"<thead><tr><th></th>{head}</tr></thead>"
    body = f"<table class='matrix'>{head}<tbody>{lines}</tbody></table>"
    return section("What is taken for what", "Rows: the label. Columns: the answer.", body)


def _reliability(curve: Calibration) -> str:
    """Return the reliability curve as a drawing with its numbers."""
    if not curve.counts.any():
        return ""
    width = 1 / len(curve.counts)

    def between(low: float) -> str:
        return f"{100 * low:.0f} to {100 * (low + width):.0f} %"

    bars = "".join(
        f"<rect x='{100 * low:.1f}' y='{100 - 100 * share:.1f}' width='{100 * width:.1f}' "
        f"height='{100 * share:.1f}'><title>{between(low)}: {count:,} answers, {percent(share)} "
        "of them right</title></rect>"
        for low, share, count in zip(curve.edges[:-1], curve.accuracy, curve.counts, strict=True)
        if count
    )
    lines = [
        (between(low), f"{count:,}", percent(mean), percent(share))
        for low, count, mean, share in zip(
            curve.edges[:-1], curve.counts, curve.confidence, curve.accuracy, strict=True
        )
        if count
    ]
    drawing = (
        "<svg viewBox='-8 -4 112 116' role='img' aria-label='Reliability curve'>"
        f"{bars}<path class='frame' d='M0 0V100H100'/><path class='even' d='M0 100L100 0'/>"
        "<text x='50' y='110'>how sure it is</text>"
        "<text transform='translate(-3 50) rotate(-90)'>how often right</text></svg>"
    )
    listed = table(("how sure", "answers", "mean", "right"), lines)
    return section(
        "Is it right as often as it says?",
        "A bar that ends on the dashed line is honest; below it the network is too sure, above it "
        f"not sure enough. Expected calibration error: {percent(curve.error)}.",
        f"<div class='side'>{drawing}{listed}</div>",
    )


def _evidence(found: Audit) -> str:
    """Return the mean evidence of all photographs and of each label."""
    shown = [("all photographs", found.mean_evidence())]
    shown += [(name, found.mean_evidence(name)) for name in found.label_names[:40]]
    figures = "".join(
        f"<figure>{image(colorize(mean, 'inferno'), name, exact=True)}"
        f"<figcaption>{escape(name)}</figcaption></figure>"
        for name, mean in shown
        if mean is not None
    )
    return section(
        "Where the evidence lies on average",
        f"{found.about['method']} for the answer, over the whole photograph, in {GRID}×{GRID} "
        "fields. A mean that is bright in a corner or along an edge is worth a look at the "
        "photographs; it is no proof of anything.",
        f"<div class='row'>{figures}</div>" if figures else "",
    )


def _mistakes(found: Audit, net: Network, images: ImageSet, count: int) -> str:
    with net.weights_checked():  # once, not before every map
        cards = "".join(_card(found, net, images, int(each)) for each in found.mistakes()[:count])
    wrong = len(found.mistakes())
    many = f"{min(count, wrong):,} of {wrong:,}. " if wrong > count else ""
    return section(
        "Mistakes, the most confident first",
        f"{many}The photograph, the evidence for the answer, and the evidence for the label.",
        f"<div class='row'>{cards}</div>" if cards else "",
    )


def _card(found: Audit, net: Network, images: ImageSet, index: int) -> str:
    """Return a mistake: the photograph, and the evidence for the answer and for the label."""
    record = found.records_of([index])[0]
    sure, own = (percent(record[each]) for each in ("probability", "label_probability"))
    told = f"{record['label']} is taken for {record['answer']} ({sure}; the label's own {own})"
    try:
        sample = load_image(images.read(index, 2 * max(net.input_size)), fit=found.about["fit"])
        sample = net.with_inputs_of(sample, index)
    except (ValueError, TypeError, OSError) as error:
        return f"<figure><figcaption>{escape(f'{told}. {error}')}</figcaption></figure>"
    probabilities = net.scores(sample)[1]
    meant = max(found.classes_of(index), key=lambda each: probabilities[each])
    small = shrink_sample(sample, SIDE)
    shown = image(small.pixels, f"{record['name']}")
    for class_index in (int(found.predicted[index]), meant):
        name = net.class_names[class_index]
        shown += image(explained(net, sample, small.pixels, found.about["method"], class_index),
                       f"evidence for {name}")  # fmt: skip
    return (
        f"<figure class='card'>{shown}<figcaption>{escape(told)}<br>"
        f"<small>{escape(record['name'])}</small></figcaption></figure>"
    )


def _unreadable(found: Audit) -> str:
    items = list(found.errors.items())
    lines = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in items[:200])
    more = f"<li>and {len(items) - 200:,} more</li>" if len(items) > 200 else ""
    return section("Could not be read or answered", "", f"<ul>{lines}{more}</ul>" if items else "")


def _footer(found: Audit) -> str:
    notes: Sequence[str] = (*found.about.get("notes", ()), *found.about.get(NOTES, ()))
    listed = "; ".join(f"{name} {version}" for name, version in versions().items())
    lines = (*notes, f"Weights {found.about['weights'][:16]}… · {listed}")
    return f"<footer>{''.join(f'<p>{escape(line)}</p>' for line in lines)}</footer>"

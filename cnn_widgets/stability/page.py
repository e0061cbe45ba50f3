"""A section about robustness for the page of an audit: how accuracy falls, and what turns first."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from cnn_widgets.auditing.sections import percent, photograph, row, section, table
from cnn_widgets.auditing.shares import Share
from cnn_widgets.datasets import ImageSet
from cnn_widgets.stability.robustness import Curve


def robustness_section(curves: Sequence[Curve], images: ImageSet) -> str:
    """Return a section of HTML about `robustness`, for `write_page(…, sections=[…])`.

    For each change it has a drawing of how many answers stay the same, and of how many are right
    where photographs have labels; a table with these numbers; and the photographs whose answers
    turn first.

    Parameters
    ----------
    curves : sequence of Curve
    images : ImageSet
        The photographs that were changed.

    Raises
    ------
    ValueError
        If the photographs are others than those that were changed.

    Examples
    --------
    >>> from cnn_widgets.stability import robustness
    >>> images = cw.open_images({"cat": cw.gallery()["cat"]})
    >>> found = robustness(cw.load_network(), images, changes=["darker"])
    >>> robustness_section(found, images)[:36]
    '<section><h2>Robustness</h2><p class'
    """
    if any(len(curve.turns) != len(images) for curve in curves):
        raise ValueError(
            f"Expected the photographs that were changed. Received: {len(images):,} others."
        )
    labelled = any(curve.right_before.count for curve in curves)
    head = ["change", "levels", "answers that stay", "evidence agrees", "turns first"]
    told = (
        "How many photographs keep their answer as they are changed more and more, how well the "
        "evidence of those agrees (correlation), and the photograph whose answer turns first."
    )
    if labelled:
        head.insert(3, "answers that are right (first: unchanged)")
        told += " Dashed: how many answers are right, from the unchanged photographs on."
    first = (
        photograph(images, curve.first, f"{curve.title}: turns at {curve.turns[curve.first]:g}")
        for curve in curves
        if curve.first is not None
    )
    turned = row(first)
    return section(
        "Robustness",
        told,
        row(_drawing(curve) for curve in curves)
        + table(head, [_numbers(curve, images, labelled) for curve in curves])
        + (f"<h3>The photographs whose answers turn first</h3>{turned}" if turned else ""),
    )


def _numbers(curve: Curve, images: ImageSet, labelled: bool) -> tuple[str, ...]:
    """Return the row of a change in the table."""
    first = curve.first
    right = [" · ".join(percent(share.value) for share in (curve.right_before, *curve.right))]
    return (
        curve.title,
        " · ".join(f"{level:g}" for level in curve.levels),
        " · ".join(percent(share.value) for share in curve.same),
        *(right if labelled else ()),
        " · ".join("–" if value != value else f"{value:.2f}" for value in curve.agreement),
        "none" if first is None else f"{images.names[first]} at {curve.turns[first]:g}",
    )


def _drawing(curve: Curve) -> str:
    """Return a drawing of the shares by level; unchanged photographs are on its left edge."""
    step = 100 / len(curve.levels)
    same = _line([Share(1, 1), *curve.same], step, "stays")
    right = _line([curve.right_before, *curve.right], step, "right")
    marks = "".join(
        f"<text x='{step * number:.1f}' y='110'>{level:g}</text>"
        for number, level in enumerate(curve.levels, 1)
    )
    name = escape(curve.title, quote=True)
    return (
        f"<figure class='thumb'><svg viewBox='-18 -4 132 118' role='img' aria-label='{name}'>"
        "<path class='frame' d='M0 0V100H100'/><text x='-8' y='4'>100</text>"
        f"<text x='-6' y='102'>0</text>{same}{right}{marks}</svg>"
        f"<figcaption>{name}</figcaption></figure>"
    )


def _line(shares: Sequence[Share], step: float, kind: str) -> str:
    """Return a line through shares, with its numbers to point at; "" where one is not known."""
    if not all(share.count for share in shares):
        return ""
    points = [(step * n, 100 - 100 * share.value) for n, share in enumerate(shares)]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    told = " · ".join(percent(share.value) for share in shares)
    words = {"stays": "answers that stay", "right": "answers that are right"}[kind]
    return f"<path class='{kind}' d='M{path}'><title>{words}: {told}</title></path>"

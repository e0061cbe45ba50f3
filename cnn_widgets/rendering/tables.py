"""Views that are tables, as HTML: the answer with its bars, plain tables, the confusion table."""

from __future__ import annotations

from html import escape

import numpy as np

from cnn_widgets.panels.places import MATRIX_CELL, MATRIX_HEADS
from cnn_widgets.views import captions
from cnn_widgets.views.view import Matrix, View


def answer_rows(view: View) -> str:
    """Return the predictions as a table with bars, so that screen readers can read it too."""
    lines = []
    scores = captions.column([score for _, _, score, _ in view.rows])
    for (name, probability, _, marked), score in zip(view.rows, scores, strict=True):
        width = 100 * probability if np.isfinite(probability) else 0
        lines.append(
            f'<tr class="{"cnnw-marked" if marked else ""}"><th scope="row">'
            f'<i class="cnnw-fill" style="width:{width:.1f}%"></i>'
            f'<span title="{escape(name)}">{escape(name)}</span></th>'
            f"<td>{captions.percent(probability)}</td><td>{score}</td></tr>"
        )
    head = (
        '<tr><th scope="col">class</th><th scope="col">probability</th>'
        '<th scope="col">score</th></tr>'
    )
    return (
        f'<table class="cnnw-rows" aria-label="{escape(view.alt)}"><thead>{head}</thead>'
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def plain_table(view: View) -> str:
    """Return a table; the first cell of each row is its header."""
    head, *rows = view.table
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        f"{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for first, *cells in rows
    )
    return (
        f'<table class="cnnw-table" aria-label="{escape(view.alt)}"><thead><tr>{top}</tr></thead>'
        f"<tbody>{lines}</tbody></table>"
    )


def confusion_table(alt: str, matrix: Matrix) -> str:
    """Return a table of counts whose cells all have one size, so that a click tells which it is."""
    (wide, tall), (width, height) = MATRIX_HEADS, MATRIX_CELL
    columns, rows, chosen = matrix
    style = (
        f"grid-template-columns: {wide}em repeat({len(columns)}, {width}em); "
        f"grid-template-rows: {tall}em repeat({len(rows)}, {height}em)"
    )
    heads = "".join(
        f'<div role="columnheader" class="{"cnnw-picked" if at == chosen[1] else ""}" '
        f'title="{escape(name)}"><span>{escape(name)}</span></div>'
        for at, name in enumerate(columns)
    )
    lines = [f'<div role="row"><div role="columnheader">label \\ answer</div>{heads}</div>']
    for row, (label, share, total, counts) in enumerate(rows):
        head = f"<span>{escape(label)}</span><i>{share} of {total:,}</i>"
        picked = "cnnw-picked" if row == chosen[0] else ""
        cells = "".join(
            f'<div role="cell" class="{"cnnw-same" if columns[at] == label else "cnnw-other"}'
            f'{" cnnw-picked" if (row, at) == chosen else ""}" '
            f'style="--share:{count / max(total, 1):.3f}">{count or ""}</div>'
            for at, count in enumerate(counts)
        )
        lines.append(
            f'<div role="row"><div role="rowheader" class="{picked}" title="{escape(label)}">'
            f"{head}</div>{cells}</div>"
        )
    return (
        f'<div role="table" class="cnnw-matrix" aria-label="{escape(alt)}" style="{style}">'
        f"{''.join(lines)}</div>"
    )

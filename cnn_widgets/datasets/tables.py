"""Tables of picture files and their labels: which mark parts the columns, and which row is a head.

What is a path is known by its ending, or because there is such a file. The first row is a head if
no path is in it while one is in the next rows.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import islice
from pathlib import Path

from cnn_widgets.datasets.files import SUFFIXES, file_mark, read_file
from cnn_widgets.datasets.image_set import ImageSet
from cnn_widgets.datasets.labels import as_labels

#: What a column is called that holds the paths, the likeliest first.
_PATHS = (
    "path", "file_path", "filepath", "image_path", "img_path", "file", "filename", "file_name",
    "image", "img", "picture", "photo", "photograph", "image_id", "name",
)  # fmt: skip
_LABELS = ("label", "labels", "class", "class_name", "class_id", "category", "target")
_MARKS = (",", ";", "\t", "|")
_PROBED = 3  # rows by which marks and columns are found out


@dataclass(frozen=True)
class Table:
    """The rows of a table.

    Attributes
    ----------
    paths : tuple of str
    labels : tuple of int, str or None
    notes : tuple of str
        What was assumed about the table, for the user to see.
    """

    paths: tuple[str, ...]
    labels: tuple[int | str | None, ...]
    notes: tuple[str, ...] = ()


def csv_set(path: Path) -> ImageSet:
    """Return the files that a CSV of ``path,label`` names, relative to its own folder.

    The first row may be a head, which may name further columns; the label may be missing. Labels
    that are all whole numbers are the numbers of classes.

    Raises
    ------
    ValueError
        If the file is no text of such rows.
    """

    def place(name: str) -> str:
        beside = os.path.join(path.parent, os.path.expanduser(name))
        return name if "://" in name else os.path.abspath(beside)

    table = read_table(path.read_bytes(), path.name, lambda name: os.path.isfile(place(name)))
    files = [place(name) for name in table.paths]
    return ImageSet(
        table.paths,
        table.labels,
        lambda index, at_least: read_file(files[index], at_least),
        table.notes,
        mark=lambda index: file_mark(files[index]),
        reader=lambda index: partial(read_file, files[index]),
    )


def read_table(data: bytes, name: str, there: Callable[[str], bool]) -> Table:
    """Return the rows of a CSV; `there` says whether a path is a file.

    Raises
    ------
    ValueError
        If the file is no text of paths and labels.
    """

    @cache  # a store is asked over the network
    def is_file(cell: str) -> bool:
        return "://" in cell or (bool(cell) and there(cell))

    def is_path(cell: str) -> bool:
        return cell.lower().endswith(SUFFIXES) or is_file(cell)

    try:
        rows = list(_rows(*_text_and_mark(data, name, is_file, is_path)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{name} is no CSV that can be read: {error}.") from None
    head = rows[0] if rows and _is_head(rows, is_path) else None
    body = rows if head is None else rows[1:]
    path, label = _columns(head, body, is_path)
    width = 2 if head is None else max(2, len(head))
    wrong = (row for row in body if not path < len(row) <= width or not row[path])
    found = next(wrong, head if label < 0 else None) if body else "no row"
    if found is not None:
        raise ValueError(
            f"Expected rows of path and label, or of a path alone, in {name}; if there are further "
            f"columns, a first row that names these two. Received: {found!r:.120}"
        )
    labels = as_labels([row[label] if label < len(row) else "" for row in body])
    made = Table(tuple(row[path] for row in body), tuple(labels))
    if head is None or _named(head, _PATHS) == path:
        return made
    told = ", ".join(map(repr, head))
    return replace(made, notes=(f"The first row of {name} is taken as its head: {told:.120}",))


def _text_and_mark(data: bytes, name: str, *tests: Callable[[str], bool]) -> tuple[str, str]:
    """Return the text of a table without what Excel may write above it, and the mark it uses."""
    text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    first, _, after = text.partition("\n")
    if first.lower().startswith("sep=") and len(first) == 5:
        return after, first[4]
    return text, "\t" if name.lower().endswith(".tsv") else _mark_of(text, *tests)


def _rows(text: str, mark: str) -> Iterator[list[str]]:
    """Yield the rows that hold anything, without spaces around cells, and empty cells behind."""
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True):
        cells = [cell.strip() for cell in row]
        while len(cells) > 2 and not cells[-1]:
            cells.pop()
        if any(cells):
            yield cells


def _mark_of(text: str, *tests: Callable[[str], bool]) -> str:
    """Return the mark between columns: the one by which most of the first rows hold a path.

    Of `tests`, which say of a cell whether it is a path, the first ones count most.
    """

    def paths(mark: str) -> list[int]:
        try:
            rows = list(islice(_rows(text, mark), _PROBED))
        except csv.Error:
            return []
        return [sum(any(map(is_path, row)) for row in rows) for is_path in tests]

    first = text.partition("\n")[0]
    likely = next((each for each in "\t;" if each in first and "," not in first), ",")
    return max((likely, *_MARKS), key=paths)


def _is_head(rows: Sequence[Sequence[str]], is_path: Callable[[str], bool]) -> bool:
    if any(map(is_path, rows[0])):
        return False
    further = rows[1 : 1 + _PROBED]
    return _named(rows[0], _PATHS) is not None or any(is_path(cell) for r in further for cell in r)


def _columns(
    head: Sequence[str] | None, body: Sequence[Sequence[str]], is_path: Callable[[str], bool]
) -> tuple[int, int]:
    """Return the columns of path and label, the latter -1 if there are several it may be."""
    probed = body[:_PROBED]
    count = max((len(row) for row in [head or [], *probed]), default=0)

    def paths(column: int) -> int:
        return sum(column < len(row) and is_path(row[column]) for row in probed)

    path = max(range(count), key=paths, default=0)
    named = None if head is None else _named(head, _PATHS)
    if named is not None and paths(named) == paths(path):
        path = named
    label = None if head is None else _named(head, _LABELS)
    if label is None or label == path:
        label = 1 - path if count <= 2 else -1
    return path, label


def _named(head: Sequence[str], names: Sequence[str]) -> int | None:
    """Return the column of a head that has the likeliest of some names."""
    plain = [cell.lower().replace(" ", "_").replace("-", "_") for cell in head]
    return next((plain.index(name) for name in names if name in plain), None)

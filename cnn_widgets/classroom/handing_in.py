"""Writes pinned views as a hand-in: a page, Markdown with pictures, and a file to check."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape, unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cnn_widgets.classroom.pins import Pin, digest_of
from cnn_widgets.environment import atomic_files, versions
from cnn_widgets.rendering.html import as_page

#: What the file says that it is.
FORM = "cnn-widgets hand-in 1"
#: How the name of the file to check ends.
ENDING = ".handin.json"


def write_hand_in(pins: Sequence[Pin], path: str | Path, name: str = "") -> Path:
    """Write pinned views as a page, as Markdown with PNG pictures, and as a file to check.

    Parameters
    ----------
    pins : sequence of Pin
    path : str or Path
        The page, ``name.html``. Beside it are written ``name.md`` with the folder ``name_pictures``
        and ``name.handin.json``. Files of these names are replaced, all of them or none.
    name : str
        Whose work it is; by default the name of the file.

    Returns
    -------
    Path
        That of the page.

    Raises
    ------
    ValueError
        If nothing is pinned, or the name does not end in .html.
    OSError
        If a file cannot be written; then none is left.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() != ".html":
        raise ValueError(f"Expected a name that ends in .html. Received: {path.name!r}")
    if not pins:
        raise ValueError("Nothing is pinned yet: pin a view first.")
    stem, author = path.stem, name or path.stem
    lines, pictures = [f"# {author}", ""], {}
    for number, each in enumerate(pins, 1):
        lines += [f"## {number}. {_plain(each.title)}", "", _plain(each.note), ""]
        lines += [f"- {quantity}: {_plain(str(value))}" for quantity, value in each.answers.items()]
        for part, (alt, kind, data) in enumerate(_pictures(each.html), 1):
            file = f"{number}-{part}.{kind}"
            pictures[file] = data
            lines += ["", f"![{_plain(alt)}]({quote(f'{stem}_pictures/{file}')})"]
        lines.append("")
    content = hand_in_of(pins, author)
    folder = f"{stem}_pictures"
    names = [path.name, f"{stem}.md", f"{stem}{ENDING}", *(f"{folder}/{file}" for file in pictures)]
    earlier = _pictures_of(path.parent / names[1], folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    there = (path.parent / folder).is_dir()
    try:
        with atomic_files(path.parent, *names) as place:
            (place / path.name).write_text(as_page(author, _body(pins)), "utf-8")
            (place / names[1]).write_text("\n".join(lines), "utf-8")
            (place / names[2]).write_text(json.dumps(content, indent=1), "utf-8")
            (place / folder).mkdir()
            for file, data in pictures.items():
                (place / folder / file).write_bytes(data)
            (path.parent / folder).mkdir(exist_ok=True)
    except OSError:
        if not there and (path.parent / folder).is_dir():
            shutil.rmtree(path.parent / folder)
        raise
    for old in earlier - set(pictures):
        (path.parent / folder / old).unlink(missing_ok=True)
    return path


def _pictures_of(markdown: Path, folder: str) -> set[str]:
    """Return the pictures that an earlier hand-in of this name put into its folder."""
    try:
        text = markdown.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return set()
    return set(re.findall(rf"\]\({re.escape(quote(folder))}/(\d+-\d+\.(?:png|jpg))\)", text))


def hand_in_of(pins: Sequence[Pin], author: str) -> dict[str, Any]:
    """Return what the file to check holds, with the digest of it all."""
    content = {
        "form": FORM,
        "name": author,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "pins": [each.to_dict() for each in pins],
    }
    plain: dict[str, Any] = json.loads(json.dumps(content))  # as it is read again
    return plain | {"sha256": digest_of(plain)}


def _body(pins: Sequence[Pin]) -> str:
    parts = []
    for number, each in enumerate(pins, 1):
        note = f'<p class="cnnw-note">{escape(each.note)}</p>' if each.note else ""
        rows = "".join(
            f"<tr><th>{escape(quantity)}</th><td>{escape(str(value))}</td></tr>"
            for quantity, value in each.answers.items()
        )
        table = f"<table>{rows}</table>" if rows else ""
        title = f"<h2>{number}. {escape(each.title)}</h2>"
        parts.append(f'<div class="cnnw-pin">{title}{note}{table}{each.html}</div>')
    return "".join(parts)


_IMAGE = re.compile(r'alt="([^"]*)" src="data:image/(\w+);base64,([^"]+)"')


def _pictures(html: str) -> list[tuple[str, str, bytes]]:
    """Return (words, kind, bytes) of the pictures in a page."""
    return [
        (unescape(alt), "png" if kind == "png" else "jpg", base64.b64decode(data))
        for alt, kind, data in _IMAGE.findall(html)
    ]


def _plain(text: str) -> str:
    """Return text in which Markdown sees no signs of its own."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)

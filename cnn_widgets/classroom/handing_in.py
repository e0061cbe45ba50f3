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

from cnn_widgets.classroom.pins import Pin, digest_of, writable
from cnn_widgets.drawing.encode import as_png
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
    TypeError
        If path or name are something else.
    OSError
        If a file cannot be written; then files of an earlier hand-in are as they were.
    """
    if not isinstance(path, str | Path):
        raise TypeError(f"Expected a path of a page, name.html. Received: {path!r}")
    if not isinstance(name, str | None):
        raise TypeError(f"Expected a name as text. Received: {name!r}")
    path = Path(path).expanduser()
    if path.suffix.lower() != ".html":
        raise ValueError(f"Expected a name that ends in .html. Received: {path.name!r}")
    if not pins:
        raise ValueError("Nothing is pinned yet: pin a view first.")
    stem, author = path.stem, writable(name or path.stem)
    content = hand_in_of(pins, author)
    folder = f"{stem}_pictures"
    text, pictures = _markdown(pins, author, folder)
    names = [path.name, f"{stem}.md", f"{stem}{ENDING}", *(f"{folder}/{file}" for file in pictures)]
    earlier = _pictures_of(path.parent / names[1], folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    there = (path.parent / folder).is_dir()
    try:
        with atomic_files(path.parent, *names) as place:
            (place / path.name).write_text(as_page(author, _body(pins)), "utf-8")
            (place / names[1]).write_text(text, "utf-8")
            (place / names[2]).write_text(json.dumps(content, indent=1), "utf-8")
            (place / folder).mkdir()
            for file, data in pictures.items():
                (place / folder / file).write_bytes(data)
            (path.parent / folder).mkdir(exist_ok=True)
    except BaseException:
        if not there and (path.parent / folder).is_dir():
            shutil.rmtree(path.parent / folder)
        raise
    for old in earlier - set(pictures):
        (path.parent / folder / old).unlink(missing_ok=True)
    return path


def _markdown(pins: Sequence[Pin], author: str, folder: str) -> tuple[str, dict[str, bytes]]:
    """Return pinned views as Markdown, and the pictures in it by their names in the folder."""
    lines, pictures = [f"# {_plain_line(author)}", ""], {}
    for number, each in enumerate(pins, 1):
        lines += [f"## {number}. {_plain_line(each.title)}", "", _plain(each.note), ""]
        lines += [f"- {name}: {_plain_line(str(value))}" for name, value in each.answers.items()]
        lines += ["", _plain_line(each.definition)]
        for part, (alt, data) in enumerate(_pictures(each.html), 1):
            file = f"{number}-{part}.png"
            pictures[file] = data
            lines += ["", f"![{_plain_line(alt)}]({quote(f'{folder}/{file}')})"]
        lines.append("")
    return "\n".join(lines), pictures


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
        card = f'<p class="cnnw-caption">{escape(each.definition)}</p>'
        parts.append(f'<div class="cnnw-pin">{title}{note}{table}{card}{each.html}</div>')
    return "".join(parts)


_IMAGE = re.compile(r'alt="([^"]*)" src="data:image/(\w+);base64,([^"]+)"')


def _pictures(html: str) -> list[tuple[str, bytes]]:
    """Return the pictures in a page, as their words and the bytes of a PNG file."""
    found = [
        (unescape(alt), kind, base64.b64decode(data)) for alt, kind, data in _IMAGE.findall(html)
    ]
    return [(alt, data if kind == "png" else as_png(data)) for alt, kind, data in found]


#: Signs of Markdown anywhere, and those that are some where a line begins: lists, rules.
_SIGNS = re.compile(r"([\\`*_\[\]<>#|~=&$!])")
_FIRST_SIGNS = re.compile(r"^(\d*)([-+.)])")


def _plain(text: str) -> str:
    """Return text, in its lines, in which Markdown and HTML see no signs of their own."""
    lines = ("".join(c if c.isprintable() else " " for c in line) for line in text.splitlines())
    return "\n".join(
        _FIRST_SIGNS.sub(r"\1\\\2", _SIGNS.sub(r"\\\1", each.strip())) for each in lines
    )


def _plain_line(text: str) -> str:
    return _plain(" ".join(text.split()))

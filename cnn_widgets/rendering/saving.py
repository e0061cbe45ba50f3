"""Where files go that are saved on the page: into the working folder, or to the browser."""

from __future__ import annotations

import base64
import io
import re
import tempfile
import zipfile
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import NamedTuple


class Download(NamedTuple):
    """A file that the browser offers to save."""

    name: str
    data: bytes

    def html(self) -> str:
        """Return the link to press."""
        name, size = escape(self.name), f"{max(1, round(len(self.data) / 1000)):,} kB"
        data = base64.b64encode(self.data).decode()
        link = f'<a download="{name}" href="data:application/octet-stream;base64,{data}">{name}</a>'
        return f"Ready: {link} ({size}). A click saves it on your computer."


def file_stem(name: str, otherwise: str) -> str:
    """Return what somebody typed as the name of a file, without its ending and without a folder.

    >>> file_stem("Ada/Bob", "hand-in"), file_stem(" ?", "hand-in")
    ('Ada-Bob', 'hand-in')
    """
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or otherwise


def save(write: Callable[[Path], Path], said: str, download: bool) -> str | Download:
    """Write files, and return what to tell.

    Parameters
    ----------
    write : callable
        Called with a folder; writes into it, and returns the path of what it wrote.
    said : str
        The word before the path, such as "Saved".
    download : bool
        False: the files go into the working folder. True: to the browser, for somebody who does not
        see this computer's folders; several files as one zip.
    """
    if not download:
        return f"{said}: {write(Path.cwd())}"
    with tempfile.TemporaryDirectory() as folder:
        main = write(Path(folder))
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        if len(files) == 1:
            return Download(files[0].name, files[0].read_bytes())
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                archive.write(path, path.relative_to(folder))
        return Download(f"{main.stem}.zip", packed.getvalue())

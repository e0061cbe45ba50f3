"""Rewrites the directories (lists of tags) of a TIFF, so that Pillow decodes chosen pixels only."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_UINT32, _BYTES = 4, 7  # types of a TIFF's values


def with_directories(data: bytes, pages: Sequence[dict[int, list[int] | bytes]]) -> bytes:
    """Return a TIFF with new pages in place of its own; a page maps tag numbers to their values."""
    order = "<" if data[:2] == b"II" else ">"
    start = len(data) + len(data) % 2
    written = bytearray()
    for number, tags in enumerate(pages):
        entries, values = b"", b""
        here = start + len(written)
        after = here + 2 + 12 * len(tags) + 4
        for tag, content in sorted(tags.items()):
            kind = _BYTES if isinstance(content, bytes) else _UINT32
            packed = (
                bytes(content)
                if kind == _BYTES
                else struct.pack(f"{order}{len(content)}I", *content)
            )
            place = packed.ljust(4, b"\0")
            if len(packed) > 4:
                place = struct.pack(f"{order}I", after + len(values))
                values += packed + bytes(len(packed) % 2)
            entries += struct.pack(f"{order}HHI", tag, kind, len(content)) + place
        following = after + len(values) if number + 1 < len(pages) else 0
        written += struct.pack(f"{order}H", len(tags)) + entries
        written += struct.pack(f"{order}I", following) + values
    head = data[:2] + struct.pack(f"{order}HI", 42, start)
    return b"".join((head, data[8:], b"\0" * (start - len(data)), written))

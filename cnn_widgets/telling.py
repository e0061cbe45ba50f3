"""What is told of long work: progress while it runs, and numbers of things in words.

>>> counted(1, "photograph"), counted(1200, "layer"), counted(2, "class", "classes")
('1 photograph', '1,200 layers', '2 classes')
"""

from __future__ import annotations


def counted(count: int, one: str, more: str | None = None) -> str:
    """Return a number of things in words; `more` is their plural where it is not `one` and an s."""
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"

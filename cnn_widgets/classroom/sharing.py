"""A state of an explorer as a short string that can be sent around, and back."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from typing import Any

#: What a share string begins with: the version of its form.
_HEAD = "cnnw1:"
#: Longest share string that is read, and longest text that it may unpack to.
_LONGEST = 100_000


def link_of(choices: Mapping[str, Any]) -> str:
    """Return choices, as `State.to_dict` gives them, as a share string of letters and digits.

    A ValueError if it would be longer than can be read again.

    >>> link_of({"image": "cat"})[:6]
    'cnnw1:'
    """
    text = json.dumps(dict(choices), separators=(",", ":"), sort_keys=True)
    packed = zlib.compress(text.encode(), 9)
    found = _HEAD + base64.urlsafe_b64encode(packed).decode("ascii").rstrip("=")
    if max(len(found), len(text)) > _LONGEST:
        raise ValueError("This view is too long for a share string: the painted region, perhaps.")
    return found


def state_of(link: str) -> dict[str, Any]:
    """Return the choices in a share string; a ValueError says why it cannot be read.

    White space in it, as mail programs add it, is left out.
    """
    text = "".join(str(link).split())
    if not text.startswith(_HEAD):
        raise ValueError(
            f"Expected a share string that begins with {_HEAD!r}. Received: {link!r}"[:200]
        )
    if len(text) > _LONGEST:
        raise ValueError(f"The share string is longer than {_LONGEST:,} characters.")
    try:
        body = text.removeprefix(_HEAD)
        packed = base64.b64decode(body + "=" * (-len(body) % 4), b"-_", validate=True)
        unpacker = zlib.decompressobj()
        plain = unpacker.decompress(packed, _LONGEST)
        if unpacker.unconsumed_tail or not unpacker.eof:
            raise ValueError("it is cut off, or too long")
        found = json.loads(plain)
    except (ValueError, RecursionError, binascii.Error, zlib.error) as error:
        raise ValueError(
            f"The share string is damaged: part of it may be missing ({error})."
        ) from None
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise ValueError("The share string holds no state of an explorer.")
    return found

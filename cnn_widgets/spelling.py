r"""How names are spelled: the one form they are kept in, and what is left when they are compared.

>>> plain("Egyptian_Cat") == plain("egyptian  cat"), composed("a\u0308") == "\xe4"
(True, True)
"""

from __future__ import annotations

import re
import unicodedata

#: Between words; a hyphen that a name begins with is the sign of a number.
_BETWEEN = re.compile(r"_|(?!^)-")


def composed(text: str) -> str:
    """Return a text with each letter and its accents as one character where there is one (NFC).

    Macs write the names of files and folders with the accents apart (NFD); on the screen both are
    the same.
    """
    return unicodedata.normalize("NFC", text)


def plain(name: str) -> str:
    """Return what is left of a name where its spelling is not to matter.

    No capitals, and one space for any spaces, hyphens and underscores between words.
    """
    return composed(" ".join(_BETWEEN.sub(" ", name.strip().casefold()).split()))

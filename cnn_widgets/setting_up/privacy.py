"""Takes out of an error message what is nobody else's business: names, folders, settings."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import sys
import tempfile
from collections.abc import Iterator

#: Shorter values of environment variables ("1", "C.UTF") are parts of ordinary words.
_SHORTEST = 6
#: Words of error messages that are settings of some machines too, KERAS_BACKEND above all.
_ORDINARY = {"tensorflow", "keras", "numpy", "ipywidgets", "anywidget", "jupyterlab", "matplotlib",
             "python", "python3", "windows", "darwin"}  # fmt: skip
#: A path in quotation marks, as Python's own messages have it: it may hold spaces.
_QUOTED = re.compile(r"""(?<=['"])(?:[A-Za-z]:|~)?[\\/][^'"\n]*[\\/]""")
#: Any other path: a drive, a share, a tilde or a slash, then folders, up to the last name.
_PATH = re.compile(r"""(?:[A-Za-z]:|~|(?<![\w.)]))[\\/][^\s'"<>|*?]*[\\/]""")
_LONGEST = 300


def scrubbed(given: object) -> str:
    """Return a text of others, an error message for instance, without personal data, in one line.

    Taken out are the home folder and other folders of this machine, the user's name and the values
    of environment variables. Of a path its last name is left.

    >>> scrubbed("No such file: '/data/class 7/Ada/photo.jpg' [line 3]")
    "No such file: '(folder)photo.jpg' [line 3]"
    """
    text = str(given)
    for known in sorted(set(_known_texts()), key=len, reverse=True):
        for spelt in (known.replace("\\", "\\\\"), known, known.replace("\\", "/")):
            text = re.sub(rf"(?<!\w){re.escape(spelt)}(?!\w)[\\/]*", "(private)/", text, flags=re.I)
    text = _PATH.sub("(folder)", _QUOTED.sub("(folder)", text))
    text = " ".join(text.replace("(private)/", "(private)").split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _known_texts() -> Iterator[str]:
    """Yield what is known to be personal: folders, the user's name, environment variables."""
    places = [sys.prefix, os.path.expanduser("~")]
    for place in (tempfile.gettempdir, os.getcwd):
        with contextlib.suppress(FileNotFoundError):  # there is none: nothing to hide
            places.append(place())
    for each in places:
        yield from (spelt for spelt in (each, os.path.realpath(each)) if len(spelt) > 1)
    with contextlib.suppress(OSError, KeyError, ImportError):  # a user without a name
        yield getpass.getuser()
    for value in os.environ.values():
        for part in {value, *value.split(os.pathsep)}:
            if len(part) >= _SHORTEST and part.lower() not in _ORDINARY:
                yield part

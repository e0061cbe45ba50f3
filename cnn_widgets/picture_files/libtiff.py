"""What libtiff says about a damaged file goes to the log instead of to standard error.

libtiff, which decodes TIFFs for Pillow, writes each warning and each error into the notebook or
the terminal. It calls a function for that, which can be set for the whole process: the one here
hands the words to `logging`, where they are told at the level INFO. The error that matters is
raised by Pillow.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import logging
from functools import cache
from typing import Any

from cnn_widgets.picture_files.damage import one_line

log = logging.getLogger(__name__)

_LONGEST = 400  # characters of a message
# module, a format of C's printf, and its arguments, which on every platform arrive as one pointer
_Handler = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)


@cache  # which also keeps the function, of which libtiff knows only the address
def send_to_log() -> Any | None:
    """Let libtiff's messages go to the log; return the function it calls, or None if it cannot.

    It cannot where Pillow was built with libtiff inside, on Windows: then nothing changes.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        # looked up in Pillow's own module, so it is the libtiff that Pillow uses, and no other
        library, c = (
            ctypes.CDLL(importlib.import_module("PIL._imaging").__file__),
            ctypes.CDLL(None),
        )
        setters = [library.TIFFSetErrorHandler, library.TIFFSetWarningHandler]
        write = c.vsnprintf
        write.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p)

        def tell(module: bytes | None, words: bytes | None, values: int | None) -> None:
            told = ctypes.create_string_buffer(_LONGEST)
            write(told, _LONGEST, words, values)
            log.info("libtiff: %s", one_line(told.value.decode("utf-8", "replace")))

        handler = _Handler(tell)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(handler))  # also while Python shuts down
        for setter in setters:
            setter.argtypes, setter.restype = (_Handler,), ctypes.c_void_p
            setter(handler)
        return handler
    return None

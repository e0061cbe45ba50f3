"""Picture files as they come from anywhere: what they really hold, and what is wrong with them.

Whoever sends a file may have made it to take all memory. So the size of what would be decoded is
found out before (`refuse_decompression_bombs`, `refuse_hidden_pixels`), damage becomes one clear
error (`damage_as_value_error`), and what libtiff says about it goes to the log (`send_to_log`).

>>> with damage_as_value_error("cat.png"):
...     raise KeyError("no header")
Traceback (most recent call last):
ValueError: cat.png is damaged and cannot be decoded: 'no header'
"""

from cnn_widgets.picture_files.avif import refuse_hidden_pixels
from cnn_widgets.picture_files.damage import damage_as_value_error
from cnn_widgets.picture_files.libtiff import send_to_log
from cnn_widgets.picture_files.limits import refuse_decompression_bombs

__all__ = [
    "damage_as_value_error",
    "refuse_decompression_bombs",
    "refuse_hidden_pixels",
    "send_to_log",
]

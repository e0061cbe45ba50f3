"""A picture from anywhere, as an `ImageSample`.

In comes a path, an http(s) address, bytes, an array, a PIL image or an upload; out goes an
`ImageSample`: upright pixels (H, W, 3) in RGB, uint8, and beside them all channels of a picture
that has others. What is damaged, too large, or no picture is refused with one `ValueError` that
says what came. The bundled photographs, the resizing between photograph and network input, and
what is computed on all channels of a picture (`with_pixels`, `uniform_like`) live here too.

>>> load_image(np.zeros((2, 3), np.uint8)).size
(2, 3)
"""

from cnn_widgets.images.bands import uniform_like, with_pixels
from cnn_widgets.images.loading import load_image
from cnn_widgets.images.resizing import (
    lay_on_photo,
    place_on_photo,
    resize_to_input,
    visible_window,
)
from cnn_widgets.images.sample_gallery import gallery

__all__ = [
    "gallery",
    "lay_on_photo",
    "load_image",
    "place_on_photo",
    "resize_to_input",
    "uniform_like",
    "visible_window",
    "with_pixels",
]

"""A picture from anywhere, as an `ImageSample`.

In comes a path, an http(s) address, bytes, an array, a PIL image or an upload; out goes an
`ImageSample`: upright pixels (H, W, 3) in RGB, uint8. What is damaged, too large, or no picture is
refused with one `ValueError` that says what came. The bundled photographs and the resizing between
photograph and network input live here too.

>>> load_image(np.zeros((2, 3), np.uint8)).size
(2, 3)
"""

from cnn_widgets.images.loading import load_image
from cnn_widgets.images.resizing import place_on_photo, resize_to_input, visible_window
from cnn_widgets.images.sample_gallery import gallery

__all__ = ["gallery", "load_image", "place_on_photo", "resize_to_input", "visible_window"]

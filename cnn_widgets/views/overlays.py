"""Heat-maps as colours over photographs, in the colours that were chosen."""

from __future__ import annotations

from cnn_widgets.drawing.color import colorize, diverging_colormap, resize
from cnn_widgets.images.resizing import cached_thumbnail
from cnn_widgets.records import Floats, ImageSample, Pixels
from cnn_widgets.scenes.scene import Scene

#: Longer side of a small photograph, in pixels.
SMALL = 224


def over_photograph(
    scene: Scene, sample: ImageSample, heat: Floats, signed: bool, side: int = SMALL
) -> tuple[Pixels, Pixels]:
    """Return a photograph with a longer side of `side` pixels, and a map as colours of its size.

    Parameters
    ----------
    scene : Scene
        Its `colormap` is used.
    sample : ImageSample
    heat : ndarray, shape (h, w)
        In [0, 1], or [-1, 1] if `signed`.
    signed : bool
    side : int
    """
    photo = cached_thumbnail(sample, side)
    return photo, colors_over(photo, scene, heat, signed)


def colors_over(photo: Pixels, scene: Scene, heat: Floats, signed: bool) -> Pixels:
    """Return a map (h, w) as colours (H, W, 3), in the size of the photograph under it."""
    values = resize(heat, (photo.shape[0], photo.shape[1]))
    name = diverging_colormap(scene.colormap) if signed else scene.colormap
    return colorize(values, name, signed)

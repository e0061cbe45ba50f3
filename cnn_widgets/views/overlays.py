"""Heat-maps as colours over photographs, in the colours that were chosen."""

from __future__ import annotations

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.drawing.color import blend, colorize, diverging_colormap, resize
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
    """Return a map (h, w) as colours (H, W, 3), in the size of the photograph under it.

    A map without evidence leaves the photograph as it is: the colour of zero alone would darken
    it, and look like a picture that failed.
    """
    if not heat.any():
        return photo
    values = resize(heat, (photo.shape[0], photo.shape[1]))
    name = diverging_colormap(scene.colormap) if signed else scene.colormap
    return colorize(values, name, signed)


def blended(scene: Scene, shown: Attribution, side: int) -> Pixels:
    """Return evidence and its photograph as one picture with a longer side of `side` pixels."""
    photo, colors = over_photograph(scene, scene.sample, shown.heatmap, shown.signed, side)
    return blend(photo, colors, scene.alpha)


def legend(scene: Scene, shown: Attribution) -> tuple[str, str, str, str] | None:
    """Return what the colours of evidence mean, see `View.legend`; None where it has none."""
    if not shown.heatmap.any():
        return None
    colors = diverging_colormap(scene.colormap) if shown.signed else scene.colormap
    low, high = ("against", "for") if shown.signed else ("little", "much")
    return colors, low, METHODS[shown.method].reads, high

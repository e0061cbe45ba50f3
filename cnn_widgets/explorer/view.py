"""What a panel shows, bound to no medium: `render` makes HTML of it, `figure` draws it on axes."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cnn_widgets.drawing.color import blend
from cnn_widgets.records import Pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class View:
    """What a panel shows.

    Attributes
    ----------
    alt : str
        The picture in words.
    caption : str
        A line under it, plain text.
    picture : ndarray of uint8, shape (H, W, 3), optional
    under : ndarray of uint8, shape (H, W, 3), optional
        A photograph that the picture lies over with the opacity `alpha`. On the page both are
        layers, and moving the opacity draws nothing anew; `flat` blends them.
    alpha : float, optional
        The opacity of what lies over photographs, in [0, 1]; None where nothing does.
    chart : callable, optional
        Draws on Matplotlib axes, instead of a picture.
    key : hashable, optional
        What the chart's picture depends on, apart from its marker: it is drawn once for each key.
    marker : float, optional
        A place to mark in the chart, in shares of the width of its axes.
    exact : bool
        Whether the picture is a small map whose pixels must stay as they are.
    bar : (colour map, low, high), optional
        A colour bar beside the picture.
    legend : (colour map, word for low, what it means, word for high), optional
        What the picture's colours mean.
    frame : (left, top, width, height), optional
        A rectangle to mark in a picture, in shares of its size.
    aspect : float, optional
        Width by height of the picture, where another view must lie exactly over it.
    rows : tuple of (name, probability, score, marked)
        Lines of a bar list, instead of a picture.
    terms : tuple of (term, text)
        Lines of a card, instead of a picture.
    pairs : tuple of (title, original, colours, alt)
        A row of picture pairs, instead of one picture: a photograph, and the same under colours
        with the opacity `alpha`.
    strip : tuple of (title, picture, alt)
        A film-strip, instead of one picture; a title may have two lines.
    table : tuple of rows of text
        A table, the first row its head, instead of a picture.
    parts : tuple of View
        Several views side by side, instead of a picture.
    inches : (width, height)
        Size of the chart.
    """

    alt: str
    caption: str = ""
    picture: Pixels | None = field(default=None, repr=False)
    under: Pixels | None = field(default=None, repr=False)
    alpha: float | None = None
    chart: Callable[[Axes], None] | None = None
    key: Hashable = None
    marker: float | None = None
    exact: bool = False
    bar: tuple[str, float, float] | None = None
    legend: tuple[str, str, str, str] | None = None
    frame: tuple[float, float, float, float] | None = None
    aspect: float | None = None
    rows: tuple[tuple[str, float, float, bool], ...] = ()
    terms: tuple[tuple[str, str], ...] = ()
    pairs: tuple[tuple[str, Pixels, Pixels, str], ...] = field(default=(), repr=False)
    strip: tuple[tuple[str, Pixels, str], ...] = field(default=(), repr=False)
    table: tuple[tuple[str, ...], ...] = ()
    parts: tuple[View, ...] = ()
    inches: tuple[float, float] = (3.6, 2.2)

    def flat(self) -> View:
        """Return the view with what lies over photographs blended into them."""
        alpha, picture = self.alpha, self.picture
        if alpha is None:
            return self
        if picture is not None and self.under is not None:
            picture = blend(self.under, picture, alpha)
        pairs = tuple(
            (title, photo, blend(photo, colors, alpha), alt)
            for title, photo, colors, alt in self.pairs
        )
        return replace(self, picture=picture, under=None, alpha=None, pairs=pairs)

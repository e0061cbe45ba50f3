"""What a panel shows: `html` turns it into HTML, `figure` draws it on Matplotlib axes."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from cnn_widgets.drawing.color import blend
from cnn_widgets.records import Pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Mark(NamedTuple):
    """A rectangle in a picture, as shares of its width and height, each in [0, 1].

    `kind` is "chosen" (a tile), "region", "first" or "second" (the two pins), "line" (a place in a
    chart), "label" (only `text`, at the lower edge) or "painted": then `painted` is the radius of a
    brush and the picture's width by its height, then the strokes; a radius and the places (x, y) of
    a stroke are shares of the picture's width, or of its width and height.
    """

    left: float
    top: float
    width: float
    height: float
    kind: str = "chosen"
    text: str = ""
    painted: tuple[float, float, tuple[tuple[tuple[float, float], ...], ...]] | None = None


class Matrix(NamedTuple):
    """A table of counts whose cells can be chosen: labels (rows) and the answers they got.

    Each of `rows` is (label, share recognised as text, photographs, counts by answer); `chosen` is
    the (row, column) that is marked, each -1 for none.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, str, int, tuple[int, ...]], ...]
    chosen: tuple[int, int] = (-1, -1)


#: A photograph and its heat-maps, see `View.pairs`.
Pair = tuple[str, Pixels, tuple[tuple[Pixels, str], ...]]


@dataclass(frozen=True)
class View:
    """What a panel shows.

    Attributes
    ----------
    alt : str
        The text alternative: the picture in words.
    caption : str
        A line under it, plain text.
    picture : ndarray of uint8, shape (H, W, 3), optional
    under : ndarray of uint8, shape (H, W, 3), optional
        A photograph over which the picture is shown with the opacity `alpha`. On the page they
        are two layers, so a new opacity redraws nothing; `flat` blends them into one picture.
    alpha : float, optional
        The opacity of the heat-maps over photographs, in [0, 1]; None if there are none.
    chart : callable, optional
        Draws on Matplotlib axes, instead of a picture.
    key : hashable, optional
        All that the chart depends on; a chart drawn for a key is used again.
    exact : bool
        Whether the picture is a small map that is sent without loss and enlarged unsmoothed.
    bar : (colour map, low, high), optional
        A colour bar beside the picture, with the values at its two ends.
    legend : (colour map, word for low, what it means, word for high), optional
        What the picture's colours mean.
    marks : tuple of Mark
        What to mark in the picture of this or of another panel, instead of a picture.
    covers : bool
        Whether the view consists of its `marks` and is shown over another panel's picture.
    rows : tuple of (name, probability, score, marked)
        Rows of a list with bars, instead of a picture; `marked` is the class explained.
    terms : tuple of (term, text)
        Entries of a definition list, instead of a picture.
    pairs : tuple of (title, original, heat-maps)
        Photographs instead of one picture, each beside itself under heat-maps with the opacity
        `alpha`: a tuple of (colours, alt). All pictures are uint8 of shape (H, W, 3).
    strip : tuple of (title, picture, alt)
        A row of small pictures, instead of one; a title may have two lines.
    table : tuple of rows of text
        A table, instead of a picture; the first row is its header.
    matrix : Matrix, optional
        A table of counts, instead of a picture.
    parts : tuple of View
        Several views side by side, each under its own caption, instead of a picture.
    inches : (width, height)
        Size of the chart in inches.
    details : str
        More words, shown while the pointer rests on the caption; by default the caption itself.
    """

    alt: str
    caption: str = ""
    picture: Pixels | None = field(default=None, repr=False)
    under: Pixels | None = field(default=None, repr=False)
    alpha: float | None = None
    chart: Callable[[Axes], None] | None = None
    key: Hashable = None
    exact: bool = False
    bar: tuple[str, float, float] | None = None
    legend: tuple[str, str, str, str] | None = None
    marks: tuple[Mark, ...] = ()
    covers: bool = False
    rows: tuple[tuple[str, float, float, bool], ...] = ()
    terms: tuple[tuple[str, str], ...] = ()
    pairs: tuple[Pair, ...] = field(default=(), repr=False)
    strip: tuple[tuple[str, Pixels, str], ...] = field(default=(), repr=False)
    table: tuple[tuple[str, ...], ...] = ()
    matrix: Matrix | None = None
    parts: tuple[View, ...] = ()
    inches: tuple[float, float] = (3.6, 2.2)
    details: str = ""

    def flat(self) -> View:
        """Return the view with the heat-maps blended into the photographs under them."""
        alpha, picture = self.alpha, self.picture
        parts = tuple(part.flat() for part in self.parts)
        if alpha is None:
            return replace(self, parts=parts)
        if self.under is not None:
            picture = self.under if picture is None else blend(self.under, picture, alpha)
        pairs = tuple(
            (title, photo, tuple((blend(photo, colors, alpha), alt) for colors, alt in maps))
            for title, photo, maps in self.pairs
        )
        return replace(self, picture=picture, under=None, alpha=None, pairs=pairs, parts=parts)

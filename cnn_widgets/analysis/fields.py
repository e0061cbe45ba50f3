"""Where the cells of a map lie on the model's input, and on the photograph; NumPy only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import ceil, floor, inf, isclose
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.drawing.color import resize

Floats = NDArray[np.float32]
#: Where mirror padding reflects, at the low and at the high end of a side; None where it does not.
Mirrors = tuple[float | None, float | None]


def folded(low: float, high: float, mirrors: Mirrors) -> tuple[float, float]:
    """Return the edges of a stretch, and of what of it is seen in mirrors.

    Mirrors that stand before one another reflect each other without end.
    """
    first, last = mirrors
    if first is not None and last is not None and first > last:
        return -inf, inf
    return (
        low if last is None else min(low, 2 * last - high),
        high if first is None else max(high, 2 * first - low),
    )


class Box(NamedTuple):
    """A rectangle in pixels, from the top left edge to the bottom right edge."""

    top: float
    left: float
    bottom: float
    right: float

    def cut(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Return the pixels of a picture (H, W, …) that are in the box, also in part; at least one.

        What lies beside the picture is cut off.
        """
        height, width = pixels.shape[:2]
        top, left = (
            min(max(floor(low), 0), side - 1)
            for low, side in ((self.top, height), (self.left, width))
        )
        bottom, right = max(ceil(self.bottom), top + 1), max(ceil(self.right), left + 1)
        return pixels[top:bottom, left:right].copy()


@dataclass(frozen=True)
class AxisField:
    """Where the cells of a map lie along one side of the model's input, in input pixels.

    Attributes
    ----------
    cells : int
        The number of cells along this side.
    step : float
        The distance between neighbouring cells; negative where the input was flipped.
    low, high : float
        The edges of the receptive field of cell 0. They may lie outside the input (padding).
    window : (float, float)
        The part of the input that reaches the map at all.
    whole : bool
        Whether every cell also depends on the whole window, through a global operation.
    mirrors : Mirrors
        Where mirror padding reflects: a receptive field that lies over such a place goes back.
    """

    cells: int
    step: float
    low: float
    high: float
    window: tuple[float, float]
    whole: bool = False
    mirrors: Mirrors = (None, None)

    @property
    def size(self) -> float:
        """The length of a receptive field, before it is cut off at the edge of the window."""
        return self.high - self.low

    @property
    def center(self) -> float:
        """The centre of cell 0's receptive field."""
        return (self.low + self.high) / 2

    def reach(self, cell: int) -> tuple[float, float]:
        """Return the edges of one cell's receptive field, cut off at the window."""
        if not 0 <= cell < self.cells:
            raise ValueError(f"Expected a cell from 0 to {self.cells - 1}. Received: {cell}")
        if self.whole:
            return self.window
        shift = cell * self.step
        low, high = folded(self.low + shift, self.high + shift, self.mirrors)
        low, high = max(self.window[0], low), min(self.window[1], high)
        return (low, high) if low <= high else (low, low)  # it sees nothing but padding

    def nearest(self, place: float) -> int:
        """Return the cell whose centre is nearest to a position on the input."""
        at = (place - self.center) / self.step if self.step else 0.0
        return int(min(max(round(at), 0), self.cells - 1))

    @property
    def covered(self) -> tuple[float, float]:
        """The edges of what all receptive fields together cover; only there a map says anything."""
        end = (self.cells - 1) * self.step
        low, high = folded(self.low + min(end, 0.0), self.high + max(end, 0.0), self.mirrors)
        return max(self.window[0], low), min(self.window[1], high)

    def fills(self, length: float) -> bool:
        """Whether the cells divide a side of some length into equal parts, seen as a whole."""
        found = (self.step * self.cells, self.center, *self.covered)
        wanted = (length, self.step / 2, 0.0, length)
        pairs = zip(found, wanted, strict=True)
        return all(isclose(a, b, rel_tol=1e-5, abs_tol=1e-8) for a, b in pairs)

    def weights(self, places: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats, Floats]:
        """Return (cell before, cell after, share of each) of input positions.

        Both shares are 0 where no receptive field covers the place.
        """
        at = (places - self.center) / self.step if self.step else np.zeros_like(places)
        at = np.clip(at, 0, self.cells - 1)
        first = np.floor(at).astype(np.intp)
        low, high = self.covered
        inside = ((places >= low) & (places <= high)).astype(np.float32)
        share = (at - first).astype(np.float32)
        after = np.minimum(first + 1, self.cells - 1)
        return first, after, (1 - share) * inside, share * inside


@dataclass(frozen=True)
class MapField:
    """Where the cells of a map (h, w) lie on a model's input of `size` (H, W) pixels.

    Attributes
    ----------
    rows, columns : AxisField
    size : (H, W)
    before, after : int
        For a map of tokens, the number of tokens in front of it (a class token) and behind it.
    tokens : bool
        Whether the layer puts out tokens (N, tokens, K), which stand on this grid.
    """

    rows: AxisField
    columns: AxisField
    size: tuple[int, int]
    before: int = 0
    after: int = 0
    tokens: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """The number of cells (h, w)."""
        return self.rows.cells, self.columns.cells

    def box(self, row: int, column: int) -> Box:
        """Return the receptive field of one cell, in input pixels.

        Raises
        ------
        ValueError
            If the map has no such cell.
        """
        top, bottom = self.rows.reach(row)
        left, right = self.columns.reach(column)
        return Box(top, left, bottom, right)

    def lay(
        self,
        raw: NDArray[Any],
        image_size: tuple[int, int] | None = None,
        window: tuple[int, int, int, int] | None = None,
    ) -> Floats:
        """Return a map (h, w) laid over the photograph, bilinearly, as float32 (H, W).

        Each value stands at the centre of its cell's receptive field. Beyond the outermost centres
        the nearest value is kept; where no receptive field reaches, the result is 0.

        Parameters
        ----------
        raw : ndarray, shape (h, w)
        image_size : (H, W), optional
            The size of the result; by default that of the model's input.
        window : (top, left, height, width), optional
            The window of the photograph that became the input, in its pixels, see
            `images.resizing.visible_window`. By default the whole photograph.
        """
        size = self.size if image_size is None else image_size
        top, left, height, width = (0, 0, *size) if window is None else window
        fills = self.rows.fills(self.size[0]) and self.columns.fills(self.size[1])
        if fills and (top, left, height, width) == (0, 0, *size):
            return resize(raw, size)
        down = _places(size[0], top, height, self.size[0])
        across = _places(size[1], left, width, self.size[1])
        # columns first: after them whole rows are copied, which is the fastest for many pixels
        values = np.asarray(raw, np.float32)
        first, after, near, far = self.columns.weights(across)
        values = values[:, first] * near + values[:, after] * far
        first, after, near, far = self.rows.weights(down)
        found = values[first]
        found *= near[:, None]
        found += values[after] * far[:, None]
        return np.asarray(found, np.float32)

    def as_json(self) -> dict[str, Any]:
        """Return the field as JSON values."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        for side in (found["rows"], found["columns"]):
            if side["mirrors"] == [None, None]:
                del side["mirrors"]  # so that older versions, which know none, can read the rest
        return found


def field_from_json(stored: Mapping[str, Any]) -> MapField:
    """Return the field that `MapField.as_json` described."""
    rows, columns = (
        AxisField(**{**side, "window": tuple(side["window"]), "mirrors": tuple(mirrors)})
        for side in (stored["rows"], stored["columns"])
        for mirrors in [side.get("mirrors", (None, None))]
    )
    size = int(stored["size"][0]), int(stored["size"][1])
    return MapField(rows, columns, size, stored["before"], stored["after"], stored["tokens"])


def whole_input(shape: tuple[int, int], size: tuple[int, int]) -> MapField:
    """Return the field of a map (h, w) whose cells divide the whole input (H, W) evenly."""
    rows, columns = (
        AxisField(cells, side / cells, 0.0, side / cells, (0.0, float(side)))
        for cells, side in zip(shape, size, strict=True)
    )
    return MapField(rows, columns, size)


def _places(pixels: int, start: int, length: int, side: int) -> Floats:
    """Return where the centres of a photograph's pixels lie on a side of the input."""
    return (np.arange(pixels, dtype=np.float64) + 0.5 - start) * side / length  # type: ignore[return-value]

"""Where the entries of a tensor lie on the model's input: an algebra of axes, without TensorFlow.

An axis of a tensor is a product of *atoms*, in row-major order. An atom counts images, rows of the
input, columns of it, copies of the same values, or anything else. Reshaping and transposing only
regroup atoms, so that positions are kept through flattening into tokens, through patches folded
into the batch axis, and back again.

The entry at index i of a row atom lies `i * step` input pixels below the entry at index 0. The
entry at index 0 of all row atoms covers the rows from `Span.low` to `Span.high`: its receptive
field (Araujo et al. 2019, "Computing Receptive Fields of Convolutional Neural Networks", Distill).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cnn_widgets.analysis.fields import Mirrors, folded

Kind = Literal["batch", "row", "column", "tokens", "copy", "other"]


@dataclass(frozen=True)
class Atom:
    """One factor of an axis.

    Attributes
    ----------
    kind : {"batch", "row", "column", "tokens", "copy", "other"}
        What it counts. A "copy" atom repeats equal values. "tokens" stand on a grid, with others
        among them that stand nowhere, such as a class token.
    size : int or None
        The number of entries; None only for a batch of any size.
    step : float
        For rows and columns, the distance between neighbouring entries in input pixels; negative
        where they count from the far end, after a flip.
    grid : tuple of Atom
        For tokens, the rows and columns that they stand on.
    before : int
        For tokens, the number of those in front of the grid that stand nowhere.
    """

    kind: Kind
    size: int | None
    step: float = 0.0
    grid: tuple[Atom, ...] = ()
    before: int = 0

    @property
    def placed(self) -> bool:
        """Whether it counts rows or columns of the input."""
        return self.kind in ("row", "column", "tokens")

    @property
    def after(self) -> int:
        """For tokens, the number of those behind the grid that stand nowhere."""
        return (self.size or 0) - self.before - math.prod(atom.size or 0 for atom in self.grid)


@dataclass(frozen=True)
class Axis:
    """One axis of a tensor: the product of its atoms, in row-major order."""

    atoms: tuple[Atom, ...] = ()

    @property
    def size(self) -> int | None:
        """The number of entries, or None if a batch of any size is among them."""
        sizes = [atom.size for atom in self.atoms]
        return None if None in sizes else math.prod(size or 0 for size in sizes)

    @property
    def placed(self) -> bool:
        """Whether rows or columns of the input are among its atoms."""
        return any(atom.placed for atom in self.atoms)

    @property
    def only(self) -> Atom | None:
        """The single row or column atom that is the whole axis, or None."""
        one = len(self.atoms) == 1 and self.atoms[0].kind in ("row", "column")
        return self.atoms[0] if one else None

    @property
    def tokens(self) -> Atom | None:
        """The tokens that are the whole axis, as one atom, or None."""
        kinds = [atom.kind for atom in self.atoms]
        if kinds == ["tokens"]:
            return self.atoms[0]
        return Atom("tokens", self.size, 0.0, self.atoms) if kinds == ["row", "column"] else None

    def counting(self, kind: Kind) -> list[Atom]:
        """Return the atoms that count rows (columns), those of tokens among them."""
        flat = [each for atom in self.atoms for each in (atom.grid or (atom,))]
        return [atom for atom in flat if atom.kind == kind]


@dataclass(frozen=True)
class Span:
    """The receptive field of the entry at index 0, along one side of the input, in pixels.

    Attributes
    ----------
    low, high : float
        Its first and its last edge; they may lie outside the input, where padding is.
    window : (float, float)
        The part of the input that can reach the tensor at all; cropping makes it smaller.
    whole : bool
        Whether the entry also depends on the whole window, through a global operation.
    mirrors : Mirrors
        Where mirror padding reflects; several at one end count as the one farthest inside.
    """

    low: float
    high: float
    window: tuple[float, float]
    whole: bool = False
    mirrors: Mirrors = (None, None)

    def moved(self, shift: float) -> Span:
        """Return the span moved by pixels."""
        return replace(self, low=self.low + shift, high=self.high + shift)

    def over(self, shifts: Iterable[float]) -> Span:
        """Return the smallest span that covers this one moved by each number of pixels."""
        shifts = list(shifts)
        return replace(self, low=self.low + min(shifts), high=self.high + max(shifts))

    def mirrored(self, *mirrors: Mirrors) -> Span:
        """Return the span with further mirrors."""
        low, high = zip(self.mirrors, *mirrors, strict=True)
        first = max((place for place in low if place is not None), default=None)
        last = min((place for place in high if place is not None), default=None)
        return replace(self, mirrors=(first, last))


@dataclass(frozen=True)
class Positions:
    """Where the entries of one tensor lie.

    Attributes
    ----------
    axes : tuple of Axis
    rows, columns : Span
        The receptive field of the entry at index 0 of all row (column) atoms.
    lost : str
        In words, the first operation after which rows or columns were no longer known; or "".
    """

    axes: tuple[Axis, ...]
    rows: Span
    columns: Span
    lost: str = ""

    def span(self, kind: Kind) -> Span:
        """Return the span of the rows or of the columns."""
        return self.rows if kind == "row" else self.columns

    def with_span(self, kind: Kind, span: Span) -> Positions:
        """Return the same positions with another span of the rows or of the columns."""
        return replace(self, rows=span) if kind == "row" else replace(self, columns=span)

    def with_axis(self, number: int, axis: Axis) -> Positions:
        """Return the same positions with one axis replaced."""
        axes = list(self.axes)
        axes[number] = axis
        return replace(self, axes=tuple(axes))

    def holds(self, kind: Kind) -> bool:
        """Whether some axis counts rows (columns)."""
        return any(axis.counting(kind) for axis in self.axes)

    def seen(self, kind: Kind) -> Positions:
        """Return the positions with the window that all rows (columns) together can see."""
        atoms = [atom for axis in self.axes for atom in axis.counting(kind)]
        span = self.span(kind)
        every = span.over(_reach(atoms))
        first, last = folded(every.low, every.high, span.mirrors)
        window = max(span.window[0], first), min(span.window[1], last)
        return self.with_span(kind, replace(span, window=window))

    def after_removal(self, removed: Iterable[Axis], where: str) -> Positions:
        """Return the positions once some axes were summed over; the axes themselves stay.

        Where other rows are still told apart, as between the patches of a photograph, an entry saw
        the rows that the sum ran over. Where none are, it saw them all.
        """
        gone = list(removed)
        kept = [axis for axis in self.axes if not any(axis is each for each in gone)]
        found = self
        kinds: tuple[Kind, ...] = ("row", "column")
        for kind in kinds:
            summed = [atom for axis in gone for atom in axis.counting(kind)]
            if not summed:
                continue
            span = found.span(kind)
            if any(axis.counting(kind) for axis in kept):
                found = found.with_span(kind, span.over(_reach(summed)))
            else:
                reason = found.lost or f"positions are summed away in {where}"
                found = replace(found.with_span(kind, replace(span, whole=True)), lost=reason)
        return found


def _reach(atoms: Iterable[Atom]) -> tuple[float, float]:
    """Return how far the entries of atoms lie before and behind the entry at index 0."""
    ends = [((atom.size or 1) - 1) * atom.step for atom in atoms]
    return sum(min(end, 0.0) for end in ends), sum(max(end, 0.0) for end in ends)


def unplaced(positions: Positions, sizes: Sequence[int | None], reason: str) -> Positions:
    """Return positions of a tensor of some shape whose rows and columns are not known."""
    axes = tuple(Axis((Atom("batch", None),)) if size is None else plain(size) for size in sizes)
    rows, columns = (replace(span, whole=True) for span in (positions.rows, positions.columns))
    return Positions(axes, rows, columns, positions.lost or reason)


def plain(size: int) -> Axis:
    return Axis() if size == 1 else Axis((Atom("other", size),))


def merged(given: Sequence[Positions], sizes: Sequence[int | None], where: str) -> Positions:
    """Return the positions of the result of an element-wise operation that broadcasts.

    Parameters
    ----------
    given : sequence of Positions
        Of the operands that depend on the input; at least one.
    sizes : sequence of int or None
        The shape of the result.
    where : str
        The operation's name, for `Positions.lost`.
    """
    axes: list[Axis] = []
    for number in range(-len(sizes), 0):
        here = [p.axes[number] for p in given if len(p.axes) >= -number]
        axis = _merged_axis(here, sizes[number])
        if axis is None:
            reason = f"branches with different positions meet in {where}"
            return _merged_spans(unplaced(_first_lost(given), sizes, reason), given)
        axes.append(axis)
    return _merged_spans(replace(_first_lost(given), axes=tuple(axes)), given)


def _first_lost(given: Sequence[Positions]) -> Positions:
    lost = next((p.lost for p in given if p.lost), "")
    return replace(given[0], lost=lost)


def _merged_axis(here: Sequence[Axis], size: int | None) -> Axis | None:
    """Return the axis that results where axes meet; None if their positions contradict."""
    long = [axis for axis in here if axis.size != 1 or axis.placed]
    varied = [axis for axis in long if any(atom.kind != "copy" for atom in axis.atoms)]
    if not varied:
        return long[0] if long else plain(size or 1)
    first = next((axis for axis in varied if axis.size != 1), varied[0])
    others = (axis for axis in varied if axis.size != 1 or first.size == 1)
    return first if all(_agree(axis, first) for axis in others) else None


def _agree(one: Axis, other: Axis) -> bool:
    """Whether two axes of equal size count the same."""
    if not one.placed and not other.placed:
        return True
    if len(one.atoms) != len(other.atoms):
        return False
    return all(
        a.kind == b.kind
        and a.size == b.size
        and math.isclose(a.step, b.step)
        and (a.grid, a.before) == (b.grid, b.before)
        for a, b in zip(one.atoms, other.atoms, strict=True)
    )


def _merged_spans(result: Positions, given: Sequence[Positions]) -> Positions:
    """Return the result with spans that cover those of all operands."""
    kinds: tuple[Kind, ...] = ("row", "column")
    for kind in kinds:
        spans = [p.span(kind) for p in given]
        local = [p.span(kind) for p in given if p.holds(kind)] or spans
        span = Span(
            min(s.low for s in local),
            max(s.high for s in local),
            (min(s.window[0] for s in spans), max(s.window[1] for s in spans)),
            any(s.whole for s in spans) or (len(local) < len(spans) and result.holds(kind)),
        )
        result = result.with_span(kind, span.mirrored(*(s.mirrors for s in spans)))
    return result

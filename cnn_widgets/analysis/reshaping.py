"""Positions after a reshape: the atoms of the old axes are regrouped into the new ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from cnn_widgets.analysis.axes import Atom, Axis, Positions


@dataclass
class _Supply:
    """Atoms in row-major order, of which the axes of a new shape are taken from the left."""

    atoms: list[Atom] = field(default_factory=list)

    def take(self, size: int) -> tuple[Atom, ...] | None:
        """Return atoms of `size` entries in all, splitting the last one; None if impossible."""
        taken: list[Atom] = []
        while size > 1:
            if not self.atoms:
                return None
            atom = self.atoms.pop(0)
            if atom.size is None:
                return None
            if atom.size <= size:
                if size % atom.size:
                    return None
                taken.append(atom)
                size //= atom.size
            else:
                if atom.size % size or atom.kind == "tokens":
                    return None
                rest = atom.size // size
                taken.append(Atom(atom.kind, size, atom.step * rest))
                self.atoms.insert(0, Atom(atom.kind, rest, atom.step))
                size = 1
        return tuple(taken)


def reshaped(positions: Positions, sizes: Sequence[int | None]) -> Positions | None:
    """Return the positions after a reshape to `sizes` (one None: as many as remain).

    Returns None if an axis of the new shape does not consist of whole factors of the old one.
    """
    kept = _around_intact(positions.axes, sizes)
    if kept is not None:
        axes = [axis if axis is not None else Axis() for axis in kept]
        return tidy(replace(positions, axes=tuple(axes)))
    supply = _Supply([a for axis in positions.axes for a in axis.atoms if a.size != 1])
    factor = math.prod(atom.size or 1 for atom in supply.atoms)
    known = math.prod(size for size in sizes if size is not None)
    if known == 0 or factor % known:
        return None
    found: list[Axis] = []
    for size in sizes:
        atoms: list[Atom] = []
        rest = factor // known if size is None else size
        if size is None and supply.atoms and supply.atoms[0].size is not None:
            part = _until_batch(supply, rest)  # the batch axis is not the first factor
            if part is None:
                return None
            atoms, rest = part
        if size is None and supply.atoms and supply.atoms[0].size is None:
            atoms.append(supply.atoms.pop(0))
        taken = supply.take(rest)
        if taken is None:
            return None
        found.append(Axis((*atoms, *taken)))
    if any(atom.size != 1 for atom in supply.atoms):
        return None
    return tidy(replace(positions, axes=tuple(found)))


def _until_batch(supply: _Supply, size: int) -> tuple[list[Atom], int] | None:
    """Return the atoms in front of the batch's, and how many entries remain to be taken after."""
    if all(atom.size is not None for atom in supply.atoms):
        return [], size
    atoms: list[Atom] = []
    while supply.atoms and (number := supply.atoms[0].size) is not None:
        if size % number:
            return None
        atoms.append(supply.atoms.pop(0))
        size //= number
    return atoms, size


def _around_intact(axes: Sequence[Axis], sizes: Sequence[int | None]) -> list[Axis | None] | None:
    """Return the axes for a reshape that only adds or removes axes of one entry; else None."""
    old = [axis for axis in axes if axis.size != 1]
    new = [size for size in sizes if size != 1]
    if len(old) != len(new) or any(axis.size != size for axis, size in zip(old, new, strict=True)):
        return None
    single = [axis for axis in axes if axis.size == 1 and axis.placed]
    waiting = iter(old)
    found: list[Axis | None] = []
    for size in sizes:
        if size != 1:
            found.append(next(waiting))
        elif single and len(axes) == len(sizes):
            found.append(axes[len(found)] if axes[len(found)].size == 1 else None)
        else:
            found.append(None)
    return found


def tidy(positions: Positions) -> Positions:
    """Return equal positions in the simplest form.

    Rows that were split and stand side by side again become one atom. Rows that are each repeated
    (nearest-neighbour up-sampling) become one finer atom with a wider receptive field.
    """
    for number, axis in enumerate(positions.axes):
        atoms = _joined(axis.atoms)
        if [a.kind for a in atoms] in (["row", "copy"], ["column", "copy"]):
            coarse, times = atoms[0], atoms[1].size or 1
            fine = coarse.step / times
            span = positions.span(coarse.kind).over((-(times - 1) * fine, 0.0))
            atoms = (Atom(coarse.kind, (coarse.size or 1) * times, fine),)
            positions = positions.with_span(coarse.kind, span)
        if atoms != axis.atoms:
            positions = positions.with_axis(number, replace(axis, atoms=atoms))
    return positions


def _joined(atoms: Iterable[Atom]) -> tuple[Atom, ...]:
    """Return atoms with neighbours joined that count on where the other ends."""
    found: list[Atom] = []
    for atom in atoms:
        if found and (joined := _pair(found[-1], atom)) is not None:
            found[-1] = joined
        else:
            found.append(atom)
    return tuple(found)


def _pair(one: Atom, two: Atom) -> Atom | None:
    """Return two neighbouring atoms as one, or None if they are not one count."""
    if one.kind != two.kind or one.kind in ("batch", "tokens"):
        return None
    if one.size is None or two.size is None:
        return None
    if one.placed and not math.isclose(one.step, two.step * two.size):
        return None
    return Atom(one.kind, one.size * two.size, two.step)

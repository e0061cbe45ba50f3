"""Rules of operations that take a photograph apart into interleaved images and join them again.

TensorFlow computes dilated convolutions in this way.
"""

from __future__ import annotations

from cnn_widgets.analysis.axes import Atom, Axis, Positions
from cnn_widgets.analysis.cuts import cut, padded
from cnn_widgets.analysis.question import Question
from cnn_widgets.analysis.reshaping import tidy


def space_to_batch(q: Question) -> Positions | None:
    """Every block-th row and column becomes an image of its own (dilated convolutions)."""
    at, block, pads = q.only_data(0), q.numbers(1), q.numbers(2)
    if at is None or block is None or pads is None:
        return None
    front: list[Atom] = []
    for number, size in enumerate(block):
        before, after = pads[2 * number], pads[2 * number + 1]
        found = padded(at, number + 1, before, after) if before or after else at
        atom = None if found is None else found.axes[number + 1].only
        if found is None or atom is None or int(atom.size or 1) % size:
            return None
        coarse = Atom(atom.kind, int(atom.size or 1) // size, atom.step * size)
        at = found.with_axis(number + 1, Axis((coarse,)))
        front.append(Atom(atom.kind, size, atom.step))
    return at.with_axis(0, Axis((*front, *at.axes[0].atoms)))


def batch_to_space(q: Question) -> Positions | None:
    at, block, crops = q.only_data(0), q.numbers(1), q.numbers(2)
    if at is None or block is None or crops is None:
        return None
    atoms = list(at.axes[0].atoms)
    for number, size in enumerate(block):
        if not atoms or atoms[0].size != size:
            return None
        fine, coarse = atoms.pop(0), at.axes[number + 1].only
        if coarse is None or coarse.kind != fine.kind:
            return None
        joined = tidy(at.with_axis(number + 1, Axis((coarse, fine))))
        atom = joined.axes[number + 1].only
        if atom is None:
            return None
        first, last = crops[2 * number], crops[2 * number + 1]
        part = cut(joined, number + 1, first, int(atom.size or 1) - first - last)
        if part is None:
            return None
        at = part
    return at.with_axis(0, Axis(tuple(atoms)))

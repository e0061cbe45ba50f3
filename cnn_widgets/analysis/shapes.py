"""Rules of operations that reshape, transpose, repeat, reduce or multiply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cnn_widgets.analysis.axes import Atom, Axis, Positions, merged
from cnn_widgets.analysis.question import Question
from cnn_widgets.analysis.reshaping import reshaped


def reshape(q: Question) -> Positions | None:
    at, output = q.only_data(0), q.op.outputs[0]
    if at is None:
        return None
    sizes: list[int | None] | None = None
    if output.shape.rank is not None:
        sizes = [None if n is None else int(n) for n in output.shape]
    if (sizes is None or sizes.count(None) > 1) and q.op.type == "Reshape":
        sizes = q.constants.shape(q.op.inputs[1])
    if sizes is None or sizes.count(None) > 1:
        return None
    return reshaped(at, sizes)


def transpose(q: Question) -> Positions | None:
    at, order = q.only_data(0), q.numbers(1)
    if at is None or order is None:
        return None
    return replace(at, axes=tuple(at.axes[number] for number in order))


def reduce(q: Question) -> Positions | None:
    """Return positions after sums, means or maxima: what was summed is not told apart."""
    at, removed = q.only_data(0), q.numbers(1)
    if at is None or removed is None:
        return None
    rank = len(at.axes)
    numbers = {number % rank for number in removed} if rank else set()
    keep = "keep_dims" in q.op.node_def.attr and q.op.get_attr("keep_dims")
    axes = tuple(
        Axis() if number in numbers else axis
        for number, axis in enumerate(at.axes)
        if keep or number not in numbers
    )
    found = at.after_removal([at.axes[number] for number in numbers], q.where)
    if keep:  # its single entry stands beside the positions it was made of, as in a normalisation
        found = replace(found, lost=at.lost or found.lost)
    return replace(found, axes=axes)


def tile(q: Question) -> Positions | None:
    at, times = q.only_data(0), q.numbers(1)
    if at is None or times is None:
        return None
    for number, (axis, count) in enumerate(zip(at.axes, times, strict=True)):
        if count == 1:
            continue
        if axis.size != 1:
            return None
        at = at.with_axis(number, Axis((Atom("copy", count),)))
    return at


def broadcast_to(q: Question) -> Positions | None:
    at, sizes = q.only_data(0), q.sizes(q.op.outputs[0])
    if at is None or sizes is None:
        return None
    axes: list[Axis] = []
    for number, size in enumerate(sizes, len(at.axes) - len(sizes)):
        axis = at.axes[number] if number >= 0 else Axis()
        grown = axis.size == 1 and size not in (1, None)
        axes.append(Axis((Atom("copy", size),)) if grown else axis)
    return replace(at, axes=tuple(axes))


def matrix_product(q: Question) -> Positions | None:
    """Products over the last axis of one tensor and the last but one of the other."""
    letters = "abcdefghij"
    first, second = (q.sizes(each) for each in q.op.inputs[:2])
    if first is None or second is None:
        return None
    names = {"MatMul": ("transpose_a", "transpose_b")}.get(q.op.type, ("adj_x", "adj_y"))
    turned = [q.op.get_attr(name) for name in names]
    lead = letters[: max(len(first), len(second)) - 2]
    one = lead[len(lead) - (len(first) - 2) :] + ("yx" if turned[0] else "xy")
    two = lead[len(lead) - (len(second) - 2) :] + ("zy" if turned[1] else "yz")
    return _contracted(q, [one, two], lead + "xz")


def einsum(q: Question) -> Positions | None:
    equation = q.op.get_attr("equation").decode()
    left, _, right = equation.partition("->")
    terms = left.split(",")
    if "." in equation:
        return None
    return _contracted(q, terms, right)


def _contracted(q: Question, terms: Sequence[str], result: str) -> Positions | None:
    """Return positions of an Einstein sum: each letter of the result keeps its axis."""
    axes: list[Axis] = []
    given = [(term, at) for term, at in zip(terms, q.given, strict=False) if at is not None]
    sizes = dict[str, int | None]()
    for term, tensor in zip(terms, q.op.inputs, strict=False):
        for letter, size in zip(term, q.sizes(tensor) or (), strict=False):
            if sizes.get(letter, 1) == 1:
                sizes[letter] = size
    aligned = []
    for term, at in given:
        if len(term) != len(at.axes):
            return None
        kept = {letter: at.axes[term.index(letter)] for letter in term}
        gone = [axis for letter, axis in kept.items() if letter not in result]
        axes = [kept.get(letter, Axis()) for letter in result]
        aligned.append(replace(at.after_removal(gone, q.where), axes=tuple(axes)))
    result_sizes = [sizes.get(letter, 1) for letter in result]
    found = merged(aligned, result_sizes, q.where)
    if any(axis.placed for axis in found.axes):
        found = replace(found, lost=next((at.lost for _, at in given if at.lost), ""))
    return found

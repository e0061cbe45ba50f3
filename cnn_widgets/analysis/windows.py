"""Rules of operations with a sliding window, and of resizing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cnn_widgets.analysis.axes import Atom, Axis, Positions
from cnn_widgets.analysis.question import Question, Rule


def _window_rule(kernel: Callable[[Question], Sequence[int] | None], data: int = 0) -> Rule:
    """Return the rule of an operation with a sliding window, whose size `kernel` tells."""

    def rule(q: Question) -> Positions | None:
        at, size = q.only_data(data), kernel(q)
        if at is None or size is None or len(at.axes) != 4 or not _channels_last(q.op):
            return None
        strides = _pair(q.op, "strides")
        rates = _pair(q.op, "dilations" if q.op.type != "ExtractImagePatches" else "rates")
        for number in (0, 1):
            reach = (size[number] - 1) * rates[number] + 1
            atom = at.axes[number + 1].only
            if reach == 1 and strides[number] == 1:
                continue
            if atom is None:
                return None
            pads = _padding(q.op, number, int(atom.size or 1), reach, strides[number])
            at = _slid(at, number + 1, atom, reach, strides[number], pads)
        return _with_channels(at, q)

    return rule


def _slid(
    at: Positions, axis: int, atom: Atom, reach: int, stride: int, pads: tuple[int, int]
) -> Positions:
    """Return positions after a window of `reach` cells moved along an axis by `stride` cells."""
    count = max((int(atom.size or 1) + sum(pads) - reach) // stride + 1, 0)
    ends = (-pads[0] * atom.step, (reach - 1 - pads[0]) * atom.step)
    span = at.span(atom.kind).over(ends)
    new = Atom(atom.kind, count, atom.step * stride)
    return at.with_axis(axis, Axis((new,))).with_span(atom.kind, span).seen(atom.kind)


def _with_channels(at: Positions, q: Question) -> Positions:
    """Return positions with the last axis as long as the operation's output says."""
    count = int(q.op.outputs[0].shape[-1] or 1)
    return at.with_axis(3, Axis((Atom("other", count),) if count > 1 else ()))


def _channels_last(op: Any) -> bool:
    return "data_format" not in op.node_def.attr or op.get_attr("data_format") == b"NHWC"


def _pair(op: Any, attribute: str) -> tuple[int, int]:
    """Return the two middle numbers of an attribute (1, a, b, 1); (1, 1) without it."""
    if attribute not in op.node_def.attr:
        return 1, 1
    values = op.get_attr(attribute)
    return (int(values[1]), int(values[2])) if len(values) == 4 else (int(values[0]),) * 2


def _padding(op: Any, number: int, size: int, reach: int, stride: int) -> tuple[int, int]:
    """Return how many cells are padded before and after, along rows (0) or columns (1)."""
    kind = op.get_attr("padding")
    if kind == b"SAME":
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        return total // 2, total - total // 2
    if kind == b"EXPLICIT":
        given = op.get_attr("explicit_paddings")
        return int(given[2 + 2 * number]), int(given[3 + 2 * number])
    return 0, 0


def _kernel_of_filter(q: Question) -> Sequence[int] | None:
    shape = q.op.inputs[1].shape
    return None if shape.rank != 4 else [int(shape[0]), int(shape[1])]


def _kernel_of_attribute(q: Question) -> Sequence[int] | None:
    return _pair(q.op, "ksizes" if q.op.type == "ExtractImagePatches" else "ksize")


convolution = _window_rule(_kernel_of_filter)
pool = _window_rule(_kernel_of_attribute)


def transposed_convolution(q: Question) -> Positions | None:
    at, kernel = q.only_data(2), q.op.inputs[1].shape
    out = q.op.outputs[0].shape
    if at is None or len(at.axes) != 4 or None in (out[1], out[2]) or not _channels_last(q.op):
        return None
    strides, rates = _pair(q.op, "strides"), _pair(q.op, "dilations")
    for number in (0, 1):
        atom, stride = at.axes[number + 1].only, strides[number]
        reach = (int(kernel[number]) - 1) * rates[number] + 1
        if reach == 1 and stride == 1:
            continue
        if atom is None:
            return None
        size = int(out[number + 1])
        before = _padding(q.op, number, size, reach, stride)[0]
        last = int(atom.size or 1) - 1
        reached = [
            (
                min(max(-(-(o + before - reach + 1) // stride), 0), last),
                max(min((o + before) // stride, last), 0),
            )
            for o in range(size)
        ]
        at = _resampled(at, number + 1, atom, atom.step / stride, reached, aligned=True)
    return _with_channels(at, q)


def _resampled(
    at: Positions,
    axis: int,
    atom: Atom,
    step: float,
    reached: Sequence[tuple[int, int]],
    aligned: bool = False,
) -> Positions:
    """Return positions after new entries were made of old ones, from the first to the last each.

    The receptive field is the smallest one that, moved by `step`, covers what each entry is made
    of. At the two ends, where a window is cut off, a transposed convolution does not count.
    """
    span, count = at.span(atom.kind), len(reached)
    inner = range(count)
    if aligned and count > 4:
        cut = [i for i in inner if reached[i][0] > 0 and reached[i][1] < int(atom.size or 1) - 1]
        inner = range(min(cut), max(cut) + 1) if cut else inner
    span = span.over(old * atom.step - i * step for i in inner for old in reached[i])
    new = Atom(atom.kind, count, step)
    return at.with_axis(axis, Axis((new,))).with_span(atom.kind, span).seen(atom.kind)


def resize(radius: float) -> Rule:
    """Return the rule of resizing with a kernel that reaches `radius` cells to both sides."""

    def rule(q: Question) -> Positions | None:
        at, sizes = q.only_data(0), q.numbers(1)
        if at is None or sizes is None or len(at.axes) != 4:
            return None
        corners = "align_corners" in q.op.node_def.attr and q.op.get_attr("align_corners")
        half = "half_pixel_centers" in q.op.node_def.attr and q.op.get_attr("half_pixel_centers")
        for number, size in enumerate(sizes, 1):
            old = at.axes[number].size or 1
            if corners and size > 1:
                scale, shift = (old - 1) / (size - 1), 0.0
            else:
                scale = old / size
                shift = scale / 2 - 0.5 if half or q.op.type == "ResizeArea" else 0.0
            reach = radius
            if q.op.type == "ResizeArea":
                reach = max(scale, 1.0) / 2
            found = _resized_axis(at, number, size, scale, shift, reach)
            if found is None:
                return None
            at = found
        return at

    return rule


def _resized_axis(
    at: Positions, number: int, size: int, scale: float, shift: float, radius: float
) -> Positions | None:
    """Return positions with one axis resized: new entry o is made around old o·scale + shift."""
    axis = at.axes[number]
    if axis.size == 1 and not axis.placed:
        return at.with_axis(number, Axis((Atom("copy", size),) if size > 1 else ()))
    if all(atom.kind == "copy" for atom in axis.atoms) and axis.atoms:
        return at.with_axis(number, Axis((Atom("copy", size),)))
    atom = axis.only
    if atom is None:
        return None
    if size == atom.size and abs(scale - 1) < 1e-9 and abs(shift) < 1e-9:
        return at
    last = int(atom.size or 1) - 1
    reached = []
    for o in range(size):
        center = o * scale + shift
        if radius <= 0.5:  # the nearest one
            nearest = min(max(int(center + 0.5 + 1e-6), 0), last)
            reached.append((nearest, nearest))
            continue
        low, high = center - radius + 1e-6, center + radius - 1e-6
        reached.append((min(max(int(-(-low // 1)), 0), last), max(min(int(high // 1), last), 0)))
    return _resampled(at, number, atom, atom.step * scale, reached)


def scale_and_translate(q: Question) -> Positions | None:
    at, sizes = q.only_data(0), q.numbers(1)
    scales = q.constants.value(q.op.inputs[2])
    shifts = q.constants.value(q.op.inputs[3])
    if at is None or sizes is None or scales is None or shifts is None or len(at.axes) != 4:
        return None
    kernel = q.op.get_attr("kernel_type")
    base = {b"lanczos3": 3.0, b"lanczos5": 5.0, b"keyscubic": 2.0, b"box": 0.5}.get(kernel, 1.0)
    for number, size in enumerate(sizes, 1):
        inverse = 1 / float(scales[number - 1])
        radius = base * (max(inverse, 1.0) if q.op.get_attr("antialias") else 1.0)
        shift = (0.5 - float(shifts[number - 1])) * inverse - 0.5
        found = _resized_axis(at, number, size, inverse, shift, max(radius, 0.51))
        if found is None:
            return None
        at = found
    return at

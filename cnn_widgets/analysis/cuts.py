"""Rules of operations that cut, pad, join or reverse along an axis."""

from __future__ import annotations

from dataclasses import replace

from cnn_widgets.analysis.axes import Atom, Axis, Positions, merged
from cnn_widgets.analysis.question import Question
from cnn_widgets.analysis.reshaping import tidy


def cut(at: Positions, number: int, first: int, count: int, stride: int = 1) -> Positions | None:
    """Return positions of `count` entries of an axis, from `first` on, every `stride`-th."""
    axis = at.axes[number]
    if axis.size is not None and (first, count, stride) == (0, axis.size, 1):
        return at
    if axis.size is None:
        return None  # of a batch of any size
    if not axis.placed:
        kinds = {atom.kind for atom in axis.atoms}
        kind = "copy" if kinds == {"copy"} else "other"
        if "batch" in kinds:
            return None
        return at.with_axis(number, Axis((Atom(kind, count),) if count != 1 else ()))  # type: ignore[arg-type]
    atom = axis.only
    if atom is None:
        return _cut_tokens(at, number, first, count) if stride == 1 else None
    new = Atom(atom.kind, count, atom.step * stride)
    span = at.span(atom.kind).moved(first * atom.step)
    return at.with_axis(number, Axis((new,))).with_span(atom.kind, span).seen(atom.kind)


def _cut_tokens(at: Positions, number: int, first: int, count: int) -> Positions | None:
    """Return positions of `count` tokens from `first` on: all those on the grid, or none."""
    tokens = at.axes[number].tokens
    if tokens is None:
        return None
    end = (tokens.size or 0) - tokens.after  # of those on the grid
    if first <= tokens.before and first + count >= end:
        left = replace(tokens, size=count, before=tokens.before - first)
        whole = left.grid if not (left.before or left.after) else (left,)
        return at.with_axis(number, Axis(whole))
    if first + count <= tokens.before or first >= end:
        found = at.after_removal([at.axes[number]], "a token that stands nowhere on the photograph")
        return found.with_axis(number, Axis((Atom("other", count),) if count != 1 else ()))
    return None


def plain_slice(q: Question) -> Positions | None:
    at, begin, size = q.only_data(0), q.numbers(1), q.numbers(2)
    if at is None or begin is None or size is None:
        return None
    for number, (first, count) in enumerate(zip(begin, size, strict=True)):
        whole = at.axes[number].size
        if first == 0 and (count == -1 or whole is None or count == whole):
            continue
        found = cut(at, number, first, (whole or 0) - first if count == -1 else count)
        if found is None:
            return None
        at = found
    return at


def strided_slice(q: Question) -> Positions | None:
    at = q.only_data(0)
    parts = [q.numbers(index) for index in (1, 2, 3)]
    if at is None or None in parts:
        return None
    masks = {
        name: q.op.get_attr(f"{name}_mask")
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    return _sliced(at, [part or [] for part in parts], masks)


def _sliced(at: Positions, parts: list[list[int]], masks: dict[str, int]) -> Positions | None:
    """Return positions after a slice such as x[:, 1:, ..., None, 0]."""
    count = len(parts[0])
    real = sum(1 for i in range(count) if not (masks["new_axis"] | masks["ellipsis"]) >> i & 1)
    axes: list[Axis] = []
    number = 0
    for i in range(count):
        if masks["ellipsis"] >> i & 1:
            skipped = len(at.axes) - real
            axes += at.axes[number : number + skipped]
            number += skipped
            continue
        if masks["new_axis"] >> i & 1:
            axes.append(Axis())
            continue
        begin, end, stride = (part[i] for part in parts)
        shrink = bool(masks["shrink_axis"] >> i & 1)
        size = at.axes[number].size
        everything = masks["begin"] >> i & 1 and masks["end"] >> i & 1 and stride == 1
        if not (everything and not shrink):
            if size is None:
                return None
            chosen = range(size)[
                slice(
                    begin % size if shrink else None if masks["begin"] >> i & 1 else begin,
                    begin % size + 1 if shrink else None if masks["end"] >> i & 1 else end,
                    1 if shrink else stride,
                )
            ]
            if not chosen:
                return None
            placed = at.axes[number]
            found = cut(at, number, chosen[0], len(chosen), 1 if shrink else stride)
            if found is None:
                return None
            at = found
            if shrink:
                at = at.after_removal([placed], "a slice of one row, column or token")
                number += 1
                continue
        axes.append(at.axes[number])
        number += 1
    axes += at.axes[number:]
    return tidy(replace(at, axes=tuple(axes)))


def pad(q: Question) -> Positions | None:
    at, widths = q.only_data(0), q.numbers(1)
    if at is None or widths is None:
        return None
    for number in range(len(at.axes)):
        before, after = widths[2 * number], widths[2 * number + 1]
        if not (before or after):
            continue
        found = padded(at, number, before, after)
        if found is not None and q.op.type == "MirrorPad":
            inside = q.op.get_attr("mode") == b"REFLECT"
            found = _mirrored(found, number, before, after, 0.0 if inside else 0.5)
        if found is None:
            return None
        at = found
    return at


def _mirrored(
    at: Positions, number: int, before: int, after: int, beyond: float
) -> Positions | None:
    """Return positions of a padded axis whose first and last entries are copies of others.

    They are seen in a mirror that stands on the centre of the outermost entry of their own, or
    half an entry `beyond` it.
    """
    axis = at.axes[number]
    atom = axis.only
    if atom is None:
        return None if axis.placed else at
    span, last = at.span(atom.kind), int(atom.size or 1) - 1
    center = (span.low + span.high) / 2
    first = center + (before - beyond) * atom.step if before else None
    end = center + (last - after + beyond) * atom.step if after else None
    mirrors = (first, end) if atom.step > 0 else (end, first)
    return at.with_span(atom.kind, span.mirrored(mirrors))


def padded(at: Positions, number: int, before: int, after: int) -> Positions | None:
    """Return positions with entries added to an axis that lie nowhere on the input."""
    axis = at.axes[number]
    if axis.size is None:
        return None
    count = before + axis.size + after
    if not axis.placed:
        return at.with_axis(number, Axis((Atom("other", count),)))
    atom = axis.only
    if atom is None:
        tokens = axis.tokens
        if tokens is None:
            return None
        return at.with_axis(
            number, Axis((replace(tokens, size=count, before=tokens.before + before),))
        )
    new = replace(atom, size=count)
    span = at.span(atom.kind).moved(-before * atom.step)
    return at.with_axis(number, Axis((new,))).with_span(atom.kind, span)


def concatenate(q: Question) -> Positions | None:
    number = q.numbers(len(q.op.inputs) - 1)
    if number is None:
        return None
    tensors = q.op.inputs[:-1]
    place = number[0] % len(q.data[0].axes)
    sizes = [q.sizes(each) for each in tensors]
    if any(each is None or each[place] is None for each in sizes):
        return None
    lengths = [int(each[place] or 0) for each in sizes if each is not None]
    if not any(each.axes[place].placed for each in q.data):
        flat = [each.with_axis(place, Axis((Atom("other", sum(lengths)),))) for each in q.data]
        whole = [axis.size for axis in flat[0].axes]
        return merged(flat, whole, q.where)
    index = next(i for i, each in enumerate(q.given) if each and each.axes[place].placed)
    one = q.given[index]
    if one is None or (len(q.data) > 1 and not _only_tokens(q, index, place)):
        return None
    return padded(one, place, sum(lengths[:index]), sum(lengths[index + 1 :]))


def _only_tokens(q: Question, index: int, place: int) -> bool:
    """Whether a map's tokens are joined with tokens that stand nowhere, such as a class token."""
    one = q.given[index]
    others = [each for i, each in enumerate(q.given) if i != index and each is not None]
    on_grid = one is not None and one.axes[place].only is None
    return on_grid and not any(each.axes[place].placed for each in others)


def pack(q: Question) -> Positions | None:
    number = int(q.op.get_attr("axis")) % (len(q.data[0].axes) + 1)
    sizes = [axis.size for axis in q.data[0].axes]
    if any(each.rows != q.data[0].rows or each.columns != q.data[0].columns for each in q.data):
        return None  # parts of the photograph side by side on a new axis
    at = merged(q.data, sizes, q.where)
    count = len(q.op.inputs)
    axes = [*at.axes]
    axes.insert(number, Axis((Atom("other", count),) if count > 1 else ()))
    return replace(at, axes=tuple(axes))


def split(q: Question) -> list[Positions] | None:
    data, axis_input = (1, 0) if q.op.type == "Split" else (0, 2)
    at, number = q.only_data(data), q.numbers(axis_input)
    if at is None or number is None:
        return None
    place, first, found = number[0] % len(at.axes), 0, []
    for output in q.op.outputs:
        size = q.op.outputs[0].shape[place] if output.shape.rank is None else output.shape[place]
        if size is None:
            return None
        part = cut(at, place, first, int(size))
        if part is None:
            return None
        found.append(part)
        first += int(size)
    return found


def unpack(q: Question) -> list[Positions] | None:
    at, place = q.data[0], int(q.op.get_attr("axis"))
    place %= len(at.axes)
    if at.axes[place].placed or at.axes[place].size is None:
        return None
    axes = tuple(axis for number, axis in enumerate(at.axes) if number != place)
    return [replace(at, axes=axes)] * len(q.op.outputs)


def gather(q: Question) -> Positions | None:
    """Choosing entries of an axis that counts no rows or columns, such as swapped colours."""
    at, number = q.only_data(0), q.numbers(2)
    if at is None or number is None or q.op.get_attr("batch_dims"):
        return None
    place = number[0] % len(at.axes)
    chosen = q.sizes(q.op.inputs[1])
    axis = at.axes[place]
    if chosen is None or None in chosen or axis.size is None:
        return None
    if axis.placed:
        wanted = q.numbers(1)
        if wanted is None or len(chosen) > 1:
            return None
        if wanted == list(range(wanted[0], wanted[0] + len(wanted))):
            found = cut(at, place, wanted[0], len(wanted))
            if found is None or chosen:
                return found
            found = found.after_removal([axis], q.where)
            return replace(found, axes=(*found.axes[:place], *found.axes[place + 1 :]))
        return None
    new = [Axis((Atom("other", int(n or 1)),) if n != 1 else ()) for n in chosen]
    return replace(at, axes=(*at.axes[:place], *new, *at.axes[place + 1 :]))


def reverse(q: Question) -> Positions | None:
    at, numbers = q.only_data(0), q.numbers(1)
    if at is None or numbers is None:
        return None
    for number in numbers:
        axis = at.axes[number % len(at.axes)]
        if axis.placed:
            found = cut(at, number % len(at.axes), int(axis.size or 1) - 1, int(axis.size or 1), -1)
            if found is None:
                return None
            at = found
    return at

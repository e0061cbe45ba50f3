"""Follows positions through a traced graph: where every tensor's entries lie on the input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnn_widgets.analysis.axes import Atom, Axis, Positions, Span, merged, plain, unplaced
from cnn_widgets.analysis.constants import SHAPE_OPS, ConstantReader
from cnn_widgets.analysis.fields import AxisField, MapField
from cnn_widgets.analysis.question import Question, place_name
from cnn_widgets.analysis.rules import RULES

_CALLS = {"PartitionedCall": "f", "StatefulPartitionedCall": "f"}
_BRANCHES = ("If", "StatelessIf")


class PositionFinder:
    """Finds the positions of the tensors of one graph, each once, on demand.

    Parameters
    ----------
    known : dict of int to Positions or None
        Positions of some tensors by their `id`: the model's input, or a function's arguments. None
        stands for a tensor that does not depend on the input.
    constants : dict of int to (ConstantReader, tensor), optional
        For the body of a function: what its arguments are outside.
    """

    def __init__(
        self,
        known: dict[int, Positions | None],
        constants: dict[int, tuple[ConstantReader, Any]] | None = None,
    ) -> None:
        self._known = known
        self._found: dict[int, list[Positions | None]] = {}
        self._kept: list[Any] = []  # operations, so that no other object gets their `id`
        self.constants = ConstantReader(self.sizes, constants)

    def of(self, tensor: Any) -> Positions | None:
        """Return a tensor's positions; None if it does not depend on the model's input."""
        if id(tensor) in self._known:
            return self._known[id(tensor)]
        waiting = [tensor.op]
        while waiting:
            op = waiting[-1]
            if id(op) in self._found:
                waiting.pop()
                continue
            missing = [
                each.op
                for each in op.inputs
                if id(each) not in self._known and id(each.op) not in self._found
            ]
            if missing and op.type not in SHAPE_OPS:
                self._found.setdefault(id(op), []) if op in missing else None
                waiting += missing
                continue
            waiting.pop()
            self._kept.append(op)
            self._found[id(op)] = self._outputs(op)
        found = self._found[id(tensor.op)]
        return found[tensor.value_index] if tensor.value_index < len(found) else None

    def sizes(self, tensor: Any) -> Sequence[int | None] | None:
        """Return the sizes of a tensor's axes, from its own shape and from its positions."""
        rank = tensor.shape.rank
        static = None if rank is None else [None if n is None else int(n) for n in tensor.shape]
        if static is not None and None not in static:
            return static
        positions = self.of(tensor)
        if positions is not None:
            own = [axis.size for axis in positions.axes]
            if static is None or len(static) != len(own):
                return own
            return [a if a is not None else b for a, b in zip(static, own, strict=True)]
        value = self.constants.value(tensor)
        return static if value is None else list(value.shape)

    def _outputs(self, op: Any) -> list[Positions | None]:
        """Return the positions of every output of an operation whose inputs are known."""
        if op.type in SHAPE_OPS or op.type in ("ZerosLike", "OnesLike"):
            return [None] * len(op.outputs)
        given = [self.of(each) for each in op.inputs]
        if all(each is None for each in given):
            return [None] * len(op.outputs)
        body = self._body(op)
        if body is not None:
            return self._of_call(op, body[0], body[1], given)
        question = Question(op, given, self.constants, self.sizes)
        rule = RULES.get(op.type)
        found = None if rule is None else rule(question)
        if found is None:
            return [self._unknown(op, out, given) for out in op.outputs]
        return list(found) if isinstance(found, list) else [found] * len(op.outputs)

    def _unknown(self, op: Any, output: Any, given: Sequence[Positions | None]) -> Positions:
        """Return positions for an operation that says nothing about them."""
        some = [each for each in given if each is not None]
        rank = output.shape.rank
        sizes = [None] if rank is None else [None if n is None else int(n) for n in output.shape]
        first = merged(some, [1], "") if len(some) > 1 else some[0]
        lost = next((each.lost for each in some if each.lost), "")
        reason = lost or f"{op.type} in {place_name(op)} mixes or moves positions"
        return unplaced(first, sizes, reason)

    def _body(self, op: Any) -> tuple[Any, Sequence[Any]] | None:
        """Return the graph that an operation calls and its arguments, or None."""
        if op.type in _CALLS:
            return _function_graph(op, _CALLS[op.type]), op.inputs
        if op.type in _BRANCHES:
            decided = self.constants.value(op.inputs[0])
            if decided is not None:
                name = "then_branch" if bool(decided) else "else_branch"
                return _function_graph(op, name), op.inputs[1:]
        return None

    def _of_call(
        self, op: Any, graph: Any, arguments: Sequence[Any], given: Sequence[Positions | None]
    ) -> list[Positions | None]:
        """Return the positions of a called function's results."""
        if graph is None or len(graph.inputs) != len(arguments):
            return [self._unknown(op, out, given) for out in op.outputs]
        known = {
            id(inner): self.of(outer) for inner, outer in zip(graph.inputs, arguments, strict=True)
        }
        outside = {
            id(inner): (self.constants, outer)
            for inner, outer in zip(graph.inputs, arguments, strict=True)
            if known[id(inner)] is None
        }
        self._kept.append(graph)
        inside = PositionFinder(known, outside)
        return [inside.of(each) for each in graph.outputs]


def input_positions(x: Any) -> Positions:
    """Return the positions of the model's input tensor (N, H, W, C) itself."""
    batch, *size, channels = x.shape
    rows, columns = (Span(0.0, 1.0, (0.0, float(side))) for side in size)
    axes = (
        Axis((Atom("batch", batch),)),
        Axis((Atom("row", int(size[0]), 1.0),)),
        Axis((Atom("column", int(size[1]), 1.0),)),
        plain(int(channels)),
    )
    return Positions(axes, rows, columns)


def map_field(positions: Positions | None, size: tuple[int, int]) -> MapField | str:
    """Return where the cells of a layer's output lie, or in words why it is no map.

    Parameters
    ----------
    positions : Positions or None
        Of the output: (N, h, w, K), or tokens (N, T, K) that stand on a grid.
    size : (H, W)
        The size of the model's input.
    """
    if positions is None:
        return "it does not depend on the input"
    axes = positions.axes
    if len(axes) not in (3, 4):
        return f"its output has {len(axes)} axes, not (rows, columns, filters)"
    if axes[0].placed:
        return "parts of the photograph are folded into its batch axis"
    if axes[-1].placed:
        return "positions are flattened into its filters"
    if len(axes) == 4:
        row, column = axes[1].only, axes[2].only
        kinds = [atom.kind if atom else None for atom in (row, column)]
        if row is not None and column is not None and kinds == ["row", "column"]:
            return MapField(_axis_field(positions, row), _axis_field(positions, column), size)
        return positions.lost or "its axes are not the rows and columns of the photograph"
    tokens = axes[1].tokens
    if tokens is not None:
        rows, columns = (_axis_field(positions, atom) for atom in tokens.grid)
        return MapField(rows, columns, size, tokens.before, tokens.after, tokens=True)
    return positions.lost or "its tokens do not stand on a grid over the photograph"


def _axis_field(positions: Positions, atom: Any) -> AxisField:
    span = positions.span(atom.kind)
    return AxisField(
        int(atom.size), atom.step, span.low, span.high, span.window, span.whole, span.mirrors
    )


def _function_graph(op: Any, attribute: str) -> Any:
    """Return the graph of a function that an operation calls, or None if it cannot be read."""
    name = op.get_attr(attribute).name
    found = op.graph._get_function(name)
    return getattr(found, "graph", None)

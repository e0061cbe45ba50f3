"""Paths through a traced graph: what a score depends on, where weights begin, gradients end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cnn_widgets.analysis.constants import SHAPE_OPS

_NO_VALUES = (*SHAPE_OPS, "ZerosLike", "OnesLike")
# Affine in all inputs together; in the first one, whatever the others hold; in one of them alone
_SUMS = "Identity AddV2 Add AddN Sub Neg BiasAdd ConcatV2 Pack Snapshot EnsureShape "
_AFFINE_IN_FIRST = (
    "Conv2D DepthwiseConv2dNative Conv2DBackpropInput AvgPool Mean Sum Reshape Squeeze ExpandDims "
    "Transpose Pad PadV2 MirrorPad StridedSlice Slice SplitV Unpack Tile BroadcastTo ReverseV2 "
    "GatherV2 ResizeBilinear ResizeNearestNeighbor SpaceToBatchND BatchToSpaceND RealDiv Div "
    "FusedBatchNormV3 "
)
_LISTED = ("TensorListFromTensor", "ReverseV2", "Transpose")  # the steps of a recurrent layer
_PRODUCTS = "Mul MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum "


def ancestor_operations(tensors: Iterable[Any]) -> set[Any]:
    """Return the operations that tensors of a graph depend on, with those that make them."""
    found, waiting = set[Any](), list(tensors)
    while waiting:
        op = waiting.pop().op
        if op not in found:
            found.add(op)
            waiting += op.inputs
    return found


def value_operations(tensors: Iterable[Any]) -> set[Any]:
    """Return the operations that depend on the values of tensors, without those that make them.

    The shape of a tensor does not count as a value.
    """
    found, waiting = set[Any](), list(tensors)
    while waiting:
        for op in waiting.pop().consumers():
            if op not in found and op.type not in _NO_VALUES:
                found.add(op)
                waiting += op.outputs
    return found


def between(start: Sequence[Any], end: Any) -> list[Any]:
    """Return the operations on the paths from tensors `start` to a tensor, in graph order.

    The operations that make `start` are not among them.
    """
    after = value_operations(start)
    on_path = after & ancestor_operations([end])
    return [op for op in end.graph.get_operations() if op in on_path]


def first_curve(start: Any, end: Any) -> str | None:
    """Return the type of an operation that may keep `end` from being affine in `start`, or None.

    None is a proof: every operation between them is affine in what depends on `start`, and has the
    gradient of what it computes. What is not known counts as no affine operation, and so does one
    in half precision, which rounds so roughly that effects do not add up.
    """
    ops = between([start], end)
    members = set(ops)
    for op in ops:
        of_start = [n for n, t in enumerate(op.inputs) if t is start or t.op in members]
        rough = any(t.dtype.is_floating and t.dtype.size < 4 for t in op.outputs)
        if rough or not _is_affine(op, of_start) or "_gradient_op_type" in op.node_def.attr:
            return str(op.type)
    return None


def _is_affine(op: Any, inputs: list[int]) -> bool:
    """Whether an operation is affine in the inputs of these numbers taken together."""
    if op.type == "Cast":
        return bool(op.inputs[0].dtype.is_floating and op.outputs[0].dtype.is_floating)
    if op.type in _AFFINE_IN_FIRST.split():
        data = 2 if op.type == "Conv2DBackpropInput" else 0
        trained = op.type == "FusedBatchNormV3" and op.get_attr("is_training")
        return inputs == [data] and not trained
    if op.type == "Split":
        return inputs == [1]
    return op.type in _SUMS.split() or (op.type in _PRODUCTS.split() and len(inputs) == 1)


def passed_by_all(start: Any, end: Any) -> list[Any]:
    """Return the tensors that every path from `start` to `end` passes through, in graph order.

    The number of paths through an operation is the number of those that lead to it times the
    number of those that lead on from it; all paths pass through it if that is the number of all.
    """
    ops = between([start], end)
    members = {start.op, *ops}
    to: dict[Any, int] = {start.op: 1}
    for op in ops:
        to[op] = sum(to.get(each.op, 0) for each in op.inputs if each.op in members)
    onward: dict[Any, int] = {end.op: 1}
    used: dict[Any, set[int]] = {}
    for op in reversed(ops):
        if op not in onward:
            onward[op] = 0
        for each in op.inputs:
            if each.op in members:
                onward[each.op] = onward.get(each.op, 0) + onward[op]
                used.setdefault(each.op, set()).add(each.value_index)
    total = to.get(end.op, 0)
    return [
        op.outputs[next(iter(used[op]))]
        for op in ops
        if op is not end.op and to[op] * onward[op] == total and len(used.get(op, ())) == 1
    ]


def where_gradients_end(tensor: Any, end: Any) -> str:
    """Return in words why no gradient of `end` reaches a tensor.

    Parameters
    ----------
    tensor : Tensor
        One that `tf.gradients` finds unconnected.
    end : Tensor
        The score.
    """
    ops = between([tensor], end)
    if not ops:
        return "nothing of it leads to the score"
    reached = {tensor.op}
    for op in ops:
        if not any(each is tensor or each.op in reached for each in op.inputs):
            continue
        if op.type not in ("StopGradient", "PreventGradient") and has_gradient(op):
            if any(_carries_gradients(each) for each in op.outputs):
                reached.add(op)
                continue
            return f"the path ends at {op.name!r} ({op.type}): it puts out whole numbers"
        return f"the path ends at {op.name!r} ({op.type}): no gradient passes through it"
    return "no gradient passes through the operations behind it"


def no_path(place: str, why: str) -> ValueError:
    """Return the error for a place that no path leads back to from the score."""
    return ValueError(
        f"No path leads back from the score to {place}: {why}. That is not the same as no evidence."
    )


def has_gradient(op: Any) -> bool:
    """Whether TensorFlow knows the gradient of an operation."""
    from tensorflow.python.framework import ops

    if op.type in ("PartitionedCall", "StatefulPartitionedCall", "If", "StatelessIf", "While"):
        return True
    try:
        return ops.get_gradient_function(op) is not None
    except LookupError:
        return False


def without_gradient(ops: Iterable[Any]) -> list[Any]:
    """Return the outputs of those operations whose gradient TensorFlow refuses to compute."""
    from tensorflow.python.framework import ops as framework

    found = []
    for op in ops:
        try:
            framework.get_gradient_function(op)
        except LookupError:
            found += [each for each in op.outputs if _carries_gradients(each)]
    return found


def _carries_gradients(tensor: Any) -> bool:
    return bool(tensor.dtype.is_floating or tensor.dtype.is_complex) or tensor.dtype.name in (
        "resource",
        "variant",
    )


def float_entries(x: Any) -> list[Any]:
    """Return the first tensors of float numbers that are made of an integer tensor x.

    An image that is given as whole numbers has its gradients there, behind the cast.
    """
    found: list[Any] = []
    waiting, seen = [x], set[Any]()
    while waiting:
        for op in waiting.pop().consumers():
            if op in seen or op.type in _NO_VALUES:
                continue
            seen.add(op)
            for each in op.outputs:
                if each.dtype.is_floating:
                    found.append(each)
                else:
                    waiting.append(each)
    return found


def weighted_entries(x: Any) -> list[Any]:
    """Return the tensors made of x alone that meet the model's weights first, in graph order.

    Weights are variables; the state of random generators and constants, such as the mean and
    variance of a `Normalization` layer, are none. Behind an entry nothing is preprocessing.
    """
    read = _weight_tensors(x.graph)
    of_x, of_weights = value_operations([x]) | {x.op}, value_operations(read)
    of_weights |= {each.op for each in read}
    found: list[Any] = []
    for op in x.graph.get_operations():
        if op not in of_x or not any(_only(each, of_weights, of_x) for each in op.inputs):
            continue
        found += [each for each in op.inputs if _only(each, of_x, of_weights)]
    return _of_numbers(list({id(each): each for each in found}.values()))


def _of_numbers(entries: Sequence[Any]) -> list[Any]:
    """Return entries with each list of a recurrent layer's steps as the tensor it is made of.

    Such a layer reads its first step beside the list, too; that is part of the same tensor.
    """
    whole, passed = list[Any](), set[Any]()
    for each in entries:
        back = each
        while each.dtype.name == "variant" and back.op.type in _LISTED:
            back = back.op.inputs[0]
            passed.add(back.op)
        whole.append(back)
    found = [
        each
        for each in whole
        if each.dtype.name not in ("variant", "resource", "string")
        and not (each.op.type == "StridedSlice" and each.op.inputs[0].op in passed)
    ]
    return list({id(each): each for each in found}.values())


def random_operation(score: Any) -> str | None:
    """Return the name of an operation that makes a score random, or None."""
    kinds = ("Random", "StatelessRandom", "Multinomial", "StatelessMultinomial")
    found = (op.name for op in ancestor_operations([score]) if op.type.startswith(kinds))
    return min(found, default=None)


def batch_operation(x: Any, score: Any) -> str | None:
    """Return the name of an operation that may mix the pictures of a batch, or None.

    A statistic over the batch axis, or a function that is not looked into.
    """
    for op in between([x], score):
        if op.type in ("PartitionedCall", "StatefulPartitionedCall"):
            return str(op.name)
        if op.type.startswith("FusedBatchNorm") and op.get_attr("is_training"):
            return str(op.name)
        if op.type in ("Mean", "Sum", "Max", "Min", "Prod") and _reduces_the_batch(op):
            return str(op.name)
    return None


def _reduces_the_batch(op: Any) -> bool:
    import numpy as np
    import tensorflow as tf

    axes = tf.get_static_value(op.inputs[1])
    rank = op.inputs[0].shape.rank
    return axes is None or rank is None or bool((np.ravel(axes) % max(rank, 1) == 0).any())


def _only(tensor: Any, these: set[Any], others: set[Any]) -> bool:
    return tensor.op in these and tensor.op not in others


def _weight_tensors(graph: Any) -> list[Any]:
    """Return the tensors of a graph that hold weights: variables read, or passed to a function."""
    found = []
    for _, handle in graph.captures:
        if handle.dtype.name != "resource":
            continue
        reads = [op for op in handle.consumers() if op.type == "ReadVariableOp"]
        found += [each for op in reads for each in op.outputs if not _is_seed(each)]
        if len(reads) < len(handle.consumers()) and not any(map(_is_seed, _outputs(reads))):
            found.append(handle)
    return found


def _outputs(operations: Iterable[Any]) -> list[Any]:
    return [each for op in operations for each in op.outputs]


def _is_seed(tensor: Any) -> bool:
    return tensor.dtype.name in ("uint32", "uint64", "int32", "int64")

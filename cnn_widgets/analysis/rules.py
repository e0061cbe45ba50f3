"""What each TensorFlow operation does to positions: one line in `RULES` for each type.

A rule returns the positions of the output, a list with those of each output, or None where the
operation mixes positions in a way that is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from cnn_widgets.analysis import blocks, cuts, shapes, windows
from cnn_widgets.analysis.axes import Kind, Positions, merged
from cnn_widgets.analysis.question import Question, Rule


def _elementwise(q: Question) -> Positions | None:
    sizes = [_sizes_of(q, each) for each in q.op.inputs if each.dtype.name != "resource"]
    if any(each is None for each in sizes):
        return None
    return merged(q.data, _broadcast([each for each in sizes if each is not None]), q.where)


def _sizes_of(q: Question, tensor: Any) -> Sequence[int | None] | None:
    return q.sizes(tensor)


def _broadcast(shapes: Sequence[Sequence[int | None]]) -> list[int | None]:
    """Return the shape that shapes broadcast to; None marks a batch of any size."""
    rank = max(map(len, shapes))
    found: list[int | None] = []
    for number in range(-rank, 0):
        here = [shape[number] for shape in shapes if len(shape) >= -number]
        long = [size for size in here if size not in (1, None)]
        found.append(None if None in here else (long[0] if long else 1))
    return found


def _first_input(q: Question) -> Positions | None:
    """Return the positions of the first input: the operation changes values only."""
    return q.given[0]


def _softmax(q: Question) -> Positions | None:
    """Each entry depends on all of the last axis, and stays where it is."""
    at = q.given[0]
    if at is None:
        return None
    kinds: tuple[Kind, ...] = ("row", "column")
    for kind in kinds:
        if at.axes[-1].counting(kind):
            at = at.with_span(kind, replace(at.span(kind), whole=True))
    return at


def _channels_only(q: Question) -> Positions | None:
    """Sort, cumulate or sum along an axis that counts no rows or columns; nothing moves."""
    at, axis = q.only_data(0), q.numbers(1)
    if at is None or axis is None or any(at.axes[i].placed for i in axis):
        return None
    return at


_ELEMENTWISE = (
    "Add AddV2 Sub Mul MulNoNan RealDiv Div DivNoNan FloorDiv FloorMod Mod TruncateDiv "
    "TruncateMod Maximum Minimum Pow SquaredDifference Atan2 Xdivy Xlogy Xlog1py Greater "
    "GreaterEqual Less LessEqual Equal NotEqual ApproximateEqual LogicalAnd LogicalOr "
    "LogicalNot SelectV2 Select AddN ClipByValue Identity IdentityN Cast Relu Relu6 LeakyRelu "
    "Elu Selu Sigmoid Tanh Exp Expm1 Erf Erfc Softplus Softsign Neg Sqrt Rsqrt Square Abs Log "
    "Log1p Sign Round Rint Floor Ceil Reciprocal Inv Sin Cos Tan Sinh Cosh Asinh Acosh Atanh "
    "Asin Acos Atan IsNan IsInf IsFinite StopGradient PreventGradient CheckNumerics "
    "CheckNumericsV2 Snapshot Bitcast RightShift LeftShift BitwiseAnd Ndtri Erfinv Lgamma "
    "Digamma RandomStandardNormalLike RGBToHSV HSVToRGB "
)
_FIRST_INPUT = (
    "FusedBatchNormV3 FusedBatchNormV2 FusedBatchNorm BiasAdd BiasAddV1 Bucketize "
    "FakeQuantWithMinMaxVars FakeQuantWithMinMaxArgs EnsureShape LRN AdjustContrastv2 "
    "AdjustHue AdjustSaturation "
)
RULES: dict[str, Rule] = {
    **dict.fromkeys(_ELEMENTWISE.split(), _elementwise),
    **dict.fromkeys(_FIRST_INPUT.split(), _first_input),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    **dict.fromkeys(("Conv2D", "DepthwiseConv2dNative"), windows.convolution),
    **dict.fromkeys(("MaxPool", "AvgPool", "ExtractImagePatches"), windows.pool),
    "Conv2DBackpropInput": windows.transposed_convolution,
    "ResizeNearestNeighbor": windows.resize(0.5),
    "ResizeBilinear": windows.resize(1.0),
    "ResizeBicubic": windows.resize(2.0),
    "ResizeArea": windows.resize(0.51),
    "ScaleAndTranslate": windows.scale_and_translate,
    **dict.fromkeys(("Reshape", "ExpandDims", "Squeeze"), shapes.reshape),
    **dict.fromkeys(("Transpose", "ConjugateTranspose"), shapes.transpose),
    **dict.fromkeys(("Mean", "Sum", "Max", "Min", "Prod", "All", "Any"), shapes.reduce),
    **dict.fromkeys(("EuclideanNorm", "ArgMax", "ArgMin"), shapes.reduce),
    **dict.fromkeys(
        ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), shapes.matrix_product
    ),
    "Einsum": shapes.einsum,
    **dict.fromkeys(("Cumsum", "Cumprod"), _channels_only),
    "Slice": cuts.plain_slice,
    "StridedSlice": cuts.strided_slice,
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), cuts.pad),
    "ConcatV2": cuts.concatenate,
    "Pack": cuts.pack,
    **dict.fromkeys(("Split", "SplitV"), cuts.split),
    "Unpack": cuts.unpack,
    "GatherV2": cuts.gather,
    "Tile": shapes.tile,
    "BroadcastTo": shapes.broadcast_to,
    "ReverseV2": cuts.reverse,
    "SpaceToBatchND": blocks.space_to_batch,
    "BatchToSpaceND": blocks.batch_to_space,
}

"""What filters do on a batch of photographs, as a few numbers each, from one forward pass.

The maps are reduced to numbers inside the compiled function: those of all layers together would
take 25 MB and more for each photograph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.engine.compiled import Engine
from cnn_widgets.engine.taps import TRACE_LOCK
from cnn_widgets.environment import tensorflow
from cnn_widgets.filter_index.ranges import value_range
from cnn_widgets.records import Floats

#: So many random sums over its cells are made of each filter, to find out which filters are alike.
SUMS = 64
#: Values within this share of an activation's range from its end count as being at the end.
NEAR = 0.01


@dataclass(frozen=True)
class FilterNumbers:
    """Numbers of the F filters of some layers, one layer after the other, on N photographs.

    Attributes
    ----------
    peak, trough, mean : ndarray, shape (N, F)
        The largest and the smallest value and the mean over the cells of each map.
    cell : ndarray of int, shape (N, F)
        The first cell with the largest value, counted row by row.
    scatter : ndarray, shape (N, F)
        The sum of the squared distances from the mean.
    positive, at_end : ndarray, shape (N, F)
        The share of cells above 0, and of those near an end of the activation's range.
    sums : ndarray, shape (N, SUMS, F)
        Sums over the cells with random signs, the same for all photographs and filters of a layer.
    scores : ndarray, shape (N, C)
    """

    peak: Floats
    cell: NDArray[np.int32]
    trough: Floats
    mean: Floats
    scatter: Floats
    positive: Floats
    at_end: Floats
    sums: Floats
    scores: Floats


def signs(cells: int) -> Floats:
    """Return the random signs of the sums over so many cells, (SUMS, cells)."""
    return np.random.default_rng(cells).choice(np.array([-1, 1], np.float32), (SUMS, cells))


def filter_numbers(engine: Engine, x: Floats, layers: Sequence[str]) -> FilterNumbers:
    """Return the numbers of all filters of layers with maps, for a batch x (N, H, W, C)."""
    names = tuple(layers)
    ranges = [value_range(engine.graph.filters(name)) for name in names]

    def finish(found: list[Any]) -> Any:
        tf = tensorflow()
        scores, *maps = found
        parts = [_reduced(tf, each, *r.near(NEAR), r.rests)
                 for each, r in zip(maps, ranges, strict=True)]  # fmt: skip
        return [*(tf.concat(some, -1) for some in zip(*parts, strict=True)), scores]

    wanted = ["scores", *(("filters", name) for name in names)]
    traced = engine.graph.forward()
    run = engine.extracted(("filter_numbers", names), traced, wanted, engine.fed, finish)
    return FilterNumbers(*(np.asarray(each)[: len(x)] for each in run(*engine.inputs(x))))


def _flat(tf: Any, values: Any) -> Any:
    """Return maps (N, h, w, K) as (N, cells, K)."""
    height, width, filters = values.shape[1:]
    return tf.reshape(tf.cast(values, tf.float32), [-1, height * width, filters])


def _values_at(tf: Any, flat: Any, cells: Any) -> Any:
    """Return the values (N, K) of maps (N, cells, K) at one cell of each, (N, K).

    They are gathered by their indices in the flattened array: TensorFlow's functions that gather
    along an axis transpose whole maps.
    """
    batch, length, filters = (tf.cast(n, tf.int64) for n in tf.unstack(tf.shape(flat)))
    rows = tf.range(batch)[:, None] * length + tf.cast(cells, tf.int64)
    return tf.gather(tf.reshape(flat, [-1]), rows * filters + tf.range(filters))


def _reduced(tf: Any, values: Any, below: float, above: float, rests: bool) -> list[Any]:
    """Return the numbers of one layer's filters, in the order of the fields of `FilterNumbers`."""
    flat = _flat(tf, values)
    cells = flat.shape[1]
    ones = tf.ones([1, cells])

    def share(chosen: Any) -> Any:  # a product with ones is the quickest sum on a CPU
        return tf.matmul(ones, tf.cast(chosen, tf.float32))[:, 0] / cells

    highest, lowest = (f(flat, 1, output_type=tf.int32) for f in (tf.argmax, tf.argmin))
    mean = tf.reduce_mean(flat, 1)
    at_end = tf.zeros_like(mean)
    if above < np.inf:
        at_end += share(flat >= above)
    if below > -np.inf and not rests:
        at_end += share(flat <= below)
    return [
        _values_at(tf, flat, highest),
        highest,
        _values_at(tf, flat, lowest),
        mean,
        tf.matmul(ones, tf.square(flat - mean[:, None]))[:, 0],
        share(flat > 0),
        at_end,
        tf.matmul(tf.constant(signs(cells)), flat),
    ]


class Products:
    """Products of pairs of chosen filters, summed over the cells of their maps.

    Parameters
    ----------
    engine : Engine
    chosen : mapping of str to ndarray of int, shape (U,)
        The filters of each layer.
    centers : mapping of str to ndarray, shape (U,)
        What is taken off their values, to keep the sums exact.
    padded : bool
        Whether batches may be filled up to a fixed size.
    """

    def __init__(
        self,
        engine: Engine,
        chosen: Mapping[str, NDArray[Any]],
        centers: Mapping[str, NDArray[Any]],
        padded: bool,
    ) -> None:
        tf, self.layers = tensorflow(), tuple(chosen)

        def finish(found: list[Any]) -> Any:
            products, sums = [], []
            for name, values in zip(self.layers, found, strict=True):
                some = tf.gather(_flat(tf, values), chosen[name].astype(np.int32), axis=2)
                some -= tf.constant(centers[name], tf.float32)
                products.append(together(tf.matmul(some, some, transpose_a=True)))
                sums.append(together(tf.reduce_sum(some, 1)))
            return products, sums

        def together(each: Any) -> Any:  # a batch that may be padded is added up without padding
            return each if padded else tf.reduce_sum(each, 0, keepdims=True)

        wanted = [("filters", name) for name in self.layers]
        with TRACE_LOCK:  # not kept by the engine: the next choice is another one
            traced = engine.graph.forward()
            self._run = traced.function(wanted, engine.fed, finish, engine.replacements)

    def of(self, engine: Engine, x: Floats) -> dict[str, tuple[Floats, Floats]]:
        """Return, by layer, the sums of products (U, U) and of values (U,) over a batch x."""
        products, sums = self._run(*engine.inputs(x))
        found = zip(self.layers, products, sums, strict=True)
        return {
            name: (np.asarray(p)[: len(x)].sum(0), np.asarray(s)[: len(x)].sum(0))
            for name, p, s in found
        }

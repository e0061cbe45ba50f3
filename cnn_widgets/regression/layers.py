"""Which layers are watched, what is kept of them, and which layer of another network is the same.

Of a map (h, w, K) the mean and the standard deviation of each filter over all positions are kept,
(2K,) per photograph. The means alone would not do: of a layer without activation function they
follow from the mean colours of what comes in, whatever its filters look for.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample, LayerInfo

#: Layers watched, spread evenly over the depth of a network that has more.
MOST_LAYERS = 24
#: A layer with more values per position (a flattened map) is not watched.
_MOST_FILTERS = 4096
#: Layers that put out the values that came in, at least outside of training.
_PASSING = ("Dropout", "Flatten", "Reshape", "Permute", "InputLayer", "Noise", "ZeroPadding")
#: Figures that differ by less, relative to the largest of the layer, differ by rounding.
_ROUNDING = 1e-5


def watched(net: Network, wanted: str | Sequence[str] | None = None) -> tuple[LayerInfo, ...]:
    """Return the layers to watch, in the order they run: those named, or up to `MOST_LAYERS`.

    Raises
    ------
    ValueError
        If a layer named is unknown, or puts out no fixed number of values.
    """
    if wanted is not None:
        listed = [wanted] if isinstance(wanted, str) else wanted
        names = {net.layer(name).name for name in listed}
        for name in names:
            if not net.layer(name).filters:
                raise ValueError(f"Layer {name!r} puts out no fixed number of values to compare.")
        return tuple(info for info in net.layers if info.name in names)
    fit = [info for info in net.layers if _is_worth_it(info)]
    places = {int(n) for n in np.linspace(0, len(fit) - 1, MOST_LAYERS)} if fit else set()
    return tuple(info for n, info in enumerate(fit) if n in places)


def _is_worth_it(info: LayerInfo) -> bool:
    passes = any(word in info.kind for word in _PASSING)
    return 0 < info.filters <= _MOST_FILTERS and not passes


def layer_figures(net: Network, sample: ImageSample, layers: Sequence[str]) -> list[Floats]:
    """Return mean and standard deviation over positions of each filter, (2K,) for each layer.

    Of a layer without positions its output, (K,).
    """
    x = net.input_tensor([sample])
    seen = net.engine_for(sample).observe(x, tuple(layers)).activations
    return [_figures(seen[name][0]) for name in layers]


def _figures(output: Floats) -> Floats:
    if output.ndim == 1:
        return output
    values = np.asarray(output, np.float64).reshape(-1, output.shape[-1])
    return np.concatenate([values.mean(axis=0), values.std(axis=0)], dtype=np.float32)


def packed(rows: Sequence[Floats]) -> NDArray[np.float16]:
    """Return a layer's figures (N, K), less their mean over photographs, at most 1 in size.

    CKA sees neither mean nor scale; without them float16 keeps what tells photographs apart. What
    differs by rounding only is 0: of a layer that normalises each photograph that may be all.
    """
    given = np.array(rows, np.float64)
    values = given - given.mean(axis=0)
    values[:, np.abs(values).max(axis=0) <= _ROUNDING * np.abs(given).max()] = 0
    largest = np.abs(values).max()
    return np.asarray(values / largest if largest > 0 else values, np.float16)


def partners(kept: Sequence[LayerInfo], now: Sequence[LayerInfo]) -> list[int | None]:
    """Return for each layer kept the place of the same layer now; None where there is none.

    If the names are the same, they decide. If not, but kinds and numbers of filters follow one
    another as before (the model is built again, or nested in another), the order decides. Else
    equal names of equal kinds, and what lies between them in the same order; of a convolution that
    has lost its batch normalization the output is compared with that of the normalization.
    """
    places = {info.name: place for place, info in enumerate(now)}
    if {info.name for info in kept} == set(places):
        return [places[info.name] for info in kept]
    before, after = [_key(info) for info in kept], [_key(info) for info in now]
    if before == after:
        return list(range(len(kept)))
    found: list[int | None] = [None] * len(kept)
    for n, info in enumerate(kept):
        place = places.get(info.name)
        if place is not None and now[place].kind == info.kind:
            found[n] = place
    taken = set(found)
    for block in SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks():
        for n in range(block.size):
            if found[block.a + n] is None and block.b + n not in taken:
                found[block.a + n] = block.b + n
    return _folded(kept, now, found)


def _folded(
    kept: Sequence[LayerInfo], now: Sequence[LayerInfo], found: list[int | None]
) -> list[int | None]:
    """Return the partners where a batch normalization may now be part of the layer before it."""
    for n in range(1, len(kept)):
        before = found[n - 1]
        gone = kept[n].kind == "BatchNormalization" and found[n] is None
        if gone and before is not None and now[before].filters == kept[n].filters:
            found[n - 1], found[n] = None, before
    return found


def _key(info: LayerInfo) -> tuple[str, int, int]:
    return info.kind, info.filters, len(info.shape)


def as_json(layers: Sequence[LayerInfo]) -> list[list[Any]]:
    """Return layers as plain values: name, kind and shape."""
    return [[info.name, info.kind, list(info.shape)] for info in layers]


def from_json(rows: Sequence[Sequence[Any]]) -> tuple[LayerInfo, ...]:
    """Return the layers of `as_json`."""
    return tuple(LayerInfo(str(name), str(kind), tuple(shape)) for name, kind, shape in rows)

"""`attribute`: the public function that runs any attribution method on one image or many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from cnn_widgets import records
from cnn_widgets.analysis.paths import no_path
from cnn_widgets.attribution.methods import Method, find_method
from cnn_widgets.attribution.probe import Probe, Progress, partial_progress
from cnn_widgets.attribution.result import Attribution, Origin, heatmap_over
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample


@overload
def attribute(
    net: Network,
    sample: ImageSample,
    method: str = ...,
    class_index: int | str | None = ...,
    layer: str | None = ...,
    target: str = ...,
    **options: Any,
) -> Attribution: ...


@overload
def attribute(
    net: Network,
    sample: Sequence[ImageSample],
    method: str = ...,
    class_index: int | str | Sequence[int] | None = ...,
    layer: str | None = ...,
    target: str = ...,
    **options: Any,
) -> list[Attribution]: ...


def attribute(
    net: Network,
    sample: Any,
    method: str = "grad-cam",
    class_index: Any = None,
    layer: str | None = None,
    target: str = "logit",
    *,
    versus: int | str | None = None,
    counter: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Any:
    """Return the attribution map of a class: how much each pixel is evidence for it.

    Parameters
    ----------
    net : Network
    sample : ImageSample or sequence of ImageSample
        A sequence gives a list of results. Methods that need only gradients run it in batches.
    method : str
        A name in `METHODS`.
    class_index : int or str, optional
        The class, by index or name; by default the most likely class of each image. For a
        sequence of images, also a sequence with one index per image.
    layer : str, optional
        The layer of a class activation map; by default `net.default_layer`. Ignored by methods
        that work on the input.
    target : {"logit", "probability"}
        The quantity Y to explain: the score before the softmax, or the probability after it.
    versus : int or str, optional
        Another class to compare with: Y is then the class's value minus that of `versus`.
    counter : bool
        Whether to explain -Y, which shows the evidence against the class.
    progress : callable, optional
        Called with (steps done, total steps) by methods that take many passes, and for lists.
        If it returns False, the computation stops with `concurrent.futures.CancelledError`.
    **options
        Parameters of the method's own function, such as `steps`, `samples`, `masks`, `seed`.

    Returns
    -------
    Attribution
        Its `.raw` (h, w), float32, is the result of the method's equation. Its `.heatmap` (H, W)
        is `.raw` resized bilinearly to the photograph, then divided by its maximum, range [0, 1],
        or for a signed method by its largest absolute value, range [-1, 1]. A map without
        evidence is all zero. A list of images gives a list of `Attribution`.

    Raises
    ------
    ValueError
        If method, class, layer or target is unknown, or the layer has no spatial map.
    TypeError
        If the method has no such option.

    Examples
    --------
    >>> net, images = cw.load_network(), cw.gallery()
    >>> cw.attribute(net, images["cat"], class_index="Egyptian cat").raw.shape
    (7, 7)
    """
    checked_network(net)
    chosen = find_method(method)
    where = None if chosen.at == "input" else layer_for(net, layer)
    request = _Request(net, chosen, where, target, versus, counter, options)
    with net.weights_checked():
        if not isinstance(sample, Sequence):
            return request.one(sample, class_index, progress)
        samples = records.as_samples(sample)
        return list(request.many(samples, _class_list(net, class_index, len(samples)), progress))


def at_layers(
    net: Network,
    sample: ImageSample,
    layers: Sequence[str],
    method: str,
    class_index: int | str | None,
    target: str,
    *,
    versus: int | str | None = None,
    counter: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> list[Attribution]:
    """Return one map per layer, all with the same image, method and class; see `attribute`."""
    chosen = find_method(method)
    with net.weights_checked():
        return [
            _Request(net, chosen, layer_for(net, layer), target, versus, counter, options).one(
                sample, class_index, partial_progress(progress, place, len(layers))
            )
            for place, layer in enumerate(layers)
        ]


@dataclass(frozen=True)
class _Request:
    """The arguments of `attribute` that hold for every sample, and how to run them."""

    net: Network
    method: Method
    layer: str | None
    target: str
    versus: int | str | None
    counter: bool
    options: dict[str, Any]

    def one(self, sample: ImageSample, wanted: Any, progress: Progress | None) -> Attribution:
        """Return the map of one sample, for class `wanted` or (None) the most likely class."""
        scores, probabilities = self.net.scores(sample)
        index = _class(self.net, wanted, scores)
        weights = self.net.score_weights([index], self.versus, self.counter)[0]
        probe = Probe(self.net, sample, weights, self.layer, self.target, progress,
                      self.method.averaged)  # fmt: skip
        summed = self.method.explain(probe, **self.options)
        return self._attribution(sample, index, summed, scores, probabilities)

    def many(
        self, samples: Sequence[ImageSample], wanted: Sequence[Any], progress: Progress | None
    ) -> Iterator[Attribution]:
        """Yield the map of each sample; methods that need only gradients run in batches."""
        if self.method.plain:
            for place, found in enumerate(self.stream(samples, list(wanted))):
                partial_progress(progress, place, len(samples))
                yield found
            return
        for place, (sample, each) in enumerate(zip(samples, wanted, strict=True)):
            yield self.one(sample, each, partial_progress(progress, place, len(samples)))

    def stream(self, samples: Iterable[ImageSample], wanted: Any = None) -> Iterator[Attribution]:
        """Yield the map of each sample of an iterable that is read one batch at a time.

        `wanted` is a list with one class per sample, one class for all samples, or None for each
        sample's most likely class.
        """
        if not self.method.plain:
            yield from (self.one(sample, wanted, None) for sample in samples)
            return
        net, chosen = self.net, dict[int, int]()

        def weigh(scores: Floats, some: slice) -> Floats:
            # called before the batch's maps are yielded: the classes chosen wait in `chosen`
            classes = wanted[some] if isinstance(wanted, list) else [wanted] * len(scores)
            found = [_class(net, each, row) for each, row in zip(classes, scores, strict=True)]
            chosen.update(enumerate(found, some.start))
            return net.score_weights(found, self.versus, self.counter)

        found = net.gradient_stream(samples, self.layer, weigh, self.target, self.method.averaged)
        for place, (sample, scores, probabilities, values, gradients) in enumerate(found):
            summed = self.method.of(values, gradients, **self.options)
            yield self._attribution(sample, chosen.pop(place), summed, scores, probabilities)

    def _attribution(
        self,
        sample: ImageSample,
        index: int,
        summed: Floats,
        scores: Floats,
        probabilities: Floats,
    ) -> Attribution:
        """Return the result for one map (h, w), given as it is before the equation's ReLU."""
        net, method = self.net, self.method
        raw = np.maximum(summed, 0) if method.rectified else summed
        field = net.field(None if method.fine else self.layer)
        other = None if self.versus is None else net.class_index(self.versus)
        card = {"title": method.title, "equation": method.equation, "paper": method.paper}
        return Attribution(
            raw=raw,
            heatmap=heatmap_over(raw, field, sample, net.fit, method.signed, method.ranged),
            ranged=method.ranged,
            field=field,
            method=method.name,
            class_index=index,
            class_name=net.class_names[index],
            layer=self.layer,
            target=self.target,
            signed=method.signed,
            score=float(scores[index]),
            probability=float(probabilities[index]),
            versus=None if other is None else net.class_names[other],
            versus_index=other,
            counter=self.counter,
            removed=_removed(summed) if method.rectified else 0.0,
            origin=Origin(sample, card, dict(self.options), net, net.weights_state(reread=False)),
        )


def streamed(
    net: Network,
    samples: Iterable[ImageSample],
    method: str,
    class_index: int | str | None,
    layer: str | None,
    target: str,
    **options: Any,
) -> Iterator[Attribution]:
    """Yield the map of each sample of a lazily read iterable; see `attribute`.

    Arguments are checked at the call, before the first sample is read.
    """
    chosen = find_method(method)
    where = None if chosen.at == "input" else layer_for(net, layer)
    wanted = None if class_index is None else net.class_index(class_index)
    net.engine.check(where, target)
    versus, counter = options.pop("versus", None), options.pop("counter", False)
    request = _Request(net, chosen, where, target, versus, counter, options)
    return request.stream(samples, wanted)


def layer_for(net: Network, layer: str | None) -> str:
    """Return the layer of a class activation map: the one given, or the default layer.

    Raises
    ------
    ValueError
        If the layer is unknown, its output is no spatial map (h, w, K), or the score does not
        depend on it.
    """
    if layer is None:
        if net.default_layer is None:
            raise ValueError(
                f"Network {net.name!r} has no layer with a spatial map (h, w, K) "
                "larger than 1×1, so there is no class activation map. "
                "method='saliency' needs none."
            )
        return net.default_layer
    try:
        name = net.engine.layer_table.map_of(layer).name
        if (why := net.engine.unused(name)) is not None:
            raise no_path(f"layer {name!r}", why)
    except ValueError as error:
        raise ValueError(f"{error} The default is {net.default_layer!r}.") from None
    return name


def _class(net: Network, wanted: Any, scores: Floats) -> int:
    """Return the index of class `wanted`, or (None) of the class with the highest score."""
    return int(scores.argmax()) if wanted is None else net.class_index(wanted)


def _class_list(net: Network, wanted: Any, count: int) -> list[Any]:
    """Return a list with one class index per image; None stands for the most likely class."""
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        if len(wanted) != count:
            raise ValueError(f"Expected one class per image, {count}. Received: {len(wanted)}")
        return [net.class_index(index) for index in wanted]
    return [None if wanted is None else net.class_index(wanted)] * count


def _removed(summed: Floats) -> float:
    """Return the share, 0 to 1, of a map's absolute sum that its negative values make up."""
    whole = float(np.abs(summed).sum(dtype=np.float64))
    return float(-np.minimum(summed, 0).sum(dtype=np.float64)) / whole if whole > 0 else 0.0

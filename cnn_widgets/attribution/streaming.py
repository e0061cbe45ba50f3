"""Predictions and maps for any number of photographs, read and released batch by batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

from cnn_widgets.arguments import whole as whole_number
from cnn_widgets.attribution.explain import streamed
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.datasets import ImageSet, Label, open_images
from cnn_widgets.engine.batches import BATCH_SIZE
from cnn_widgets.engine.weights import ScoresError
from cnn_widgets.executing import Job, checked_executor, shard_results
from cnn_widgets.images.loading import load_image
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.records import ImageSample, Prediction, check_fit

_NONE = "Expected at least one photograph. Received none."


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class Explained:
    """Predictions and map of one photograph, or the error that prevented reading or answering it.

    Attributes
    ----------
    name : str
        The name of the sample; in a folder, the file's path in it.
    sample : ImageSample or None
    predictions : tuple of Prediction
        The most likely classes, best first.
    attribution : Attribution or None
    label : int, str or None
        What the photograph shows, if its owner said so.
    error : Exception or None
        The error if the photograph could not be read, or the network's scores of it are NaN or
        infinite. Sample and attribution are None then, and there are no predictions.
    """

    name: str
    sample: ImageSample | None = None
    predictions: tuple[Prediction, ...] = ()
    attribution: Attribution | None = None
    error: Exception | None = None
    label: Label = None


def stream(
    net: Network,
    images: Any,
    method: str = "grad-cam",
    class_index: int | str | None = None,
    layer: str | None = None,
    target: str = "logit",
    *,
    labels: Any = None,
    top: int = 5,
    fit: str | None = None,
    whole: bool = False,
    executor: Executor | Callable[[], Executor] | None = None,
    **options: Any,
) -> Iterator[Explained]:
    """Yield predictions and a map of each photograph in a folder, or of any iterable.

    Photographs are read while the iterator runs, at most two batches at a time, and are not kept:
    the memory needed does not grow with their number.

    Parameters
    ----------
    net : Network
    images : folder, array, data set, or iterable of sources
        Whatever `open_images` takes: a folder with its class folders, a pattern, a zip, a CSV, an
        array of pictures, a `tf.data.Dataset`, or an iterable of anything that `load_image`
        accepts (a generator may be endless).
    method, class_index, layer, target, **options
        As for `attribute`; by default each photograph's most likely class is explained.
    labels : sequence, optional
        What each picture shows, where `images` does not say so; see `open_images`.
    top : int
        The number of predictions per photograph, at least 1.
    fit : {"squash", "crop", "letterbox"}, optional
        See `load_image`; photographs are resized with antialiasing.
    whole : bool
        Whether every photograph is decoded at its full size. Otherwise a JPEG of more than four
        times the input's sides, and any larger picture of more than 8 million pixels, is read at a
        half, a quarter or an eighth of its size, see `load_image(at_least=)`: sample and heat-map
        have that size, scores differ slightly.
    executor : Executor or callable, optional
        Who does the work, a batch at a time, see `cnn_widgets.auditing.audit`. Photographs and
        maps come back as arrays: for the figures of many photographs, `audit` sends far less.

    Yields
    ------
    Explained
        In the order of the images. A photograph that cannot be read, or for which the network
        computes NaN or infinite scores, is yielded with its `error`, and the next ones follow.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If there is no photograph, or for the same reasons as `attribute`; or with an executor
        for a data set or a generator. These errors are raised by the call itself, before a
        photograph is read; that a generator yields nothing, when it is asked for the first one;
        that the network computes NaN or infinite scores for all of them, after the last one.

    Examples
    --------
    >>> net, photographs = cw.load_network(), cw.gallery().values()
    >>> [each.predictions[0].name for each in cw.stream(net, photographs)][:2]
    ['Egyptian cat', 'espresso']
    """
    whole_number("top", top)
    checked_network(net)
    check_fit(fit)
    pictures = open_images(images, labels, channels=net.channels)
    if pictures.repeatable and not len(pictures):
        raise ValueError(_NONE)
    order: deque[Explained] = deque()
    at_least = None if whole else 2 * max(net.input_size)
    samples = _readable(net, pictures, fit, at_least, order)

    def made(some: Iterable[ImageSample]) -> Iterator[Attribution]:
        return streamed(net, some, method, class_index, layer, target, **options)

    maps = made(samples)  # refuses what it cannot make; it reads nothing yet
    if executor is None:
        resumed = partial(_resumed, net, made, samples, order)
        return _answered(_merged(net, maps, resumed, order, top))
    if not pictures.repeatable:
        raise ValueError(
            "executor= is for photographs that can be read by number: a folder, a zip, a CSV, a "
            "list or an array. Those of a data set or a generator come one after the other."
        )
    checked_executor(executor)
    asked = {"method": method, "class_index": class_index, "layer": layer, "target": target,
             "top": top, "fit": fit, "whole": whole, **options}  # fmt: skip
    return _answered(_by_workers(net, pictures, asked, executor))


def _answered(found: Iterator[Explained]) -> Iterator[Explained]:
    """Yield what is found; a ValueError if that is nothing, or the network has no answer to any."""
    empty, known, broken = True, False, None
    for each in found:
        empty, known = False, known or each.error is None
        if broken is None and isinstance(each.error, ScoresError):
            broken = each.error
        yield each
    if empty:
        raise ValueError(_NONE)
    if broken is not None and not known:
        raise broken


def _by_workers(
    net: Network,
    images: ImageSet,
    asked: dict[str, Any],
    executor: Executor | Callable[[], Executor],
) -> Iterator[Explained]:
    """Yield what workers send back, in the order of the images."""
    job = Job(net, images, partial(_sent, asked=asked), net.batch or BATCH_SIZE, asked["whole"])
    with closing(shard_results(job, executor, range(job.count), ordered=True)) as results:
        for _, found in results:
            for each in found:
                yield _with_origin(each, net)


def _sent(net: Network, images: ImageSet, asked: dict[str, Any]) -> list[Explained]:
    """Return a shard's photographs and maps as they are sent: without the network."""
    found = list[Explained]()
    with suppress(ScoresError):  # other shards may have answers: told after the last one
        found += (_with_origin(each, None) for each in stream(net, images, **asked))
    return found


def _with_origin(each: Explained, net: Network | None) -> Explained:
    """Return a photograph whose map comes from another network, that of another process."""
    found = each.attribution
    if found is None or found.origin is None:
        return each
    weights = None if net is None else net.weights_state(reread=False)
    origin = replace(found.origin, network=net, weights=weights)
    return replace(each, attribution=replace(found, origin=origin))


def _readable(
    net: Network,
    images: ImageSet,
    fit: str | None,
    at_least: int | None,
    order: deque[Explained],
) -> Iterator[ImageSample]:
    """Yield the samples that can be read; append every picture, readable or not, to `order`."""
    for number, (name, label, read) in enumerate(images.walk(at_least), images.start):
        try:
            sample = net.admitted(load_image(read(), fit=fit), number)
        except (ValueError, TypeError, OSError) as error:  # all that `load_image` documents
            order.append(Explained(name, error=error, label=label))
            continue
        _ = sample.key  # digested here, in the thread that reads ahead, not between two batches
        order.append(Explained(name, sample, label=label))
        yield sample


def _merged(
    net: Network,
    maps: Iterator[Attribution],
    resumed: Callable[[ScoresError], Iterator[Attribution]],
    order: deque[Explained],
    top: int,
) -> Iterator[Explained]:
    """Yield the entries of `order`, each readable sample together with its map."""
    while True:
        try:
            found = next(maps, None)
        except ScoresError as error:
            maps = resumed(error)
            continue
        if found is None:
            break
        while (noted := order.popleft()).error is not None:
            yield noted
        best = net.predict([found.sample], top)[0]  # cached scores: no further pass
        yield replace(noted, sample=found.sample, predictions=tuple(best), attribution=found)
    yield from order


def _resumed(
    net: Network,
    made: Callable[[Iterable[ImageSample]], Iterator[Attribution]],
    samples: Iterator[ImageSample],
    order: deque[Explained],
    error: ScoresError,
) -> Iterator[Attribution]:
    """Return the maps of what was read ahead and of all further samples, after a batch has failed.

    Photographs that have no finite scores are noted in `order`. If each has some when it is asked
    about alone, the error is raised again.
    """
    left = list[ImageSample]()
    broken = False
    for place, each in enumerate(list(order)):
        if each.sample is None:
            continue
        try:
            net.scores([each.sample])
        except ScoresError as why:
            order[place], broken = Explained(each.name, error=why, label=each.label), True
        else:
            left.append(each.sample)
    if not broken:
        raise error
    return made(chain(left, samples))

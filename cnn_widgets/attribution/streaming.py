"""Predictions and maps for any number of photographs, read and released batch by batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnn_widgets.attribution.explain import streamed
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.images.loading import load_image
from cnn_widgets.networks.network import Network
from cnn_widgets.records import ImageSample, Prediction

#: Suffixes of the files in a folder that are read as photographs.
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".avif")


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class Explained:
    """Predictions and map of one photograph, or the error that prevented reading it.

    Attributes
    ----------
    name : str
        The name of the file or of the sample.
    sample : ImageSample or None
    predictions : tuple of Prediction
        The most likely classes, best first.
    attribution : Attribution or None
    error : Exception or None
        The error if the photograph could not be read. Sample and attribution are None then, and
        there are no predictions.
    """

    name: str
    sample: ImageSample | None = None
    predictions: tuple[Prediction, ...] = ()
    attribution: Attribution | None = None
    error: Exception | None = None


def stream(
    net: Network,
    images: str | Path | Iterable[Any],
    method: str = "grad-cam",
    class_index: int | str | None = None,
    layer: str | None = None,
    target: str = "logit",
    *,
    top: int = 5,
    fit: str | None = None,
    **options: Any,
) -> Iterator[Explained]:
    """Yield predictions and a map of each photograph in a folder, or of any iterable.

    Photographs are read while the iterator runs, at most two batches at a time, and are not kept:
    the memory needed does not grow with their number.

    Parameters
    ----------
    net : Network
    images : folder, or iterable of sources
        A folder, whose photographs are read in the order of their names, or an iterable of
        anything that `load_image` accepts (a generator may be endless).
    method, class_index, layer, target, **options
        As for `attribute`; by default each photograph's most likely class is explained.
    top : int
        The number of predictions per photograph, at least 1.
    fit : {"squash", "crop", "letterbox"}, optional
        See `load_image`.

    Yields
    ------
    Explained
        In the order of the images. A photograph that cannot be read is yielded with its `error`,
        and the next ones follow.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If the folder holds no photograph, or for the same reasons as `attribute`. Both errors are
        raised by the call itself, before a photograph is read.

    Examples
    --------
    >>> net, photographs = cw.load_network(), cw.gallery().values()
    >>> [each.predictions[0].name for each in cw.stream(net, photographs)][:2]
    ['Egyptian cat', 'espresso']
    """
    if top < 1:
        raise ValueError(f"Expected top to be at least 1. Received: {top}")
    sources = _pictures(Path(images)) if isinstance(images, str | Path) else images
    order: deque[Explained] = deque()
    maps = streamed(
        net, _readable(sources, fit, order), method, class_index, layer, target, **options
    )
    return _merged(net, maps, order, top)


def _pictures(folder: Path) -> list[Path]:
    """Return the paths of a folder's photographs, sorted by name."""
    folder = folder.expanduser()
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {str(folder)!r}.")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    if not found:
        raise ValueError(
            f"The folder {str(folder)!r} holds no pictures: no file that ends in "
            f"{', '.join(PICTURES)}."
        )
    return found


def _readable(
    sources: Iterable[Any], fit: str | None, order: deque[Explained]
) -> Iterator[ImageSample]:
    """Yield the samples that can be read; append every source, readable or not, to `order`."""
    for source in sources:
        name = source.name if isinstance(source, Path | ImageSample) else str(source)[:80]
        try:
            sample = load_image(source, fit=fit)
        except (ValueError, TypeError, OSError) as error:  # all that `load_image` documents
            order.append(Explained(name, error=error))
            continue
        order.append(Explained(name, sample))
        yield sample


def _merged(
    net: Network, maps: Iterator[Attribution], order: deque[Explained], top: int
) -> Iterator[Explained]:
    """Yield the entries of `order`, each readable sample together with its map."""
    for found in maps:
        while (noted := order.popleft()).error is not None:
            yield noted
        best = net.predict([found.sample], top)[0]  # cached scores: no further pass
        yield Explained(noted.name, found.sample, tuple(best), found)
    yield from order

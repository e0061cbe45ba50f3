"""Goes through sets of pictures for an experiment: what can be read, and how far it has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError

from cnn_widgets.datasets import ImageSet
from cnn_widgets.images.loading import load_image
from cnn_widgets.networks.network import Network
from cnn_widgets.records import ImageSample
from cnn_widgets.telling import stopped

#: Called with (steps done, steps in all); the work is cancelled if it returns False.
Progress = Callable[[int, int], bool | None]


class Counted:
    """Reports how many steps are done; `total` is 0 where it is not known."""

    def __init__(self, progress: Progress | None, total: int, what: str = "pictures") -> None:
        self._progress, self._total, self._what, self._done = progress, total, what, 0

    def one(self) -> None:
        """Count one step; a CancelledError if the progress function returned False."""
        self._done += 1
        if stopped(self._progress, self._done, self._total):
            of = f" of {self._total}" if self._total else ""
            raise CancelledError(f"Stopped after {self._done}{of} {self._what}.")


def number_of(sets: Sequence[ImageSet | None]) -> int:
    """Return how many pictures several sets have together; 0 if that is not known."""
    given = [each for each in sets if each is not None]
    return sum(map(len, given)) if all(each.repeatable for each in given) else 0


def map_layer(net: Network, layer: str | None) -> str:
    """Return a layer with a feature map: the one named, or the default one; or a ValueError."""
    name = layer if layer is not None else net.default_layer
    if name is None:
        raise ValueError(f"Network {net.name!r} has no layer with a map.")
    net.field(name)
    return name


def readable(
    net: Network, images: ImageSet, counted: Counted, errors: dict[str, str]
) -> Iterator[tuple[int, ImageSample]]:
    """Yield number and picture of those that can be read; note why others cannot, by name."""
    for number, (name, _, read) in enumerate(images.walk(2 * max(net.input_size))):
        try:
            sample = net.admitted(load_image(read()), number + images.start)
        except (ValueError, TypeError, OSError) as error:
            errors[name] = str(error) or type(error).__name__
        else:
            yield number, sample
        counted.one()


def repeatable(images: ImageSet, why: str) -> ImageSet:
    """Return a set that can be read by number; a ValueError that says why for any other."""
    if not images.repeatable:
        raise ValueError(
            f"{why}, and those of a data set or a generator come only once. "
            "Give a folder, a zip, a CSV, a list or an array."
        )
    return images


def ending(images: ImageSet, call: str) -> ImageSet:
    """Return a set that ends; a ValueError that names a call with a part of it for any other."""
    if images.endless:
        raise ValueError(f"The data set never ends: {call}, for instance.")
    return images


def first_error(errors: dict[str, str]) -> str:
    """Return the first reason why a picture could not be read, for a message; "" without one."""
    return "".join(f" ({name}: {why})" for name, why in list(errors.items())[:1])

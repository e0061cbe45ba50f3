"""`publish`: computes what a page for a class holds, says how large it is, and writes it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from cnn_widgets.arguments import whole
from cnn_widgets.attribution.methods import METHODS, find_method
from cnn_widgets.environment import atomic_files
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.publishing.asked import limit, names_of, wanted_classes
from cnn_widgets.publishing.content import colors, photograph
from cnn_widgets.records import ImageSample
from cnn_widgets.telling import stopped
from cnn_widgets.views import captions

#: A page larger than this is refused, in MB of 10**6 bytes, unless more is allowed.
MOST_MB = 25.0
#: Layers shown if none are named: so many, evenly chosen.
_LAYERS = 6
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Published:
    """A page that was made, and what is in it.

    Attributes
    ----------
    html : str
    photographs, classes, layers, filters : int
        How many photographs; how many classes have evidence on each, layers, and filters of each
        layer at most.
    path : Path or None
        Where it was written.
    """

    html: str = field(repr=False)
    photographs: int
    classes: int
    layers: int
    filters: int
    path: Path | None = None

    @property
    def megabytes(self) -> float:
        """Its size, in MB of 10**6 bytes."""
        return len(self.html.encode()) / 1e6

    @property
    def told(self) -> str:
        """What is in it and how large it is, in a line."""
        photographs, layers, filters = (
            f"{count} {word}{'' if count == 1 else 's'}"
            for count, word in (
                (self.photographs, "photograph"), (self.layers, "layer"), (self.filters, "filter"),
            )
        )  # fmt: skip
        classes = f"{self.classes} class{'' if self.classes == 1 else 'es'}"
        inside = f"{layers} with up to {filters}" if self.layers else "no layers"
        return f"{self.megabytes:.1f} MB: {photographs}, evidence for {classes} each, {inside}"


def publish(
    net: Network,
    images: ImageSample | Iterable[ImageSample],
    path: str | Path | None = None,
    *,
    layers: str | Sequence[str] | None = None,
    classes: int | str | Sequence[int | str] = 3,
    filters: int = 24,
    method: str = "grad-cam",
    colormap: str = "inferno",
    filter_colormap: str = "viridis",
    title: str = "",
    most_mb: float = MOST_MB,
    say: Callable[[str], Any] | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> Published:
    """Make a page for a class that needs neither kernel nor network, and write it.

    Parameters
    ----------
    net : Network
    images : ImageSample, or iterable of them
        The photographs that can be chosen on the page.
    path : str or Path, optional
        The file, ``.html``, or a folder, in which it is ``index.html``; a name without an ending is
        that of a folder. Left out, nothing is written: `Published.told` says the size.
    layers : str or sequence of str, optional
        By default six, evenly chosen from the network's feature layers.
    classes : int, str, or sequence of int or str
        For how many of the most likely classes evidence is shown on each photograph, or for which:
        names, or indices in a sequence.
    filters : int
        How many filters of each layer, the first ones.
    method : str
        A name in `METHODS` that is not slow.
    colormap, filter_colormap : str
    title : str, optional
    most_mb : float
        A larger page is refused, before anything is written.
    say : callable, optional
        Called with a line that says the size, before the file is written.
    progress : callable, optional
        Called with (photographs done, photographs in all); returning False stops.

    Raises
    ------
    ValueError
        If there is no photograph or no class, the page would be larger than `most_mb`, the name is
        neither one that ends in .html nor that of a folder, the method is slow, a number is below
        1, or a layer or class is unknown.
    TypeError
        If a number or a name is something else.
    OSError
        If the file cannot be written; an earlier one is then unchanged.
    concurrent.futures.CancelledError
        If `progress` returned False.
    """
    checked_network(net)
    chosen, some = find_method(method), _photographs(images)
    if chosen.slow:
        raise ValueError(f"{chosen.title} is too slow to be computed for every view.")
    target, most = _html_file(path), limit("most_mb", most_mb)
    names = names_of("layers", layers) if layers is not None else _evenly(net)
    shown = max((net.layer(name).filters for name in names if net.field(name)), default=0)
    filters = min(whole("filters", filters), shown or 1)
    wanted = wanted_classes(net, classes)
    found = []
    for number, sample in enumerate(some):
        if stopped(progress, number, len(some)):
            raise CancelledError(f"Stopped after {number} of {len(some)} photographs.")
        found.append(photograph(net, sample, wanted, names, filters, chosen.name))
    content = {
        "network": captions.about_network(net),
        "method": f"{chosen.title}. {chosen.reads} Beware: {chosen.caveat}",
        "heat": colors(colormap, METHODS[chosen.name].signed),
        "signed": METHODS[chosen.name].signed,
        "filter": colors(filter_colormap),
        "layers": [str(net.layer(name)) for name in names],
        "photographs": found,
    }
    html = _html(str(title or net.name), content)
    count = wanted if isinstance(wanted, int) else len(wanted)
    page = Published(html, len(found), count, len(names), filters, target)
    if page.megabytes > most:
        raise ValueError(
            f"The page would be {page.told}: more than {most:g} MB. Take fewer photographs, "
            "layers or filters, or allow more (most_mb=)."
        )
    if say is not None:
        say(page.told)
    if target is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_files(target.parent, target.name) as place:
            (place / target.name).write_text(html, "utf-8")
    return page


def _photographs(images: Any) -> list[ImageSample]:
    """Return photographs as a list; one alone is a list of one."""
    try:
        found = [images] if isinstance(images, ImageSample) else list(images)
    except TypeError:
        found = [None]
    if not all(isinstance(each, ImageSample) for each in found):
        raise TypeError(
            "Expected images to be photographs: cw.load_image(…) opens one. Received: "
            f"{type(images).__name__}"
        )
    if not found:
        raise ValueError("There is no photograph to publish.")
    return found


def _html_file(path: str | Path | None) -> Path | None:
    """Return where the page is written; a ValueError for what is neither .html nor a folder."""
    if path is None:
        return None
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"Expected path to be the name of a file or folder. Received: {path!r}")
    target = Path(path).expanduser()
    if target.is_dir() or not target.suffix or os.fspath(path).endswith(("/", os.sep)):
        return target / "index.html"
    if target.suffix.lower() != ".html":
        raise ValueError(
            f"Expected a name that ends in .html, or a folder. Received: {target.name!r}"
        )
    return target


def _evenly(net: Network) -> list[str]:
    """Return the names of a few feature layers, from the first to the last."""
    names = [info.name for info in net.feature_layers]
    if len(names) <= _LAYERS:
        return names
    return [names[round(n * (len(names) - 1) / (_LAYERS - 1))] for n in range(_LAYERS)]


def _html(title: str, content: dict[str, Any]) -> str:
    """Return the page: its words, its style, its content and its script."""
    style, body, script = ((_FOLDER / name).read_text("utf-8")
                           for name in ("viewer.css", "viewer.html", "viewer.js"))  # fmt: skip
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    data = data.replace("<", "\\u003c")  # a name such as </script> must not end the element
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{style}</style><h1>{escape(title)}</h1>{body}"
        f'<script type="application/json" id="content">{data}</script><script>{script}</script>'
        "</html>\n"
    )

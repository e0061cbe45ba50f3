"""What was suspected and what held, as a section of an audit's page."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from html import escape

import numpy as np

from cnn_widgets.auditing.sections import SIDE, image, section, table
from cnn_widgets.datasets import ImageSet, open_images
from cnn_widgets.drawing.color import colorize
from cnn_widgets.images.resizing import resize_to_input, shrink
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Pixels
from cnn_widgets.shortcuts.result import Finding, Shortcuts
from cnn_widgets.shortcuts.trials import Blurring, Effect

_SHOWN = 12
_HEAD = ("suspected of", "verdict", "taken away: change of the log-odds", "controls, 50 and 99 %",
         "lose the class", "blurred: change of the log-odds", "lose the class",
         "put in: change of the log-odds", "controls, 50 and 99 %", "get the class")  # fmt: skip


def shortcuts_section(found: Shortcuts, net: Network, images: object) -> str:
    """Return what was suspected, what held, and examples, as HTML for `write_page(sections=)`.

    Parameters
    ----------
    found : Shortcuts
    net : Network
    images : object
        The photographs that were looked at, as `open_images` takes them: those of other labels
        that a label was compared with show what putting in does.

    Examples
    --------
    >>> shortcuts_section(Shortcuts("a network", (), {}, {}), cw.load_network(), cw.gallery())
    ''
    """
    rows = [_row(each) for each in found.findings]
    pictures = open_images(images, channels=net.channels)
    cards = "".join(
        _card(each, found, net, pictures) for each in found.findings[:_SHOWN] if each.held
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in found.notes)
    body = cards + table(_HEAD, rows) + (f"<ul>{notes}</ul>" if notes else "")
    return section(
        "What decides beside the subject",
        f"{len(found.held)} of {len(found)} suspicions held. Each was taken away from photographs "
        "of its label and put into photographs of others, and compared with random controls of the "
        "same size. Positive: the label gains by it.",
        body if rows or notes else "",
    )


def _row(each: Finding) -> tuple[str, ...]:
    def told(effect: Effect) -> tuple[str, str, str]:
        middle, _, highest = effect.quantiles()
        return (
            _change(effect),
            f"{middle:+.2f}, {highest:+.2f} ({len(effect.controls)})",
            _turned(effect),
        )

    name = f"{each.label}: {each.kind} ({each.place})"
    blurred = each.trial.blurred
    middle = ("–", "–") if blurred is None else (_change(blurred), _turned(blurred))
    return name, each.verdict, *told(each.trial.away), *middle, *told(each.trial.into)


def _change(effect: Effect | Blurring) -> str:
    return f"{effect.change:+.2f} ({effect.interval[0]:.2f} to {effect.interval[1]:.2f})"


def _turned(effect: Effect | Blurring) -> str:
    return f"{effect.turned.right} of {effect.turned.count}"


def _card(each: Finding, found: Shortcuts, net: Network, images: ImageSet) -> str:
    """Return where it is, the mean map, and photographs of others without and with it."""
    parts = [image(_large(_marked(each)), f"where it is: {each.place}")]
    clusters = found.clusters.get(each.label, ())
    if clusters:
        weights = [len(some.members) for some in clusters]
        mean = np.average([some.average for some in clusters], axis=0, weights=weights)
        parts.append(image(_large(colorize(mean, "inferno")), f"mean evidence for {each.label}"))
    if each.change is not None:
        for pixels in _examples(found.examples.get(each.label, ()), net, images):
            some = pixels[None]
            parts.append(image(_large(each.change.absent(some, False)[0]), "without it"))
            parts.append(image(_large(each.change.present(some, False)[0]), "with it"))
    told = f"<figcaption>{escape(str(each))}</figcaption>"
    return f"<figure class='card'>{''.join(parts)}{told}</figure>"


def _examples(names: Sequence[str], net: Network, images: ImageSet) -> list[Pixels]:
    """Return photographs by their names, as the network takes them; those that can be read."""
    numbers, found = {name: number for number, name in enumerate(images.names)}, list[Pixels]()
    for name in names if images.repeatable else ():
        with contextlib.suppress(ValueError, TypeError, OSError, KeyError):
            sample = images.read(numbers[name], 2 * max(net.input_size))
            found.append(np.asarray(resize_to_input(sample, net.input_size, 3, net.fit), np.uint8))
    return found


def _marked(each: Finding) -> Pixels:
    grey = np.full((*each.mask.shape, 3), 225, np.uint8)
    grey[each.mask] = (200, 60, 40)
    return grey


def _large(pixels: Pixels) -> Pixels:
    """Return a picture about `SIDE` pixels large; a small one in whole multiples."""
    times = max(1, SIDE // max(pixels.shape[:2]))
    return shrink(np.repeat(np.repeat(pixels, times, 0), times, 1), SIDE)

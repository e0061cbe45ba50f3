"""What was suspected and what held, as a section of an audit's page."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from html import escape

import numpy as np

from cnn_widgets.auditing.sections import SIDE, image, percent, section, table
from cnn_widgets.auditing.shares import Share
from cnn_widgets.datasets import ImageSet, open_images
from cnn_widgets.drawing.color import colorize
from cnn_widgets.images.resizing import resize_to_input, shrink
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Pixels
from cnn_widgets.shortcuts.evidence import Focus
from cnn_widgets.shortcuts.result import Finding, Shortcuts
from cnn_widgets.shortcuts.trials import Blurring, Effect

_SHOWN = 12
_HEAD = ("suspected of", "verdict", "taken away: change of the log-odds", "controls, 50 and 99 %",
         "lose the class", "blurred: change of the log-odds", "lose the class",
         "put in: change of the log-odds", "controls, 50 and 99 %", "get the class")  # fmt: skip

_AGAIN = ("with it masked", "of the label, recognised", "of others, taken for it",
          "evidence there (area)", "evidence on the border (area)", "distance (even)")  # fmt: skip
_LABELS = ("label", "on the border (area)", "most in a corner (area)", "distance (even)",
           "on the subject (area)", "half of it on so much of the area")  # fmt: skip


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
    checked_network(net)
    rows = [_row(each) for each in found.findings]
    pictures = open_images(images, channels=net.channels)
    cards = "".join(
        _card(each, found, net, pictures) for each in found.findings[:_SHOWN] if each.held
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in found.notes)
    cards = f'<div class="row">{cards}</div>' if cards else ""
    body = cards + table(_HEAD, rows) + _again(found) + _labels(found)
    body += f"<ul>{notes}</ul>" if notes else ""
    return section(
        "What decides beside the subject",
        f"{len(found.held)} of {len(found)} suspicions held. Each was taken away from photographs "
        "of its label and put into photographs of others, and compared with random controls of the "
        "same size. Positive: the label gains by it. What held was blurred in all photographs for "
        "another look. Filters are silenced, and their activations put into others.",
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

    blurred = each.trial.blurred
    middle = ("–", "–") if blurred is None else (_change(blurred), _turned(blurred))
    return _name(each), each.verdict, *told(each.trial.away), *middle, *told(each.trial.into)


def _name(each: Finding) -> str:
    return f"{each.label}: {each.what}"


def _again(found: Shortcuts) -> str:
    """Return what is left of labels when what held is masked, as a table."""

    def both(one: str, other: str) -> str:
        return f"{one} → {other}"

    rows = []
    for each in found.findings:
        if each.masked is None:
            continue
        old, new = each.masked.before, each.masked.after
        rows.append(
            (
                _name(each),
                both(_count(old.right), _count(new.right)),
                both(_count(old.taken), _count(new.taken)),
                both(_part(old.inside), _part(new.inside)),
                both(_part(old.border), _part(new.border)),
                both(_far(old.focus), _far(new.focus)),
            )
        )
    made = table(_AGAIN, rows)
    return f"<h3>Looked at once more with it masked</h3>{made}" if made else ""


def _labels(found: Shortcuts) -> str:
    """Return the mean map of each label, and where its evidence lies, as a table."""
    if not found.focus:
        return ""
    maps, rows = "", []
    for label, focus in found.focus.items():
        zones = found.evidence[label]
        corners = {name: each for name, each in zones.items() if name.endswith("corner")}
        most = max(corners, key=lambda name: corners[name][0])
        name = f"mean evidence for {label}"
        picture = image(_large(colorize(focus.average, "inferno")), name)
        maps += f'<div class="thumb">{picture}<small>{escape(label)}</small></div>'
        rows.append((label, _part(zones["border"]), f"{most}: {_part(corners[most])}",
                     _far(focus), _part(focus.on_subject) if focus.subjects else "not known",
                     percent(focus.half)))  # fmt: skip
    told = (
        "The distance is that of the evidence from the subject in the mean, in shares of the "
        "photograph's sides; where no subject is known, from the middle. In brackets: the share of "
        "the area, and the distance of evidence that is the same everywhere."
    )
    return (
        f"<h3>Where the evidence for each label lies</h3><p class='about'>{told}</p>"
        f'{table(_LABELS, rows)}<div class="row">{maps}</div>'
    )


def _count(share: Share) -> str:
    return f"{share.right} of {share.count}"


def _part(pair: tuple[float, float]) -> str:
    return f"{percent(pair[0])} ({percent(pair[1])})"


def _far(focus: Focus) -> str:
    where = "the subject" if focus.subjects else "the middle"
    return f"{percent(focus.distance)} from {where} ({percent(focus.even)})"


def _change(effect: Effect | Blurring) -> str:
    return f"{effect.change:+.2f} ({effect.interval[0]:.2f} to {effect.interval[1]:.2f})"


def _turned(effect: Effect | Blurring) -> str:
    return _count(effect.turned)


def _card(each: Finding, found: Shortcuts, net: Network, images: ImageSet) -> str:
    """Return where it is, the mean map, and photographs of others without and with it."""
    parts = [image(_large(_marked(each)), f"where it is: {each.place}")]
    if each.label in found.focus:
        mean = found.focus[each.label].average
        parts.append(image(_large(colorize(mean, "inferno")), f"mean evidence for {each.label}"))
    if each.change is not None:
        for pixels in _examples(found.examples.get(each.label, ()), net, images):
            some = pixels[None]
            parts.append(image(_large(each.change.absent(some, False)[0]), "without it"))
            parts.append(image(_large(each.change.present(some, False)[0]), "with it"))
    words = str(each) if each.masked is None else f"{each} {each.masked}."
    told = f"<figcaption>{escape(words)}</figcaption>"
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

"""The command `cnn-widgets audit`: where a network is wrong over a whole folder, as a page."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnn_widgets.networks.network import Network


def add_audit(commands: Any) -> None:
    """Add the command and its options to those there are."""
    audit = commands.add_parser("audit", help="where a network is wrong over a whole folder")
    audit.set_defaults(run=_audit)
    audit.add_argument("images", help="a folder of class folders, a pattern, a zip or a CSV")
    audit.add_argument("--model", default=None, metavar="NAME",
                       help="a keras.applications classifier or a .keras file")  # fmt: skip
    audit.add_argument("--classes", type=Path, default=None, metavar="JSON",
                       help="a file that says which classes a label stands for")  # fmt: skip
    audit.add_argument("--method", default="grad-cam")
    audit.add_argument("--pictures", type=int, default=60, metavar="N",
                       help="mistakes shown on the page (default: 60)")  # fmt: skip
    audit.add_argument("--also", nargs="*", default=["labels", "duplicates"], metavar="CHECK",
                       help="further sections of the page: labels, duplicates (both by default), "
                            "odd, filters, robustness, shortcuts")  # fmt: skip
    audit.add_argument("--against", default=None, metavar="PHOTOS",
                       help="another set, such as the training photographs: duplicates are looked "
                            "for in both")  # fmt: skip
    audit.add_argument("-o", "--out", type=_folder, default=Path("audit"))


def _folder(text: str) -> Path:
    """Return a folder; an address of a store is refused, which a path would take for one."""
    from cnn_widgets.storage import folder  # not above: the doctor has to come without NumPy

    if "://" in text:
        raise argparse.ArgumentTypeError(
            f"expected a folder, not {text!r}: audit(…, out=address) in a script writes to a store"
        )
    try:
        return Path(folder(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _classes(path: Path | None) -> Any:
    """Return what a file says of the labels; a ValueError that names it if it is no JSON."""
    if path is None:
        return None
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is no JSON file of labels and classes: {error}") from None


def _named(net: Network, classes: Any) -> Network:
    """Return a network that has names of its own; else one named by the labels of `classes`."""
    from cnn_widgets.auditing.labels import names_of_classes
    from cnn_widgets.networks.network import Network

    names = names_of_classes(net, classes)
    if names == net.class_names:
        return net
    return Network(net.model, **(net.asked | {"class_names": names}))


def _audit(options: argparse.Namespace) -> int:
    """Audit a network over photographs; write the answers, their figures and a page.

    The exit code is 1 if no photograph can be read.
    """
    from cnn_widgets.auditing import audit, write_page
    from cnn_widgets.auditing.answers import NOTES
    from cnn_widgets.datasets import open_images
    from cnn_widgets.further_checks import checked_sections
    from cnn_widgets.networks import load_network

    _refuse_wrong(options)
    images = open_images(options.images)
    other = open_images(options.against) if options.against else None
    classes = _classes(options.classes)
    net = _named(load_network(options.model, progress=_say), classes)

    def progress(done: int, total: int) -> None:
        if done % 100 == 0 or done == total:
            print(f"\r{done:,} of {total:,}", end="", file=sys.stderr, flush=True)

    try:
        found = audit(net, images, classes=classes, method=options.method, out=options.out,
                      progress=progress)  # fmt: skip
    except KeyboardInterrupt:
        _say(f"\nStopped. The same command goes on: {options.out} keeps what was answered.")
        return 130
    _say("\n".join(["", *(f"note: {note}" for note in found.about[NOTES])]))
    print(found.unjudged or f"right: {found.accuracy}")
    if found.errors:
        print(f"unreadable: {len(found.errors):,}")
    more, code = list[str](), int(len(found.errors) == len(found))
    try:
        more = checked_sections(found, net, images, options.also, classes, _say, other)
    except KeyboardInterrupt:
        _say("\nStopped: the page is written without the further checks.")
        code = 130
    page = write_page(found, net, images, options.out / "audit.html", options.pictures, more)
    print(f"written: {page}")
    return code


def _refuse_wrong(options: argparse.Namespace) -> None:
    """Raise a ValueError for wrong options, before a network is loaded, which takes seconds."""
    from cnn_widgets.arguments import whole
    from cnn_widgets.attribution import find_method
    from cnn_widgets.further_checks import CHECKS

    whole("pictures", options.pictures, 0)
    find_method(options.method)
    unknown = [name for name in options.also if name not in CHECKS]
    if unknown:
        raise ValueError(f"Unknown check {unknown[0]!r}. Checks: {', '.join(CHECKS)}.")
    if options.against and "duplicates" not in options.also:
        raise ValueError("--against is for --also duplicates.")


def _say(line: str) -> None:
    """Tell what is not the answer: progress and notes."""
    print(line, file=sys.stderr)

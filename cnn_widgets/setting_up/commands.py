"""The commands `doctor` and `bundle`, for the command line."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from cnn_widgets.setting_up.examining import doctor
from cnn_widgets.setting_up.filling import bundle, check_bundle

_STOPPED = 130  # the exit code of what was ended by Ctrl-C


def add_commands(commands: Any) -> None:
    """Add both commands to the subparsers of a command line."""
    looking = commands.add_parser(
        "doctor", help="whether all is well on this computer, on one page to send to the teacher"
    )
    looking.add_argument(
        "--quick",
        action="store_true",
        help="draw no photograph for trial, and do not try TensorFlow and the widgets",
    )
    looking.set_defaults(run=_doctor)
    filling = commands.add_parser(
        "bundle",
        help="fill a folder for a USB stick, from which it installs with no network",
        description="Fill a folder for a USB stick: wheels for computers with this system, "
        "processor and version of Python, the network's weights, notebooks, and programs that "
        "install with no network. For other kinds of computers run it on one of each kind.",
    )
    filling.add_argument("out", type=Path, metavar="OUT", help="a new folder, or an earlier bundle")
    filling.add_argument(
        "--notebooks",
        nargs="+",
        type=Path,
        default=None,
        metavar="PATH",
        help="files and folders (default: those that come with the package)",
    )
    filling.add_argument(
        "--extras",
        default="cpu",
        metavar="NAMES",
        help="extras of the package, separated by commas (default: cpu)",
    )
    filling.add_argument(
        "--wheel",
        type=Path,
        default=None,
        metavar="FILE",
        help="this package's own wheel, where pip cannot find or build it",
    )
    filling.add_argument(
        "--check", action="store_true", help="only check that the bundle in OUT is whole"
    )
    filling.set_defaults(run=_bundle)


def _doctor(options: argparse.Namespace) -> int:
    """Print the doctor's page; return 1 if there is a fault."""
    if not options.quick:
        print("Looking at this computer; this takes half a minute ...", file=sys.stderr)
    try:
        page = doctor(draw=not options.quick)
    except KeyboardInterrupt:
        print("Stopped. cnn-widgets doctor --quick takes a moment only.", file=sys.stderr)
        return _STOPPED
    encoding = sys.stdout.encoding or "ascii"  # an old terminal cannot show every letter
    print(str(page).encode(encoding, "replace").decode(encoding))
    return 0 if page.healthy else 1


def _bundle(options: argparse.Namespace) -> int:
    """Fill a folder, or check one; return 1 if it is damaged."""
    if options.check:
        wrong = check_bundle(options.out)
        for line in wrong:
            print(line)
        print(f"damaged: {len(wrong)} files" if wrong else "the bundle is whole")
        return 1 if wrong else 0
    began = time.monotonic()
    try:
        made = bundle(
            options.out,
            notebooks=options.notebooks,
            extras=options.extras,
            wheel=options.wheel,
            say=lambda line: print(line, file=sys.stderr),
        )
    except KeyboardInterrupt:
        print("\nStopped. The bundle is not finished; the same command begins it anew.",
              file=sys.stderr)  # fmt: skip
        return _STOPPED
    print(f"written: {made.folder} ({made}, made in {time.monotonic() - began:.0f} s)")
    print("Next: copy the folder to the sticks. On each computer its README.txt tells the rest.")
    return 0

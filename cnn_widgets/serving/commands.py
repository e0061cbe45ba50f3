"""The command `app`, for the command line."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from cnn_widgets.serving.settings import App


def port(text: str) -> int:
    """Return the number of a port, for argparse."""
    if not text.strip().isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"expected a port from 1 to 65535. Received: {text!r}")
    return int(text)


def address(text: str) -> str:
    """Return an address of this computer on which a page can be served, for argparse."""
    try:
        places = socket.getaddrinfo(text or None, 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # no such name
        places = []
    if not any(_can_listen(family, place) for family, _, _, _, place in places):
        raise argparse.ArgumentTypeError(
            "expected an address of this computer, such as 127.0.0.1, or 0.0.0.0 for all of them. "
            f"Received: {text!r}"
        )
    return text


def _can_listen(family: int, place: Any) -> bool:
    """Return whether this computer has an address; a name may stand for one that it lacks, too."""
    try:
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.bind(place)
    except OSError:
        return False
    return True


_OPTIONS: dict[str, dict[str, Any]] = {
    "model": {"metavar": "NAME", "help": "a keras.applications classifier or a .keras file"},
    "images": {
        "metavar": "PHOTOS",
        "help": "a folder, a pattern, a zip or a CSV (default: the gallery)",
    },
    "link": {"metavar": "STRING", "help": "a share string: what visitors see first"},
    "lock": {
        "nargs": "+",
        "default": (),
        "metavar": "CONTROL",
        "help": "controls that visitors do not have, such as upload method",
    },
    "predict-first": {
        "action": "store_true",
        "help": "a class is guessed before the answer is shown",
    },
    "addresses": {
        "action": "store_true",
        "help": "visitors may type addresses and names of files, which this computer opens",
    },
    "title": {"default": App.title, "help": "what the browser shows in the tab"},
    "visitors": {
        "type": int,
        "metavar": "N",
        "help": "at the same time (default: as many as the free memory bears)",
    },
    "ready": {
        "type": int,
        "default": App.ready,
        "metavar": "N",
        "help": "explorers that wait for the next visitors (default: %(default)s)",
    },
    "away": {
        "type": float,
        "default": App.away,
        "metavar": "SECONDS",
        "help": "a place is free when its page has gone that long (default: %(default)s)",
    },
    "idle": {
        "type": float,
        "default": App.idle,
        "metavar": "MINUTES",
        "help": "a page on which nothing happens is closed (default: %(default)s; 0: never)",
    },
    "ip": {
        "type": address,
        "default": "127.0.0.1",
        "help": "0.0.0.0: for the whole network (default: this one)",
    },
    "port": {"type": port, "default": 8866},
    "token": {"default": "", "help": "who does not have it stays outside"},
    "no-browser": {"action": "store_true", "help": "only print the address"},
}


def add_commands(commands: Any) -> None:
    """Add the command to the subparsers of a command line."""
    made = commands.add_parser(
        "app",
        help="the explorer as a page for visitors, without a notebook (needs Voilà)",
        description="Serve the explorer as a page: who opens its address has an explorer of their "
        "own, sees no code, and needs nothing but a browser.",
    )
    for name, options in _OPTIONS.items():
        made.add_argument(f"--{name}", **options)
    made.set_defaults(run=_app)


def _app(options: argparse.Namespace) -> int:
    """Try the explorer out, then serve it until it is stopped."""
    if find_spec("voila") is None:
        raise ImportError('The app needs Voilà: pip install "cnn-widgets[app]"')
    _check_share(options.link, options.lock)
    from cnn_widgets.serving.server import serve
    from cnn_widgets.serving.trial import in_words, room_for, try_out

    names = [name for name in App.__dataclass_fields__ if name != "lock"]
    app = App(lock=tuple(options.lock), **{name: getattr(options, name) for name in names})
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's notes to its developers
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")  # of the C library: less lies unused
    print("Opening the explorer once, to see that all is well …", file=sys.stderr)
    taken = try_out(app)
    app = replace(app, visitors=app.visitors or room_for(taken))
    print(in_words(taken, app.visitors or 0), flush=True)
    serve(app, ip=options.ip, port=options.port, browser=not options.no_browser,
          token=options.token)  # fmt: skip
    return 0


def _check_share(link: str | None, lock: Sequence[str]) -> None:
    """Raise a ValueError for what is damaged or unknown, before TensorFlow is loaded."""
    from cnn_widgets.classroom import state_of
    from cnn_widgets.explorer.fields import checked_lock

    checked_lock(lock)
    if link is not None:
        state_of(link)

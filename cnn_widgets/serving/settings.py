"""What a page for visitors shows, and how many it lets in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class App:
    """A page for visitors.

    Attributes
    ----------
    model : str or None
        As `load_network` takes it; None: the bundled network.
    images : str or None
        Photographs, as `open_images` takes them; None: the bundled gallery.
    link : str or None
        A share string (see `CNNExplorer.link`): what each visitor sees first.
    lock : tuple of str
        Controls that are hidden from visitors, as for `CNNExplorer`.
    predict_first, addresses : bool
        Whether a class is guessed before the answer is shown. Whether visitors may type addresses
        and names of files, which this computer then opens; by default they may not.
    title : str
        What the browser shows in the tab.
    visitors : int or None
        How many may look around at the same time; None: as many as the free memory bears.
    ready : int
        How many explorers wait for the next visitors.
    away : float
        Seconds after which the place of a visitor is free whose page has gone.
    idle : float
        Minutes after which a page on which nothing happens is closed; 0: never.
    """

    model: str | None = None
    images: str | None = None
    link: str | None = None
    lock: tuple[str, ...] = ()
    predict_first: bool = False
    addresses: bool = False
    title: str = "Look inside a network"
    visitors: int | None = None
    ready: int = 1
    away: float = 30.0
    idle: float = 30.0

    def __post_init__(self) -> None:
        """Refuse numbers that make no sense, with a ValueError."""
        limits = {"visitors": 1, "ready": 0, "away": 1, "idle": 0}
        for name, least in limits.items():
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise ValueError(f"Expected {name} of at least {least}. Received: {value!r}")
            if value == float("inf"):
                raise ValueError(f"Expected {name} to be finite. Received: {value!r}")

    def to_json(self) -> str:
        """Return the settings as text, with whole paths: a visitor's process stands elsewhere."""
        found = asdict(self)
        for name in ("model", "images"):
            value = found[name]
            if value and "://" not in value and Path(value).expanduser().exists():
                found[name] = str(Path(value).expanduser().resolve())
        return json.dumps(found)

    @classmethod
    def from_json(cls, text: str) -> App:
        """Return the settings that `to_json` wrote."""
        found: Mapping[str, Any] = json.loads(text)
        return cls(**{**found, "lock": tuple(found["lock"])})

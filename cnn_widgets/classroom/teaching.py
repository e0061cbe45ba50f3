"""What a teacher and a student ask of an explorer from code: links, pinned views, hand-ins."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

from cnn_widgets.classroom.guesses import Guesses
from cnn_widgets.classroom.handing_in import write_hand_in
from cnn_widgets.classroom.pins import Pin, pin
from cnn_widgets.classroom.sharing import link_of, state_of
from cnn_widgets.networks import efficientnet_lite
from cnn_widgets.networks.applications import applications
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.state import State


class Teaching:
    """The part of an explorer that is for teaching.

    Attributes
    ----------
    pins : list of Pin
        The views pinned so far, in order.
    guesses : Guesses
        What was guessed before the answer was shown; `guesses.score` counts.
    """

    state: State
    pins: list[Pin]
    guesses: Guesses

    @property
    @abstractmethod
    def scene(self) -> Scene:
        """What is on screen, as arrays."""

    @classmethod
    def from_link(cls, link: str, network: Any = None, images: Any = None, **options: Any) -> Any:
        """Return an explorer that shows what a share string says.

        Parameters
        ----------
        link : str
            What `link` returned.
        network, images, **options
            As for `CNNExplorer`; they must have what the link names. Without a network, a
            classifier of keras.applications is opened by its name.

        Raises
        ------
        ValueError
            If the string is damaged, or names a photograph, layer or network that is not here. What
            it compares with may be missing: then the panel of the comparison says so.
        """
        choices = state_of(link)
        named = choices.get("network", efficientnet_lite.NAME)
        if network is None and named != efficientnet_lite.NAME:
            # It may be a path: a link opens no files
            if not isinstance(named, str) or named not in applications():
                raise ValueError(
                    f"The link is of the network {named!r}: give it, from_link(link, network)."
                )
            network = named
        made: Any = cls(network, images, **options)  # type: ignore[call-arg]
        try:
            made.state.from_dict(choices | {"predict_first": made.state.predict_first
                                            or choices.get("predict_first", False)})  # fmt: skip
        except BaseException as error:
            made.close()
            if isinstance(error, Exception):
                raise ValueError(f"The link cannot be opened here: {error}") from error
            raise
        return made

    def link(self) -> str:
        """Return a share string of what is shown; `from_link` opens it elsewhere."""
        return link_of(self.state.to_dict())

    def pin(self, note: str = "", **answers: Any) -> Pin:
        """Pin what is on screen with a note, and return it; it is then part of the hand-in.

        Parameters
        ----------
        note : str
        **answers
            What is claimed: quantities of `classroom.QUANTITIES` with ``_`` for spaces, such as
            ``top_class="Egyptian cat"``.

        Raises
        ------
        ValueError
            If a quantity is unknown.
        """
        claimed = {name.replace("_", " "): value for name, value in answers.items()}
        with self.state.lock:
            made = pin(self.scene, self.state.to_dict(), note, claimed)
            self.pins.append(made)
            self._pinned()
        return made

    def unpin(self, pin: Pin | None = None) -> None:
        """Take a pinned view off, by default the last one; one that is not there is no error."""
        gone = pin or (self.pins[-1] if self.pins else None)
        self.pins[:] = [each for each in self.pins if each is not gone]
        self._pinned()

    def report(self, path: str | Path, name: str = "") -> Path:
        """Write the pinned views as a hand-in and return the path of its page.

        Parameters
        ----------
        path : str or Path
            ``"name.html"``: a page that needs no network and no script. Beside it stand the same as
            Markdown with pictures, and ``name.handin.json``, which `check_hand_ins` reads.
        name : str
            Whose work it is; by default the name of the file.

        Raises
        ------
        ValueError
            If nothing is pinned, or the name does not end in .html.
        OSError
            If a file cannot be written; then files of an earlier hand-in are as they were.
        """
        return write_hand_in(self.pins, path, name)

    @abstractmethod
    def _pinned(self) -> None:
        """Show what is pinned now."""

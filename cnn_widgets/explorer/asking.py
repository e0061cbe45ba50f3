"""What an explorer is asked: from code what takes long, figures and files; by its text fields."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.auditing import Audit
from cnn_widgets.networks.network import Network
from cnn_widgets.publishing import publish
from cnn_widgets.publishing.asked import names_of
from cnn_widgets.rendering.export import save_as, write_view
from cnn_widgets.rendering.figure import to_figure
from cnn_widgets.rendering.saving import Download, save
from cnn_widgets.scenes.catalog import check_upload
from cnn_widgets.scenes.photographs import PAGE
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.selection import audit_question, audited
from cnn_widgets.scenes.state import State
from cnn_widgets.spelling import composed
from cnn_widgets.training.film import Film
from cnn_widgets.workbench.table import TABLE, question, run


class Asking:
    """The long computations of an explorer, made at once, and the view as a figure or a file."""

    state: State
    downloads: bool
    _closed = True  # until it is built; Python closes also what could not be

    @property
    @abstractmethod
    def scene(self) -> Scene:
        """What is on screen, as arrays."""

    @property
    @abstractmethod
    def network(self) -> Network:
        """The network chosen."""

    @abstractmethod
    def show(self, image: Any = None, **changes: Any) -> None:
        """Show an image and change any other state."""

    @abstractmethod
    def _asked(self, **changes: Any) -> None:
        """Change the state as the page asks, but for what is locked."""

    @abstractmethod
    def _unlocked(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Return the changes, but a ValueError if what they change is locked."""

    @abstractmethod
    def _tell(self, text: str = "") -> None:
        """Say something in the status line; by default what the network is."""

    @abstractmethod
    def _guarded(self, action: Callable[[], None], asked: str = "") -> bool:
        """Run a callback; if it fails, show the error on the page."""

    @abstractmethod
    def _keep(self, kind: str, asked: Any, result: Any) -> None:
        """Keep a result and show it."""

    def _check_open(self) -> None:
        """Raise a RuntimeError if the explorer is closed."""
        if self._closed:
            raise RuntimeError("This explorer is closed. Make a new one: CNNExplorer().")

    def _search(self, text: str) -> bool:
        def find() -> None:
            if text:  # an emptied field asks for nothing
                self._asked(class_index=self.network.class_index(text))

        return self._guarded(find, "class_search")

    def _open(self, source: Any) -> bool:
        kind = "location" if isinstance(source, str) else "upload"

        def add() -> None:
            if source == "":
                return
            self._unlocked({kind: source})
            changes = self._unlocked({"image": source, "class_index": None})
            check_upload(source)
            self._tell("Opening the picture …")
            self.show(**changes)
            self._tell()

        return self._guarded(add, kind)

    def compute(self) -> None:
        """Compute the map of a slow method now, and show it; fast ones are there already."""
        scene = self.scene
        if METHODS[scene.method].slow:
            self._keep("compute", scene.question, scene.compute())

    def judge(self, instrument: str | None = None) -> Any:
        """Judge the map with an instrument (by default the one chosen); show and return it."""
        chosen = instrument or self.scene.instrument
        self.state.update(trust=True, instrument=chosen)
        scene = self.scene
        if scene.verdict is None:
            self._keep("judge", scene.trust_question, scene.judge())
        return self.scene.verdict

    def audit(self, found: Audit | None = None) -> Audit:
        """Ask about all photographs, or take what `cw.audit` found of them; show and return it."""
        if not isinstance(found, Audit | None):
            raise TypeError(f"Expected what cw.audit() returns. Received: {type(found).__name__}")
        asked = audit_question(self.scene)
        self.state.audit = True
        found = found or audited(self.scene) or self.scene.audits.run(asked)
        self._keep("audit", asked, found)
        return found

    def experiment(self, name: str | None = None, result: Any = None) -> Any:
        """Make an experiment on what is on screen, or take its result; show and return it.

        Parameters
        ----------
        name : str, optional
            One of `scenes.choices.EXPERIMENTS`; by default the one chosen. Its settings are traits
            of the state, see `Bench`: ``explorer.show(switched="top 20")``.
        result : Film, optional
            For "film": the ``film`` of a `training_film`. Other results come from here alone, for
            they belong to what is on screen.

        Raises
        ------
        ValueError
            If the experiment is unknown, cannot be made here, or `result` is no film with frames.
        """
        chosen = name or self.scene.bench.experiment
        if result is not None and not (
            chosen == "film" and isinstance(result, Film) and result.frames
        ):
            raise ValueError(
                "Expected a result for 'film' only: the film of a training_film, with frames. "
                f"Received: {type(result).__name__} for {chosen!r}"
            )
        self.state.update(experiments=True, experiment=chosen)
        scene = self.scene
        asked = question(scene)
        if result is None:
            known = scene.bench.results.get(asked)
            result = run(scene) if known is None or TABLE[chosen].button else known
        self._keep("experiment", asked, result)
        return result

    def figure(self) -> Figure:
        """Return the present view as a Matplotlib figure."""
        return to_figure(self.scene)

    def save(self, path: str | Path) -> Path:
        """Write the present view to a file: .png, .jpg, .pdf, .svg, or .html with all inside."""
        return write_view(self.scene, path)

    def _saved(self, kind: str) -> str | Download:
        """Save a part of the view as the page asks, see `save_as`, and return what to tell."""
        return save(lambda folder: save_as(kind, self.scene, folder), "Saved", self.downloads)

    def publish(
        self, path: str | Path, images: str | Sequence[str] | None = None, **what: Any
    ) -> Any:
        """Write a page for a whole class that needs neither kernel nor network; return what it is.

        Parameters
        ----------
        path : str or Path
            ``"page.html"``, or a folder, in which it is ``index.html``.
        images : str or sequence of str, optional
            The names of photographs on the table; by default the first 18.
        **what
            As for `publish` of `cnn_widgets.publishing`: ``layers=``, ``classes=``, ``filters=``,
            ``most_mb=``. Method and colours are those on screen.
        """
        scene = self.scene
        first = islice(scene.samples, PAGE)
        names = names_of("images", images) if images is not None else list(first)
        names = [composed(name) for name in names]
        for name in names:
            if name not in scene.samples:
                raise ValueError(f"Unknown image {name!r}. Images: {', '.join(scene.samples)}.")
        shown = {"method": scene.method, "colormap": scene.colormap,
                 "filter_colormap": scene.filter_colormap, "say": print}  # fmt: skip
        samples = [replace(scene.samples[name], name=name) for name in names]
        return publish(scene.network, samples, path, **{**shown, **what})

"""`CNNExplorer`: a network, photographs and the engine, joined in one notebook cell.

One direction only: widget → request → state → scene → panels. One lock encloses every change and
every redraw. Every callback runs inside `_guarded`, which shows an exception on the page.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as w

from cnn_widgets.classroom.desk import PRESSED
from cnn_widgets.classroom.guesses import Guesses
from cnn_widgets.classroom.teaching import Teaching
from cnn_widgets.explorer.asking import Asking
from cnn_widgets.explorer.background import REDRAWN, BackgroundTasks
from cnn_widgets.explorer.controls import Controls
from cnn_widgets.explorer.display import Display
from cnn_widgets.explorer.fields import checked_lock
from cnn_widgets.explorer.layout import build
from cnn_widgets.explorer.saved import add_still, bundle_of, loading_card, show_outputs
from cnn_widgets.explorer.thumbnails import close_tree
from cnn_widgets.explorer.warmup import Warmup
from cnn_widgets.networks.loading import load_network
from cnn_widgets.networks.network import Network
from cnn_widgets.pointing.gestures import hottest
from cnn_widgets.pointing.touch import Touch
from cnn_widgets.scenes.catalog import Catalog
from cnn_widgets.scenes.resolving import resolve
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.showing import show, take_away
from cnn_widgets.scenes.state import State
from cnn_widgets.views import captions
from cnn_widgets.workbench.table import keep


class CNNExplorer(Asking, Teaching, w.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The explorer: look inside a convolutional network in one notebook cell.

    Parameters
    ----------
    network : str, Path, keras.Model, Network or None
        None: the bundled EfficientNet-Lite0, no download. Otherwise as `load_network` takes it.
    images : object, optional
        Photographs, as `open_images` takes them; by default the bundled gallery.
    models : mapping of str to model, Network or file, optional
        Further networks to choose from.
    classes : mapping, optional
        The classes that the photographs' labels stand for where they are not named so; see `audit`.
    allow_private, hints, downloads : bool
        Whether addresses in the local network are opened; whether hints are shown; whether what is
        saved on the page goes to the browser, and not into the kernel's folder.
    lock, predict_first : sequence of str, bool
        Controls that are hidden, as ``["network", "upload"]``; whether a class is guessed first.
    preprocess, class_names, **options
        For your own model, see `Network`; ``inputs=``: a value for each of `images`.

    Attributes
    ----------
    state : State
        What is shown; setting a trait redraws. See also `show`.

    Raises ValueError if there is no image, or no layer with a spatial map: nothing to explore.

    Examples
    --------
    >>> cw.CNNExplorer().show(image="espresso", layer="block3_expand", filter=7)
    """

    def __init__(
        self,
        network: Any = None,
        images: Any = None,
        *,
        models: Mapping[str, Any] | None = None,
        classes: Mapping[str, Any] | None = None,
        allow_private: bool = False,
        hints: bool = True,
        lock: Sequence[str] = (),
        predict_first: bool = False,
        downloads: bool = False,
        preprocess: Any = None,
        class_names: Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        lock = checked_lock(lock, predict_first)
        own = {"preprocess": preprocess, "class_names": class_names}
        options |= {name: value for name, value in own.items() if value is not None}
        with loading_card("Opening the network …"):
            # Before any widget: ipywidgets keeps those of an explorer that could not be built
            first = load_network(network, **options)  # a download shows Keras' own bar in the cell
            self._catalogue = Catalog(images, first, models or {}, allow_private, classes)
            self.downloads = downloads
            self._build(first.name, images is not None, hints, lock, predict_first)

    def _build(
        self, network: str, own_images: bool, hints: bool, lock: Sequence[str], guess: bool
    ) -> None:
        """Make the widgets, and draw them for the first time."""
        name = self._catalogue.first
        self.state = State(self._catalogue, name, network)
        super().__init__()
        self._screen = Display()
        self.add_class("cnnw-explorer").add_class(self._screen.scope)
        self._drawn: tuple[str, int] | None = None
        self._undrawn, self._warmup = frozenset[str](), Warmup()
        self.pins, self.guesses, self._hidden = [], Guesses(), False
        self.state.fit = self._catalogue.samples[name].fit or self.state.fit
        self.state.progress = self._screen.say
        self.state.pairs = own_images and self._catalogue.samples.few
        self.controls = Controls(
            self._request, self._open, self._search,
            lambda kind: self._guarded(lambda: self._press(kind), kind), hints, lock,
        )  # fmt: skip
        self.state.predict_first = guess
        self._touch = Touch(
            self._guarded, lambda: self.scene, self._asked, self._open, self._shown, self._press
        )
        self._tasks = BackgroundTasks(self.controls, self._screen, self._unless_closed, self._keep)
        self._closed = False
        self.children = build(self.controls, self._screen, self._touch.pointer)
        self.state.on_change(self._on_state)
        self._on_state(frozenset(State.ORDER))

    def __repr__(self) -> str:
        if self._closed:
            return "CNNExplorer(closed)"
        chosen = self.state
        return f"CNNExplorer({chosen.network!r}, image={chosen.image!r}, layer={chosen.layer!r})"

    @property
    def last_error(self) -> Exception | None:
        """What went wrong last in a callback or in a panel; None to forget it."""
        return self._screen.last_error

    @last_error.setter
    def last_error(self, error: Exception | None) -> None:
        self._screen.last_error = error

    @property
    def network(self) -> Network:
        """The network chosen."""
        self._check_open()
        return self.state.open_network()

    @property
    def scene(self) -> Scene:
        """What is on screen, as arrays: predictions, activations, attribution."""
        self._check_open()
        return resolve(self.state, self._catalogue)

    def show(self, image: Any = None, **changes: Any) -> None:
        """Show an image (a name, or anything `load_image` takes) and change any other state.

        All changes happen together; if one is refused, nothing changes and a ValueError says why.
        """
        self._check_open()
        show(self.state, self._catalogue, image, changes)

    def close(self) -> None:
        """Close the widgets and free images, networks and cached results."""
        if self._closed:
            return
        self._tasks.jobs.cancel(silent=True)  # now: the lock may be held by a long redraw
        with self.state.lock:
            if self._closed:  # another thread closed it meanwhile
                return
            self._closed = True
            self._tasks.jobs.cancel(silent=True)  # also a job started since the line above
            self._warmup.stop()
            self._touch.forget()
            self.state.on_change(None)
            close_tree(*self.children)
            self._catalogue.close()
        self.layout.close()
        super().close()

    def _request(self, **changes: Any) -> bool:
        """Change the state as a widget asks."""
        return self._guarded(lambda: self._asked(**changes), next(iter(changes), ""))

    def _asked(self, **changes: Any) -> None:
        """Change the state as the page asks, but for what is locked."""
        self.guesses.check(self._hidden, changes)
        self.state.update(**self._unlocked(changes))

    def _unlocked(self, changes: dict[str, Any]) -> dict[str, Any]:
        return self.controls.lock.left(changes)

    def _tell(self, text: str = "") -> None:
        """Say something in the status line; by default what the network in the list is."""
        self._screen.say(text or captions.about_network(self.network, self.state.network))

    def _pinned(self) -> None:
        self.controls.board.sync(self.pins)

    def _press(self, kind: str) -> None:
        self.guesses.check(self._hidden, [kind.partition(" ")[0]])
        if kind == "hottest":
            self._asked(**hottest(self.scene))
        elif kind == "remove":
            take_away(self.state, self._catalogue)
        elif kind.startswith("guess "):
            self.guesses.add(self.scene, kind[6:])
            self._on_state(frozenset({"predict_first"}))
        elif kind in PRESSED:
            self._screen.say(self.controls.board.pressed(kind, self))
        elif kind.startswith("save "):
            self._screen.say(self._saved(kind[5:]))
        else:
            self._tasks.press(kind, self.scene)

    def _keep(self, kind: str, asked: Any, result: Any) -> None:
        if kind == "experiment":
            keep(self._catalogue.experiments, asked, result)
        else:
            self._catalogue.keep(kind, asked, result)
        self._on_state(frozenset({REDRAWN[kind]}))

    def _unless_closed(self, action: Callable[[], None]) -> None:
        with self.state.lock:
            if not self._closed:
                action()

    def _guarded(self, action: Callable[[], None], asked: str = "") -> bool:
        """Run a callback; if it fails, show the error on the page and reset the widgets."""
        with self.state.lock:
            if self._closed:
                return False
            try:
                action()
                if asked and asked == self._screen.refusal:  # it holds no longer
                    self._tell()
                return True
            except Exception as error:
                self._screen.refused(error, asked)
                with contextlib.suppress(Exception):  # the first error is the one to show
                    self.controls.sync(self.scene, self.state, self._catalogue.network_options())
                return False

    def _on_state(self, changed: frozenset[str]) -> None:
        """Redraw the panels that read what changed."""
        with self.state.lock:
            if self._closed:
                return
            network = self.network
            # Kept until the redraw has finished: if it is interrupted, the next one repeats it
            self._undrawn |= changed
            with network.weights_checked():
                drawn = network.name, network.revision
                if drawn != self._drawn:  # the model has changed: every panel is outdated
                    self._undrawn = frozenset(State.ORDER)
                self._redraw(self._undrawn)
                self._drawn, self._undrawn = drawn, frozenset()
            self._warmup.moved(network, self.state.kinds == "all")

    def _shown(self) -> None:
        self._warmup.shown(self.network, self.state.kinds == "all")

    def _redraw(self, changed: frozenset[str]) -> None:
        scene = resolve(self.state, self._catalogue)
        self._tell()
        (self.add_class if self.state.size == "projector" else self.remove_class)("cnnw-projector")
        self._hidden = self.guesses.hides(scene, self.state.predict_first)
        (self.add_class if self._hidden else self.remove_class)("cnnw-guessing")
        try:
            self.controls.sync(scene, self.state, self._catalogue.network_options())
            self.controls.guess.sync(scene, self.guesses, self.state.predict_first)
            self._touch.sync(scene)
        except Exception as error:
            self._screen.failed("The controls", error)
        self._tasks.keep_only(scene)
        self._screen.draw_changed(scene, changed)
        self.controls.sync_leads(scene)  # some results are computed as they are drawn
        self._touch.tell_again()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Add a PNG and a line of text to the output, for viewers without a kernel."""
        bundle = bundle_of(getattr(super(), "_repr_mimebundle_", None), self, kwargs)
        if self._closed or bundle is None:
            return bundle
        self._shown()
        if self.state.predict_first or self.downloads:  # it would tell the answer; none is kept
            return bundle
        failed = add_still(bundle, repr(self), self.scene, self._catalogue.uploads)
        self.last_error = failed or self.last_error
        return bundle

    def _ipython_display_(self) -> None:
        """Show the explorer, and a still picture beside it for who opens the notebook later."""
        show_outputs(self._repr_mimebundle_(), repr(self))

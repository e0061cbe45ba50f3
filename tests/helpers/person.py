"""A seeded person at an explorer who does everything a person can do, and what should then be seen.

Widgets are moved the way the page moves them, by `set_state`: a list by its index.
"""

from __future__ import annotations

import ctypes
import gc
import io
import re
import threading
from collections import deque

import numpy as np
import psutil
from PIL import Image
from traitlets import TraitError

import cnn_widgets as cw
from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.engine.cache import ByteCache
from cnn_widgets.explorer.controls import FOLDS
from cnn_widgets.explorer.options import WIDTHS
from cnn_widgets.scenes.catalog import UPLOAD_MB
from cnn_widgets.scenes.choices import CHOICES
from cnn_widgets.scenes.state import State


def pictures(count, seed=1, size=(24, 30)):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (*size, 3), np.uint8) for _ in range(count)]


def other(keras):
    """Return a network with other layers, and another head, than the tiny one."""
    keras.utils.set_random_seed(5)
    layers = keras.layers
    inputs = keras.Input((10, 14, 3))
    x = layers.Conv2D(5, 3, padding="same", activation="relu", name="first")(inputs)
    x = layers.MaxPooling2D(name="pool")(x)
    x = layers.Conv2D(3, 3, padding="same", name="second")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    outputs = layers.Dense(1, activation="sigmoid", name="end")(x)
    return keras.Model(inputs, outputs, name="other")


def uploaded(data, name="mine.png"):
    """Return an upload as the page sends it."""
    size = len(data)
    return [{"name": name, "type": "", "size": size, "content": memoryview(data),
             "last_modified": 0}]  # fmt: skip


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


#: State that is refused whatever the network is.
REFUSED = (
    {"layer": "nowhere"}, {"layer": "dense"}, {"layer": "end"}, {"filter": -1}, {"filter": 10**6},
    {"class_index": 10**6}, {"versus": -3}, {"method": "magic"}, {"target": "loss"},
    {"cam_layer": "nowhere"}, {"alpha": 1.5}, {"alpha": float("nan")}, {"colormap": "mud"},
    {"scale": "x"}, {"fit": "bend"}, {"kinds": "none"}, {"size": "wall"}, {"network": "NoNet"},
    {"image": "nothing"}, {"instrument": "oracle"}, {"baseline": "black"}, {"ranked": ("magic",)},
    {"alpha": 0.3, "layer": "nowhere"}, {"alpha": "much"}, {"filter": "first"}, {"colour": "red"},
    {"compare_by": "mood"}, {"compare": "yes"}, {"compare_with": 3},
)  # fmt: skip


class Person:
    """One who moves an explorer; the last things done are in `log`."""

    def __init__(self, explorer, folder, seed, models=(), alone=True):
        self.explorer, self.models, self.alone = explorer, list(models), alone
        self.rng = np.random.default_rng(seed)
        self.log = deque(maxlen=25)
        self.photos = pictures(3, seed=9, size=(8, 11))
        self.path = folder / "there.png"
        self.path.write_bytes(png(self.photos[0]))
        self.kinds = [name[4:] for name in dir(self) if name.startswith("_do_")]

    def act(self):
        """Do one thing; return whether it was a good one, a bad one, or (None) may be either."""
        kind = str(self._one(self.kinds))
        self.log.append(kind)
        return getattr(self, f"_do_{kind}")()

    def _one(self, things):
        things = list(things)
        return things[int(self.rng.integers(len(things)))]

    def _note(self, *what):
        self.log[-1] = f"{self.log[-1]} {' '.join(map(str, what))}"

    def _move(self, name, **state):
        self._note(name, state)
        self.explorer.controls.widgets[name].set_state(state)

    # --- the controls ---

    def _do_list(self):
        name = str(self._one(WIDTHS))
        options = list(self.explorer.controls.widgets[name].options)
        if name == "network":  # those of keras.applications would be downloaded
            options = options[: len(self.explorer._catalogue._networks)]
        self._move(name, index=int(self.rng.integers(len(options))))
        # "evidence for" cannot be had at a layer without gradients, and so on: nothing is refused
        return True

    _do_list_again = _do_list_once_more = _do_list

    def _do_number(self):
        name = str(self._one(("filter", "filter_number")))
        top = self.explorer.controls.widgets[name].max
        self._move(name, value=int(self.rng.integers(top + 1)))
        return True

    def _do_opacity(self):
        self._move("alpha", value=round(float(self.rng.random()), 2))
        return True

    def _do_fold(self):
        self._move(str(self._one(FOLDS)), selected_index=self._one((0, None)))
        return True

    def _do_ranked(self):
        chosen = sorted({int(self.rng.integers(3)) for _ in range(3)})
        self._move("ranked", index=chosen)
        return True

    def _do_thumbnail(self):
        button = self._one(self.explorer.controls.thumbs.row.children)
        self._note(button.description)
        button.click()
        return True

    def _do_rank(self):
        self._one(self.explorer.controls.choosers).click()
        return True

    def _do_arrow(self):
        controls = self.explorer.controls
        self._one((controls.previous, controls.next)).click()
        return True

    def _do_search(self):
        names = self.explorer.network.class_names
        good = bool(self.rng.random() < 0.6)
        self._move("class_search", value=str(self._one(names)) if good else "unicorn")
        if not good:
            self.explorer.controls.widgets["class_search"].set_state({"value": ""})
        return good

    def _do_location(self):
        good = bool(self.rng.random() < 0.6)
        self._move("location", value=str(self.path if good else self.path.parent / "none.jpg"))
        if not good:
            self.explorer.controls.widgets["location"].set_state({"value": ""})
        return good

    def _do_upload(self):
        data = png(self._one(self.photos))
        self._move("upload", value=uploaded(data, f"{self._one('ab')}.png"))
        return True

    def _do_bad_upload(self):
        data = (b"", b"words", png(self.photos[0])[:60], b"<html></html>", b"\0" * 3000)
        data = (*data, bytes(UPLOAD_MB * 2**20 + 1))
        self._move("upload", value=uploaded(self._one(data)))
        return False

    def _do_compute(self):
        # A hidden button cannot be pressed, and answers at once
        if not METHODS[self.explorer.state.method].slow:
            return True
        self.explorer.controls.buttons["compute"].click()
        return True

    def _do_judge(self):
        self.explorer.controls.buttons["judge"].click()
        return None  # pointing asks for classes that tiny networks do not know

    def _do_experiment(self):
        """Press the button of an experiment that needs nothing but a layer with filters."""
        if self.explorer.state.experiment in ("votes", "excite"):
            self.explorer.controls.buttons["experiment"].click()

    # --- a script in another cell ---

    def _choices(self):
        explorer, one = self.explorer, self._one
        with explorer.state.lock:  # layers and classes of one and the same network
            network = explorer.network
            choices = {
                "layer": str(one([info.name for info in network.layers_of(None)])),
                "class_index": one([None, *range(network.classes)]),
                "versus": one([None, *range(network.classes)]),
                "cam_layer": str(one(["default", "follow"])),
                "image": str(one(list(explorer._catalogue.samples))),
                "method": str(one(METHODS)),
                "instrument": str(one(("curves", "ranking", "sanity", "depths"))),
                "pairs": bool(self.rng.random() < 0.2),
                "trust": bool(self.rng.random() < 0.5),
                "compare": bool(self.rng.random() < 0.5),
                "experiments": bool(self.rng.random() < 0.5),
                "switched": str(one(["", "0", "0 1", "top 1", "top 1 by weight"])),
                "other_image": str(one(["", *explorer._catalogue.samples])),
                "compare_with": str(one(["", "saliency", "conv2", "nothing"])),
                "counter": bool(self.rng.random() < 0.5),
            }
            choices |= {name: str(one(allowed)) for name, allowed in CHOICES.items()}
        return choices

    def _do_state(self):
        choices = self._choices()
        name = str(self._one(choices))
        self._note(name, choices[name])
        setattr(self.explorer.state, name, choices[name])
        return True

    def _do_show(self):
        choices = self._choices()
        names = self.rng.permutation(list(choices))[: int(self.rng.integers(1, 6))]
        changes = {str(name): choices[name] for name in names}
        if self.rng.random() < 0.3:
            changes["image"] = self._one(self.photos)
        self._note({name: str(value)[:20] for name, value in changes.items()})
        self.explorer.show(**changes)
        return True

    def _do_refused(self):
        changes = self._one(REFUSED)
        self._note(changes)
        before = self.explorer.state.values()
        try:
            self.explorer.show(**changes)
        except (ValueError, OSError, TraitError):
            if self.alone:
                assert self.explorer.state.values() == before
            return True  # the script was told; the page has no part in it
        raise AssertionError(f"{changes} was taken")

    def _do_train(self):
        if self.models:
            model = self._one(self.models)
            rng = self.rng
            new = [np.asarray(w) + rng.normal(0, 0.02, w.shape) for w in model.get_weights()]
            model.set_weights(new)
        return True


# --- what is seen -------------------------------------------------------------------------------

#: What a person sees of a widget.
_SEEN = ("value", "index", "options", "min", "max", "selected_index", "disabled", "description")


def seen(explorer):
    """Return all that is on the page, by name; numbers of frames and of this explorer left out."""
    controls = explorer.controls
    found = {}
    for name, view in explorer._screen.views.items():
        found[f"panel {name}"] = re.sub(r' data-frame="\d+"', "", view.value)
    for name, widget in controls.widgets.items():
        for trait in _SEEN:
            if hasattr(widget, trait):
                found[f"{name}.{trait}"] = getattr(widget, trait)
        found[f"{name} shown"] = widget.layout.display
    for name, picture in explorer._screen.pictures.items():
        hidden = picture.layout.visibility == "hidden"
        found[f"picture {name}"] = hidden or (picture.value, picture.format, picture.tooltip)
    live = re.sub(re.escape(explorer._screen.scope), "", explorer._screen.live.value)
    found["live sheet"] = re.sub(r"--(strip|overlay)-aspect: [^;]+; ", "", live)  # hidden ones
    found["thumbnails"] = [
        (button.description, "cnnw-chosen" in button._dom_classes)
        for button in controls.thumbs.row.children
    ]
    found["thumbnails' paint"] = re.sub(r"cnnw-thumb-\w+", "", controls.thumbs.sheet.value)
    found["ranks"] = [(b.description, b.layout.visibility) for b in controls.choosers]
    for kind, button in controls.buttons.items():
        bar = controls.bars[kind]
        hidden = bar.layout.visibility in (None, "hidden")  # None: the style sheet hides it
        found[kind] = button.description, button.layout.visibility, bar.value, hidden
    found["size"] = "cnnw-projector" in explorer._dom_classes
    return found


def fresh(explorer):
    """Return a new explorer set to the state of another, with all that the other knows."""
    first, *others = explorer._catalogue._networks.values()
    made = cw.CNNExplorer(
        first, dict(explorer._catalogue.samples), models={net.name: net for net in others}
    )
    made._catalogue.results = explorer._catalogue.results
    made._catalogue.experiments = explorer._catalogue.experiments
    made._catalogue.samples.revision = explorer._catalogue.samples.revision
    made.show(**explorer.state.values())
    return made


def dismiss(made):
    """Close a fresh explorer, but leave the other one what it lent."""
    made._catalogue.results = made._catalogue.experiments = ByteCache(0)
    made._catalogue._networks.clear()
    made.close()


def idle(explorer):
    """Wait until no long computation runs."""
    explorer._tasks.jobs.wait(60)
    for thread in threading.enumerate():
        if thread.name == "cnn-widgets-job":
            thread.join(60)
            assert not thread.is_alive()


def differences(explorer):
    """Return what on the page is not what a fresh explorer shows, as {name: (page, fresh)}."""
    made = fresh(explorer)
    try:
        one, two = seen(explorer), seen(made)
        assert set(explorer.state.values()) == set(State.ORDER)
        assert explorer.state.values() == made.state.values()
        return {name: (one[name], two[name]) for name in one if one[name] != two.get(name)}
    finally:
        dismiss(made)


def resident():
    """Return this process's resident memory in MB, free pages given back to the system."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc keeps what was freed
    if trim is not None:
        trim(0)
    return psutil.Process().memory_info().rss / 1e6


def brief(found, log):
    """Return differences and the last events, for a message."""
    lines = [f"{name}: {str(a)[:300]!r} is not {str(b)[:300]!r}" for name, (a, b) in found.items()]
    return "\n".join([*lines, "the last events:", *log])

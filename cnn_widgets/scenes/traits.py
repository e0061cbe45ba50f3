"""What can be chosen in an explorer: one trait for each choice, with its first value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any as Any_

from traitlets import Any, Bool, Float, HasTraits, Int, TraitType, Tuple, Unicode

from cnn_widgets.attribution.methods import QUICK
from cnn_widgets.attribution.regions import Brush
from cnn_widgets.engine.cache import ByteCache


class _Whole(Int[int, int]):
    """A whole number; True and False are none, though Python counts with them."""

    def validate(self, obj: Any_, value: Any_) -> Any_:
        """Return a number; a TraitError for anything else."""
        if isinstance(value, bool):
            self.error(obj, value)
        return super().validate(obj, value)


class _Number(Float[float, float]):
    """A number that a float can hold; True and False are none."""

    def validate(self, obj: Any_, value: Any_) -> Any_:
        """Return a number; a TraitError for anything else."""
        if isinstance(value, bool):
            self.error(obj, value)
        try:
            return super().validate(obj, value)
        except OverflowError:
            self.error(obj, value)


class Traits(HasTraits):
    """Every choice of an explorer, as a trait that can be read and set.

    ``image`` and ``network`` are names; ``kinds`` is one of `choices.KINDS`; ``layer`` is the name
    of the layer browsed and ``filter`` the index of the filter in it. ``class_index`` is the class
    explained (None: the most likely one; ``"its label"``: the class of the photograph's label, or
    the most likely one without), ``versus`` the class it is compared with (None: none), likewise;
    ``counter`` whether to show the evidence against it. ``target`` is what is explained, the
    ``"logit"`` or the ``"probability"``; ``cam_layer`` is ``"default"``, ``"follow"`` (the layer
    browsed) or the name of a layer; ``alpha`` is the opacity of heat-maps in [0, 1]. ``fit`` is
    how pictures are resized; another ``network`` sets it to its own. ``pairs`` and ``trust`` are
    whether the folds of all photographs and of the evaluation are open; ``instrument`` is the
    evaluation chosen, ``ranked`` the methods it compares, ``baseline`` what replaces a deleted
    pixel. ``pictures`` (read-only) is the number of photographs.

    ``face`` is what the large picture shows, one of `choices.FACES`, magnified ``zoom`` times about
    the place ``center``, shares (x, y) of its sides. ``region`` is a part of the photograph, (left,
    top, right, bottom) in its pixels, a `Brush`, or None; another ``image`` clears it. ``pins`` are
    up to two cells, (layer, row, column) each, whose receptive fields are shown; another
    ``network`` clears them. The mosaic shows ``filter_count`` filters in ``filter_order``.
    ``strip`` is whether the film-strip is open, ``strip_of`` what it shows, ``display`` whether the
    rare settings are. ``compare`` is whether other evidence stands beside: ``compare_by`` is what
    differs, one of `choices.COMPARED`, and ``compare_with`` which one it is ("": the first other).
    Whether there is one of that name depends on the other choices: if not, the panel says so, and
    no error is raised.

    ``audit`` is whether the fold is open that tells where the network is wrong. Once it was asked
    about all photographs, those of an ``audit_kind`` (see `SELECTIONS`), of the label
    ``audit_label`` and answered by ``audit_answer`` ("": any) are on the table. ``survey`` is
    whether the fold is open that tells what the filter does over all photographs.

    ``experiments`` is whether the fold of experiments is open; ``experiment`` is the one chosen,
    one of `choices.EXPERIMENTS`, and the traits after it say what is done in it, see `Bench`.

    ``predict_first`` is whether the network's answer is hidden until a class was guessed,
    ``handing_in`` whether the fold of pinned views is open.
    """

    image = Unicode()
    network = Unicode()
    kinds = Unicode("article")
    layer = Unicode()
    filter = _Whole()
    class_index = Any(None, allow_none=True)
    versus = Any(None, allow_none=True)
    counter = Bool(False)
    method = Unicode("grad-cam")
    target = Unicode("logit")
    cam_layer = Unicode("default")
    alpha = _Number(0.6)
    colormap = Unicode("inferno")
    scale = Unicode("filter")
    filter_colormap = Unicode("viridis")
    fit = Unicode("squash")
    size = Unicode("laptop")
    pairs = Bool(False)
    trust = Bool(False)
    instrument = Unicode("curves")
    baseline = Unicode("blur")
    ranked = Tuple(QUICK)
    face = Unicode("evidence")
    zoom = _Number(1.0)
    center = Tuple((0.5, 0.5))
    region = Any(None, allow_none=True)
    pins = Tuple(())
    filter_count = Unicode("24")
    filter_order = Unicode("index")
    strip = Bool(False)
    strip_of = Unicode("evidence")
    display = Bool(False)
    compare = Bool(False)
    compare_by = Unicode("method")
    compare_with = Unicode("")
    audit = Bool(False)
    audit_kind = Unicode("mistakes")
    audit_label = Unicode("")
    audit_answer = Unicode("")
    survey = Bool(False)
    experiments = Bool(False)
    experiment = Unicode("silence")
    switched = Unicode("")
    switching = Unicode("silenced")
    measure = Unicode("contribution")
    covered = Unicode("region")
    covered_by = Unicode("mean")
    excited = Unicode("filter")
    concept = Tuple(())
    other_image = Unicode("")
    other_network = Unicode("")
    predict_first = Bool(False)
    handing_in = Bool(False)
    #: The order in which `update` sets traits, that of the lines above: a trait comes after those
    #: it depends on.
    ORDER = tuple(name for name, trait in list(vars().items()) if isinstance(trait, TraitType))

    pictures = Int(0, read_only=True)

    def to_dict(self) -> dict[str, Any_]:
        """Return the choices that differ from those of a new explorer, as plain values for JSON.

        Photograph, network and layer are always among them; what was chosen in an audit is not,
        for elsewhere there is no audit. `State.from_dict` takes them back.
        """
        found = {}
        for name in self.ORDER:
            if name in ("audit_label", "audit_answer"):
                continue
            value = getattr(self, name)
            if name in KEPT or value != self.trait_defaults(name):
                found[name] = _plain(value)
        return found


#: Traits whose first values depend on the network and the photographs.
KEPT = ("image", "network", "layer", "filter", "fit")


def _plain(value: Any_) -> Any_:
    """Return a trait's value as JSON holds it: tuples as lists, a painted region as a dict.

    Places of a brush are rounded to tenths of a pixel.
    """
    if isinstance(value, Brush):
        strokes = [[[round(x, 1), round(y, 1)] for x, y in each] for each in value.strokes]
        return {"radius": round(value.radius, 1), "strokes": strokes}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def from_plain(name: str, value: Any_) -> Any_:
    """Return the value of a trait from the form that `Traits.to_dict` gives it."""
    if name == "region" and isinstance(value, dict) and value.keys() == {"radius", "strokes"}:
        return Brush(value["radius"], _tuples(value["strokes"]))
    return _tuples(value)


def _tuples(value: Any_) -> Any_:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


@dataclass(frozen=True)
class Bench:
    """What is done in the experiments: the traits of the same names.

    Attributes
    ----------
    experiment : str
        Which one, of `choices.EXPERIMENTS`.
    switched : str
        Filters of the layer browsed, as text that `choices.read_filters` reads; "": the one shown,
        or all where activations are taken or dreamt. Another layer or network clears it.
    switching : str
        What is done to them, one of `choices.SWITCHINGS`.
    measure : str
        By which measure of `MEASURES` filters are listed.
    covered, covered_by : str
        Which place is covered, and with what: of `choices.COVERED` and `choices.COVERS`.
    excited : str
        For what a picture is made, one of `choices.EXCITED`.
    concept : tuple of str
        The names of photographs that show a concept.
    other_image, other_network : str
        A second photograph and a second network; "": the first other one.
    results : ByteCache
        What was found, by question; shared by all scenes of an explorer.
    """

    experiment: str
    switched: str
    switching: str
    measure: str
    covered: str
    covered_by: str
    excited: str
    concept: tuple[str, ...]
    other_image: str
    other_network: str
    results: ByteCache[Any_] = field(repr=False, compare=False)

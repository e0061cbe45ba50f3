"""Covering a place of a photograph by hand, beside covering random places of the same shape."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.arguments import finite, one_sample, seed_of, whole
from cnn_widgets.attribution.probe import Progress
from cnn_widgets.attribution.regions import Region
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.engine.graph import TARGETS
from cnn_widgets.experiments.patches import Mask, Patch, filled_input, on_photo
from cnn_widgets.experiments.places import place_of
from cnn_widgets.experiments.tail import Answers, batches, chosen_class
from cnn_widgets.experiments.voting import stepping
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class Controls:
    """What a network answers with random places covered, of one shape and filled one way.

    Attributes
    ----------
    key : tuple
        Photograph, network, shape, fill, number and seed, for which they hold.
    places : ndarray of int, shape (n, 2)
        The top left pixel of each on the network's input; no place comes twice.
    scores, probabilities : ndarray, shape (n, C)
    """

    key: tuple[Any, ...] = field(repr=False)
    places: NDArray[np.intp] = field(repr=False)
    scores: Floats = field(repr=False)
    probabilities: Floats = field(repr=False)


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class Occlusion:
    """What a network answers with a region covered, beside random places of the same shape.

    Attributes
    ----------
    class_index : int
        The class whose score is looked at.
    effect : float
        By how much its value falls (score or probability, by `target`): negative where it rises.
    controls_effects : ndarray, shape (n,)
        The same for each random place.
    controls : Controls
        To be given back as ``known=`` when the region moves: a move then costs one pass.
    mask : ndarray of bool, shape (H, W)
        The pixels of the photograph that were covered.
    share : float
        Their share of what the network is given of the photograph.
    filled : ndarray of float32, shape (h, w, C)
        The network's input with the region covered, as it was given.
    answers : Answers
        Before and after.
    """

    class_index: int
    target: str
    effect: float
    controls_effects: NDArray[np.float64] = field(repr=False)
    controls: Controls = field(repr=False)
    mask: Mask = field(repr=False)
    share: float
    filled: Floats = field(repr=False)
    answers: Answers = field(repr=False)

    @property
    def percentile(self) -> float:
        """The share of random places that cost less, in [0, 1], equal ones by half; NaN of none.

        Near 1: the place matters more than others. Near 0.5: it matters no more than any.
        """
        found = self.controls_effects
        if not len(found):
            return float("nan")
        return float((found < self.effect).mean() + (found == self.effect).mean() / 2)

    @property
    def standardized(self) -> float:
        """The effect less the mean of the random ones, in their standard deviations.

        NaN where there are fewer than two, or all are equal.
        """
        found = self.controls_effects
        spread = float(found.std(ddof=1)) if len(found) > 1 else 0.0
        return (self.effect - float(found.mean())) / spread if spread > 0 else float("nan")

    @property
    def told(self) -> str:
        """What the comparison says, in words."""
        count, name = len(self.controls_effects), self.answers.class_names[self.class_index]
        done = f"costs {name}" if self.effect >= 0 else f"raises {name} by"
        told = f"Covering this place {done} {abs(self.effect):.3g}"
        if not len(self.controls.places):
            return f"{told}. No random places were asked for: nothing to compare with."
        if not count:
            return f"{told}. No other place has room for the region: nothing to compare with."
        mean = f"{self.controls_effects.mean():.3g}".replace("-", "−")
        return (
            f"{told}: more than {100 * self.percentile:.0f} % of {count} random places of the same "
            f"shape cost it (mean {mean})."
        )


def occlude(
    net: Network,
    sample: ImageSample,
    region: Region | str,
    fill: str | ImageSample = "mean",
    *,
    class_index: int | str | None = None,
    target: str = "logit",
    evidence: Attribution | None = None,
    level: float = 0.5,
    controls: int | None = 200,
    known: Controls | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Occlusion:
    """Return what a network answers with a region covered, and with random places covered.

    Costs one pass for the region and one for each random place of the same size and shape. These
    hold for the shape: with ``known=found.controls`` a region that moved costs one pass.

    Parameters
    ----------
    net, sample
    region : (left, top, right, bottom), Brush or str
        In pixels of the photograph; or "hottest", "coldest" or "all but the hottest" of a map. The
        coldest is the place of the hottest's box where the map's mean is smallest.
    fill : {"mean", "blur", "noise"} or ImageSample
        What covers it: the photograph's mean colour, the photograph blurred, noise of its mean and
        deviation, or the same place of another photograph.
    class_index : int or str, optional
        By default the most likely class.
    target : {"logit", "probability"}
        Whose fall is the effect: the score before the softmax, or the probability after it.
    evidence : Attribution, optional
        The map that names the hottest place; by default Grad-CAM for the class.
    level : float
        The hottest place is the box around what is above this share of the map's maximum.
    controls : int
        How many random places; fewer where there are not as many. Those that overlap the region by
        more than half are not compared with. 0 for none; None for those `known`, if they fit.
    known : Controls, optional
        Those of an earlier call. Used if they are of this photograph, shape, fill, number and seed,
        and made anew otherwise.
    seed : int
        Of the places, and of noise.
    progress : callable, optional
        Called with (passes done, passes in all); returning False stops.

    Raises
    ------
    TypeError
        If an argument is of another type.
    ValueError
        If nothing of the region is given to the network, the map has no hottest place, or the
        class, the fill or the target is unknown.
    concurrent.futures.CancelledError
        If `progress` returned False.

    References
    ----------
    Zeiler & Fergus 2013, arXiv 1311.2901, section 4.2 (occlusion).

    Examples
    --------
    >>> net, cat = cw.load_network(), cw.gallery()["cat"]
    >>> found = cw.occlude(net, cat, "hottest", "blur", level=0.9, controls=8)
    >>> found.answers.top_before(1)[0].name, round(found.share, 2), len(found.controls_effects)
    ('Egyptian cat', 0.05, 8)
    """
    checked_network(net).engine.check(None, target)
    one_sample(sample)
    if not 0 < finite("level", level) <= 1:
        raise ValueError(f"Expected level above 0 and up to 1. Received: {level}")
    controls = None if controls is None else whole("controls", controls, 0)
    seed = seed_of(seed)
    for name, given, kind in ("evidence", evidence, Attribution), ("known", known, Controls):
        if given is not None and not isinstance(given, kind):
            raise TypeError(
                f"Expected {name} to be of type {kind.__name__}. Received: {type(given).__name__}"
            )
    before = net.scores(sample)
    index = chosen_class(net, before[0], class_index)
    patch = place_of(net, sample, region, evidence, level, index)
    cover = _Cover(net, sample, patch, filled_input(net, sample, fill, seed))
    other = fill.key if isinstance(fill, ImageSample) else fill
    shape = patch.shape.shape, patch.shape.tobytes(), patch.inverted, patch.window
    key = net, net.revision, sample.key, other, shape, controls, seed
    alike = slice(5 if controls is None else None)  # None: however many, with whichever seed
    if known is None or known.key[alike] != key[alike]:
        known = _controls(cover, key, controls or 0, seed, progress)
    after = cover.answers([(patch.top, patch.left)])
    which = TARGETS.index(target)
    elsewhere = patch.elsewhere(known.places)
    asked = (known.scores, known.probabilities)[which][elsewhere, index]
    value = float(before[which][index])
    answers = Answers(before[0], after[0][0], before[1], after[1][0], net.class_names)
    mask = on_photo(patch.mask(net.input_size), net, sample, False)
    return Occlusion(
        index, target, value - float(after[which][0, index]), value - asked.astype(np.float64),
        known, np.asarray(mask, bool), patch.share, cover.filled((patch.top, patch.left)), answers,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Cover:
    """A photograph's input, and what covers a patch of it, wherever the patch is moved."""

    network: Network
    sample: ImageSample
    patch: Patch
    fill: Floats

    def filled(self, place: tuple[int, int]) -> Floats:
        """Return the input (H, W, C) with the patch moved to a place (top, left) covered."""
        net = self.network
        mask = self.patch.mask(net.input_size, place)[..., None]
        return np.where(mask, self.fill, net.input_tensor(self.sample))

    def answers(self, places: Any, progress: Progress | None = None) -> tuple[Floats, Floats]:
        """Return scores and probabilities (N, C) with the patch at each of N places."""
        net, engine = self.network, self.network.engine_for(self.sample)
        scores = np.empty((len(places), net.classes), np.float32)
        probabilities, step = np.empty_like(scores), stepping(progress, len(places))
        for rows in batches(net, len(places)):
            x = np.stack([self.filled((int(places[n][0]), int(places[n][1]))) for n in rows])
            seen = engine.observe(x, ())
            scores[rows.start : rows.stop] = seen.scores
            probabilities[rows.start : rows.stop] = seen.probabilities
            step(rows.stop)
        return scores, probabilities


def _controls(
    cover: _Cover, key: tuple[Any, ...], count: int, seed: int, progress: Progress | None
) -> Controls:
    """Return the answers with random places covered, each place at most once."""
    patch = cover.patch
    rows, columns = patch.free
    rng = np.random.default_rng(seed)
    chosen = rng.choice(rows * columns, min(count, rows * columns), replace=False)
    places = np.stack(np.unravel_index(chosen, (rows, columns)), axis=1) + patch.window[:2]
    scores, probabilities = cover.answers(places, progress)
    return Controls(key, places, scores, probabilities)

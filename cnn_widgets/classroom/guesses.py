"""What was guessed before the network's answer was shown, and how often it was right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cnn_widgets.scenes.scene import Scene
from cnn_widgets.views import captions

#: What may be changed or pressed on the page before a guess: nothing that tells the answer.
_ALLOWED = frozenset({
    "image", "network", "kinds", "layer", "filter", "filter_count", "scale", "filter_colormap",
    "zoom", "center", "size", "fit", "class_index", "guess", "remove",
})  # fmt: skip


@dataclass(frozen=True)
class Guess:
    """One guess: the class, the place of that class among the network's answers (from 1)."""

    name: str
    place: int


class Guesses:
    """The guesses of one explorer, one for each network and photograph as the network gets it."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, int, str], Guess] = {}

    def of(self, scene: Scene) -> Guess | None:
        """Return what was guessed of the photograph on screen; None if nothing was yet."""
        return self._made.get(_asked(scene))

    def add(self, scene: Scene, text: str) -> Guess:
        """Keep a guess, the name or number of a class; the first one counts.

        A ValueError if the network has no such class.
        """
        known = self.of(scene)
        if known is not None:
            return known
        index = scene.network.class_index(text)
        scores = scene.network.scores(scene.sample)[0]
        place = 1 + int((scores > scores[index]).sum())
        made = Guess(scene.network.class_names[index], place)
        self._made[_asked(scene)] = made
        return made

    def hides(self, scene: Scene, asked: bool) -> bool:
        """Return whether the answer is hidden: a guess is asked for, and was not made yet.

        A network with one value or class leaves nothing to guess.
        """
        return asked and scene.network.classes > 1 and self.of(scene) is None

    @staticmethod
    def check(hidden: bool, names: Iterable[str]) -> None:
        """Raise a ValueError if the answer is hidden and something asked for would tell it."""
        if hidden and set(names) - _ALLOWED:
            raise ValueError("Guess first: the answer is hidden until then.")

    @property
    def score(self) -> tuple[int, int, int]:
        """How many guesses were the first answer, among the first five, and were made in all."""
        places = [each.place for each in self._made.values()]
        return sum(p == 1 for p in places), sum(p <= 5 for p in places), len(places)

    def told(self, scene: Scene) -> str:
        """Return what was guessed and answered of the photograph on screen, and the score."""
        guess, (right, close, count) = self.of(scene), self.score
        score = f"{right} of {count} right, {close} among the first five" if count else ""
        if guess is None:
            return f"What will the network say? Guess first. {score}".strip()
        answer = captions.with_probability(scene.predictions[0])
        if guess.place == 1:
            line = f"Right: {answer}."
        else:
            line = f"You said {guess.name}, its number {guess.place}; it says {answer}."
        return f"{line} {score}."


def _asked(scene: Scene) -> tuple[str, int, str]:
    """Return what decides the answer: the network, its weights, the photograph as it goes in."""
    return scene.network_name, scene.revision, scene.sample.key

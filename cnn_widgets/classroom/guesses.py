"""What was guessed before the network's answer was shown, and how often it was right."""

from __future__ import annotations

from dataclasses import dataclass

from cnn_widgets.scenes.scene import Scene
from cnn_widgets.views import captions


@dataclass(frozen=True)
class Guess:
    """One guess: the class, the place of that class among the network's answers (from 1)."""

    name: str
    place: int


class Guesses:
    """The guesses of one explorer, one for each network and photograph."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, str], Guess] = {}

    def of(self, scene: Scene) -> Guess | None:
        """Return what was guessed of the photograph on screen; None if nothing was yet."""
        return self._made.get((scene.network_name, scene.image))

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
        self._made[scene.network_name, scene.image] = made
        return made

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

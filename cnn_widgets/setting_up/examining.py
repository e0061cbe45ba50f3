"""`doctor`: looks at every part of the set-up and makes a page of it."""

from __future__ import annotations

import datetime
from collections.abc import Callable

from cnn_widgets.setting_up import front_end, machine, packages, trial
from cnn_widgets.setting_up.finding import Diagnosis, Finding
from cnn_widgets.setting_up.privacy import scrubbed

Look = Callable[[], list[Finding]]


def _looks(draw: bool) -> dict[str, Look]:
    """Return the parts that are looked at, in the order of the page."""
    looks: dict[str, Look] = {
        "Python": machine.python,
        "computer": machine.system,
        "memory": machine.memory,
        "room": machine.room,
        "versions": packages.versions,
        "packages": packages.requirements,
        "TensorFlow": packages.tensorflow,
        "hidden packages": packages.hidden_modules,
        "restart": packages.restarts,
        "front end": front_end.front_end,
        "widgets in the page": front_end.widget_modules,
        "weights": packages.weights,
    }
    return looks | ({trial.PART: trial.drawn_picture} if draw else {})


def doctor(*, draw: bool = True) -> Diagnosis:
    """Return what is in order and what is not in this computer's set-up, each with its remedy.

    It looks at versions, processor, memory, room on the disk, front end, the widgets' modules for
    the page and the weights of the bundled network, loads the widgets and TensorFlow and draws a
    photograph for trial, which takes half a minute. It fetches nothing, sends nothing and changes
    nothing. The page names no user, no folder and no setting of the computer.

    Parameters
    ----------
    draw : bool
        Whether the widgets and TensorFlow are loaded and a photograph is drawn for trial.

    Returns
    -------
    Diagnosis
        A notebook shows it as plain text to paste; `records()` gives it as dicts.

    Examples
    --------
    >>> page = doctor(draw=False)
    >>> page.findings[-1].status
    'ok'
    """
    found = [each for part, look in _looks(draw).items() for each in _looked_at(part, look)]
    number = packages.installed(packages.OWN) or "(not installed)"
    return Diagnosis(tuple(found), number, datetime.date.today().isoformat(), tried=draw)


def _looked_at(part: str, look: Look) -> list[Finding]:
    """Return findings about a part, or one that says why it cannot be looked at."""
    try:
        return look()
    except Exception as error:  # a broken set-up is what this is for: no part takes others with it
        told = f"It could not be looked at: {type(error).__name__}: {scrubbed(error)}"
        remedy = "Show this line to your teacher; the other lines hold all the same."
        if isinstance(error, ImportError):
            remedy = packages.how_to_mend(error)
        return [Finding(part, "warning", told, remedy)]

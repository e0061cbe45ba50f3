"""The photographs of an audit that are chosen: those of a kind, of a label, of an answer."""

from __future__ import annotations

from cnn_widgets.auditing import Audit
from cnn_widgets.auditing.selecting import SELECTIONS
from cnn_widgets.filter_index import FilterIndex
from cnn_widgets.scenes.audits import Question
from cnn_widgets.scenes.scene import Scene


def audit_question(scene: Scene) -> Question:
    """Return everything that an audit of the network on screen depends on."""
    return scene.network, scene.revision, scene.sample.fit or scene.network.fit


def audited(scene: Scene) -> Audit | None:
    """Return the audit of the network on screen, if its fold is open and it has been run."""
    return scene.audits.get(audit_question(scene)) if scene.audit else None


def indexed(scene: Scene) -> FilterIndex | None:
    """Return what all filters do over all photographs, if its fold is open and it was asked."""
    return scene.audits.index(audit_question(scene)) if scene.survey else None


def selected(scene: Scene) -> tuple[str, ...] | None:
    """Return the names of the photographs chosen in the audit; None if there is no audit."""
    found = audited(scene)
    if found is None:
        return None
    return scene.audits.selected(found, scene.audit_kind, scene.audit_label, scene.audit_answer)


def unlabelled(scene: Scene) -> bool:
    """Return whether all were asked about, and none has a label."""
    found = audited(scene)
    return found is not None and not found.judged.any()


def kind_shown(scene: Scene) -> str:
    """Return the kind of photographs chosen: "all" where no label says what is a mistake."""
    return "all" if unlabelled(scene) else scene.audit_kind


def about_selection(scene: Scene, ordered: bool = True) -> str:
    """Return which photographs are chosen, in words: "mistakes …, labelled cat".

    `ordered`: also in which order.
    """
    line = ", ".join(SELECTIONS[kind_shown(scene)].split(", ")[: None if ordered else 1])
    if scene.audit_label:
        line += f", labelled {scene.audit_label}"
    if scene.audit_answer:
        line += f", answered by {scene.audit_answer}"
    return line

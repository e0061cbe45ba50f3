"""Where the network is wrong over all photographs: figures in words, and the confusion table."""

from __future__ import annotations

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.auditing.result import ANOTHER, Audit
from cnn_widgets.panels.places import shown_confusion
from cnn_widgets.records import ImageSample
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.selection import about_selection, audited, selected
from cnn_widgets.telling import counted
from cnn_widgets.views import captions
from cnn_widgets.views.overlays import over_photograph
from cnn_widgets.views.view import Matrix, Pair, View

#: So many of the photographs chosen are shown with their evidence.
_SHOWN = 4


def audit_words(scene: Scene) -> View:
    """Return how many photographs are right, how sure the network is, and which are chosen."""
    if not scene.audit:
        return View("The audit is closed.")
    found = audited(scene)
    if found is None:
        return View(_invitation(scene))
    terms = [("photographs", _counted(found))]
    if found.judged.any():
        terms.append(("right", str(found.accuracy)))
        terms.append(("how sure", _how_sure(found)))
    else:
        terms.append(("right", f"not known: {found.unjudged}"))
    chosen = len(selected(scene) or ())
    told = f"{chosen:,}: {about_selection(scene)}{_below(scene, chosen)}"
    terms.append(("on the table", told))
    if found.judged.any() and len(found.label_names) > len(shown_confusion(found)[0]):
        told = "those with the most mistakes; every other is in the list of labels"
        terms.append(("table", f"{len(shown_confusion(found)[0])} labels of "
                               f"{len(found.label_names):,}, {told}"))  # fmt: skip
    line = "; ".join(f"{term}: {told}" for term, told in terms)
    return View(line, terms=tuple(terms))


def confusion(scene: Scene) -> View:
    """Return how often each label got each answer, with the cell that is chosen marked."""
    found = audited(scene)
    if found is None or not found.judged.any():
        return View("")
    labels, answers, counts = shown_confusion(found)
    recalls = {row.label: row.recall for row in found.per_label}
    rows = tuple(
        (label, captions.percent(recalls[label].value), recalls[label].count, tuple(map(int, line)))
        for label, line in zip(labels, counts, strict=True)
    )
    chosen = (
        labels.index(scene.audit_label) if scene.audit_label in labels else -1,
        answers.index(scene.audit_answer) if scene.audit_answer in answers else -1,
    )
    alt = "How often each label (rows) got each answer (columns)."
    return View(alt, matrix=Matrix(answers, rows, chosen))


def chosen_evidence(scene: Scene) -> View:
    """Return the first photographs chosen, each with the evidence for its answer and its label."""
    names = first_chosen(scene)
    if not names:
        return View("")
    found, net = [], scene.network
    for name in names:
        try:
            sample = scene.samples[name]
        except ValueError:  # the thumbnails say why
            continue
        label = scene.samples.photographs.label(name)
        meant = scene.audits.label_class(net, sample, label)
        best = net.predict(sample, top=1)[0]
        asked = [("answer", best.class_index)]
        if meant not in (None, best.class_index):
            asked.append(("label", meant))
        found.append(_explained(scene, sample, name, asked))
    return View(
        "The first photographs chosen, with the evidence for the answer and for the label.",
        pairs=tuple(found),
        alpha=scene.alpha,
    )


def _explained(scene: Scene, sample: ImageSample, name: str, asked: list[tuple[str, int]]) -> Pair:
    """Return a photograph beside the evidence for each class asked, in one figure."""
    told, maps = [name], []
    for word, index in asked:
        evidence = scene.attribution_of(sample, index)
        photo, colors = over_photograph(scene, sample, evidence.heatmap, evidence.signed)
        line = f"{word}: {evidence.class_name} ({captions.percent(evidence.probability)})"
        told.append(f"{line}{captions.if_empty(evidence.heatmap)}")
        maps.append((colors, f"{name}, {line}. {captions.evidence(evidence)}"))
    return "; ".join(told), photo, tuple(maps)


def first_chosen(scene: Scene) -> tuple[str, ...]:
    """Return the photographs chosen in the audit that are shown with their evidence.

    A slow method shows none.
    """
    return () if METHODS[scene.method].slow else (selected(scene) or ())[:_SHOWN]


def _below(scene: Scene, chosen: int) -> str:
    """Return which of the photographs chosen are shown with their evidence, or why none is."""
    beside = len(first_chosen(scene))
    if chosen and not beside:
        return "; none with its evidence below: the method takes too long for several"
    return f"; below, the first {beside} of them" if beside < chosen else ""


def about_cell(found: Audit, label: str, answer: str) -> str:
    """Return in words what a cell of the confusion table counts; "" names all labels or answers."""
    labels, answers = found.label_names, (*found.label_names, ANOTHER)
    table = found.confusion
    if not label:
        if not answer:
            return "all mistakes"
        column = table[:, answers.index(answer)]
        wrong = int(column.sum()) - (int(column[labels.index(answer)]) if answer in labels else 0)
        told = counted(wrong, "photograph of another label was", "photographs of other labels were")
        return f"{told} answered by {answer}"
    row = table[labels.index(label)]
    total = int(row.sum())
    if not answer:
        wrong = total - int(row[labels.index(label)])
        return f"{wrong:,} of {total:,} photographs labelled {label} are wrong"
    count = int(row[answers.index(answer)])
    return f"{count:,} of {total:,} photographs labelled {label} were answered by {answer}"


def _how_sure(found: Audit) -> str:
    """Return how sure the network is, beside how often it is right."""
    sure = captions.percent(float(found.confidence[found.judged].mean()))
    return (
        f"says {sure} on average and is right {captions.percent(found.accuracy.value)} of the "
        f"time; among answers that are about equally sure the two are "
        f"{captions.percent(found.calibration.error)} apart (expected calibration error)"
    )


def _counted(found: Audit) -> str:
    bad = len(found.errors)
    return f"{len(found):,}{f', {bad:,} of them cannot be read' * bool(bad)}"


def _invitation(scene: Scene) -> str:
    line = (
        f"Press the button, and {scene.network_name} is asked about all photographs it was opened "
        "with: how many are right, what is taken for what, and which are wrong. A run that is "
        "stopped goes on where it was."
    )
    if not scene.audits.labelled:
        line += (
            " These photographs have no labels, so none can be right or wrong: give labels by "
            "folders, or by pairs (picture, label)."
        )
    return line

"""An audit that was kept, opened again."""

from __future__ import annotations

from pathlib import Path

from cnn_widgets import storage
from cnn_widgets.auditing.answers import kept_answers
from cnn_widgets.auditing.keeping import read_manifest
from cnn_widgets.auditing.labels import LabelTable
from cnn_widgets.auditing.result import Audit


def load_audit(folder: str | Path) -> Audit:
    """Return the audit that `audit(…, out=folder)` has written, also one that was interrupted.

    Raises
    ------
    FileNotFoundError
        If the folder holds none.
    ValueError
        If its files are damaged.

    Examples
    --------
    >>> import tempfile
    >>> labelled = [(cw.gallery()["espresso"], "espresso")]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = cw.audit(cw.load_network(), labelled, out=folder)
    ...     cw.load_audit(folder).accuracy == made.accuracy
    True
    """
    place = storage.folder(folder)
    try:
        kept = read_manifest(place)
        answers = kept_answers(place, kept.get("shard", 0), kept.get("photographs", 0))
        table = kept.pop("label_table")
        labels = LabelTable(
            tuple(table["names"]),
            tuple(map(tuple, table["classes"])),
            dict(table["known"]),
        )
        return Audit(kept, kept.pop("class_names"), labels, answers)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{place!r} holds no audit: {error.filename!r}.") from None
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"The audit in {place!r} is damaged: {error}") from None

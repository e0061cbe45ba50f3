"""Which audit it is: what its answers depend on, also when it is opened again from a folder."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from cnn_widgets import storage
from cnn_widgets.arguments import whole
from cnn_widgets.auditing.answers import NOTES, kept_answers
from cnn_widgets.auditing.keeping import read_manifest
from cnn_widgets.auditing.labels import LabelTable
from cnn_widgets.auditing.result import Audit
from cnn_widgets.datasets import ImageSet
from cnn_widgets.engine.weights import weights_digest
from cnn_widgets.executing import shard_size
from cnn_widgets.heads import OutputChoice
from cnn_widgets.images.loading import load_image
from cnn_widgets.networks.network import Network
from cnn_widgets.records import FITS


def manifest_of(
    net: Network, images: ImageSet, method: str, fit: str | None, shard: int | None
) -> dict[str, Any]:
    """Return what the answers depend on, as plain values."""
    if shard is not None:
        whole("shard", shard)
    count = len(images) if images.repeatable else 0
    return {
        "network": net.name,
        "weights": weights_digest(net.model),
        "preprocessing": input_digest(net),
        "head": described_head(net),
        "images": images.fingerprint() if images.repeatable else "a stream",
        "method": method,
        "fit": fit or net.fit,
        "photographs": count,
        "shard": int(shard or shard_size(count)),
        "notes": list(net.notes),
        NOTES: list(images.notes) if images.repeatable else [],
    }


def input_digest(net: Network, fit: str | None = None) -> str:
    """Return a digest of what the network is given of a certain picture, resized by `fit`.

    "" if it takes neither RGB nor grey pictures: what it is given of others is not looked at.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    try:
        given = np.round(net.input_tensor(load_image(pixels, fit=fit)), 4)
    except ValueError:  # it takes other channels than a photograph's
        return ""
    return hashlib.sha256(np.asarray(given, np.float32).tobytes()).hexdigest()


def described_head(net: Network) -> str:
    """Return what the network's scores are, and which of its outputs they come from, in words."""
    output, at = (net.asked[name] for name in ("output", "at"))
    names = list(getattr(net.model, "output_names", None) or [])
    number = names.index(output) if output in names else output
    told = f"{net.engine.head.kind} of output {number or 0}"
    return told if at is None else f"{told} at {OutputChoice(at=at).place}"


def differences(found: Audit, net: Network) -> str:
    """Return in words what else a network has than the one that was audited; "" if nothing.

    What an audit does not tell, because it was written before that was kept, is not compared.
    """
    told, head = list[str](), described_head(net)
    if found.about["weights"] != weights_digest(net.model):
        told.append("other weights")
    # The digest was made with the fit that the network had then, which is not kept
    digests = {input_digest(net, fit) for fit in (None, *FITS)}
    if found.about.get("preprocessing", "") not in {"", *digests}:
        told.append("another preprocessing")
    if found.class_names != tuple(net.class_names):
        told.append("other class names")
    if found.about.get("head", head) != head:
        told.append(f"another head ({head}; audited: {found.about['head']})")
    return " and ".join(filter(None, [", ".join(told[:-1]), *told[-1:]]))


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

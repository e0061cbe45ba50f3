"""A network as something that can be sent: its model in a file, and what it was opened with."""

from __future__ import annotations

import pickle
import tempfile
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cnn_widgets import storage
from cnn_widgets.engine.weights import values_digest
from cnn_widgets.model_files.opening import model_file
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network

#: Held by a thread that computes: one network at a time is opened and asked in each process.
#: Threads would otherwise share cached scores, which differ by rounding from batch to batch.
COMPUTING = threading.RLock()


@dataclass(frozen=True)
class PackedNetwork:
    """A network that any process can open that reaches the file.

    Attributes
    ----------
    file : str
        The place of the model's ``.keras`` file.
    weights : str
        The digest of its weights.
    options : bytes
        What the network was opened with, and the classes of the model that are not Keras's own.
    """

    file: str
    weights: str
    options: bytes


def pack(net: Network, folder: str) -> PackedNetwork:
    """Write a network's model into a folder, and return how it is opened again.

    Parameters
    ----------
    net : Network
    folder : str
        A path or the address of a store that every worker reaches.

    Raises
    ------
    TypeError
        If the model, or a function that the network was opened with, cannot be sent.
    ValueError
        If the network is a private copy with weights of its own.
    """
    checked_network(net)
    if net.private_weights:
        raise ValueError(
            f"{net.name!r} is a private copy with weights of its own, which no file holds: "
            "give the network itself."
        )
    options = dumps((net.asked, _own_classes(net.model)), f"the network {net.name!r}")
    digest = values_digest(net.model)
    name = f"network-{digest[:16]}.keras"
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / name
        try:
            net.model.save(file)
        except (NotImplementedError, TypeError, ValueError) as error:
            raise TypeError(
                f"The model of {net.name!r} cannot be saved, so no worker can open it: {error}"
            ) from error
        storage.write(folder, {name: file.read_bytes()})
    return PackedNetwork(storage.joined(folder, name), digest, options)


@lru_cache(maxsize=1)
def unpack(packed: PackedNetwork) -> Network:
    """Return the network; that of the last call is kept, for a worker has one shard after another.

    Raises
    ------
    FileNotFoundError
        If this process does not reach the file.
    ValueError
        If its model has other weights than the network that was packed.
    """
    asked, classes = pickle.loads(packed.options)
    try:
        data = storage.read(packed.file)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"This worker does not reach {packed.file!r}. Workers on other machines need a place "
            "that they share with this one: out= on a common disk, or the address of a store."
        ) from None
    with tempfile.TemporaryDirectory() as made:
        file = Path(made) / "network.keras"
        file.write_bytes(data)
        model = model_file(file, classes, trust=True).model  # it was running in the first process
    if (found := values_digest(model)) != packed.weights:
        raise ValueError(
            f"The model of {asked['name']!r} has other weights after it was saved and loaded "
            f"({found[:12]} for {packed.weights[:12]}): a layer does not restore its weights."
        )
    return Network(model, **asked)


def dumps(value: Any, what: str) -> bytes:
    """Return a value pickled; functions of a notebook too, if `cloudpickle` is installed.

    Raises
    ------
    TypeError
        If it cannot be pickled; the message begins with `what`.
    """
    try:
        from cloudpickle import dumps as pickled
    except ImportError:
        from pickle import dumps as pickled
    try:
        return bytes(pickled(value))
    except Exception as error:  # pickle raises errors of many types
        raise TypeError(
            f"{what[0].upper()}{what[1:]} cannot be sent to another process: {error}"
        ) from error


def _own_classes(model: Any) -> dict[str, type]:
    """Return the classes of a model's layers that are not Keras's own, by name."""
    kinds = {type(each) for each in (model, *model._flatten_layers())}
    return {each.__name__: each for each in kinds if not each.__module__.startswith("keras")}

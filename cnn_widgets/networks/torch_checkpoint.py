"""Reads a legacy (pre-ZIP) PyTorch checkpoint into NumPy arrays without PyTorch.

The file is a sequence: three pickles (magic number, protocol, system information), the state
dict with persistent ids instead of data, the list of storage keys, then for every storage an
int64 count and its raw little-endian numbers. The unpickler below resolves four names and no
others, so that a file made to run code is refused.
"""

# Not torch.load: torch would be a dependency of hundreds of MB for one file, and no maintained
# package reads the legacy format.

from __future__ import annotations

import math
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DTYPES: dict[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "LongStorage": np.dtype("<i8"),
}


class _Tensor(NamedTuple):
    """One tensor of the state dict, whose storage has not been read yet.

    Offset and strides count numbers, not bytes, as in PyTorch.
    """

    storage: tuple[Any, ...]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def resolve(self, storages: dict[str, NDArray[Any]]) -> NDArray[Any]:
        """Return the array; a ValueError if it reaches outside its storage.

        The check comes first, because as_strided would read any memory.
        """
        flat = storages[self.storage[2]]
        reach = sum(
            (size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True)
        )
        outside = min((self.offset, *self.shape, *self.strides)) < 0
        if outside or self.offset + reach >= flat.size or math.prod(self.shape) > flat.size:
            raise ValueError(f"a tensor of shape {self.shape} lies outside its storage")
        strides = tuple(stride * flat.itemsize for stride in self.strides)
        view = np.lib.stride_tricks.as_strided(flat[self.offset :], self.shape, strides)
        return np.asarray(view, order="C")  # ascontiguousarray makes a scalar 1-D


def _rebuild(storage: tuple[Any, ...], offset: int, shape: Any, strides: Any, *_: Any) -> _Tensor:
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


class _Unpickler(pickle.Unpickler):
    """Unpickles an ordered dict of tensors; every other name in the file is an error."""

    _admitted: ClassVar[dict[tuple[str, str], Any]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild,  # a function: pickle could alter a class
        ("torch", "FloatStorage"): "FloatStorage",
        ("torch", "LongStorage"): "LongStorage",
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._admitted[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"The checkpoint asks for {module}.{name}, which is not a tensor. "
                f"Allowed: {', '.join('.'.join(key) for key in self._admitted)}."
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        """Return the storage's description unread: its numbers follow at the file's end."""
        return pid


def read_checkpoint(path: str | Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a legacy PyTorch checkpoint by name.

    Parameters
    ----------
    path : str or Path
        The ``.pth`` file.

    Returns
    -------
    dict of str to ndarray
        float32 or int64, shaped as stored (PyTorch's order of axes).

    Raises
    ------
    ValueError
        If the file is no legacy checkpoint, is damaged, or holds anything but tensors.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            tensors = _read_state(file)
            storages = _read_storages(file, tensors)
            if file.read(1):
                raise ValueError("bytes are left over after the last storage")
        return {name: tensor.resolve(storages) for name, tensor in tensors.items()}
    except (
        pickle.UnpicklingError,
        ValueError,
        EOFError,
        TypeError,
        AttributeError,
        IndexError,
        KeyError,
        OverflowError,
        MemoryError,
    ) as error:  # all that a damaged pickle raises
        raise ValueError(f"{path.name} is not a readable PyTorch checkpoint: {error}") from error


def _read_state(file: IO[bytes]) -> dict[str, _Tensor]:
    """Read the pickles before the storages, and return the state dict."""
    if _Unpickler(file).load() != _MAGIC or _Unpickler(file).load() != _PROTOCOL:
        raise ValueError("the magic number is not that of a legacy checkpoint")
    if not _Unpickler(file).load().get("little_endian", False):
        raise ValueError("its numbers are not little-endian")
    state = _Unpickler(file).load()
    if not isinstance(state, dict) or not all(isinstance(v, _Tensor) for v in state.values()):
        raise ValueError("it does not hold a dictionary of tensors")
    return state


def _read_storages(file: IO[bytes], tensors: dict[str, _Tensor]) -> dict[str, NDArray[Any]]:
    """Read the storages that follow the state dict, and return them by key."""
    kinds = {tensor.storage[2]: tensor.storage for tensor in tensors.values()}
    storages = {}
    for key in _Unpickler(file).load():
        dtype, count = _DTYPES[kinds[key][1]], int.from_bytes(file.read(8), "little")
        if count != kinds[key][4]:
            raise ValueError(f"storage {key} announces {count} numbers, not {kinds[key][4]}")
        if count * dtype.itemsize > os.fstat(file.fileno()).st_size - file.tell():
            raise ValueError("the file is cut short")
        storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    return storages

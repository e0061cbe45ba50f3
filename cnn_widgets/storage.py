"""Files by their place: a path of this machine, or the address of a store such as S3.

A store is reached through `fsspec`, which the extra ``cluster`` brings; S3, Google Cloud and Azure
want a package of their own beside it (``s3fs``, ``gcsfs``, ``adlfs``). What is fetched over
``http(s)`` is no store: see `cnn_widgets.images.download`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnn_widgets.environment import atomic_files

#: The stores that are read and written. Others that `fsspec` knows (``http``, ``ftp``, ``sftp``,
#: chains with ``::``) are not: an address inside the local network could hide in one.
STORES = (
    "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "oci", "hdfs", "memory",
)  # fmt: skip


def is_store(place: object) -> bool:
    """Return whether something is the address of a file or a folder in a store.

    >>> is_store("s3://bucket/photos"), is_store("https://example.org/cat.jpg"), is_store("photos")
    (True, False, False)
    """
    kind, mark, rest = str(place).partition("://") if isinstance(place, str) else ("", "", "")
    return bool(mark) and kind.lower() in STORES and "::" not in rest


def store(address: str) -> tuple[Any, str]:
    """Return the `fsspec` file system of an address, and the path in it.

    Raises
    ------
    ImportError
        If `fsspec`, or the package that it needs for this kind of store, is missing.
    """
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise ImportError(
            f"{address!r} needs fsspec: pip install 'cnn-widgets[cluster]' (in a checkout: "
            "'.[cluster]')."
        ) from None
    kind, mark, rest = address.partition("://")
    found, path = url_to_fs(f"{kind.lower()}{mark}{rest}")  # fsspec knows small letters only
    return found, str(path)


def local(place: str | Path) -> Path:
    """Return a place on this machine as a path; "~" is the home folder."""
    return Path(place).expanduser()


def folder(place: str | Path) -> str:
    """Return the place of a folder as text: an address as it is, a path with the home folder in it.

    Raises
    ------
    ValueError
        If it is empty, which would be the folder in which Python runs.
    """
    if place == "":
        raise ValueError("Expected a folder. Received an empty path. The present one is '.'.")
    return str(place) if is_store(place) else str(local(place))


def joined(folder: str, name: str) -> str:
    """Return the place of a file in a folder."""
    return f"{folder.rstrip('/')}/{name}" if is_store(folder) else os.path.join(folder, name)


def read(place: str) -> bytes:
    """Return the content of a file; a FileNotFoundError if there is none."""
    if not is_store(place):
        return local(place).read_bytes()
    system, path = store(place)
    return bytes(system.cat_file(path))


def write(folder: str, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, which is made: each whole or not at all.

    Raises
    ------
    OSError
        If one cannot be written; the message names it.
    """
    if is_store(folder):
        system, path = store(folder)
        system.makedirs(path, exist_ok=True)
        for name, data in files.items():
            system.pipe_file(f"{path.rstrip('/')}/{name}", data)
        return
    place = local(folder)
    place.mkdir(parents=True, exist_ok=True)
    with atomic_files(place, *files) as made:
        for name, data in files.items():
            (made / name).write_bytes(data)


def write_file(place: str | Path, data: bytes) -> None:
    """Write one file, whole or not at all; its folder is made."""
    if isinstance(place, str) and is_store(place):
        folder, _, name = place.rpartition("/")
    else:
        path = local(place).absolute()
        folder, name = str(path.parent), path.name
    write(folder, {name: data})


def exists(place: str) -> bool:
    """Return whether there is a file or a folder."""
    if not is_store(place):
        return local(place).exists()
    system, path = store(place)
    system.invalidate_cache(path)  # another process may have written it
    return bool(system.exists(path))


def names_in(folder: str) -> list[str]:
    """Return the names of the files in a folder, sorted; none if there is no such folder."""
    if not is_store(folder):
        place = local(folder)
        return sorted(os.listdir(place)) if place.is_dir() else []
    system, path = store(folder)
    system.invalidate_cache(path)
    if not system.isdir(path):
        return []
    return sorted(str(each).rstrip("/").rpartition("/")[2] for each in system.ls(path, False))


def remove(place: str) -> None:
    """Remove a file, or a folder with all that is in it; nothing happens if there is none."""
    with contextlib.suppress(FileNotFoundError):
        if is_store(place):
            system, path = store(place)
            system.rm(path, recursive=True)
        elif local(place).is_dir():
            shutil.rmtree(local(place))
        else:
            local(place).unlink()

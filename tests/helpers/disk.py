"""A disk that is full."""

from __future__ import annotations

import contextlib

import pytest


@contextlib.contextmanager
def full_disk(most=600):
    """Let no file grow beyond some bytes: the write that would is refused by the system."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))  # Python ignores SIGXFSZ
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

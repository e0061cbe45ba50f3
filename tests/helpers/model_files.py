"""Parts of model files, packed and altered; and the one line that refuses them."""

from __future__ import annotations

import json
import zipfile

import pytest

import cnn_widgets as cw


def pack(path, parts, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in parts.items():
            archive.writestr(name, data if isinstance(data, bytes) else json.dumps(data))
    return path


def refused(path, *reasons):
    """Open a file; return the one line that says why not."""
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        cw.load_network(path)
    line = str(caught.value)
    assert path.name in line
    assert "\n" not in line
    assert len(line) < 700
    for reason in reasons:
        assert reason in line
    return line


def altered(unpack, change):
    config = json.loads(unpack["config.json"])
    change(config)
    return unpack | {"config.json": json.dumps(config).encode()}


def layer(config, name):
    return next(each for each in config["config"]["layers"] if each["config"]["name"] == name)

"""Memory that lies unused goes back to the system; Keras is not set to another library."""

import os
import subprocess
import sys

import pytest

from cnn_widgets.environment import tensorflow

SCRIPT = """
import psutil
from cnn_widgets.environment import give_back_memory

blocks = [bytes(2000) for _ in range(100_000)]
kept = [bytes(2000) for _ in range(10)]  # above the others, so that those stay
before = psutil.Process().memory_info().rss
del blocks
freed = psutil.Process().memory_info().rss
give_back_memory()
after = psutil.Process().memory_info().rss
print((before - freed) // 1_000_000, (before - after) // 1_000_000)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="what the C library of Linux keeps")
def test_memory_that_lies_unused_is_given_back():
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    by_itself, given_back = (int(each) for each in run.stdout.split())
    assert by_itself < 50
    assert given_back > 150


#: Keras may not even be imported: with a library that is missing that fails.
ASKED = """
import sys
from cnn_widgets.environment import tensorflow
try:
    tensorflow()
except ImportError as error:
    print(error, {"keras", "tensorflow"} & set(sys.modules))
"""


@pytest.mark.parametrize("place", ["variable", "file"])
def test_keras_set_to_another_library_is_told_before_it_is_imported(tmp_path, place):
    (tmp_path / "keras.json").write_text('{"backend": "torch"}' if place == "file" else "[")
    settings = os.environ | {"KERAS_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    settings["KERAS_BACKEND"] = "" if place == "file" else "torch"
    run = subprocess.run(
        [sys.executable, "-c", ASKED], capture_output=True, text=True, check=True, env=settings
    )
    assert run.stdout.startswith("Keras runs on 'torch' here; cnn_widgets needs TensorFlow.")
    assert "KERAS_BACKEND=tensorflow before Keras is imported. set()" in run.stdout


def test_keras_that_was_switched_over_is_told(monkeypatch):
    tf = tensorflow()
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(ImportError, match="Keras runs on 'jax'"):
        tensorflow()
    monkeypatch.undo()
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # too late: Keras is imported
    assert tensorflow() is tf

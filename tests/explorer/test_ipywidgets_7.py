"""With ipywidgets 7, which Google Colab brings, the explorer stands, answers, takes an upload."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

SCRIPT = """
import io, sys
import ipywidgets
assert ipywidgets.__version__.startswith("7."), ipywidgets.__version__
import keras
import cnn_widgets as cw
from helpers.networks import tiny

explorer = cw.CNNExplorer(tiny(keras))
assert explorer.last_error is None, explorer.last_error

# It shows itself: a view of the widget, words, and a still picture
bundle = explorer._repr_mimebundle_()
view = bundle["application/vnd.jupyter.widget-view+json"]
assert view["model_id"] == explorer.model_id
assert bundle["text/plain"] == repr(explorer)
assert len(bundle["image/png"]) > 1000

# Each control still moves what it moves
controls = explorer.controls.widgets
controls["filter"].value = 2
assert explorer.state.filter == 2
controls["alpha"].value = 0.3
assert explorer.state.alpha == 0.3
controls["strip"].selected_index = 0
assert explorer.state.strip

# An upload as that front end sends it
from PIL import Image
file = io.BytesIO()
Image.new("RGB", (40, 30), (200, 30, 30)).save(file, "PNG")
upload = controls["upload"]
upload.metadata = [{"name": "mine.png", "type": "image/png", "size": len(file.getvalue()),
                    "lastModified": 0}]
upload.data = [file.getvalue()]
upload._counter = 1
assert explorer.last_error is None, explorer.last_error
assert explorer.state.image == "mine"
assert dict(upload.value) == {} and upload.data == []

# A second one, which is no picture, is refused, and what was shown stays
upload.metadata = [{"name": "no.png", "type": "image/png", "size": 4, "lastModified": 0}]
upload.data = [b"text"]
upload._counter = 1
assert "not a picture" in str(explorer.last_error), explorer.last_error
assert explorer.state.image == "mine"
explorer.close()
print("all is well")
"""


def test_the_explorer_works_with_ipywidgets_7(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(tmp_path),
         "ipywidgets==7.7.1", "ipython_genutils==0.2.0"],
        check=True, timeout=200,
    )  # fmt: skip
    paths = [str(tmp_path), *filter(None, sys.path)]
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        cwd=tmp_path, capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.strip() == "all is well"

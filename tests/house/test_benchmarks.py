"""The benchmark's own arithmetic, and that each of its parts can be started."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(FOLDER))

import timing  # noqa: E402


def test_medians_are_taken_in_turns_after_a_warm_up():
    calls = []

    def slow():
        calls.append("slow")
        time.sleep(0.004)

    spent = timing.medians({"slow": slow, "fast": lambda: calls.append("fast")}, repeat=3, burst=2)
    turn = ["slow", "slow", "fast", "fast"]
    assert calls == ["slow", "fast", *turn * 3]
    assert spent["slow"] >= 0.004 > spent["fast"]


def test_a_row_says_whether_its_target_was_met():
    row = timing.faster("maps", 0.002, "theirs", 0.3, 80)
    assert (row.ours, row.ratio, row.met) == ("2 ms", "150.0× as fast", True)
    assert row.markdown() == "| maps | 2 ms | theirs: 300 ms | 150.0× as fast | ≥ 80× | yes |"
    assert timing.within("pass", 0.03, "bare", 0.02, 1.4).met is False
    assert "**no**" in timing.within("pass", 0.03, "bare", 0.02, 1.4).markdown()
    missing = timing.Row("maps", "2 ms", "xplique: not installed", "–", "≥ 10×")
    assert missing.markdown().endswith("| – |")
    assert json.loads(json.dumps(row.plain()))["target"] == "≥ 80×"


def test_the_command_names_its_groups():
    done = subprocess.run(
        [sys.executable, str(FOLDER), "--help"], capture_output=True, text=True, check=True
    )
    for group in ("engine", "page", "folders", "pictures", "browser", "networks", "kernels"):
        assert group in done.stdout


@pytest.mark.slow
def test_what_runs_in_a_process_of_its_own_reports():
    import page_rows

    light = page_rows.child("importing")
    assert light["tensorflow"] is False
    assert page_rows.child("imported")["mb"] > 100
    with pytest.raises(RuntimeError, match="KeyError"):
        page_rows.child("nothing")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the most memory there was")
def test_the_memory_that_reading_a_picture_takes_is_measured(tmp_path):
    import picture_rows

    picture_rows._write(tmp_path / "some.png", (1600, 1200), {})
    whole = picture_rows._child(tmp_path / "some.png", None)
    assert whole["height"] == 1200
    assert 1600 * 1200 * 3 / 1e6 < whole["mb"] < 60


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the memory of a process")
def test_the_memory_of_a_kernel_is_measured_while_it_works_and_at_rest():
    import kernel_rows

    with kernel_rows.Kernels(1) as kernels:
        (pid,) = kernels.pids
        before = kernel_rows.memory(pid)
        assert 5 < before.private <= before.share <= before.resident < 1000
        with kernel_rows.Peak(lambda: [pid], every=0.02) as peak:
            kernels.at_once("import time\nheld = b'1' * 90_000_000\ntime.sleep(0.5)\ndel held")
        kernels.one_by_one("kept = b'1' * 40_000_000")
        after = kernel_rows.memory(pid)
        assert 35 < after.private - before.private < 75
        assert peak.mb > before.share + 80
        assert kernel_rows.most_resident(pid) > before.resident + 80
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            kernels.one_by_one("1 / 0")
    assert not Path(f"/proc/{pid}").exists()
    assert kernel_rows.share_of([pid]) == 0


def test_what_students_share_counts_once_and_the_rest_for_each():
    import kernel_rows

    assert kernel_rows.needed(0, shared=400, each=600) == 400
    assert kernel_rows.needed(30, shared=400, each=600) == 18_400


def test_what_a_slider_showed_must_follow_its_values():
    from browser_rows import follows

    values = [0.1, 0.2, 0.3, 0.2, 0.1]
    assert follows([0.1, 0.3, 0.2], values)
    assert follows([], values)
    assert not follows([0.3, 0.3], values)
    assert not follows([0.3, 0.2, 0.2], values)
    assert not follows([0.5], values)

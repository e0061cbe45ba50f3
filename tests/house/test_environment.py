"""Memory that lies unused goes back to the system."""

import subprocess
import sys

import pytest

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

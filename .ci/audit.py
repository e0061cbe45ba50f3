"""Ask for known vulnerabilities of what is installed; `audit.py PYTHON` audits its environment.

A finding in what pyproject.toml states is an error; in what that brings along it is only shown.
Where no vulnerability service answers, one line says so: CI may run where none can be reached.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
SECONDS = 90


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def stated() -> set[str]:
    """Return the names of all that pyproject.toml states, extras too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lists = project["dependencies"], *project["optional-dependencies"].values()
    return {canonical(Requirement(line).name) for lines in lists for line in lines}


def verdict(answer: str, direct: set[str]) -> tuple[list[str], bool]:
    """Return the lines to say about pip-audit's JSON, and whether CI fails."""
    try:
        packages = json.loads(answer)["dependencies"]
    except ValueError:
        packages = []
    asked = [each for each in packages if "vulns" in each]
    if not asked:  # a mirror without the service "skips" every package: that is no clean bill
        return ["Audit: no vulnerability service answered here; nothing was checked"], False
    found = [
        (each["name"], each["version"], flaw["id"], canonical(each["name"]) in direct)
        for each in asked
        for flaw in each["vulns"]
    ]
    lines = [
        f"Audit: {name} {version}: {flaw}" + ("" if own else " (brought along: not our bound)")
        for name, version, flaw, own in found
    ]
    lines.append(f"Audit: {len(asked)} of {len(packages)} packages checked, {len(found)} findings")
    return lines, any(own for *_, own in found)


def main(python: str) -> int:
    where = "import sysconfig; print(sysconfig.get_path('purelib'))"
    place = subprocess.check_output([python, "-c", where], text=True).strip()
    command = [sys.executable, "-m", "pip_audit", "--path", place, "--format", "json"]
    command += ["--progress-spinner", "off", "--timeout", "15"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS).stdout
    except subprocess.TimeoutExpired:
        answer = ""
    lines, failed = verdict(answer, stated())
    sys.stdout.write("\n".join(lines) + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

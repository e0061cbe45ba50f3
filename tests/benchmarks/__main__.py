"""The benchmark: a Markdown table, and the same as JSON.

    python tests/benchmarks                       every row, some ten minutes on two cores
    python tests/benchmarks engine page           some groups of rows
    python tests/benchmarks --json figures.json   where to write the JSON

Each row is a figure of ours and a baseline beside it, measured in turns in the same run. For the
other libraries: `pip install -e ".[bench]"`; xplique wants another TensorFlow than this package
is tested with, so it comes by `pip install --no-deps xplique einops deprecated scikit-learn`
(its version 2 also wants tensorflow-probability);
pytorch-grad-cam by `pip install torch grad-cam captum`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
sys.path.insert(0, str(Path(__file__).parent))

GROUPS = (
    "engine", "page", "folders", "pictures", "experiments", "browser", "networks", "kernels",
    "visitors",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="*", choices=[*GROUPS, []], help="of rows; by default all")
    parser.add_argument("--json", type=Path, default=Path("benchmarks.json"))
    given = parser.parse_args()
    from timing import HEAD

    from cnn_widgets.environment import versions

    print(f"{os.cpu_count()} cores, {platform.machine()}; {versions()}\n\n{HEAD}", flush=True)
    found = []
    for group in given.groups or GROUPS:
        for row in _rows(group):
            print(row.markdown(), flush=True)
            found.append({"group": group} | row.plain())
    given.json.write_text(
        json.dumps({"versions": versions(), "cores": os.cpu_count(), "rows": found}, indent=2)
    )
    missed = sum(row["met"] is False for row in found)
    print(f"\n{len(found)} rows, {missed} below their target; written to {given.json}")
    return 0


def _rows(group):
    if group == "engine":
        import engine_rows

        return engine_rows.rows()
    if group == "page":
        import page_rows

        return page_rows.rows()
    if group == "folders":
        import folder_rows

        return folder_rows.rows()
    if group == "pictures":
        import picture_rows

        return picture_rows.rows()
    if group == "experiments":
        import experiment_rows

        return experiment_rows.rows()
    if group == "visitors":
        import visitor_rows

        return visitor_rows.rows()
    if group == "browser":
        import browser_rows

        return browser_rows.rows()
    if group == "kernels":
        import kernel_rows

        return kernel_rows.rows()
    import network_rows

    return network_rows.rows()


if __name__ == "__main__":
    sys.exit(main())

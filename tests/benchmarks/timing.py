"""How the benchmarks measure: what is compared runs in turns, in one process, and medians count."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass
class Row:
    """One line of the table: a figure of ours, the baseline beside it, their ratio, the target.

    ``met`` is None where there is nothing to compare with (a library that is not installed).
    """

    what: str
    ours: str
    baseline: str
    ratio: str
    target: str
    met: bool | None = None

    def markdown(self) -> str:
        """Return the row as a line of a Markdown table."""
        mark = {True: "yes", False: "**no**", None: "–"}[self.met]
        cells = (self.what, self.ours, self.baseline, self.ratio, self.target, mark)
        return f"| {' | '.join(cells)} |"

    def plain(self) -> dict[str, object]:
        """Return the row as plain values, for JSON."""
        return asdict(self)


HEAD = "| what | ours | baseline | ratio | target | met |\n|---|---|---|---|---|---|"


def medians(
    runs: dict[str, Callable[[], object]], repeat: int = 15, burst: int = 1
) -> dict[str, float]:
    """Return the median seconds of each function, run in turns after one run to warm up.

    `burst`: so many times in a row at each turn, or what takes milliseconds would be measured
    with the caches that the one before it has emptied.
    """
    for run in runs.values():
        run()
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeat):
        for name, run in runs.items():
            for _ in range(burst):
                began = time.perf_counter()
                run()
                spent[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) for name, times in spent.items()}


def ms(seconds: float) -> str:
    """Return a time in words: "3.1 ms", "2.4 s"."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{1000 * seconds:.3g} ms" if seconds < 0.0995 else f"{1000 * seconds:.0f} ms"


def faster(what: str, ours: float, name: str, other: float, least: float) -> Row:
    """Return a row whose target is to be so many times as fast as the baseline."""
    ratio = other / ours
    return Row(what, ms(ours), f"{name}: {ms(other)}", f"{ratio:.1f}× as fast",
               f"≥ {least:g}×", ratio >= least)  # fmt: skip


def within(what: str, ours: float, name: str, other: float, most: float) -> Row:
    """Return a row whose target is to take at most so many times what the baseline takes."""
    ratio = ours / other
    return Row(what, ms(ours), f"{name}: {ms(other)}", f"{ratio:.2f}×", f"≤ {most:g}×",
               ratio <= most)  # fmt: skip

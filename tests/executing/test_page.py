"""The page "From laptop to cluster": its arithmetic gives its table, its snippets are Python."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "notebooks" / "from_laptop_to_cluster.md").read_text("utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.S)


def test_the_table_of_costs_is_what_the_arithmetic_gives():
    names = {}
    exec(next(text for text in SNIPPETS if "def cost" in text), names)
    table = PAGE.split("| figure |")[1].split("\n\n")[0]
    rows = re.findall(r"^\| ([a-z][^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", table, re.M)
    large, small = {"ms": 67, "kilobytes": 287}, {"ms": 46, "kilobytes": 24}
    found = [names["cost"](10**6, **large, workers=10), names["cost"](10**6, **small, workers=10),
             names["cost"](10**8, **large, workers=1000)]  # fmt: skip
    assert [row[0] for row in rows] == list(found[0])
    for name, *shown in rows:
        for text, values in zip(shown, found, strict=True):
            assert float(text.replace(",", "")) == float(f"{values[name]:.2g}"), name


def test_every_snippet_is_python():
    assert len(SNIPPETS) == 5
    for text in SNIPPETS:
        compile(text, "from_laptop_to_cluster.md", "exec")

"""Directives of the page on the attribution methods: its sections come from the table `METHODS`.

Each method is shown on the same photograph, for two classes. The pictures of methods that take
many passes are kept in `images/methods`, all others are computed when the site is built. A method
without a kept picture is computed too, so that a new method needs nothing here; to keep or renew
the pictures, run `python notebooks/site/method_pages.py`.
"""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import cnn_widgets as cw

KEPT = Path(__file__).parents[1] / "images" / "methods"
PHOTOGRAPH, CLASSES = "cat and espresso", ("Egyptian cat", "espresso")
WIDTH, GAP = 360, 8


@cache
def network() -> Any:
    return cw.load_network()


def figure(name: str) -> bytes:
    """Return a JPEG of a method's maps for the two classes, one beside the other."""
    sample = cw.gallery()[PHOTOGRAPH]
    height = round(WIDTH * sample.size[0] / sample.size[1])
    both = Image.new("RGB", (2 * WIDTH + GAP, height), "white")
    for place, class_name in enumerate(CLASSES):
        found = cw.attribute(network(), sample, name, class_name)
        shown = cw.overlay(sample.pixels, found.heatmap, signed=found.signed)
        both.paste(Image.fromarray(shown).resize((WIDTH, height)), (place * (WIDTH + GAP), 0))
    file = BytesIO()
    both.save(file, "JPEG", quality=88)
    return file.getvalue()


class MethodsTable(SphinxDirective):
    """The table of all methods, with a link to the section of each."""

    def run(self) -> list[nodes.Node]:
        rows = ["| method | equation | cost |", "|---|---|---|"]
        for name, method in cw.METHODS.items():
            equation = method.equation.replace("|", r"\|")
            rows.append(f"| [{method.title}](#method-{slug(name)}) | {equation} | {method.cost} |")
        return self.parse_text_to_nodes("\n".join(rows))


class Methods(SphinxDirective):
    """A section for each method: equation, paper, how to read it, cost, caveat, and its maps."""

    def run(self) -> list[nodes.Node]:
        folder = Path(self.config.html_static_path[-1])
        depth = self.env.docname.count("/")
        parts = []
        for name, method in cw.METHODS.items():
            target = folder / "methods" / f"{slug(name)}.jpg"
            target.parent.mkdir(exist_ok=True)
            kept = KEPT / target.name
            target.write_bytes(kept.read_bytes() if kept.exists() else figure(name))
            where = "../" * depth + f"_static/methods/{target.name}"
            words = f"{method.title}: {CLASSES[0]} on the left, {CLASSES[1]} on the right"
            at = "a layer, which can be chosen" if method.at == "layer" else "the network's input"
            parts.append(
                f"(method-{slug(name)})=\n## {method.title}\n\n"
                f"```text\n{method.equation}\n```\n\n"
                f'```{{raw}} html\n<img class="maps" src="{where}" alt="{words}">\n```\n\n'
                f'{method.paper}; `method="{name}"`\n\n'
                f"Read it so\n: {sentence(method.reads)}\n\n"
                f"Computed at\n: {sentence(at)}\n\n"
                f"Cost\n: {sentence(method.cost)}\n\n"
                f"Beware\n: {sentence(method.caveat)}\n\n"
            )
        return self.parse_text_to_nodes("".join(parts), allow_section_headings=True)


def slug(name: str) -> str:
    return name.replace("++", "-plus-plus")


def sentence(text: str) -> str:
    """Return a phrase as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("methods-table", MethodsTable)
    app.add_directive("methods", Methods)
    # What is drawn lies outside the sources, in a folder that is copied into the site.
    drawn = Path(tempfile.mkdtemp(prefix="cnn-widgets-site-"))
    app.config.html_static_path.append(str(drawn))
    app.connect("build-finished", lambda *_: shutil.rmtree(drawn, ignore_errors=True))
    return {"parallel_read_safe": False, "parallel_write_safe": True}


if __name__ == "__main__":
    for each, entry in cw.METHODS.items():
        if entry.slow:
            (KEPT / f"{slug(each)}.jpg").write_bytes(figure(each))

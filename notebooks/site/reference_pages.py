"""Directives that fill the reference from the docstrings of the package.

`reference` documents public names, by the package they live in or one by one, and after them the
classes of what they return. `public-names` is the table of all public names.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

import cnn_widgets as cw


def summary(thing: Any) -> str:
    """Return the first line of an object's documentation."""
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def returned(thing: Any) -> Iterator[type]:
    """Yield the classes of this package that a function's annotation says it returns."""
    if not inspect.isfunction(thing):
        return
    # Read as words: annotations may name what is imported for type checkers only, such as Keras
    for word in re.findall(r"\w+", str(inspect.signature(thing).return_annotation)):
        found = thing.__globals__.get(word)
        if inspect.isclass(found) and found.__module__.startswith("cnn_widgets."):
            yield found


def home(found: type) -> str:
    """Return the shortest path of a class: in its package if that exports it, or its module."""
    package = ".".join(found.__module__.split(".")[:2])
    exported = getattr(import_module(package), "__all__", ())
    return f"{package if found.__name__ in exported else found.__module__}.{found.__name__}"


def entry(path: str, thing: Any) -> str:
    """Return the reStructuredText that documents one class or function."""
    if inspect.isclass(thing):
        return f".. autoclass:: {path}\n   :members:\n"
    return f".. autofunction:: {path}\n"


class Reference(SphinxDirective):
    """The entries of public names; its argument lists packages and single names."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        entries: dict[str, str] = {}
        results: dict[str, str] = {}
        for word in self.arguments[0].split():
            if "." in word:  # a name of a package that is not exported by the whole
                package, _, name = word.rpartition(".")
                thing = getattr(import_module(f"cnn_widgets.{package}"), name)
                entries[f"cnn_widgets.{word}"] = entry(f"cnn_widgets.{word}", thing)
                continue
            for name in [word] if word in cw.__all__ else self.names(word):
                thing = getattr(cw, name)
                entries[f"cnn_widgets.{name}"] = entry(f"cnn_widgets.{name}", thing)
                for found in returned(thing):
                    if found.__name__ not in cw.__all__:
                        results[home(found)] = entry(home(found), found)
        results = {path: text for path, text in results.items() if path not in entries}
        found = self.parse_text_to_nodes(self.block(entries))
        if results:
            section = nodes.section(ids=["what-they-return"])
            section += nodes.title(text="What they return")
            section += self.parse_text_to_nodes(self.block(results))
            found.append(section)
        return found

    def names(self, package: str) -> list[str]:
        """Return the public names that live in a package; a ValueError if there are none."""
        found = [name for name in cw.__all__ if cw._HOMES[name] == package]
        if not found:
            raise self.error(f"{package!r} is neither a public name nor the package of one.")
        return [name for name in found if callable(getattr(cw, name))]

    def block(self, entries: dict[str, str]) -> str:
        return "```{eval-rst}\n" + "\n".join(entries.values()) + "```\n"


class PublicNames(SphinxDirective):
    """The table of all public names, each with the first line of its documentation."""

    def run(self) -> list[nodes.Node]:
        rows = ["| name | what it is |", "|---|---|"]
        for name in cw.__all__:
            thing = getattr(cw, name)
            role = "class" if inspect.isclass(thing) else "func" if callable(thing) else "data"
            words = summary(thing) if callable(thing) else "The attribution methods, by name."
            words = words.replace("`", "").replace("|", r"\|")
            rows.append(f"| {{py:{role}}}`cw.{name} <cnn_widgets.{name}>` | {words} |")
        return self.parse_text_to_nodes("\n".join(rows))


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    """Link a class in a signature to its entry, which has a shorter path than its module.

    A class of this package without an entry stays text.
    """
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or not target.startswith("cnn_widgets."):
        return None
    name = target.rpartition(".")[2]
    domain = env.domains.python_domain
    for path, found in domain.objects.items():
        if path.startswith("cnn_widgets.") and path.rpartition(".")[2] == name:
            link = nodes.reference("", "", content, internal=True)
            link["refuri"] = app.builder.get_relative_uri(node["refdoc"], found.docname)
            link["refuri"] += f"#{found.node_id}"
            return link
    return content if node["reftype"] == "class" else None


def keep_first_line(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Let Napoleon not take the start of a property's text, up to a colon, for its type."""
    if what == "property":
        lines.insert(0, "\\")  # an escaped line end: nothing in the page


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("reference", Reference)
    app.add_directive("public-names", PublicNames)
    app.connect("autodoc-process-docstring", keep_first_line, priority=400)  # before Napoleon
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

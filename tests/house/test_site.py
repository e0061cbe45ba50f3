"""The site is built without a warning; its links lead somewhere, and it has every public name."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import cnn_widgets as cw

ROOT = Path(__file__).parents[2]
#: What a page may fetch when it is opened: these attributes of these elements.
FETCHED = {("img", "src"), ("script", "src"), ("link", "href"), ("source", "srcset")}


class Page(HTMLParser):
    """The anchors, links and figures of one page."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.fetched, self.figures = set(), [], [], []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        for name in ("src", "href", "srcset"):
            if (tag, name) in FETCHED and found.get(name) and found.get("rel") != "canonical":
                self.fetched.append(found[name])
        self.fetched = [each for each in self.fetched if not each.startswith("#")]
        if tag == "img":
            self.figures.append((found["src"], found.get("alt")))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site. It is built as CONTRIBUTING says, where nothing is fetched."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q"]
    command += ["-d", str(folder / "doctrees"), str(ROOT / "notebooks"), str(folder / "html")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path) for path in site.rglob("*.html")}


def inner(address):
    return not urlsplit(address).scheme and not address.startswith("//")


@pytest.mark.slow
def test_every_page_of_the_sources_is_built(site):
    sources = [p for p in (ROOT / "notebooks").rglob("*") if p.suffix in (".md", ".ipynb")]
    built = [p.relative_to(ROOT / "notebooks").with_suffix(".html") for p in sources]
    assert len(built) > 25
    assert [str(each) for each in built if not (site / each).is_file()] == []


@pytest.mark.slow
def test_every_internal_link_and_anchor_leads_somewhere(site, pages):
    lost, checked = [], 0
    for path, page in pages.items():
        for link in filter(inner, page.links):
            address = urlsplit(link)
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            checked += 1
            if target.is_dir():
                target = target / "index.html"
            anchors = pages[target].anchors if target in pages else set()
            if not target.is_file() or (
                address.fragment and unquote(address.fragment) not in anchors
            ):
                lost.append((path.name, link))
    assert checked > 500
    assert lost == []


@pytest.mark.slow
def test_figures_are_there_and_told_in_words_and_nothing_is_fetched_from_elsewhere(site, pages):
    for path, page in pages.items():
        assert [each for each in page.fetched if not inner(each)] == [], path.name
        for address in page.fetched:
            file = path.parent / unquote(urlsplit(address).path)
            assert file.is_file(), (path.name, address)
            assert file.stat().st_size > 0, (path.name, address)
        assert [source for source, alt in page.figures if not alt] == [], path.name


@pytest.mark.slow
def test_each_attribution_method_is_told_and_shown(site, pages):
    page = pages[site / "methods.html"]
    text = unescape((site / "methods.html").read_text("utf-8"))
    shown = [source for source, _ in page.figures if "/methods/" in source]
    assert len(shown) == len(set(shown)) == len(cw.METHODS)
    for name, method in cw.METHODS.items():
        assert f"<h2>{method.title}<" in text, name
        assert f"{method.caveat[1:]}." in text, name
    pictures = {(site / source).read_bytes() for source in shown}
    # Behind the last layer this network only averages over positions: XGrad-CAM is Grad-CAM there
    assert len(pictures) == len(shown) - 1
    assert all(len(data) > 8_000 and data[:2] == b"\xff\xd8" for data in pictures)


@pytest.mark.slow
def test_every_public_name_has_an_entry_and_an_example(site, pages):
    entries = {a for p, page in pages.items() if "reference" in p.parts for a in page.anchors}
    assert {f"cnn_widgets.{name}" for name in cw.__all__} - entries == set()
    text = "".join(path.read_text("utf-8") for path in (site / "reference").glob("*.html"))
    for name in cw.__all__:
        after = text.split(f'id="cnn_widgets.{name}"')[1].split('<dl class="py ')[0]
        assert 'class="highlight' in after, name


def test_every_public_name_or_its_package_is_named_on_a_page_of_the_reference():
    pages = (path.read_text("utf-8") for path in (ROOT / "notebooks" / "reference").glob("*.md"))
    named = {word for text in pages for words in re.findall(r"^```{reference} (.*)$", text, re.M)
             for word in words.split()}  # fmt: skip
    missing = {name for name in cw.__all__ if not {name, cw._HOMES[name]} & named}
    assert missing == set(), "give it to a `reference` directive in notebooks/reference"


def test_the_docstring_of_every_public_name_has_an_example_that_is_run():
    for name in set(cw.__all__) - {"METHODS"}:
        told = inspect.getdoc(getattr(cw, name))
        example = re.search(r"^Examples\n-+\n(?=(?:.*\n)*?>>> )", told, re.M)
        assert example or re.search(r"^>>> ", told, re.M), name
        assert "doctest: +SKIP" not in told, name


def test_the_changelog_and_the_citation_are_of_this_version():
    changelog = (ROOT / "notebooks" / "changelog.md").read_text("utf-8")
    newest = re.search(r"^## (\S+) · (.+)$", changelog, re.M)
    assert newest[1] == cw.__version__
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.search(r"^version: (\S+)$", citation, re.M)[1] == cw.__version__
    assert re.search(r"^license: Apache-2\.0$", citation, re.M)


def test_ci_builds_the_release_and_tries_it():
    assert "\n.ci/release\n" in (ROOT / ".ci" / "run").read_text("utf-8")
    script = (ROOT / ".ci" / "release").read_text("utf-8")
    assert "twine check --strict" in script
    subprocess.run(["bash", "-n", ".ci/release"], cwd=ROOT, check=True)

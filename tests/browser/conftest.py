"""A browser and a folder of notebooks, for the tests of one file."""

import pytest
from helpers.lab import ARGS, CHROMIUM
from playwright.sync_api import sync_playwright


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield chromium
        chromium.close()

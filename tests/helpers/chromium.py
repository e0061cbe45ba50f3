"""A browser and a folder of notebooks, for the tests of one file (fixtures of `conftest.py`)."""

import pytest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    from helpers.lab import ARGS, CHROMIUM

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield chromium
        chromium.close()

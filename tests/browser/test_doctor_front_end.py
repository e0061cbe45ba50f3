"""The doctor in a real JupyterLab, Notebook 7 and Voilà: it names the one it runs in."""

import contextlib
import os

import pytest
from helpers.front_ends import front_end, run_in_notebook_7
from helpers.lab import CHROMIUM, jupyterlab, notebook, run_all

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

CELL = "import cnn_widgets as cw\ncw.doctor(draw=False)"


@contextlib.contextmanager
def shown(name, browser, root, home):
    """Yield the text of the doctor's page in a front end."""
    notebook(root / "doctor.ipynb", CELL)
    server = jupyterlab(root, home) if name == "lab" else front_end(name, root, home)
    with server as address:
        page = browser.new_page()
        if name == "lab":
            run_all(page, address, "doctor.ipynb")
        elif name == "notebook":
            run_in_notebook_7(page, address, "doctor.ipynb")
        else:
            page.goto(f"{address}/voila/render/doctor.ipynb", timeout=90_000)
        told = page.locator(".jp-OutputArea pre", has_text="the doctor's page of").first
        told.wait_for(timeout=60_000)
        yield told.inner_text()
        page.close()


@pytest.mark.parametrize(
    ("name", "said"), [("lab", "JupyterLab"), ("notebook", "Notebook"), ("voila", "Voila")]
)
def test_the_front_end_is_named_and_finds_the_widgets(browser, tmp_path, name, said):
    home = tmp_path / "Grace Hopper"
    with shown(name, browser, tmp_path, home) as text:
        assert f"front end: {said} " in text
        assert "front-end module @jupyter-widgets/jupyterlab-manager: 5." in text
        assert "FAULT" not in text
        assert "Hopper" not in text
        assert os.path.basename(tmp_path) not in text

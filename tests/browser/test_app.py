"""The app in Chromium: five visitors at once, the next is told so kindly, places become free."""

import os
import re
import signal
import urllib.error
import urllib.request

import psutil
import pytest
from helpers.app import running
from helpers.lab import CHROMIUM, Explorer

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked on Linux"),
]
SEEN = ".cnnw-touch-mosaic[role=grid]"
PLACES = 5
#: Long enough for six explorers to open on two busy cores.
OPENED = 150_000


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    with running(tmp_path_factory.mktemp("app"), f"--visitors={PLACES}", "--away=4") as app:
        yield app


@pytest.fixture
def visit(browser, app):
    """Return a function that opens the app in a tab of its own; all that is asked for is noted."""
    tabs, beyond, failed = [], [], []

    def open_tab():
        tab = browser.new_page(viewport={"width": 1280, "height": 800})
        tab.on("request", lambda sent: beyond.append(sent.url))
        tab.on("pageerror", lambda error: failed.append(str(error)))
        tab.goto(app.address, wait_until="commit")
        tabs.append(tab)
        return tab

    yield open_tab
    for tab in tabs:
        if not tab.is_closed():
            tab.close(run_before_unload=True)
    asked = [url for url in beyond if not url.startswith((app.address, "data:", "blob:"))]
    assert asked == []  # a class without internet waits for nothing
    assert failed == []
    app.wait_kernels(1, 90)  # each left, and one waits for the next visitor


def test_five_look_around_at_once_and_a_sixth_waits_for_a_place(app, visit):
    (waiting,) = app.wait_kernels(1)
    assert waiting.ppid() != app.server.pid  # a fork of the process with everything imported
    tabs = [visit() for _ in range(PLACES)]
    for tab in tabs:
        tab.wait_for_selector(SEEN, timeout=OPENED)
    # Each has an explorer of its own
    for number, tab in enumerate(tabs):
        tab.locator(".cnnw-control-filter_number input").fill(str(number + 1))
        tab.locator(".cnnw-control-filter_number input").press("Enter")
    for number, tab in enumerate(tabs):
        Explorer(tab).wait_alt("filter", f"Filter {number + 1} of stem", timeout=60_000)
    kernels = app.wait_kernels(PLACES + 1)
    # Memory that was written to and is shared all the same: only forks of one process have that
    for each in kernels:
        assert sum(part.shared_dirty for part in each.memory_maps()) > 100e6

    sixth = visit()
    assert sixth.locator("h1").inner_text() == "All places are taken at the moment"
    assert "5 visitors are looking around" in sixth.locator("body").inner_text()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(app.address)
    assert refused.value.code == 503
    assert int(refused.value.headers["Retry-After"]) > 0
    app.wait_kernels(PLACES + 1)  # who waits costs no process
    tabs[0].close(run_before_unload=True)
    sixth.wait_for_selector(SEEN, timeout=OPENED)  # by itself


def test_a_visitor_whose_browser_dies_loses_the_place_after_a_while(app, visit, browser):
    tab = visit()
    tab.wait_for_selector(SEEN, timeout=OPENED)
    assert len(app.wait_kernels(2)) == 2
    tab.close(run_before_unload=False)  # it says nothing to the server
    app.wait_kernels(1)


def test_a_process_that_crashes_frees_its_place_and_its_page_says_so(app, visit):
    (visited,) = app.wait_kernels(1)
    tab = visit()
    tab.wait_for_selector(SEEN, timeout=OPENED)
    app.wait_kernels(2)
    os.kill(visited.pid, signal.SIGKILL)
    (left,) = app.wait_kernels(1)
    assert left.pid != visited.pid
    said = "getComputedStyle(document.querySelector('.cnnw-explorer'), '::before').content"
    tab.wait_for_function(f"{said}.includes('Reload the page to go on')", timeout=30_000)


def test_nothing_is_typed_or_written(app, visit):
    tab = visit()
    tab.wait_for_selector(SEEN, timeout=OPENED)
    explorer = Explorer(tab)
    assert explorer.control("location").count() == 1
    assert not explorer.control("location").is_visible()
    with tab.expect_download(timeout=60_000) as saved:
        explorer.control("save", "select").select_option(label="the view as a picture")
        explorer.root.locator(".cnnw-status a[download]").click(timeout=60_000)
    assert saved.value.suggested_filename.endswith(".png")
    assert saved.value.path().stat().st_size > 20_000


def test_a_request_to_run_code_is_not_passed_on(app, visit):
    tab = visit()
    tab.wait_for_selector(SEEN, timeout=OPENED)
    answered = tab.evaluate(
        """async () => {
            const config = JSON.parse(
                document.querySelector('#jupyter-config-data').textContent);
            const socket = new WebSocket(
                `ws://${location.host}/api/kernels/${config.kernelId}/channels?session_id=x`);
            await new Promise(done => { socket.onopen = done; });
            const told = [];
            socket.onmessage = event => told.push(JSON.parse(event.data).msg_type);
            const send = (type, content) => socket.send(JSON.stringify({
                channel: 'shell', content, metadata: {}, parent_header: {}, buffers: [],
                header: {msg_id: type, msg_type: type, session: 'x', username: '',
                         version: '5.3', date: new Date().toISOString()},
            }));
            send('execute_request', {code: 'open("written", "w")', silent: false,
                                     store_history: false, user_expressions: {},
                                     allow_stdin: false, stop_on_error: true});
            send('kernel_info_request', {});
            for (let i = 0; i < 100 && !told.includes('kernel_info_reply'); i++)
                await new Promise(done => setTimeout(done, 100));
            socket.close();
            return told;
        }"""
    )
    assert "kernel_info_reply" in answered
    assert not {"execute_reply", "execute_input"} & set(answered)


def test_a_page_at_rest_is_closed_and_says_so_and_no_process_outlives_the_server(browser, tmp_path):
    with running(tmp_path, "--visitors=1", "--idle=0.1") as app:
        (waiting,) = app.wait_kernels(1)
        tab = browser.new_page()
        tab.goto(app.address)
        tab.wait_for_selector(SEEN, timeout=OPENED)
        told = tab.get_by_text(re.compile("This page was closed.*Reload it"))
        told.wait_for(timeout=60_000)
        (left,) = app.wait_kernels(1)  # that which waits for the next visitor is left in peace
        assert left.pid != waiting.pid
        tab.reload()
        tab.wait_for_selector(SEEN, timeout=OPENED)
        started = psutil.Process(app.server.pid).children(recursive=True)
        assert len(started) > 2
        app.server.kill()  # it can tidy nothing up
        _, alive = psutil.wait_procs(started, timeout=30)
        assert [each for each in alive if each.status() != psutil.STATUS_ZOMBIE] == []
        tab.close()

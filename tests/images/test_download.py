"""Downloading a picture: limits, deadlines, encodings, what is sent."""

from __future__ import annotations

import signal
import socket
import threading
import time

import pytest
import requests
from helpers.hostile_server import photograph

from cnn_widgets.images import addresses as hosts
from cnn_widgets.images import download as fetching
from cnn_widgets.images.download import MAX_BYTES, download
from cnn_widgets.images.loading import load_image


def test_a_picture_is_fetched(server):
    assert download(server.url("photo.png"), allow_private=True) == photograph()
    sample = load_image(server.url("photo.png?size=2"), allow_private=True)
    assert sample.pixels.shape == (6, 9, 3)
    assert sample.name == "photo"


def test_a_picture_without_type_or_length_is_fetched(server):
    assert download(server.url("untyped"), allow_private=True) == photograph()


def test_a_page_that_says_it_is_a_picture_is_found_out(server):
    with pytest.raises(ValueError, match=r"lying\.jpg is a web page"):
        load_image(server.url("lying.jpg"), allow_private=True)


def test_an_empty_answer_is_no_picture(server):
    assert download(server.url("empty.png"), allow_private=True) == b""
    with pytest.raises(ValueError, match="empty"):
        load_image(server.url("empty.png"), allow_private=True)


def test_a_picture_of_exactly_the_limit_is_fetched_and_a_byte_more_is_not(server, monkeypatch):
    size = len(photograph())
    for path in ("photo", "untyped"):
        monkeypatch.setattr(fetching, "MAX_BYTES", size)
        assert len(download(server.url(path), allow_private=True)) == size
        monkeypatch.setattr(fetching, "MAX_BYTES", size - 1)
        with pytest.raises(ValueError, match="larger than"):
            download(server.url(path), allow_private=True)


@pytest.mark.parametrize("status", [204, 304, 401, 403, 404, 410, 429, 500, 503])
def test_an_answer_that_is_an_error_is_reported_with_its_number(server, status):
    with pytest.raises(ConnectionError, match=f"answers {status} "):
        download(server.url(f"status/{status}"), allow_private=True)


def test_a_web_page_is_refused_and_the_way_out_is_said(server):
    with pytest.raises(ValueError, match=r"web page \(HTML\).*address of the picture itself"):
        download(server.url("page/cat.jpg"), allow_private=True)


@pytest.mark.parametrize("path", ["dropped", "cut", "garbage"])
def test_a_broken_connection_is_a_connection_error(server, path):
    with pytest.raises(ConnectionError, match="cannot be fetched"):
        download(server.url(path), allow_private=True)


def test_a_port_nobody_listens_at_is_a_connection_error():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ConnectionError, match="no connection"):
        download(f"http://127.0.0.1:{port}/a.png", allow_private=True)


def test_an_unknown_host_is_a_connection_error(monkeypatch):
    def fail(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    for private in (False, True):
        with pytest.raises(ConnectionError, match=r"nowhere\.invalid.*online"):
            download("https://nowhere.invalid/a.png", allow_private=private)


@pytest.mark.parametrize("path", ["endless", "chunks"])
def test_a_body_without_end_is_cut_off_at_ten_megabytes(server, path):
    with pytest.raises(ValueError, match="larger than 10 MB"):
        download(server.url(path), allow_private=True)
    assert server.hung_up.wait(5)
    assert server.poured < 3 * MAX_BYTES  # what the socket's buffers had taken included


def test_a_length_beyond_the_limit_is_refused_before_the_body_is_read(server, monkeypatch):
    monkeypatch.setattr(requests.Response, "iter_content", None)
    with pytest.raises(ValueError, match="larger than 10 MB"):
        download(server.url("huge"), allow_private=True)


def test_a_compressed_bomb_counts_by_what_it_unpacks_to(server):
    with pytest.raises(ValueError, match="larger than 10 MB"):
        download(server.url("bomb"), allow_private=True)


@pytest.mark.parametrize("path", ["drip", "measured", "chunkdrip", "headers"])
def test_a_server_that_drips_meets_the_deadline(server, monkeypatch, path):
    monkeypatch.setattr(fetching, "DEADLINE", 0.2)
    with pytest.raises(ConnectionError, match=r"took longer than 0\.2 seconds"):
        download(server.url(path), allow_private=True)
    assert server.hung_up.wait(5)
    assert server.poured < 200


def test_a_server_that_stays_mute_meets_the_timeout(server, monkeypatch):
    monkeypatch.setattr(fetching, "TIMEOUT", (0.1, 0.1))
    with pytest.raises(ConnectionError, match="no answer in time"):
        download(server.url("mute"), allow_private=True)


def test_redirects_share_one_deadline(server, monkeypatch):
    monkeypatch.setattr(fetching, "DEADLINE", 0.2)
    with pytest.raises(ConnectionError, match="took longer"):
        download(server.url("redirect?to=/drip"), allow_private=True)


@pytest.mark.parametrize("path", ["continue"])
def test_a_server_that_never_comes_to_its_answer_meets_the_deadline(server, monkeypatch, path):
    monkeypatch.setattr(fetching, "DEADLINE", 0.2)
    with pytest.raises(ConnectionError, match=r"took longer than 0\.2 seconds"):
        download(server.url(path), allow_private=True)
    assert server.hung_up.wait(5)


def test_what_a_server_says_is_repeated_in_one_short_line(server):
    with pytest.raises(ConnectionError, match=r"answers 500 .*so sorry") as caught:
        download(server.url("reason"), allow_private=True)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def ended(before: set[threading.Thread], seconds: float = 5) -> bool:
    """Return whether the threads begun since then end by themselves, soon."""
    for thread in set(threading.enumerate()) - before:
        if thread.name == "fetch":
            thread.join(seconds)
    return not any(t.name == "fetch" for t in set(threading.enumerate()) - before)


@pytest.fixture
def stuck(monkeypatch):
    """Return a function that makes the lookups of names hang from the n-th on, until released."""
    released, calls, system = threading.Event(), [], socket.getaddrinfo

    def hang(first: int) -> threading.Event:
        def getaddrinfo(host, *args, **kwargs):
            calls.append(host)
            if len(calls) >= first:
                released.wait(60)
            return system("127.0.0.1", *args, **kwargs)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return released

    before = set(threading.enumerate())
    yield hang
    released.set()
    assert ended(before)


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("first", [1, 2])
def test_a_lookup_that_hangs_meets_the_deadline_and_no_request_follows(
    server, stuck, monkeypatch, private, first
):
    if first == 2 and not private:  # let the first lookup pass, so that the second is reached
        monkeypatch.setattr(hosts, "refuse_private_address", lambda *_: None)
    released = stuck(1 if private else first)
    monkeypatch.setattr(fetching, "DEADLINE", 0.2)
    before = set(threading.enumerate())
    with pytest.raises(ConnectionError, match=r"took longer than 0\.2 seconds"):
        download(server.url("photo.png", "slow.example"), allow_private=private)
    assert not released.is_set()  # the lookup hangs still
    assert not ended(before, 0)
    released.set()
    assert ended(before)
    assert not server.seen


def test_a_connection_made_after_the_deadline_is_closed_unused():
    one, other = socket.socketpair()
    with other, pytest.raises(requests.Timeout):
        fetching.GuardedAdapter(time.monotonic(), allow_private=True)._watch(
            one, "example.org", proxied=False
        )
    assert one.fileno() == -1


def test_lookups_that_hang_do_not_pile_up(stuck, monkeypatch):
    monkeypatch.setattr(fetching, "_AT_ONCE", threading.BoundedSemaphore(2))
    monkeypatch.setattr(fetching, "DEADLINE", 0.1)
    released, before = stuck(1), set(threading.enumerate())
    for _ in range(5):
        with pytest.raises(ConnectionError, match="took longer"):
            download("http://slow.example/a.png")
        assert len(set(threading.enumerate()) - before) <= 2
    released.set()
    assert ended(before)


@pytest.fixture
def python_answers_interrupts():
    """Python's own answer, which an event loop that ran before may have replaced by its own."""
    kept = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, kept)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no such signal on this system")
def test_the_user_can_interrupt_a_fetch_and_it_ends(server, python_answers_interrupts):
    before = set(threading.enumerate())
    main, over = threading.main_thread().ident, threading.Event()

    def interrupt():
        while not server.seen:
            time.sleep(0.01)
        while not over.is_set():  # Python drops an interrupt that comes inside a destructor
            signal.pthread_kill(main, signal.SIGINT)
            over.wait(3)

    def fetch():
        try:
            download(server.url("mute"), allow_private=True)
        finally:
            over.set()

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        fetch()
    assert ended(before)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "GZIP", "identity"])
def test_a_packed_picture_is_unpacked(server, encoding):
    step = {"deflate": "pack=zlib", "identity": ""}.get(encoding, "pack=gzip")
    url = server.url(f"packed/photo?as={encoding}&{step}")
    assert download(url, allow_private=True) == photograph()


def test_a_picture_is_asked_for_as_it_is(server):
    download(server.url("photo.png"), allow_private=True)
    assert server.seen[-1][1]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("step", ["gzip", "zlib"])
def test_bombs_of_both_kinds_count_by_what_they_unpack_to(server, step):
    encoding = {"gzip": "gzip", "zlib": "deflate"}[step]
    with pytest.raises(ValueError, match="larger than 10 MB"):
        download(server.url(f"packed?as={encoding}&pack={step}"), allow_private=True)


@pytest.mark.parametrize(
    "encoding", ["gzip,gzip", "gzip,%20deflate", "br", "zstd", "compress", "x"]
)
def test_encodings_in_one_another_and_others_are_refused(server, encoding):
    url = server.url(f"packed/photo?as={encoding}&pack=gzip&pack=gzip")
    with pytest.raises(ConnectionError, match="in an encoding that was not asked for"):
        download(url, allow_private=True)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_picture_that_is_not_packed_as_it_says_is_an_error(server, encoding):
    with pytest.raises(ConnectionError, match="not encoded as it says"):
        download(server.url(f"packed/photo?as={encoding}"), allow_private=True)


def test_nothing_is_left_behind(server, monkeypatch):
    monkeypatch.setattr(fetching, "DEADLINE", 0.1)
    before = set(threading.enumerate())
    download(server.url("photo.png"), allow_private=True)
    with pytest.raises(ConnectionError):
        download(server.url("drip"), allow_private=True)
    with pytest.raises(ValueError, match="local network"):
        download(server.url("photo.png"))
    assert server.hung_up.wait(5)
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()


def test_passwords_kept_in_netrc_are_not_sent(server, tmp_path, monkeypatch):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    requests.get(server.url("photo.png"), timeout=5)
    assert "Authorization" in server.seen.pop()[1]  # the trap is set
    download(server.url("photo.png"), allow_private=True)
    download(server.url("redirect?to=/photo.png"), allow_private=True)
    assert len(server.seen) == 3
    for _, headers in server.seen:
        assert "Authorization" not in headers


def test_a_request_says_who_asks_and_nothing_of_the_user(server):
    download(server.url("photo.png"), allow_private=True)
    (_, headers), *_ = server.seen
    assert headers["User-Agent"].startswith("cnn-widgets")
    assert set(headers) <= {"Host", "User-Agent", "Accept", "Accept-Encoding", "Connection"}


def test_a_cookie_of_one_fetch_is_gone_at_the_next(server):
    download(server.url("redirect?to=/photo.png"), allow_private=True)
    download(server.url("photo.png"), allow_private=True)
    assert "Cookie" not in server.seen[-1][1]


def test_a_redirect_is_not_told_where_it_came_from_nor_given_a_cookie(server):
    download(server.url("inspect?secret=1"), allow_private=True)
    assert [path for path, _ in server.seen] == ["/inspect?secret=1", "/photo.png"]
    for _, headers in server.seen:
        assert not {"Cookie", "Referer", "Authorization", "Origin"} & set(headers)

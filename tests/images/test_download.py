"""Fetching from a hostile server: it runs on this machine, and every limit is put to the test."""

from __future__ import annotations

import gzip
import io
import signal
import socket
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pytest
import requests
from PIL import Image

from cnn_widgets.images import addresses as hosts
from cnn_widgets.images import download as fetching
from cnn_widgets.images.download import MAX_BYTES, download
from cnn_widgets.images.loading import load_image

PUBLIC = "93.184.216.34"


def photograph() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((6, 9, 3), 77, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


class Handler(BaseHTTPRequestHandler):
    """Answers `/name` with the method `name`; all of them end when the server stops."""

    server: Hostile

    def do_GET(self) -> None:
        self.close_connection = True
        self.server.seen.append((self.path, dict(self.headers.items())))
        route = urlsplit(self.path).path.strip("/").partition("/")[0].partition(".")[0]
        try:
            getattr(self, f"on_{route}")()
        except OSError:  # the other side has hung up, as it should
            self.server.hung_up.set()

    def start(self, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def send(self, body: bytes, kind: str = "image/png", **headers: str) -> None:
        self.start(Content_Type=kind, Content_Length=str(len(body)), **headers)
        self.wfile.write(body)

    def pour(self, data: bytes, pause: float = 0.0) -> None:
        """Write the same bytes until the other side hangs up or the server stops."""
        while not self.server.stopping.wait(pause):
            self.wfile.write(data)
            self.server.poured += len(data)

    def on_photo(self) -> None:
        self.send(photograph())

    def on_untyped(self) -> None:
        self.start()
        self.wfile.write(photograph())

    def on_empty(self) -> None:
        self.send(b"")

    def on_status(self) -> None:
        status = int(self.path.rpartition("/")[2])
        self.start(status, Content_Length="0")

    def on_page(self) -> None:
        self.send(b"<!doctype html><p>A viewer, not a picture", "text/HTML; charset=utf-8")

    def on_lying(self) -> None:
        self.send(b"<!doctype html><p>A page that says it is a picture", "image/jpeg")

    def on_redirect(self) -> None:
        target = parse_qs(urlsplit(self.path).query)["to"][0]
        self.start(302, Location=target, Content_Length="0", Set_Cookie="id=1")

    def on_loop(self) -> None:
        self.start(301, Location=self.path, Content_Length="0")

    def on_accented(self) -> None:  # the bytes of UTF-8 in a header, as many servers send them
        self.start(302, Location="/photo/é.png".encode().decode("latin-1"))

    def on_astray(self) -> None:
        self.start(302)

    def on_endless(self) -> None:
        self.start(Content_Type="image/png")
        self.pour(bytes(256 * 1024))

    def on_chunks(self) -> None:
        self.protocol_version = "HTTP/1.1"
        self.start(Content_Type="image/png", Transfer_Encoding="chunked")
        self.pour(b"10000\r\n" + bytes(0x10000) + b"\r\n")

    def on_bomb(self) -> None:
        self.send(gzip.compress(bytes(4 * MAX_BYTES)), Content_Encoding="gzip")

    def on_packed(self) -> None:
        """Send what `pack` of the query says, packed as often, under the name that `as` says."""
        query = parse_qs(urlsplit(self.path).query)
        body = photograph() if "photo" in self.path else bytes(4 * MAX_BYTES)
        for step in query.get("pack", []):
            body = gzip.compress(body) if step == "gzip" else zlib.compress(body)
        self.send(body, Content_Encoding=query["as"][0])

    def on_inspect(self) -> None:
        """Redirect once, setting a cookie, to the photograph."""
        self.start(302, Location="/photo.png", Set_Cookie="id=1; Path=/", Content_Length="0")

    def on_continue(self) -> None:
        self.pour(b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.01)

    def on_reason(self) -> None:
        self.wfile.write(b"HTTP/1.1 500 " + b"\x1b[31m" + b"so sorry " * 3000 + b"\r\n\r\n")

    def do_CONNECT(self) -> None:
        self.server.seen.append((self.path, dict(self.headers.items())))
        self.start(403, Content_Length="0")

    def on_huge(self) -> None:
        self.start(Content_Type="image/png", Content_Length=str(10**15))
        self.pour(bytes(64 * 1024))

    def on_drip(self) -> None:
        self.start(Content_Type="image/png")
        self.pour(b"\0", pause=0.01)

    def on_measured(self) -> None:
        self.start(Content_Type="image/png", Content_Length="5000")
        self.pour(b"\0", pause=0.01)

    def on_chunkdrip(self) -> None:
        self.protocol_version = "HTTP/1.1"
        self.start(Content_Type="image/png", Transfer_Encoding="chunked")
        self.wfile.write(b"10000\r\n")
        self.pour(b"\0", pause=0.01)

    def on_headers(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        self.pour(b"x", pause=0.01)

    def on_mute(self) -> None:
        self.server.stopping.wait()

    def on_dropped(self) -> None:
        pass  # the connection closes without a word

    def on_cut(self) -> None:
        self.start(Content_Type="image/png", Content_Length="1000")
        self.wfile.write(b"only so much")

    def on_garbage(self) -> None:
        self.wfile.write(b"\0\1\2 this is not HTTP\r\n\r\n")

    def log_message(self, *_: object) -> None:
        pass


class Hostile(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: str = "127.0.0.1") -> None:
        super().__init__((address, 0), Handler)
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.stopping, self.hung_up = threading.Event(), threading.Event()
        self.poured = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.server_port}/{path}"


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    hostile = Hostile()
    thread = threading.Thread(target=hostile.serve_forever, args=(0.01,))
    thread.start()
    yield hostile
    hostile.stopping.set()
    hostile.shutdown()
    hostile.server_close()
    thread.join()


@pytest.fixture
def resolve(monkeypatch):
    """Return a function that makes a name resolve to given addresses, one after the other."""
    names: dict[str, list[str]] = {}
    system = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kwargs):
        if host in names:
            rest = names[host]
            host = rest.pop(0) if len(rest) > 1 else rest[0]
        return system(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return names.__setitem__


# what is fetched


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


# answers that are errors


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


# limits


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


def ended(before: set[threading.Thread]) -> bool:
    """Return whether the threads begun since then end by themselves, soon."""
    for thread in set(threading.enumerate()) - before:
        if thread.name == "fetch":
            thread.join(5)
    return not any(t.name == "fetch" for t in set(threading.enumerate()) - before)


@pytest.fixture
def stuck(monkeypatch):
    """Return a function that makes the lookups of names hang from the n-th on, until released."""
    released, calls, system = threading.Event(), [], socket.getaddrinfo

    def hang(first: int) -> threading.Event:
        def getaddrinfo(host, *args, **kwargs):
            calls.append(host)
            if len(calls) >= first:
                released.wait(10)
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
    before, started = set(threading.enumerate()), time.monotonic()
    with pytest.raises(ConnectionError, match=r"took longer than 0\.2 seconds"):
        download(server.url("photo.png", "slow.example"), allow_private=private)
    assert time.monotonic() - started < 2
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


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no such signal on this system")
def test_the_user_can_interrupt_a_fetch_and_it_ends(server):
    before = set(threading.enumerate())
    main = threading.main_thread().ident

    def interrupt():
        while not server.seen:
            time.sleep(0.01)
        signal.pthread_kill(main, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        download(server.url("mute"), allow_private=True)
    assert ended(before)


# what a body is packed in


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


# redirects


def test_a_redirect_is_followed_also_to_another_host_and_by_a_relative_address(server):
    for target in ("/photo.png", "photo.png", server.url("photo.png", "localhost")):
        assert download(server.url(f"redirect?to={target}"), allow_private=True) == photograph()


def test_three_redirects_are_followed_and_a_fourth_is_not(server):
    path = "/photo.png"
    for _ in range(3):
        path = f"/redirect?to={requests.utils.quote(path, safe='')}"
    assert download(server.url(path.lstrip("/")), allow_private=True) == photograph()
    path = f"/redirect?to={requests.utils.quote(path, safe='')}"
    with pytest.raises(ConnectionError, match="redirects more than 3 times"):
        download(server.url(path.lstrip("/")), allow_private=True)


def test_a_loop_of_redirects_ends(server):
    with pytest.raises(ConnectionError, match="redirects more than 3 times"):
        download(server.url("loop"), allow_private=True)
    assert len(server.seen) == 4


def test_a_redirect_to_an_accented_address_is_followed(server):
    assert download(server.url("accented"), allow_private=True) == photograph()
    assert unquote(server.seen[-1][0]) == "/photo/é.png"


def test_a_redirect_that_leads_nowhere_is_an_error(server):
    with pytest.raises(ConnectionError, match="answers 302"):
        download(server.url("astray"), allow_private=True)


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://example.org/a.png", "gopher://x/", "data:image/png,x"]
)
def test_a_redirect_to_another_scheme_is_refused(server, target):
    with pytest.raises(ValueError, match="http:// or https://"):
        download(server.url(f"redirect?to={target}"), allow_private=True)


def test_a_redirect_with_a_password_is_refused(server):
    with pytest.raises(ValueError, match="user name or password"):
        download(server.url("redirect?to=http://me:secret@127.0.0.1/"), allow_private=True)


@pytest.mark.parametrize("target", ["127.0.0.2", "10.0.0.1", "169.254.169.254", "[::1]", "0.0.0.0"])
def test_a_redirect_from_a_public_to_a_private_address_is_refused(server, monkeypatch, target):
    refuse = hosts.refuse_private_address

    def this_server_is_public(address, host):
        if address != "127.0.0.1":
            refuse(address, host)

    monkeypatch.setattr(hosts, "refuse_private_address", this_server_is_public)
    assert download(server.url("photo.png")) == photograph()
    url = server.url("photo.png", target)
    with pytest.raises(ValueError, match="inside the local network"):
        download(server.url(f"redirect?to={url}"))
    assert len(server.seen) == 2


# where a hub's kernel must not reach


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost", "0.0.0.0", "10.1.2.3",
        "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "[::1]", "[::]",
        "[::ffff:127.0.0.1]", "[fe80::1]", "[fd00::1]",
    ],
)  # fmt: skip
def test_addresses_inside_the_local_network_are_refused_by_default(server, host):
    with pytest.raises(ValueError, match=r"inside the local network.*allow_private=True"):
        download(server.url("photo.png", host))
    assert not server.seen


@pytest.mark.parametrize(
    "host",
    [
        "0177.0.0.1", "017700000001", "0x7f.1", "0X7F.0.0.1", "127.0.0.1.", "localhost.",
        "LOCALHOST", "a.localhost", "a.b.localhost.", "%31%32%37.0.0.1", "%6cocalhost",
        "[0:0:0:0:0:0:0:1]", "[::127.0.0.1]", "127.0.1", "0",
        "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[64:ff9b::10.0.0.1]", "[64:ff9b:1::8.8.8.8]",
        "[2002:7f00:1::]", "[2002:a00:1::1]", "[fec0::1]", "[ff02::1]", "[2001:db8::1]",
        "224.0.0.1", "192.0.0.192", "255.255.255.255", "198.18.0.1", "240.0.0.1",
    ],
)  # fmt: skip
def test_no_spelling_leads_into_the_local_network(server, host):
    with pytest.raises(ValueError, match=r"inside the local network"):
        download(server.url("photo.png", host))
    assert not server.seen


@pytest.mark.parametrize(
    "host", ["１２７.0.0.1", "127。0。0。1", "ⓛocalhost", "ｌｏｃａｌｈｏｓｔ"]
)
@pytest.mark.parametrize("proxy", [False, True])
def test_letters_that_only_look_like_a_local_host_lead_nowhere(server, host, proxy, monkeypatch):
    if proxy:
        monkeypatch.setenv("http_proxy", server.url(""))
    with pytest.raises(ValueError, match=r"local network|Not a well-formed"):
        download(server.url("photo.png", host))
    assert not server.seen


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822",
                                     "2002:5db8:d822::1", "::ffff:93.184.216.34"])  # fmt: skip
def test_public_addresses_are_not_refused_by_their_spelling(address):
    hosts.refuse_private_address(address, "example.org")


@pytest.mark.parametrize("bad", ["\\", "\t", "\n", "\r", "\0", "\x7f"])
@pytest.mark.parametrize("private", [False, True])
def test_an_address_with_a_backslash_or_a_control_character_is_refused(server, bad, private):
    for url in (server.url("photo.png", f"127.0.0.1{bad}.example"), server.url(f"a{bad}b"),
                server.url("photo.png", f"93.184.216.34{bad}@127.0.0.1")):  # fmt: skip
        with pytest.raises(ValueError, match=r"no backslash"):
            download(url, allow_private=private)
    assert not server.seen


def test_a_redirect_to_an_address_with_a_backslash_is_refused(server):
    with pytest.raises(ValueError, match="no backslash"):
        download(server.url("redirect?to=http://93.184.216.34%5C@127.0.0.1/"), allow_private=True)
    assert len(server.seen) == 1


@pytest.mark.parametrize("host", ["@127.0.0.1", ":@127.0.0.1", "93.184.216.34@127.0.0.1"])
def test_a_host_behind_an_at_sign_is_refused(server, host):
    with pytest.raises(ValueError, match="user name or password"):
        download(server.url("photo.png", host), allow_private=True)
    assert not server.seen


@pytest.mark.parametrize("url", ["http://a b/c", "http://*.example.org/a", "http://.example.org/a",
                                 "http://xn--a/", "http://[1::2::3]/", "http://[::1].example/",
                                 "http://93.184.216.34:0/a"])  # fmt: skip
def test_a_host_that_can_be_none_is_an_error(url, monkeypatch):
    def fail(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    for private in (False, True):
        with pytest.raises((ValueError, ConnectionError)) as caught:
            download(url, allow_private=private)
        assert type(caught.value) in (ValueError, ConnectionError)


@pytest.mark.parametrize("private", [False, True])
def test_port_zero_is_refused_by_name(private):
    with pytest.raises(ValueError, match="no port 0"):
        download("http://93.184.216.34:0/a.png", allow_private=private)


def test_the_scheme_may_be_in_capitals(server):
    url = server.url("photo.png").replace("http", "HTTP")
    assert download(url, allow_private=True) == photograph()


def test_a_picture_is_fetched_over_ipv6_where_that_is_allowed(monkeypatch):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")

    class Six(Hostile):
        address_family = socket.AF_INET6

    try:
        hostile = Six("::1")
    except OSError:
        pytest.skip("no IPv6 here")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    thread = threading.Thread(target=hostile.serve_forever, args=(0.01,))
    thread.start()
    try:
        assert download(hostile.url("photo.png", "[::1]"), allow_private=True) == photograph()
        with pytest.raises(ValueError, match="inside the local network"):
            download(hostile.url("photo.png", "[::1]"))
        assert len(hostile.seen) == 1
    finally:
        hostile.shutdown()
        hostile.server_close()
        thread.join()


def test_load_image_passes_the_default_on(server):
    with pytest.raises(ValueError, match="inside the local network"):
        load_image(server.url("photo.png"))
    assert not server.seen


def test_allow_private_allows_the_local_network(server):
    for host in ("127.0.0.1", "localhost", "127.1"):
        assert download(server.url("photo.png", host), allow_private=True) == photograph()


def test_a_name_that_resolves_to_this_machine_is_refused(server, resolve):
    resolve("innocent.example", ["127.0.0.1"])
    with pytest.raises(ValueError, match=r"innocent\.example is inside.*127\.0\.0\.1"):
        download(server.url("photo.png", "innocent.example"))
    assert not server.seen


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 80)) for a in (PUBLIC, "10.0.0.9")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(ValueError, match=r"10\.0\.0\.9"):
        download("http://mixed.example/a.png")


def test_a_name_that_resolves_differently_the_second_time_gets_no_request(server, resolve):
    resolve("rebinding.example", [PUBLIC, "127.0.0.1"])
    with pytest.raises(ValueError, match=r"rebinding\.example is inside the local network"):
        download(server.url("photo.png", "rebinding.example"))
    assert not server.seen  # refused at the connection, before a byte was sent


def test_a_proxy_may_be_private_and_is_used(server, resolve, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url(""))
    resolve("pictures.example", [PUBLIC])
    assert download("http://pictures.example/photo.png") == photograph()
    assert server.seen[0][0] == "http://pictures.example/photo.png"


@pytest.fixture
def offline(monkeypatch):
    """No name is found by this machine; numbers are."""
    system = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        if str(host).strip("[]").replace(".", "").isdigit() or ":" in str(host):
            return system(host, *args, **kwargs)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_a_name_only_the_proxy_knows_is_left_to_the_proxy(server, offline, monkeypatch):
    with pytest.raises(ConnectionError, match=r"pictures\.example' was not found"):
        download("http://pictures.example/photo.png")
    monkeypatch.setenv("http_proxy", server.url(""))
    assert download("http://pictures.example/photo.png") == photograph()
    assert server.seen[0][0] == "http://pictures.example/photo.png"
    monkeypatch.setenv("https_proxy", server.url(""))
    with pytest.raises(ConnectionError, match="cannot be fetched"):  # this proxy forbids it
        download("https://pictures.example/photo.png")
    assert server.seen[1][0] == "pictures.example:443"
    monkeypatch.setenv("no_proxy", "pictures.example")
    with pytest.raises(ConnectionError, match="was not found"):
        download("http://pictures.example/photo.png")
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1",
        "127.0.0.1",
        "2130706433",
        "[::1]",
        "localhost",
        "localhost.",
        "%31%30.0.0.1",
        "10.0.0.1.",
    ],
)
def test_a_proxy_is_not_asked_for_a_private_address(server, offline, monkeypatch, host):
    monkeypatch.setenv("http_proxy", server.url(""))
    with pytest.raises(ValueError, match="inside the local network"):
        download(f"http://{host}/photo.png")
    assert not server.seen


def test_a_proxy_is_not_asked_for_a_name_that_resolves_to_a_private_address(
    server, resolve, monkeypatch
):
    monkeypatch.setenv("http_proxy", server.url(""))
    resolve("inside.example", ["10.0.0.1"])
    with pytest.raises(ValueError, match=r"inside\.example is inside the local network"):
        download("http://inside.example/photo.png")
    assert not server.seen


# schemes and credentials


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://example.org/a.png", "s3://bucket/a.png", "//example.org/a",
        "data:image/png;base64,AAAA", "http://", "http:///a.png", "https:example.org", "a.png", "",
    ],
)  # fmt: skip
@pytest.mark.parametrize("private", [False, True])
def test_only_http_and_https_are_fetched(url, private):
    with pytest.raises(ValueError, match=r"starts with http:// or https://.*Received"):
        download(url, allow_private=private)


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/a", "http://[::1/a", "http://a:b/c"])
def test_a_malformed_address_is_a_value_error(url):
    with pytest.raises(ValueError, match=r"Port|IPv6"):
        download(url)


@pytest.mark.parametrize("who", ["me:secret", "me", ":secret", "example.org:80"])
def test_an_address_with_credentials_is_refused_and_they_are_not_repeated(server, who):
    with pytest.raises(ValueError, match="user name or password") as caught:
        download(server.url("photo.png", f"{who}@127.0.0.1"), allow_private=True)
    assert "secret" not in str(caught.value)
    assert not server.seen


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

"""A server on loopback that answers in every bad way, and names that resolve as a test says."""

from __future__ import annotations

import gzip
import io
import socket
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image

from cnn_widgets.images.download import MAX_BYTES

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

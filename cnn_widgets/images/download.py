"""Downloads a picture from an http(s) address, with limits on hosts, bytes and time.

Every host connected to must be public, on the first request and on each redirect: a notebook on a
shared server could otherwise read from machines inside its network. No credentials and no cookies
are sent. The number of bytes is limited, and one deadline covers the whole download.
"""

# Written by hand: requests bounds each wait but not the whole download, and no maintained package
# checks the connected peer's address on every redirect behind proxies as well.

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin

import requests

from cnn_widgets.images import addresses

#: The largest body accepted, in bytes.
MAX_BYTES = 10 * 2**20
MAX_REDIRECTS = 3
#: Seconds to wait for a connection, and for each part of the answer.
TIMEOUT = (5.0, 15.0)
#: Seconds for the whole download, with redirects.
DEADLINE = 30.0
_HEADERS = {
    "User-Agent": "cnn-widgets (image loader for teaching notebooks)",
    "Accept-Encoding": "identity",  # picture formats are compressed already
}
_ENCODINGS = ("", "identity", "gzip", "x-gzip", "deflate")  # nested encodings are refused
_AT_ONCE = threading.BoundedSemaphore(8)  # limits threads: a hanging name lookup cannot be ended


def download(url: str, *, allow_private: bool = False) -> bytes:
    """Return the body that an http(s) address serves, at most 10 MB.

    If a proxy is configured (``http_proxy``, ``https_proxy``, ``no_proxy``), a host name that this
    machine cannot resolve is left to the proxy; a name that resolves to a private address is
    refused all the same.

    Parameters
    ----------
    url : str
    allow_private : bool
        Whether hosts that are not public are allowed.

    Raises
    ------
    ValueError
        If the address is not http(s), its host is not public, or it serves more than 10 MB or a
        web page.
    ConnectionError
        If the host cannot be reached, answers with an error, redirects more than 3 times, or the
        download takes longer than 30 seconds.
    """
    deadline = time.monotonic() + DEADLINE
    slots = _AT_ONCE
    if not slots.acquire(timeout=DEADLINE):
        raise _too_slow(url)
    adapter, done = GuardedAdapter(deadline, allow_private), threading.Event()
    outcome: list[bytes | BaseException] = []

    def work() -> None:
        try:
            outcome.append(_follow_redirects(url, adapter))
        except BaseException as error:  # raised again in the calling thread
            outcome.append(error)
        finally:
            done.set()
            slots.release()

    # A timeout of requests limits each wait, but neither the name lookup nor the whole download.
    # So a thread does the work, and this one waits until the deadline or the user's interrupt.
    worker = threading.Thread(target=work, name="fetch", daemon=True)
    try:
        worker.start()
    except RuntimeError:  # no further thread can be started
        slots.release()
        raise
    try:  # an event, because an interrupted join marks the thread as ended
        done.wait(max(0.0, deadline - time.monotonic()) + 0.2)
    finally:
        if not done.is_set():
            adapter.hang_up()
    if not outcome:
        raise _too_slow(url)
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def _follow_redirects(url: str, adapter: GuardedAdapter) -> bytes:
    """Follow redirects from an address and return the body of the last one."""
    with requests.Session() as session:
        session.auth = _no_credentials  # no credentials from .netrc; proxy settings still apply
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            session.mount(scheme, adapter)
        for _ in range(MAX_REDIRECTS + 1):
            url = addresses.checked_url(url, adapter.allow_private)
            if adapter.late:
                raise _too_slow(url)
            try:
                with session.get(
                    url, stream=True, timeout=TIMEOUT, allow_redirects=False, headers=_HEADERS
                ) as answer:
                    if not answer.is_redirect:
                        return _body(answer, url, adapter)
                    url = urljoin(url, session.get_redirect_target(answer) or "")
            except requests.RequestException as error:
                if adapter.late:
                    raise _too_slow(url) from error
                raise ConnectionError(
                    f"{_one_line(url)} cannot be fetched: {_reason(error)}"
                ) from error
    raise ConnectionError(
        f"The address redirects more than {MAX_REDIRECTS} times; last to {_one_line(url)}"
    )


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Return a request unchanged; set as `auth`, this stops requests from reading .netrc."""
    return request


def _reason(error: Exception) -> str:
    """Return in words why a request failed."""
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return "what it sends is not encoded as it says"
    if isinstance(error, requests.ConnectionError):
        return "no connection (is this machine online?)"
    return _one_line(error)


def _body(answer: requests.Response, url: str, adapter: GuardedAdapter) -> bytes:
    """Return the body of an answer after checking status, type, encoding and size."""
    if answer.status_code != 200:
        raise ConnectionError(
            f"{_one_line(url)} answers {answer.status_code} {_one_line(answer.reason)}."
        )
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        raise ValueError(
            f"{_one_line(url)} is a web page (HTML), not a picture. Open it, and copy the "
            "address of the picture itself."
        )
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding not in _ENCODINGS:  # nested encodings can expand a millionfold
        raise ConnectionError(
            f"{_one_line(url)} is sent in an encoding that was not asked for: "
            f"{_one_line(encoding)!r}."
        )
    length = answer.headers.get("content-length", "")
    if length.isdecimal() and len(length) < 20 and int(length) > MAX_BYTES:
        raise _too_large(url)
    body = bytearray()
    for chunk in answer.iter_content(64 * 1024):
        body += chunk
        if len(body) > MAX_BYTES:
            raise _too_large(url)
    if adapter.late:  # the body may be incomplete: the adapter closes connections at the deadline
        raise _too_slow(url)
    return bytes(body)


def _one_line(text: object) -> str:
    """Return a text from a server on one line, without control characters, ≤ 200 characters."""
    line = "".join(c if c.isprintable() else " " for c in str(text))
    return line if len(line) <= 200 else line[:199] + "…"


def _too_large(url: str) -> ValueError:
    return ValueError(f"{_one_line(url)} is larger than {MAX_BYTES // 2**20} MB.")


def _too_slow(url: str) -> ConnectionError:
    return ConnectionError(f"{_one_line(url)} took longer than {DEADLINE:g} seconds.")


class GuardedAdapter(requests.adapters.HTTPAdapter):
    """Checks every peer's address before a byte is sent, and closes connections at the deadline.

    A timeout of `requests` limits each wait, not their sum: a server that sends one byte per
    second would never reach it.

    Parameters
    ----------
    deadline : float
        When to stop, on the clock of `time.monotonic`, in seconds.
    allow_private : bool
        Whether peers may have addresses that are not public.
    """

    def __init__(self, deadline: float, allow_private: bool) -> None:
        super().__init__()
        self.allow_private = allow_private
        self._deadline = deadline
        self._watched: list[tuple[threading.Timer, socket.socket]] = []

    @property
    def late(self) -> bool:
        """Whether the deadline has passed, or the caller has stopped waiting."""
        return time.monotonic() >= self._deadline

    def hang_up(self) -> None:
        """Close every connection, and let new ones fail as if the deadline had passed."""
        self._deadline = 0.0
        for _, duplicate in list(self._watched):
            _shut_down(duplicate)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return the connection pool for a request, with connections that call `_watch`."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        adapter, kind = self, type(pool).ConnectionCls

        class Connection(kind):  # type: ignore[misc, valid-type]
            def _new_conn(self) -> socket.socket:
                sock: socket.socket = super()._new_conn()
                return adapter._watch(sock, self.host, proxied=bool(self.proxy))

        pool.ConnectionCls = Connection
        return pool

    def _watch(self, sock: socket.socket, host: str, proxied: bool) -> socket.socket:
        """Return a new connection's socket, if its peer is allowed, and time its closing."""
        try:
            if not (self.allow_private or proxied):
                addresses.refuse_private_address(str(sock.getpeername()[0]), host)
            if self.late:  # looking up the name may have taken longer than the deadline
                raise requests.Timeout("connected after the deadline")
        except (ValueError, OSError):
            sock.close()
            raise
        duplicate = sock.dup()  # stays valid when TLS detaches the first descriptor
        timer = threading.Timer(
            max(0.0, self._deadline - time.monotonic()), _shut_down, [duplicate]
        )
        timer.daemon = True
        timer.start()
        self._watched.append((timer, duplicate))
        return sock

    def close(self) -> None:
        """Cancel the timers and close the pool."""
        for timer, duplicate in self._watched:
            timer.cancel()
            duplicate.close()
        super().close()


def _shut_down(sock: socket.socket) -> None:
    """End a connection in both directions, which wakes a thread that is reading from it."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)

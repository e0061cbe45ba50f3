"""Downloads a picture from an http(s) address, within limits that suit a shared machine.

Every address connected to must be public (a hub's kernel can reach its neighbours), on the first
request and on each redirect. No credentials and no cookies are sent. The bytes are capped, and
one deadline covers the whole download.
"""

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

MAX_BYTES = 10 * 2**20
MAX_REDIRECTS = 3
TIMEOUT = (5.0, 15.0)
DEADLINE = 30.0
_HEADERS = {
    "User-Agent": "cnn-widgets (image loader for teaching notebooks)",
    "Accept-Encoding": "identity",  # a picture is compressed already
}
_ENCODINGS = ("", "identity", "gzip", "x-gzip", "deflate")  # one of them, never one in another
_AT_ONCE = threading.BoundedSemaphore(8)  # a system's lookup that hangs cannot be ended: bound them


def download(url: str, *, allow_private: bool = False) -> bytes:
    """Return what an http(s) address serves, at most 10 MB.

    Behind a proxy (``http_proxy``, ``https_proxy``, ``no_proxy``) a name that this machine cannot
    resolve is left to the proxy; one that it resolves to a private address is still refused.

    Raises
    ------
    ValueError
        If the address is not http(s), not public, too large, or serves a web page.
    ConnectionError
        If it cannot be reached, answers with an error, or takes longer than 30 seconds.
    """
    deadline = time.monotonic() + DEADLINE
    gate = _AT_ONCE
    if not gate.acquire(timeout=DEADLINE):
        raise _too_slow(url)
    guard, done = GuardedAdapter(deadline, allow_private), threading.Event()
    outcome: list[bytes | BaseException] = []

    def work() -> None:
        try:
            outcome.append(_follow(url, guard))
        except BaseException as error:  # handed to the caller, whatever it is
            outcome.append(error)
        finally:
            done.set()
            gate.release()

    # The system's lookup of a name heeds no timeout, nor does the sum of many connections: so the
    # work is done aside, and waited for as long as the deadline says, or until the user interrupts.
    worker = threading.Thread(target=work, name="fetch", daemon=True)
    try:
        worker.start()
    except RuntimeError:  # no thread to be had
        gate.release()
        raise
    try:  # (a join that is interrupted takes the thread for ended)
        done.wait(max(0.0, deadline - time.monotonic()) + 0.2)
    finally:
        if not done.is_set():
            guard.hang_up()
    if not outcome:
        raise _too_slow(url)
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


def _follow(url: str, guard: GuardedAdapter) -> bytes:
    """Return the body at the end of the redirects."""
    with requests.Session() as session:
        session.auth = _no_credentials  # keeps .netrc out of it; proxies are honoured
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            session.mount(scheme, guard)
        for _ in range(MAX_REDIRECTS + 1):
            url = addresses.checked_url(url, guard.allow_private)
            if guard.late:
                raise _too_slow(url)
            try:
                with session.get(
                    url, stream=True, timeout=TIMEOUT, allow_redirects=False, headers=_HEADERS
                ) as answer:
                    if not answer.is_redirect:
                        return _body(answer, url, guard)
                    url = urljoin(url, session.get_redirect_target(answer) or "")
            except requests.RequestException as error:
                if guard.late:
                    raise _too_slow(url) from error
                raise ConnectionError(
                    f"{_short(url)} cannot be fetched: {_reason(error)}"
                ) from error
    raise ConnectionError(
        f"The address redirects more than {MAX_REDIRECTS} times; last to {_short(url)}"
    )


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _reason(error: Exception) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return "what it sends is not encoded as it says"
    if isinstance(error, requests.ConnectionError):
        return "no connection (is this machine online?)"
    return _short(error)


def _body(answer: requests.Response, url: str, guard: GuardedAdapter) -> bytes:
    if answer.status_code != 200:
        raise ConnectionError(
            f"{_short(url)} answers {answer.status_code} {_short(answer.reason)}."
        )
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        raise ValueError(
            f"{_short(url)} is a web page (HTML), not a picture. Open it, and copy the address "
            "of the picture itself."
        )
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    if encoding not in _ENCODINGS:  # one bomb in another unpacks a million times its size
        raise ConnectionError(
            f"{_short(url)} is sent in an encoding that was not asked for: {_short(encoding)!r}."
        )
    length = answer.headers.get("content-length", "")
    if length.isdecimal() and len(length) < 20 and int(length) > MAX_BYTES:
        raise _too_heavy(url)
    body = bytearray()
    for chunk in answer.iter_content(64 * 1024):
        body += chunk
        if len(body) > MAX_BYTES:
            raise _too_heavy(url)
    if guard.late:  # also where the guard has hung up: the body is cut short
        raise _too_slow(url)
    return bytes(body)


def _short(text: object) -> str:
    """Return a text from afar for an error's single line."""
    line = "".join(c if c.isprintable() else " " for c in str(text))
    return line if len(line) <= 200 else line[:199] + "…"


def _too_heavy(url: str) -> ValueError:
    return ValueError(f"{_short(url)} is larger than {MAX_BYTES // 2**20} MB.")


def _too_slow(url: str) -> ConnectionError:
    return ConnectionError(f"{_short(url)} took longer than {DEADLINE:g} seconds.")


class GuardedAdapter(requests.adapters.HTTPAdapter):
    """Checks every peer before a byte is sent to it, and hangs up at the deadline.

    A timeout of `requests` bounds each wait, not the sum: a server that drips one byte per second
    never meets it.
    """

    def __init__(self, deadline: float, allow_private: bool) -> None:
        super().__init__()
        self.allow_private = allow_private
        self._deadline = deadline
        self._watched: list[tuple[threading.Timer, socket.socket]] = []

    @property
    def late(self) -> bool:
        """Whether the deadline has passed, or nobody waits any more."""
        return time.monotonic() >= self._deadline

    def hang_up(self) -> None:
        """End every connection, and let there be no other."""
        self._deadline = 0.0
        for _, twin in list(self._watched):
            _shut(twin)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """Return a pool whose connections are watched."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        guard, kind = self, type(pool).ConnectionCls

        class Connection(kind):  # type: ignore[misc, valid-type]
            def _new_conn(self) -> socket.socket:
                sock: socket.socket = super()._new_conn()
                return guard._watch(sock, self.host, proxied=bool(self.proxy))

        pool.ConnectionCls = Connection
        return pool

    def _watch(self, sock: socket.socket, host: str, proxied: bool) -> socket.socket:
        try:
            if not (self.allow_private or proxied):
                addresses.refuse_private_address(str(sock.getpeername()[0]), host)
            if self.late:  # the lookup of the name may have taken an hour
                raise requests.Timeout("connected after the deadline")
        except (ValueError, OSError):
            sock.close()
            raise
        twin = sock.dup()  # the same connection, also once TLS has taken the first handle over
        timer = threading.Timer(max(0.0, self._deadline - time.monotonic()), _shut, [twin])
        timer.daemon = True
        timer.start()
        self._watched.append((timer, twin))
        return sock

    def close(self) -> None:
        """Forget the connections."""
        for timer, twin in self._watched:
            timer.cancel()
            twin.close()
        super().close()


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)

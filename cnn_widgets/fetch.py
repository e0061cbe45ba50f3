"""Fetches a picture's bytes from an address, within limits a shared machine can live with.

Only http and https; every address connected to must be a public one (a hub's kernel can reach
its neighbours), on the first request and on each redirect; no credentials; a deadline for the
whole; a cap on the bytes.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

MAX_BYTES = 10 * 2**20
MAX_REDIRECTS = 3
TIMEOUT = (5.0, 15.0)
DEADLINE = 30.0
_AGENT = "cnn-widgets (image loader for teaching notebooks)"


def fetch(url: str, *, allow_private: bool = False) -> bytes:
    """Return what an http(s) address serves, at most 10 MB.

    Raises
    ------
    ValueError
        If the address is not http(s), not public, too large, or serves a web page.
    ConnectionError
        If it cannot be reached, answers with an error, or takes longer than 30 seconds.
    """
    deadline = time.monotonic() + DEADLINE
    with requests.Session() as session:
        session.auth = _no_credentials  # keeps .netrc out of it; proxies are honoured
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Guard(deadline, allow_private))
        for _ in range(MAX_REDIRECTS + 1):
            _check(url, allow_private)
            try:
                with session.get(
                    url,
                    stream=True,
                    timeout=TIMEOUT,
                    allow_redirects=False,
                    headers={"User-Agent": _AGENT},
                ) as answer:
                    if not answer.is_redirect:
                        return _body(answer, url, deadline)
                    url = urljoin(url, session.get_redirect_target(answer) or "")
            except requests.RequestException as error:
                if time.monotonic() >= deadline:
                    raise _too_slow(url) from error
                raise ConnectionError(f"{url} cannot be fetched: {_reason(error)}") from error
    raise ConnectionError(f"The address redirects more than {MAX_REDIRECTS} times; last to {url}")


class _Guard(requests.adapters.HTTPAdapter):
    """Checks every peer before a byte is sent to it, and hangs up at the deadline.

    A name may resolve differently the second time, so the address that counts is the one
    connected to. And a timeout of `requests` bounds each wait, not the sum: a server that drips
    one byte per second never meets it.
    """

    def __init__(self, deadline: float, allow_private: bool) -> None:
        super().__init__()
        self._deadline, self._allow_private = deadline, allow_private
        self._watched: list[tuple[threading.Timer, socket.socket]] = []

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        guard, kind = self, type(pool).ConnectionCls

        class Connection(kind):  # type: ignore[misc, valid-type]
            def _new_conn(self) -> socket.socket:
                sock: socket.socket = super()._new_conn()
                return guard._watch(sock, self.host, proxied=bool(self.proxy))

        pool.ConnectionCls = Connection
        return pool

    def _watch(self, sock: socket.socket, host: str, proxied: bool) -> socket.socket:
        if not (self._allow_private or proxied):
            try:
                _refuse_private(str(sock.getpeername()[0]), host)
            except ValueError:
                sock.close()
                raise
        twin = sock.dup()  # the same connection, also once TLS has taken the first handle over
        wait = max(0.0, self._deadline - time.monotonic())
        timer = threading.Timer(wait, _hang_up, [twin])
        timer.daemon = True
        timer.start()
        self._watched.append((timer, twin))
        return sock

    def close(self) -> None:
        for timer, twin in self._watched:
            timer.cancel()
            twin.close()
        super().close()


def _hang_up(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _no_credentials(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _reason(error: Exception) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.ConnectionError):
        return "no connection (is this machine online?)"
    return str(error)


def _check(url: str, allow_private: bool) -> None:
    """Refuse other schemes, credentials in the address, and hosts that are not public."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            f"Expected an address that starts with http:// or https://. Received: {url!r}"
        )
    if parts.username or parts.password:
        raise ValueError("An address with a user name or password in it is not fetched.")
    if allow_private:
        return
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ConnectionError(
            f"The host {parts.hostname!r} was not found (is this machine online?)."
        ) from None
    for *_, address in found:
        _refuse_private(str(address[0]), parts.hostname)


def _refuse_private(address: str, host: str) -> None:
    if not ipaddress.ip_address(address.partition("%")[0]).is_global:
        raise ValueError(
            f"{host} is inside the local network ({address}) and is not fetched. "
            "load_image(url, allow_private=True) allows it."
        )


def _body(answer: requests.Response, url: str, deadline: float) -> bytes:
    if answer.status_code != 200:
        raise ConnectionError(f"{url} answers {answer.status_code} {answer.reason}.")
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        raise ValueError(
            f"{url} is a web page (HTML), not a picture. Open it, and copy the address of the "
            "picture itself."
        )
    length = answer.headers.get("content-length", "")
    if length.isdecimal() and len(length) < 20 and int(length) > MAX_BYTES:
        raise _too_heavy(url)
    body = bytearray()
    for chunk in answer.iter_content(64 * 1024):
        body += chunk
        if len(body) > MAX_BYTES:
            raise _too_heavy(url)
    if time.monotonic() >= deadline:  # also where the guard has hung up: the body is cut short
        raise _too_slow(url)
    return bytes(body)


def _too_heavy(url: str) -> ValueError:
    return ValueError(f"{url} is larger than {MAX_BYTES // 2**20} MB.")


def _too_slow(url: str) -> ConnectionError:
    return ConnectionError(f"{url} took longer than {DEADLINE:g} seconds.")

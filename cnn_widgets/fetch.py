"""Fetches a picture's bytes from an address, within limits a shared machine can live with.

Only http and https; every address connected to must be a public one (a hub's kernel can reach
its neighbours), on the first request and on each redirect; no credentials; a deadline for the
whole; a cap on the bytes.
"""

from __future__ import annotations

import ipaddress
import socket
import time
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
        for _ in range(MAX_REDIRECTS + 1):
            _check(url, allow_private)
            try:
                with session.get(url, stream=True, timeout=TIMEOUT, allow_redirects=False,
                                 headers={"User-Agent": _AGENT}) as answer:
                    if answer.is_redirect:
                        url = urljoin(url, answer.headers["location"])
                        continue
                    _check_peer(answer, allow_private)
                    return _body(answer, url, deadline)
            except requests.RequestException as error:
                raise ConnectionError(f"{url} cannot be fetched: {_reason(error)}") from error
    raise ConnectionError(f"The address redirects more than {MAX_REDIRECTS} times; last to {url}")


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
        raise ValueError(f"Expected an address that starts with http:// or https://. Received: {url!r}")
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


def _check_peer(answer: requests.Response, allow_private: bool) -> None:
    """Check the address actually connected to: a name may resolve differently the second time."""
    connection = getattr(answer.raw, "_connection", None)
    sock = getattr(connection, "sock", None)
    if allow_private or sock is None or getattr(connection, "proxy", None):
        return
    _refuse_private(str(sock.getpeername()[0]), urlsplit(answer.url).hostname or "")


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
    body = bytearray()
    for chunk in answer.iter_content(64 * 1024):
        body += chunk
        if len(body) > MAX_BYTES:
            raise ValueError(f"{url} is larger than {MAX_BYTES // 2**20} MB.")
        if time.monotonic() > deadline:
            raise ConnectionError(f"{url} took longer than {DEADLINE:.0f} seconds.")
    return bytes(body)

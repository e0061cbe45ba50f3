"""Checks web addresses: pictures are fetched from public hosts only, unless the user allows others.

A notebook server could otherwise be used to read from machines inside its own network. The host
name is checked before the request (`checked_url`), and the peer's address again once connected
(`refuse_private_address`), because a name may resolve to another address the second time.
"""

# Written by hand: requests bounds each wait but not the whole download, and no maintained package
# checks the connected peer's address on every redirect behind proxies as well.

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies, select_proxy

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Not public either, but `is_global` of some Python versions says they are.
_NOT_PUBLIC = [
    ipaddress.ip_network(each)
    for each in ("192.0.0.0/24", "64:ff9b:1::/48", "fec0::/10", "3fff::/20", "5f00::/16")
]

# IPv6 addresses of these networks hold an IPv4 address in their last 32 bits.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_IPV4_COMPATIBLE = ipaddress.ip_network("::/96")


def checked_url(url: str, allow_private: bool) -> str:
    """Return the URL in the normalised form in which `requests` will send it.

    Parameters
    ----------
    url : str
    allow_private : bool
        Whether to skip the check that the host is public.

    Raises
    ------
    ValueError
        If the URL is malformed, has a scheme other than http(s), contains a user name or
        password, or names a host that is not public.
    ConnectionError
        If the host name cannot be resolved and no proxy is configured for the URL.
    """
    if any(c == "\\" or ord(c) < 32 or ord(c) == 127 for c in url):
        # URL parsers disagree on these characters: the host checked may not be the one contacted
        raise ValueError(
            f"An address holds no backslashes or control characters. Received: {url!r}"
        )
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            f"Expected an address that starts with http:// or https://. Received: {url!r}"
        )
    if parts.username or parts.password or "@" in parts.netloc:
        raise ValueError("An address with a user name or password in it is not fetched.")
    port = parts.port  # raises ValueError for an invalid port
    if port == 0:
        raise ValueError(f"There is no port 0. Received: {url!r}")
    try:
        prepared = requests.Request("GET", url).prepare().url or ""
    except (requests.RequestException, UnicodeError) as error:
        raise ValueError(f"Not a well-formed address: {url!r} ({error})") from error
    if not allow_private:
        _check_host(prepared)
    return prepared


def _check_host(url: str) -> None:
    """Raise a ValueError for a host that is, or resolves to, an address that is not public."""
    parts = urlsplit(url)  # requests has turned spellings such as %31%32%37 and １２７ into 127
    host = (parts.hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        refuse_private_address("127.0.0.1", host)
    try:
        found = socket.getaddrinfo(host, parts.port or 80, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        if select_proxy(url, get_environ_proxies(url)):
            return  # behind a proxy the local resolver may know no public names
        raise ConnectionError(
            f"The host {host!r} was not found (is this machine online?)."
        ) from None
    for *_, address in found:
        refuse_private_address(str(address[0]), host)


def refuse_private_address(address: str, host: str) -> None:
    """Raise a ValueError for an IP address that is not public; `host` names it in the message."""
    if not _is_public(ipaddress.ip_address(address.partition("%")[0])):
        raise ValueError(
            f"{host} is inside the local network ({address}) and is not fetched. "
            "load_image(url, allow_private=True) allows it."
        )


def _is_public(address: _Address) -> bool:
    """Return whether an IP address, or the IPv4 address embedded in it, is a public one."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64 or address in _IPV4_COMPATIBLE:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:  # a gateway would forward to the embedded address
            return _is_public(inner)
    inside = any(address in network for network in _NOT_PUBLIC)
    return address.is_global and not address.is_multicast and not inside

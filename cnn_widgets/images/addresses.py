"""Which web addresses a picture may be fetched from.

The name is checked first, the address of the open connection afterwards: a name may resolve
differently the second time, and one address can be spelled in many ways.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies, select_proxy

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Not public either, though not every Python says so.
_NOT_PUBLIC = [
    ipaddress.ip_network(each)
    for each in ("192.0.0.0/24", "64:ff9b:1::/48", "fec0::/10", "3fff::/20", "5f00::/16")
]

# these hold an IPv4 address in their last 32 bits
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")


def checked_url(url: str, allow_private: bool) -> str:
    """Return an address as it will be requested.

    Raises
    ------
    ValueError
        For other schemes, credentials in the address, and hosts that are not public.
    ConnectionError
        For a host that is not found, unless a proxy is there to find it.
    """
    if any(c == "\\" or ord(c) < 32 or ord(c) == 127 for c in url):
        # programs differ in what they make of these, and the host is what is at stake
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
    port = parts.port  # a ValueError where it is none
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
    """Refuse a host that is, or resolves to, an address that is not public."""
    parts = urlsplit(url)  # of the prepared address: %31%32%37… and １２７… are 127… by now
    host = (parts.hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        refuse_private_address("127.0.0.1", host)
    try:
        found = socket.getaddrinfo(host, parts.port or 80, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        if select_proxy(url, get_environ_proxies(url)):
            return  # this machine may know no outside names at all: the proxy does
        raise ConnectionError(
            f"The host {host!r} was not found (is this machine online?)."
        ) from None
    for *_, address in found:
        refuse_private_address(str(address[0]), host)


def refuse_private_address(address: str, host: str) -> None:
    """Raise a ValueError for an address that not all of the internet can reach."""
    if not _is_public(ipaddress.ip_address(address.partition("%")[0])):
        raise ValueError(
            f"{host} is inside the local network ({address}) and is not fetched. "
            "load_image(url, allow_private=True) allows it."
        )


def _is_public(address: _Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64 or address in _COMPATIBLE:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:  # the neighbour behind the gateway counts
            return _is_public(inner)
    inside = any(address in network for network in _NOT_PUBLIC)
    return address.is_global and not address.is_multicast and not inside

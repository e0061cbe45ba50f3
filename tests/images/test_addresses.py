"""Which addresses are fetched from, however they are spelled."""

from __future__ import annotations

import socket
import threading

import pytest
from helpers.hostile_server import PUBLIC, Hostile, photograph

from cnn_widgets.images import addresses as hosts
from cnn_widgets.images.download import download
from cnn_widgets.images.loading import load_image


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

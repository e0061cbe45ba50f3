"""What a proxy is asked, and what it is not."""

from __future__ import annotations

import socket

import pytest
from helpers.hostile_server import PUBLIC, photograph

from cnn_widgets.images.download import download


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

"""Redirects are followed at most three times, and checked each time."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
import requests
from helpers.hostile_server import photograph

from cnn_widgets.images import addresses as hosts
from cnn_widgets.images.download import download


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

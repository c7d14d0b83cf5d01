"""Which addresses a black box may have, and what a name resolves to."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from compute.errors import RemoteError
from compute.remote.addresses import Target, not_public, parse_url, redirected, resolve


def resolving(monkeypatch: pytest.MonkeyPatch, **hosts: str) -> None:
    """Let names resolve to the given numbers, separated by spaces."""

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        numbers = hosts.get(host.replace(".", "_"), host).split()
        return [(0, 0, 0, "", (number, port)) for number in numbers]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.org", Target("https", "example.org", 443, "/")),
        ("HTTPS://Example.ORG:8443/a/b", Target("https", "example.org", 8443, "/a/b")),
        ("https://[2606:4700::1111]:444/x", Target("https", "2606:4700::1111", 444, "/x")),
        ("https://[2606:4700::1111]/x", Target("https", "2606:4700::1111", 443, "/x")),
    ],
)
def test_urls_are_taken_apart(text: str, expected: Target) -> None:
    found = parse_url(text, allow_private=False)
    assert found == expected
    assert parse_url(str(found), allow_private=False) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "example.org", "ftp://example.org/", "https://", "https:///x", "file:///etc/passwd"),
        *("https://exam ple.org/", "https://example.org/a b", "https://example.org\\@evil/"),
        *("https://example.org:0/", "https://example.org:99999/", "https://example.org:x/"),
        *("https://example.org:/", "https://bücher.example/", "https://example.org/\r\nHost: x"),
        *("https://[::1%25eth0]/", "https://[::1/", "https://::1/", "https://example.org:٣/"),
    ],
)
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(RemoteError, match=r"expected"):
        parse_url(text, allow_private=True)


@pytest.mark.parametrize("text", ["https://me:secret@example.org/", "https://e.org/?key=secret"])
def test_a_key_in_the_url_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(RemoteError, match="--key-env") as caught:
        parse_url(text, allow_private=True)
    assert "secret" not in str(caught.value)


def test_http_needs_permission() -> None:
    with pytest.raises(RemoteError, match=r"expected https.*--allow-private"):
        parse_url("http://example.org/", allow_private=False)
    assert parse_url("http://example.org/", allow_private=True).port == 80


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("127.8.8.8", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("169.254.169.254", "link-local"),
        ("::ffff:169.254.169.254", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("192.168.0.1", "private"),
        ("100.64.0.1", "private"),
        ("198.18.0.1", "private"),
        ("240.0.0.1", "private"),
        ("255.255.255.255", "private"),
        ("fd00::1", "private"),
        ("fec0::1", "private"),
        ("2001:db8::1", "private"),
        ("64:ff9b::10.0.0.1", "private"),
        ("64:ff9b:1::1", "private"),
        ("2002:a00:1::", "private"),
        ("::10.0.0.1", "private"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
    ],
)
def test_addresses_that_are_not_public(address: str, kind: str) -> None:
    assert kind in not_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
)
def test_public_addresses(address: str) -> None:
    assert not_public(address) == ""


def test_every_address_of_a_name_must_be_public(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, good_org="8.8.8.8 8.8.4.4", mixed_org="8.8.8.8 10.0.0.7")
    target = parse_url("https://good.org/", allow_private=False)
    assert resolve(target, allow_private=False) == ["8.8.8.8", "8.8.4.4"]
    target = parse_url("https://mixed.org/", allow_private=False)
    with pytest.raises(
        RemoteError, match=r"mixed\.org resolves to 10\.0\.0\.7, which is a private"
    ):
        resolve(target, allow_private=False)
    assert resolve(target, allow_private=True) == ["8.8.8.8", "10.0.0.7"]


@pytest.mark.parametrize("host", ["localhost", "127.1", "0x7f.1", "2130706433", "[::1]"])
def test_names_of_this_machine_are_refused_in_every_spelling(host: str) -> None:
    target = parse_url(f"https://{host}/", allow_private=False)
    with pytest.raises(RemoteError, match="loopback"):
        resolve(target, allow_private=False)


def test_redirects_are_read_as_urls_are() -> None:
    here = parse_url("https://example.org/a/b", allow_private=False)
    assert str(redirected(here, "/c", allow_private=False)) == "https://example.org/c"
    assert str(redirected(here, "c", allow_private=False)) == "https://example.org/a/c"
    assert str(redirected(here, "//o.org/", allow_private=False)) == "https://o.org/"
    for location in ("http://example.org/", "/c?x=1", "file:///etc/passwd", "https://[", "/#x"):
        with pytest.raises(RemoteError):
            redirected(here, location, allow_private=False)

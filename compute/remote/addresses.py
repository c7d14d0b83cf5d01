"""Which addresses a black box may have: checked when they are given and at every redirect.

Whoever adds a model hands over a URL, often one that somebody else wrote. Unless private addresses
are allowed, it must be https and lead to the public internet; and what was checked is what gets
connected to: the numbers that a name resolves to are resolved once, and handed on.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

from compute.errors import RemoteError

_HOST: Final = re.compile(r"[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")
_TARGET: Final = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?")
_PORTS: Final = {"https": 443, "http": 80}
_EMBEDDING_IPV4: Final = (
    # Networks whose addresses lead to an IPv4 address, and where its 32 bits begin.
    (ipaddress.IPv6Network("::ffff:0:0/96"), 96),
    (ipaddress.IPv6Network("64:ff9b::/96"), 96),
    (ipaddress.IPv6Network("2002::/16"), 16),
)
_NEVER_PUBLIC: Final = (
    # Python calls these global: translation inside a network (RFC 8215), and the deprecated
    # IPv4-compatible addresses (RFC 4291).
    ipaddress.IPv6Network("64:ff9b:1::/48"),
    ipaddress.IPv6Network("::/96"),
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Target:
    """A parsed URL: ``host`` in lower case, an IPv6 address without its brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """What a key is meant for: scheme, host and port."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Host, and port where it is not the scheme's own: the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_url(text: str, *, allow_private: bool) -> Target:
    """Parse the URL of a black box.

    Raises
    ------
    RemoteError
        For anything but ``https://host[:port][/path]``, or ``http`` where private addresses are
        allowed. Neither user, query nor fragment: the URL is stored and published.
    """
    if "@" in text or "?" in text or "#" in text:
        # The text is not repeated: what stands there may be a key.
        raise RemoteError(
            "The URL has a user, a query or a fragment ('@', '?', '#'), expected "
            "https://host[:port][/path]. It is stored and published, so no key may stand in it: "
            "put the key into an environment variable and name that with --key-env."
        )
    scheme, separator, rest = text.partition("://")
    authority, slash, path = rest.partition("/")
    host, colon, port_text = authority, "", ""
    if not authority.endswith("]"):
        before, colon, port_text = authority.rpartition(":")
        host = before if colon else authority
    scheme, path = scheme.lower(), slash + path
    valid = (
        separator
        and scheme in _PORTS
        and _HOST.fullmatch(host)
        and _TARGET.fullmatch(path)
        and (not colon or (port_text.isascii() and port_text.isdecimal() and len(port_text) < 6))
        and (not colon or 0 < int(port_text) < 65536)
    )
    if not valid:
        raise RemoteError(
            f"{text!r}: expected a URL such as https://host[:port][/path], in ASCII (a name with "
            "other letters in its xn-- form)."
        )
    if scheme == "http" and not allow_private:
        raise RemoteError(
            f"{text}: http sends faces and keys unprotected, expected https. For a service on "
            "this machine or in a network of your own, say --allow-private."
        )
    port = int(port_text) if colon else _PORTS[scheme]
    return Target(scheme, host.strip("[]").lower(), port, path or "/")


def redirected(target: Target, location: str, *, allow_private: bool) -> Target:
    """Return where a redirect leads; ``RemoteError`` where no such URL could be given either."""
    try:
        parts = urlsplit(urljoin(str(target), location))
    except ValueError as error:
        raise RemoteError(f"{target} redirects to {location!r}, which is no URL.") from error
    if parts.query or parts.fragment:
        raise RemoteError(
            f"{target} redirects to a URL with a query or a fragment, expected none. Give the URL "
            "at which the service answers itself."
        )
    return parse_url(parts.geturl(), allow_private=allow_private)


def resolve(target: Target, *, allow_private: bool) -> list[str]:
    """Return the addresses of a host, in the resolver's order; all of them may be connected to.

    Raises
    ------
    OSError
        Where the name cannot be resolved, perhaps for now.
    RemoteError
        Where one of the addresses is not on the public internet and private ones are not allowed.
    """
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not allow_private:
        for address in addresses:
            kind = not_public(address)
            if kind:
                name = "" if address == target.host else f" resolves to {address}, which"
                raise RemoteError(
                    f"{target}: {target.host}{name} is {kind} address, expected one on the public "
                    "internet. For a service on this machine or in a network of your own, say "
                    "--allow-private."
                )
    return addresses


def not_public(address: str) -> str:
    """Return what kind of address it is where it is not public ("a loopback"), else ``""``."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    for each in (*_embedded(parsed), parsed):
        kind = _kind(each)
        if kind:
            return kind
    return ""


def _kind(address: Address) -> str:
    if address.is_loopback:
        return "a loopback"
    if address.is_link_local:
        return "a link-local"
    if address.is_multicast:
        return "a multicast"
    if address.is_unspecified:
        return "an unspecified"
    if isinstance(address, ipaddress.IPv6Address) and (
        address.is_site_local or any(address in network for network in _NEVER_PUBLIC)
    ):
        return "a private"
    return "" if address.is_global else "a private or reserved"


def _embedded(address: Address) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses that an IPv6 address leads to by mapping or translation."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    return [
        ipaddress.IPv4Address(int(address) >> (96 - start) & 0xFFFFFFFF)
        for network, start in _EMBEDDING_IPV4
        if address in network
    ]

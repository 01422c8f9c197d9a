"""Where we may go: which links may be asked, and which addresses may be connected. Pure.

A link is checked twice. `Guard.check` looks at what it says, before anybody is asked for the address of its host;
`Guard.forbids` looks at the address itself in the moment of connecting, so that no name, however its answers change,
leads to a machine of the inside.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from yarl import URL

from watchfloor.errors import Refused

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PORTS = (80, 443)
MAX_URL = 8000  # what common servers take in a request line

LOOPBACK = IPv4Address("127.0.0.1")

# What `is_global` lets through although it leads inside, or could.
INSIDE = (
    ip_network("192.0.0.0/24"),  # protocol assignments; Oracle's metadata service answers in it
    ip_network("192.88.99.0/24"),  # 6to4 relays
    ip_network("168.63.129.16/32"),  # Azure's host agent: a public number that only a guest can reach
)
# IPv6 the other way round: all but the one range given out to the world is refused (mapped, NAT64, site-local),
GLOBAL_V6 = IPv6Network("2000::/3")
# and within it what wraps an IPv4 address or is no place at all.
WRAPPED_V6 = (
    IPv6Network("2001::/23"),  # Teredo, ORCHID, benchmarks
    IPv6Network("2002::/16"),  # 6to4
    IPv6Network("3fff::/20"),  # documentation
)

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)\Z")  # the last label of 2130706433, 0x7f.1, 127.1 and 0177.0.0.1


@dataclass(frozen=True, slots=True)
class Guard:
    """The rule of the house. `allow`: private networks that the user opened, on any port; nothing else is opened."""

    allow: Sequence[Network] = ()

    def read(self, text: str, *, asked: str, base: URL | None = None) -> URL:
        """The link as it will be asked, resolved against `base` and without fragment. `asked`: for the error.

        Raises:
            Refused: it is no http or https link with a host, or it carries credentials or control characters.
        """
        if len(text) > MAX_URL or _CONTROL.search(text):
            raise Refused(asked, "not a link that can be followed")
        try:
            url = (base.join(URL(text)) if base else URL(text)).with_fragment(None)
            host, credentials = url.raw_host, (url.raw_user, url.raw_password)  # a broken host is noticed only here
        except (ValueError, IndexError):  # yarl's own, for `http://[::1]@`
            raise Refused(asked, "not a link that can be followed") from None
        if url.scheme not in ("http", "https"):
            raise Refused(asked, "only http and https are followed")
        if not host or " " in host or not host.isascii():
            raise Refused(asked, "not a link that can be followed: it names no host")
        if credentials != (None, None):
            raise Refused(asked, "links with a user name or password are not followed")
        return url

    def check(self, url: URL, *, asked: str, any_port: bool) -> None:
        """Refuse what can be refused by looking at the link: addresses, in any spelling.

        Raises:
            Refused: the host is an address that may not be asked.
        """
        host = url.raw_host or ""
        address = _literal(host)
        if address is None and _NUMBER.match(host.rstrip(".").rpartition(".")[2]):
            raise Refused(asked, "the host is a number, but not an address in its usual form")
        if address and (reason := self.forbids(str(address), url.port or 0, any_port=any_port)):
            raise Refused(asked, reason)

    def forbids(self, address: str, port: int, *, any_port: bool) -> str | None:
        """Why `address` may not be connected on `port`, in words; None if it may."""
        number = ip_address(address)
        if any(number in network for network in self.allow):
            return None
        if not _is_public(number):
            return "the address is not on the public Internet (WATCHFLOOR_ALLOW_ADDRESSES opens private networks)"
        if not any_port:
            return odd_port(port)
        return None


def odd_port(port: int | None) -> str | None:
    """Why `port` may not be asked when nobody named it, in words; None if it may."""
    return None if port in PORTS else f"port {port} is only asked where a source names it"


def _literal(host: str) -> Address | None:
    """The address that `host` spells in its usual form, else None. localhost is one, whatever a resolver says of it."""
    bare = host.rstrip(".").lower()
    if bare == "localhost" or bare.endswith(".localhost"):
        return LOOPBACK
    try:
        return ip_address(host.replace("%25", "%"))
    except ValueError:
        return None


def _is_public(number: Address) -> bool:
    if number.is_multicast or not number.is_global:
        return False
    if isinstance(number, IPv6Address):
        return number in GLOBAL_V6 and not any(number in network for network in WRAPPED_V6)
    return not any(number in network for network in INSIDE)

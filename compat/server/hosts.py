"""Checks Host and Origin of HTTP requests, so that foreign web pages cannot reach the server through a visitor's browser.

The author of a page may point its domain name to the visitor's machine (DNS rebinding); to the browser the server then
belongs to the page. Such a request shows by the name in its Host. Addresses cannot be redirected like that, nor can names
that are never looked up.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

_AUTHORITY = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,5}))?")
_ORIGIN = re.compile(r"(https?)://([^/?#@\s]+)", re.IGNORECASE)
_TARGET = re.compile(r"https?://([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
_DEFAULT_PORTS = {"http": 80, "https": 443}

ANY = "*"


@dataclass(frozen=True, slots=True)
class Authority:
    """A host, as an address or as a name in lower case, and a port if one is given."""

    host: str | IPv4Address | IPv6Address
    port: int | None

    @classmethod
    def read(cls, text: str) -> Authority | None:
        """Read ``localhost:8379`` or ``[::1]:8379``; None for everything else, user names and empty hosts included."""
        found = _AUTHORITY.fullmatch(text)
        if found is None:
            return None
        in_brackets, name, digits = found.groups()
        port = None if digits is None else int(digits)
        if port is not None and not 0 < port < 65536:
            return None
        host: str | IPv4Address | IPv6Address
        try:
            host = IPv6Address(in_brackets) if in_brackets else IPv4Address(name)
        except ValueError:
            if in_brackets:
                return None
            host = name.lower().removesuffix(".")
            if not all(host.split(".")):
                return None
        if isinstance(host, IPv6Address) and host.ipv4_mapped is not None:
            host = host.ipv4_mapped
        return cls(host, port)


def origin_authority(origin: str) -> tuple[Authority, int] | None:
    """The authority in an origin and its scheme's default port; None if it is not the origin of a web page."""
    found = _ORIGIN.fullmatch(origin)
    authority = None if found is None else Authority.read(found[2])
    return None if found is None or authority is None else (authority, _DEFAULT_PORTS[found[1].lower()])


def split_target(target: str) -> tuple[str | None, str]:
    """The authority (None: there is none) and the path, with its query, of a request target."""
    found = _TARGET.fullmatch(target)
    return (None, target) if found is None else (found[1], found[2] or "/")


def path_of(target: str) -> str:
    """The path of a request target, without its query."""
    return split_target(target)[1].partition("?")[0]


def own_names(bind: str) -> tuple[frozenset[str], bool]:
    """The names of the addresses that are bound, and whether any of these can be reached from other machines."""
    names, reachable = {"localhost"}, False
    for word in bind.split():
        word = word.lstrip("-")
        try:
            reachable = reachable or word in ("*", "::*") or not ip_address(word).is_loopback
        except ValueError:
            names.add(word.lower())
            reachable = reachable or word.lower() != "localhost"
    if reachable:
        names.add(socket.gethostname().lower())
    return frozenset(names), reachable


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a request is rejected: the parameter, the value, and the reason."""

    parameter: str
    value: str
    reason: str

    @property
    def text(self) -> str:
        """The text for the client."""
        return f"{self.reason}; the parameter {self.parameter} lists those that are, besides the server's own"


class WebAccess:
    """The Hosts and Origins that are accepted.

    A Host is a name of this machine (``localhost``, what ``bind`` names, its host name unless only loopback addresses
    are bound), an address (a loopback one if only such are bound), or it is listed. Its port is not compared: it is the
    one that the browser connected to, possibly of a tunnel. An Origin is the Host itself, port included, or it is listed.
    """

    def __init__(self, bind: str, allowed_hosts: str, allowed_origins: str) -> None:
        self.names, self.reachable = own_names(bind)
        hosts = allowed_hosts.lower().split()
        self.any_host = ANY in hosts
        self.hosts = {Authority.read(word) for word in hosts}
        origins = allowed_origins.lower().split()
        self.any_origin = ANY in origins
        self.origins = frozenset(origins)

    def serves(self, host: str) -> bool:
        """Whether requests for this Host are served."""
        if self.any_host:
            return True
        given = Authority.read(host)
        if given is None:
            return False
        if given in self.hosts or Authority(given.host, None) in self.hosts:
            return True
        if isinstance(given.host, str):
            return given.host in self.names or given.host.endswith(".localhost")
        return self.reachable or given.host.is_loopback

    def welcomes(self, origin: str, host: str) -> bool:
        """Whether a page of this origin may send requests for this Host, which must be one that is served."""
        if self.any_origin or origin.lower() in self.origins:
            return True
        from_page, to = origin_authority(origin), Authority.read(host)
        if from_page is None or to is None:
            return False
        page, default_port = from_page
        return (page.host, page.port or default_port) == (to.host, to.port or default_port)

    def trusts(self, origin: str | None, host: str) -> bool:
        """Whether a request does not come from a page, or from one of ours, or from a listed origin.

        Pages of other origins, which ``*`` lets in, must not use the cookies of the browser's user.
        """
        if origin is None or not self.any_origin:
            return True
        return WebAccess("", "", " ".join(self.origins - {ANY})).welcomes(origin, host)

    def fault(self, hosts: Sequence[str], origins: Sequence[str]) -> Fault | None:
        """The fault of a request with these Hosts (of header and target) and Origins; None if there is none."""
        for host in hosts or [""]:
            if not self.serves(host):
                return Fault("http-allowed-hosts", f"Host {_shown(host)}", "this Host is not served")
        for origin in origins:
            if not self.welcomes(origin, hosts[0]):
                return Fault("http-allowed-origins", f"Origin {_shown(origin)}", "pages of this Origin are not served")
        return None


def _shown(value: str) -> str:
    """A header's value for the log, escaped so that it cannot forge log lines."""
    return ascii(value if len(value) <= 100 else f"{value[:100]}...")

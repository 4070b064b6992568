"""Who may do what: passwords. One place for AUTH, HELLO, SV_AUTH and HTTP headers."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING

from .client import Client

if TYPE_CHECKING:
    from .server import Server

DEFAULT_USER = "default"


def password_fits(server: Server, user: str, password: str) -> bool:
    """Whether a user of this name has this password. Takes as long for a wrong one as for a right one."""
    # Passwords are bytes to Redis clients: what is no UTF-8 is carried through str by surrogateescape.
    wanted = server.config.requirepass.encode(errors="surrogateescape")
    same = hmac.compare_digest(wanted, password.encode(errors="surrogateescape"))
    return user == DEFAULT_USER and (same or not wanted)


def authenticate(server: Server, client: Client, user: str, password: str) -> bool:
    """Log a client in as a user; False, and nothing changes, for a wrong name or password."""
    if not password_fits(server, user, password):
        return False
    client.user = user
    client.authenticated = True
    client.refresh()
    return True


def credentials(header: str) -> tuple[str, str] | None:
    """User and password of an Authorization header, Basic or Bearer (which has no user); None if it is neither."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return DEFAULT_USER, value.strip()
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user or DEFAULT_USER, password) if colon else None


def basic_or_bearer(server: Server, header: str | None) -> bool:
    """Whether an HTTP request may go on: no password is set, or its Authorization header has it."""
    if not server.config.requirepass:
        return True
    given = None if header is None else credentials(header)
    return given is not None and password_fits(server, *given)

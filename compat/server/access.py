"""Authentication: passwords and session tokens. The single place for AUTH, HELLO, SV_AUTH and HTTP headers."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from januskv.commands.context import Account
from januskv.storage.errors import NoSuchSession, StillLoading

from .acl.users import DEFAULT_USER as DEFAULT_USER
from .acl.users import SESSION_USER as SESSION_USER
from .client import Client

if TYPE_CHECKING:
    from .server import Server

_TOKEN = re.compile(rb"[1-9][0-9]{0,19}")


def password_fits(server: Server, user: str, password: str) -> bool:
    """Whether this is the default user with its password. Takes the same time for right and wrong ones."""
    # Passwords are bytes to Redis clients: what is not UTF-8 is carried through str by surrogateescape.
    return server.users.default_fits(password.encode(errors="surrogateescape")) and user == DEFAULT_USER


def may_log_in(server: Server, user: str, password: str, names: Collection[str]) -> bool:
    """Whether a log-in to the web APIs as this user is allowed, who must be the default one or among ``names``.

    All users share the default user's password. If it has none, log-ins fail: a name alone proves nothing. Takes the same
    time for right and wrong passwords and names.
    """
    fits = server.users.default_fits(password.encode(errors="surrogatepass"))
    return fits and server.users.locked and (user == DEFAULT_USER or user in names)


def authenticate(server: Server, client: Client, user: str, password: str, command: bytes = b"AUTH") -> bool:
    """Log a client in as a user; False, and nothing changes, for a wrong name or password, which ``command`` has in the ACL log."""
    if user == SESSION_USER:
        if _authenticate_in_session(server, client, password):
            return True
        server.users.login_failed(user, client, command)
        return False
    found = server.users.check(user, password.encode(errors="surrogateescape"))
    if found is None:
        server.users.login_failed(user, client, command)
        return False
    client.act_for(found, authenticated=True)
    stay_within_rights(server, client)
    client.refresh()
    return True


def _authenticate_in_session(server: Server, client: Client, password: str) -> bool:
    """Log a client in to a session; if False, it can use no data until it selects a database or another session.

    The token is not a password for the rest of the server: if that has one, it must follow after a colon, unless the client
    has logged in before.
    """
    token, _, rest = password.encode(errors="surrogateescape").partition(b":")
    authenticated = (client.authenticated and not rest) or server.users.default_fits(rest)
    try:
        user = client.user if client.authenticated and not rest else server.users.default
        enter_session(server, client, token_in(token) if authenticated else 0, user)
    except NoSuchSession:
        return False
    # Who has logged in as a user of few rights gets no more of them by a token.
    client.act_for(user, authenticated=True, login_name=SESSION_USER)
    client.refresh()
    return True


def token_in(text: bytes) -> int:
    """The token in a text; 0, which no session has, if it is not a token."""
    return int(text) if _TOKEN.fullmatch(text) else 0


def stay_within_rights(server: Server, client: Client) -> None:
    """Deny a client all data if its user may not use the database or session that it has selected."""
    session = client.session
    if not client.user.may_enter(None if session is None else session.name):
        leave_place(server, client, 0 if session is None else session.token)


def enter_session(server: Server, client: Client, token: int, user: Account | None = None) -> None:
    """Select the session of a token for a client; for a ``user`` that it is about to be, or its own. A session that the user may
    not use is none to it.

    Raises NoSuchSession and StillLoading. The client can then use no data until it selects a database or another session:
    programs that overlook the error would otherwise continue in a database that they never meant to use.
    """
    sessions = server.store.sessions
    try:
        if server.state.loading:
            raise StillLoading
        if not (user or client.user).may_enter(sessions.look_up(token).name):
            raise NoSuchSession(token)
        session = sessions.enter(token)
    except (NoSuchSession, StillLoading):
        leave_place(server, client, token)
        raise
    client.select(session.keyspace, session)


def leave_place(server: Server, client: Client, token: int) -> None:
    """Deny a client all data, as it has asked for a session that is not open."""
    session = server.store.sessions.missing(token)
    client.select(session.keyspace, session)


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
    """Whether an HTTP request is authorized: no password is set, or its Authorization header has it."""
    if not server.users.locked:
        return True
    given = None if header is None else credentials(header)
    return given is not None and password_fits(server, *given)

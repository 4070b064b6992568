"""Authentication: passwords and session tokens. The single place for AUTH, HELLO, SV_AUTH and HTTP headers."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from januskv.commands.context import Account
from januskv.storage.errors import NoSuchSession, StillLoading

from .acl.rights import User
from .acl.users import DEFAULT_USER as DEFAULT_USER
from .acl.users import SESSION_USER as SESSION_USER
from .client import Client, Peer

if TYPE_CHECKING:
    from .server import Server

_TOKEN = re.compile(rb"[1-9][0-9]{0,19}")


class LoginNeeded(Exception):
    """A request shows no credentials, or wrong ones."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who sends HTTP requests: the peer, and the common name of its certificate, which is a user's, or empty."""

    peer: Peer | None = None
    certificate: str = ""


NOBODY_KNOWN: Final = Visitor()


def authenticate(server: Server, client: Client, user: str, password: str, command: bytes = b"AUTH") -> bool:
    """Log a client in as a user; False, and nothing changes, for a wrong name or password, which ``command`` has in the ACL log.

    Raises LoginsSlowed.
    """
    if user == SESSION_USER:
        server.users.attempts.check(client)
        if _authenticate_in_session(server, client, password):
            return True
        server.users.login_failed(user, client, command)
        return False
    found = checked_user(server, user, password, client, command)
    if found is None:
        return False
    act_for(server, client, found)
    return True


def checked_user(server: Server, user: str, password: str, place: Client | Peer | None, command: bytes) -> User | None:
    """The user with this name and password; None, which is noted, if there is none. Raises LoginsSlowed."""
    users = server.users
    users.attempts.check(place)
    # Passwords are bytes to Redis clients: what is not UTF-8 is carried through str by surrogateescape.
    found = users.check(user, bytes_of(password))
    if found is None:
        users.login_failed(user, place, command)
    return found


def bytes_of(password: str) -> bytes:
    """A password as it is digested; what is not text, from JSON, is no password's."""
    try:
        return password.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return password.encode(errors="surrogatepass")


def act_for(server: Server, client: Client, user: User) -> None:
    """Have a client logged in as a user."""
    client.act_for(user, authenticated=True)
    stay_within_rights(server, client)
    client.refresh()


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


def names_nobody(server: Server, given: tuple[str, str] | None) -> bool:
    """Whether the credentials of a request need not be looked at: no password is set, and they name no user besides the default one."""
    users = server.users
    return not users.locked and (given is None or given[0] == DEFAULT_USER or not users.has_others)


def user_of_request(server: Server, header: str | None, visitor: Visitor, face: bytes) -> User:
    """Whom an HTTP request acts for: the user that its Authorization header names, or else its certificate, or else the default user.

    ``face`` stands in the ACL log for a command. Raises LoginNeeded and LoginsSlowed.
    """
    users = server.users
    if header is None:
        certified = users.by_name.get(visitor.certificate)
        if certified is not None and certified.enabled:
            return certified
        if users.locked:
            raise LoginNeeded
        return users.default
    given = credentials(header)
    if names_nobody(server, given):
        return users.default
    if given is None:
        raise LoginNeeded
    user = checked_user(server, *given, visitor.peer, face)
    if user is None:
        raise LoginNeeded
    return user


def refusal_to(server: Server, user: User, command: bytes, peer: Peer | None) -> str:
    """Why a request may not have what a command without arguments gives, which is noted; empty if it may."""
    refusal = user.refusal(server.table.commands[command], [command])
    if refusal is None:
        return ""
    return server.users.denied(refusal, "toplevel", user.name, peer).partition(" ")[2]

"""Who asks: sessions of logged-in users, bearer tokens, passwords, certificates, or nobody; and what they may see.

A session is an id of random bits that POST /login gives for user and password. It ends after ``timely-session-max-age``, and when
the password changes or the user is off or removed. A JWT brings its authorizations with it.

Everybody acts for a user of the server, whose rights count: one that is named in ``timely-authorizations`` and is no user of the
server for the default one, whose password it has; so does who has not logged in.
"""

from __future__ import annotations

import secrets
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from januskv.compat.server.access import (
    DEFAULT_USER,
    NOBODY_KNOWN,
    Visitor,
    bytes_of,
    credentials,
    names_nobody,
)
from januskv.compat.server.acl.rights import User
from januskv.compat.server.parameters import authorizations_of
from januskv.compat.server.tokens import BadToken, BadTokenKey, claims_of
from januskv.storage.errors import BadVisibility
from januskv.storage.visibility import Expression, parse

from .errors import ApiError, Unauthenticated, nobody, unknown_session

if TYPE_CHECKING:
    from januskv.compat.server.server import Server

COOKIE: Final = "TSESSIONID"
# Sessions at a time; the one that began first ends for another one.
MOST_SESSIONS: Final = 10_000
# Stands in the ACL log for the command of a failed log-in.
_FACE: Final = b"TIMELY"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what this user may see. ``others``: authorizations of the users behind a proxied one, who all must be allowed.

    ``account``: the user of the server whose rights count; None: the default one.
    """

    user: str | None = None
    authorizations: frozenset[bytes] = frozenset()
    authenticated: bool = False
    others: tuple[frozenset[bytes], ...] = ()
    account: User | None = field(default=None, compare=False)

    def may_see(self, visibility: bytes) -> bool:
        """Whether the points of a visibility expression are shown. What cannot be read is shown to nobody."""
        if not visibility:
            return True
        try:
            expression: Expression = parse(visibility)
        except BadVisibility:
            return False
        return expression.allows(self.authorizations) and all(map(expression.allows, self.others))


ANONYMOUS: Final = Caller()


@dataclass(frozen=True, slots=True)
class _Session:
    user: str
    ends_ms: int
    account: User
    passwords: tuple[object, ...]  # what its account could log in by when the session began


class Callers:
    """The sessions of a server, and what tells users from others."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    @property
    def anonymous(self) -> bool:
        """Whether requests are answered without a log-in."""
        config = self.server.config
        if config.timely_anonymous == "auto":
            return not self.server.users.locked
        return bool(config.timely_anonymous == "yes")

    def _account(self, user: str) -> User | None:
        """The user of the server that somebody with this name acts for: of this name, or else the default one if it is in the table."""
        users = self.server.users
        known = authorizations_of(self.server.config.timely_authorizations)
        return users.by_name.get(user) or (users.default if user in known else None)

    def _checked(self, user: str, password: str) -> User | None:
        """The user of the server that somebody acts for with this name and password; None if these are wrong.

        A name alone proves nothing: there are no log-ins with the default user's password where it has none.
        """
        users = self.server.users
        account = self._account(user)
        found = users.check(DEFAULT_USER if account is None else account.name, bytes_of(password))
        return None if account is None or (found is users.default and not users.locked) else found

    # ------------------------------------------------------------ sessions

    def login(self, user: str, password: str, visitor: Visitor = NOBODY_KNOWN) -> str | None:
        """The id of a new session for a user; None for a wrong name or password. Raises LoginsSlowed."""
        config, users = self.server.config, self.server.users
        users.attempts.check(visitor.peer)
        account = self._checked(user, password)
        if account is None:
            users.login_failed(user, visitor.peer, _FACE)
            return None
        now_ms = self.server.store.clock.tick()
        self._drop_ended(now_ms)
        if len(self._sessions) >= MOST_SESSIONS:
            self._sessions.popitem(last=False)
        id_ = str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
        self._sessions[id_] = _Session(
            user, now_ms + config.timely_session_max_age * 1000, account, _passwords(account)
        )
        return id_

    def _drop_ended(self, now_ms: int) -> None:
        """Forget the oldest sessions that have ended; their number, not that of all, is the cost."""
        while self._sessions:
            id_, session = next(iter(self._sessions.items()))
            if now_ms < session.ends_ms:
                break
            del self._sessions[id_]

    def of_session(self, id_: str | None) -> Caller | None:
        """Who has begun a session that is open."""
        session = None if id_ is None else self._sessions.get(id_)
        if session is None or id_ is None:
            return None
        account = session.account
        if (
            self.server.store.clock.tick() < session.ends_ms
            and session.passwords == _passwords(account)
            and self._account(session.user) is account
            and self.server.users.is_known(account)
        ):
            return self._user(session.user, account)
        del self._sessions[id_]
        return None

    # ------------------------------------------------------------ who asks

    def caller_of(
        self, session: str | None, authorization: str | None = None, visitor: Visitor = NOBODY_KNOWN
    ) -> Caller:
        """Who asks, by the Authorization header, the id of a session, or a certificate. Raises ApiError (401) and LoginsSlowed.

        A header that is wrong is refused; a session that is not open makes nobody of the caller where anonymous access is on.
        """
        config = self.server.config
        if authorization is not None and not (
            names_nobody(self.server, credentials(authorization))
            and not (config.timely_jwt_key or config.timely_jwt_key_file)
        ):
            return self._bearer_of(authorization, visitor)
        caller = self.of_session(session)
        if caller is not None:
            return caller
        certified = self.server.users.by_name.get(visitor.certificate)
        if certified is not None and certified.enabled:
            return self._user(certified.name, certified)
        if not self.anonymous:
            raise nobody() if session is None else unknown_session()
        return ANONYMOUS

    def _user(self, user: str, account: User) -> Caller:
        known = authorizations_of(self.server.config.timely_authorizations)
        return Caller(user, known.get(user, frozenset()), authenticated=True, account=account)

    def _bearer_of(self, header: str, visitor: Visitor) -> Caller:
        """Who sends an Authorization header: a JWT, or a password. Raises ApiError and LoginsSlowed."""
        given = credentials(header)
        if given is None:
            raise Unauthenticated("The Authorization header is neither Basic nor Bearer")
        user, secret = given
        users = self.server.users
        users.attempts.check(visitor.peer)
        account = self._checked(user, secret)
        if account is not None:
            return self._user(user, account)
        try:
            if header[:6].lower() != "bearer":
                raise Unauthenticated("Wrong user name or password")
            return self._token_user(secret)
        except Unauthenticated:
            users.login_failed(user, visitor.peer, _FACE)
            raise

    def _token_user(self, token: str) -> Caller:
        """The user, or users, of a JWT, whose rights are those of the user of the server with its name, or the default one's. Raises ApiError."""
        claims = _claims(token, self.server.config.timely_jwt_key, self.server.config.timely_jwt_key_file)
        principals = claims.get("principals")
        if not isinstance(principals, list) or not principals:
            raise Unauthenticated("The token names no principals")
        sets = tuple(map(_authorizations, principals))
        name, users = _name_of(principals[-1]), self.server.users
        account = users.by_name.get(name, users.default)
        if account is not users.default and not account.enabled:
            raise Unauthenticated("The user of the token is off")
        return Caller(name, sets[-1], authenticated=True, others=sets[:-1], account=account)


def _passwords(account: User) -> tuple[object, ...]:
    """What a user can log in by. No session outlives a change of it."""
    return (account.nopass, *account.passwords)


def _authorizations(principal: object) -> frozenset[bytes]:
    """What the principal of a token may see. Raises ApiError."""
    found = principal.get("auths") if isinstance(principal, dict) else None
    if found is None:
        return frozenset()
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise Unauthenticated("A principal's auths are not a list of texts")
    return frozenset(each.encode(errors="surrogateescape") for each in found)


def _name_of(principal: object) -> str:
    """What a principal is called."""
    dn = principal.get("dn") if isinstance(principal, dict) else None
    subject = dn.get("subjectDN") if isinstance(dn, dict) else None
    return subject if isinstance(subject, str) else "token"


def _claims(token: str, secret: str, key_file: str) -> dict[str, Any]:
    """What a JWT says. Raises ApiError."""
    try:
        return claims_of(token, secret, key_file)
    except BadToken as error:
        raise Unauthenticated(str(error)) from None
    except BadTokenKey as error:
        raise ApiError(500, "The key for tokens cannot be used", f"timely-jwt-key-file: {error}") from None

"""Who asks: sessions of logged-in users, bearer tokens, the server's password, or nobody; and what they may see.

A session is an id of random bits that POST /login gives for user and password (``compat.server.access`` decides). It ends after
``timely-session-max-age``, when the password changes and when the user is no longer named. A JWT brings its authorizations with it.
"""

from __future__ import annotations

import secrets
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from januskv.compat.server.access import DEFAULT_USER, credentials, may_log_in
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


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what this user may see. ``others``: authorizations of the users behind a proxied one, who all must be allowed."""

    user: str | None = None
    authorizations: frozenset[bytes] = frozenset()
    authenticated: bool = False
    others: tuple[frozenset[bytes], ...] = ()

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
    passwords: tuple[str, ...]  # digests of the default user's when the session began


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

    @property
    def _passwords(self) -> tuple[str, ...]:
        """What sessions end with: none outlives a change of the password."""
        return tuple(self.server.users.default.passwords)

    # ------------------------------------------------------------ sessions

    def login(self, user: str, password: str) -> str | None:
        """The id of a new session for a user; None for a wrong name or password."""
        config = self.server.config
        if not may_log_in(self.server, user, password, authorizations_of(config.timely_authorizations)):
            return None
        now_ms = self.server.store.clock.tick()
        self._drop_ended(now_ms)
        if len(self._sessions) >= MOST_SESSIONS:
            self._sessions.popitem(last=False)
        id_ = str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
        self._sessions[id_] = _Session(user, now_ms + config.timely_session_max_age * 1000, self._passwords)
        return id_

    def _drop_ended(self, now_ms: int) -> None:
        """Forget the oldest sessions that have ended; their number, not that of all, is the cost."""
        while self._sessions:
            id_, session = next(iter(self._sessions.items()))
            if now_ms < session.ends_ms:
                break
            del self._sessions[id_]

    def _session_user(self, id_: str) -> str | None:
        session = self._sessions.get(id_)
        if session is None:
            return None
        config = self.server.config
        if (
            self.server.store.clock.tick() < session.ends_ms
            and session.passwords == self._passwords
            and (session.user == DEFAULT_USER or session.user in authorizations_of(config.timely_authorizations))
        ):
            return session.user
        del self._sessions[id_]
        return None

    # ------------------------------------------------------------ who asks

    def caller_of(self, session: str | None, authorization: str | None = None) -> Caller:
        """Who asks, by the id of a session and the Authorization header. Raises ApiError (401).

        A header that is wrong is refused; a session that is not open makes nobody of the caller where anonymous access is on.
        """
        config = self.server.config
        if authorization is not None and (
            self.server.users.locked or config.timely_jwt_key or config.timely_jwt_key_file
        ):
            return self._bearer_of(authorization)
        user = None if session is None else self._session_user(session)
        if user is not None:
            return self._user(user)
        if not self.anonymous:
            raise nobody() if session is None else unknown_session()
        return ANONYMOUS

    def _user(self, user: str) -> Caller:
        known = authorizations_of(self.server.config.timely_authorizations)
        return Caller(user, known.get(user, frozenset()), authenticated=True)

    def _bearer_of(self, header: str) -> Caller:
        """Who sends an Authorization header: a JWT, or the server's password. Raises ApiError."""
        given = credentials(header)
        if given is None:
            raise Unauthenticated("The Authorization header is neither Basic nor Bearer")
        user, secret = given
        known = authorizations_of(self.server.config.timely_authorizations)
        if may_log_in(self.server, user, secret, known):
            return self._user(user)
        if header[:6].lower() != "bearer":
            raise Unauthenticated("Wrong user name or password")
        return self._token_user(secret)

    def _token_user(self, token: str) -> Caller:
        """The user, or users, of a JWT. Raises ApiError."""
        claims = _claims(token, self.server.config.timely_jwt_key, self.server.config.timely_jwt_key_file)
        principals = claims.get("principals")
        if not isinstance(principals, list) or not principals:
            raise Unauthenticated("The token names no principals")
        sets = tuple(map(_authorizations, principals))
        return Caller(_name_of(principals[-1]), sets[-1], authenticated=True, others=sets[:-1])


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

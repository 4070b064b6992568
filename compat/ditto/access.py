"""Who may do what: API keys, bearer tokens, users of the server.

Users may read the series whose keys, which are their names, they may read, and whose command TS_GET they may run; writing is that
of TS_ADD_EVT, and deleting events needs the right to TS_DEL_EVT as well. A key or a token that belongs to no user has the permissions that it brings, and no others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from januskv.compat.server.access import (
    DEFAULT_USER,
    NOBODY_KNOWN,
    LoginNeeded,
    Visitor,
    bytes_of,
    credentials,
    names_nobody,
)
from januskv.compat.server.acl.guards import READ, WRITE
from januskv.compat.server.acl.rights import User, any_key
from januskv.compat.server.permissions import (
    ALL,
    BadPermissions,
    Permission,
    Permissions,
    digest_of,
    keys_in,
    keys_of,
    read_permissions,
)
from januskv.compat.server.tokens import BadToken, BadTokenKey, claims_of

from .errors import DittoError

if TYPE_CHECKING:
    from januskv.compat.server.server import Server

# By how much clocks may differ, in seconds.
LEEWAY_S = 60
# Stands in the ACL log for the command of a failed log-in.
_FACE: Final = b"DITTO"


class Access:
    """What the Authorization header of a request allows."""

    def __init__(self, server: Server) -> None:
        self.server = server

    @property
    def takes_tokens(self) -> bool:
        """Whether there is a key for tokens."""
        config = self.server.config
        return bool(config.ditto_jwt_key or config.ditto_jwt_key_file)

    @property
    def is_open(self) -> bool:
        """Whether requests need no credentials, and act for the default user: there is neither a password nor a key."""
        config = self.server.config
        return not (
            self.server.users.locked or config.ditto_api_keys or config.ditto_api_keys_file or self.takes_tokens
        )

    def permissions_of(self, header: str | None, visitor: Visitor = NOBODY_KNOWN) -> Permissions:
        """What a request may do. Raises DittoError (401, 403), 500 where a file with keys cannot be used, and LoginsSlowed."""
        users = self.server.users
        given = None if header is None else credentials(header)
        if header is None:
            certified = users.by_name.get(visitor.certificate)
            if certified is not None and certified.enabled:
                return self._of_user(certified)
        if self.is_open and names_nobody(self.server, self._named(given)):
            return self._of_user(users.default)
        if header is None:
            raise DittoError(401, "The request has no Authorization header")
        if given is None:
            raise DittoError(401, "The Authorization header is neither Basic nor Bearer")
        users.attempts.check(visitor.peer)
        user, secret = given
        try:
            return self._known(user, secret) if header[:6].lower() != "bearer" else self._of_bearer(user, secret)
        except LoginNeeded as error:
            users.login_failed((self._named(given) or given)[0], visitor.peer, _FACE)
            raise DittoError(401, str(error)) from None

    def _named(self, given: tuple[str, str] | None) -> tuple[str, str] | None:
        """Name and password of credentials, also where ``NAME:PASSWORD`` of a user stands for a key."""
        if given is None or given[0] != DEFAULT_USER:
            return given
        name, colon, password = given[1].partition(":")
        return (name, password) if colon and name in self.server.users.by_name else given

    def _of_bearer(self, user: str, secret: str) -> Permissions:
        """What a key, a token or a password allows, or ``NAME:PASSWORD`` of a user. Raises LoginNeeded, and DittoError (403, 500)."""
        known = self._of_key(secret)
        if known is not None:
            return known
        try:
            return self._known(user, secret)
        except LoginNeeded:
            pass
        named = self._named((user, secret))
        if named is not None and named[0] != user:
            return self._known(*named)
        if not self.takes_tokens:
            raise LoginNeeded("The key is not known")
        return self._of_token(secret)

    def _known(self, name: str, password: str) -> Permissions:
        """What a user may do who has this password; a name alone proves nothing where the default user has none. Raises LoginNeeded."""
        users = self.server.users
        user = users.check(name, bytes_of(password))
        if user is None or (user is users.default and not users.locked):
            raise LoginNeeded("Wrong user name or password")
        return self._of_user(user)

    def _of_user(self, user: User) -> Permissions:
        """What a user may do. Raises DittoError (403)."""
        if user.unrestricted:
            return ALL
        if not user.may_enter(None):
            raise DittoError(403, "The user is confined to sessions, and the series are in a database")
        return Permissions(
            self._of_command(user, b"TS_GET", READ),
            self._of_command(user, b"TS_ADD_EVT", WRITE),
            self._of_command(user, b"TS_DEL_EVT", WRITE),
            user.name,
        )

    def _of_command(self, user: User, command: bytes, rights: int) -> Permission:
        """The series for which a user has the rights of a command."""
        keys = user.keys_of(self.server.table.commands[command], rights)
        return Permission() if keys is None else Permission(True, keys=None if keys is any_key else keys)

    def _within(self, known: Permissions) -> Permissions:
        """What a key allows within the rights of its user. Raises LoginNeeded if there is no such user, and DittoError (403)."""
        if not known.user:
            return known
        user = self.server.users.by_name.get(known.user)
        if user is None or not user.enabled:
            raise LoginNeeded("The user of the key is off")
        most = self._of_user(user)
        return Permissions(_both(known.read, most.read), _both(known.write, most.write), most.delete, known.user)

    def _of_key(self, key: str) -> Permissions | None:
        config = self.server.config
        digest = digest_of(key)
        try:
            found = keys_of(config.ditto_api_keys).get(digest)
            if found is None and config.ditto_api_keys_file:
                found = keys_in(config.ditto_api_keys_file).get(digest)
        except BadPermissions as error:
            self.server.limited_log.note("ditto-api-keys", f"ditto-api-keys-file: {error}")
            raise DittoError(500, "The file with API keys cannot be used") from None
        return None if found is None else self._within(found)

    def _of_token(self, token: str) -> Permissions:
        config = self.server.config
        try:
            claims = claims_of(token, config.ditto_jwt_key, config.ditto_jwt_key_file, LEEWAY_S)
            return read_permissions(claims.get("permissions", {}))
        except BadToken as error:
            raise LoginNeeded(str(error)) from None
        except BadPermissions as error:
            raise LoginNeeded(f"The token has no valid permissions: {error}") from None
        except BadTokenKey as error:
            self.server.limited_log.note("ditto-jwt", f"ditto-jwt-key-file: {error}")
            raise DittoError(500, "The key for tokens cannot be used") from None


def _both(own: Permission, most: Permission) -> Permission:
    """What both allow; the second is that of a user."""
    return replace(own, keys=most.keys) if most.everything else Permission()

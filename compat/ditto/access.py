"""Who may do what: API keys, bearer tokens, the server's password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from januskv.compat.server.access import credentials, password_fits
from januskv.compat.server.permissions import (
    ALL,
    BadPermissions,
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
        """Whether everybody may do everything: there is neither a password nor a key."""
        config = self.server.config
        return not (
            self.server.users.locked or config.ditto_api_keys or config.ditto_api_keys_file or self.takes_tokens
        )

    def permissions_of(self, header: str | None) -> Permissions:
        """What a request may do. Raises DittoError (401), and 500 where a file with keys cannot be used."""
        if self.is_open:
            return ALL
        if header is None:
            raise DittoError(401, "The request has no Authorization header")
        given = credentials(header)
        if given is None:
            raise DittoError(401, "The Authorization header is neither Basic nor Bearer")
        user, secret = given
        if self.server.users.locked and password_fits(self.server, user, secret):
            return ALL
        if header[:6].lower() != "bearer":
            raise DittoError(401, "Wrong user name or password")
        known = self._of_key(secret)
        if known is not None:
            return known
        if not self.takes_tokens:
            raise DittoError(401, "The key is not known")
        return self._of_token(secret)

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
        return found

    def _of_token(self, token: str) -> Permissions:
        config = self.server.config
        try:
            claims = claims_of(token, config.ditto_jwt_key, config.ditto_jwt_key_file, LEEWAY_S)
            return read_permissions(claims.get("permissions", {}))
        except BadToken as error:
            raise DittoError(401, str(error)) from None
        except BadPermissions as error:
            raise DittoError(401, f"The token has no valid permissions: {error}") from None
        except BadTokenKey as error:
            self.server.limited_log.note("ditto-jwt", f"ditto-jwt-key-file: {error}")
            raise DittoError(500, "The key for tokens cannot be used") from None

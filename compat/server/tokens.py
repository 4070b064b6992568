"""Bearer tokens (JWT): what one says whose signature a configured key has made.

The key decides on the algorithm, never the token: a secret is for HS256 only, a public key for the one of its kind.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any, Final

# A longer token is not looked at.
MOST_TOKEN: Final = 16 * 1024
_ALGORITHMS: Final = {"rsa": "RS256", "ec": "ES256"}


class BadToken(Exception):
    """The token proves nothing; the text says why."""


class BadTokenKey(Exception):
    """The file for the public key cannot be read, or holds none; the text says which."""


def claims_of(token: str, secret: str, key_file: str, leeway_s: float = 0) -> dict[str, Any]:
    """What a JWT says that has a time of expiry and has not expired. Raises BadToken and BadTokenKey."""
    import jwt  # loaded with the cryptography, which most servers do not need

    if len(token) > MOST_TOKEN:
        raise BadToken("The token is too long")
    keys: list[tuple[Any, str]] = []
    if secret:
        keys.append((secret.encode(errors="surrogateescape"), "HS256"))
    if key_file:
        keys.append(_key_in(key_file))
    reason = "No key for tokens is configured"
    for key, algorithm in keys:
        try:
            claims: dict[str, Any] = jwt.decode(
                token, key, algorithms=[algorithm], leeway=leeway_s, options={"require": ["exp"], "verify_aud": False}
            )
        except (jwt.InvalidAlgorithmError, jwt.InvalidSignatureError) as error:
            reason = str(error)  # perhaps it is one for the other key
        except jwt.PyJWTError as error:
            raise BadToken(f"The token is not valid: {error}") from None
        else:
            return claims
    raise BadToken(f"The token is not valid: {reason}")


def _key_in(path: str) -> tuple[Any, str]:
    """The public key in a file as it is now, and the algorithm that it is for. Raises BadTokenKey."""
    try:
        return _public_key(path, os.stat(path).st_mtime_ns)
    except OSError as error:
        raise BadTokenKey(str(error.strerror)) from None


@lru_cache(maxsize=4)
def _public_key(path: str, changed_ns: int) -> tuple[Any, str]:
    """The public key in a file that has changed then, and its algorithm. Raises BadTokenKey and OSError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        with open(path, "rb") as file:
            key = load_pem_public_key(file.read())
    except (ValueError, UnsupportedAlgorithm):
        raise BadTokenKey("it holds no public key in PEM") from None
    if isinstance(key, rsa.RSAPublicKey):
        return key, _ALGORITHMS["rsa"]
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key, _ALGORITHMS["ec"]
    raise BadTokenKey("it holds no RSA or P-256 key")

"""Passwords: kept as SHA-256 like those of Redis, or by scrypt where that is asked for."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from typing import Final

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SCRYPT = re.compile(r"scrypt:([0-9]{1,6}),([0-9]{1,2}),([0-9]{1,2})\$([0-9a-f]{2,128})\$([0-9a-f]{32,128})")
SCRYPT_WORD: Final = b"scrypt:"

# What a new password costs: 16 MiB and a twentieth of a second.
_N, _R, _P = 1 << 14, 8, 1
_SALT_BYTES, _HASH_BYTES = 16, 32
# The most that a digest from elsewhere may cost.
_MOST_MEMORY: Final = 64 << 20
_MOST_P: Final = 4

# Passwords that scrypt has verified, by a keyed digest: logging in again costs no more than with SHA-256.
_MOST_VERIFIED: Final = 1024
_verified: OrderedDict[bytes, None] = OrderedDict()
_KEY: Final = secrets.token_bytes(32)


def sha256_of(password: bytes) -> str:
    """The digest of a password as Redis keeps it."""
    return hashlib.sha256(password).hexdigest()


def scrypt_of(password: bytes) -> str:
    """A digest of a password by scrypt, with a salt of its own."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = hashlib.scrypt(password, salt=salt, n=_N, r=_R, p=_P, maxmem=_MOST_MEMORY * 2, dklen=_HASH_BYTES)
    return f"scrypt:{_N},{_R},{_P}${salt.hex()}${digest.hex()}"


def is_digest(text: str) -> bool:
    """Whether a text is the digest of a password, of either kind."""
    if _SHA256.fullmatch(text):
        return True
    found = _SCRYPT.fullmatch(text)
    if found is None:
        return False
    n, r, p = (int(found[i]) for i in (1, 2, 3))
    if len(found[4]) % 2 or len(found[5]) % 2:
        return False
    return n >= 2 and n & (n - 1) == 0 and r >= 1 and 1 <= p <= _MOST_P and 128 * n * r <= _MOST_MEMORY


def fits(password: bytes, digests: list[str]) -> bool:
    """Whether a password has one of these digests. All of them are compared, so the time tells nothing."""
    own = sha256_of(password)
    found = False
    for digest in digests:
        if is_costly(digest):
            found |= _fits_scrypt(password, digest)
        else:
            found |= hmac.compare_digest(own, digest)
    return found


def is_costly(digest: str) -> bool:
    """Whether it takes long to compare a password with a digest."""
    return digest.startswith("scrypt:")


def fits_nothing(password: bytes, digest: str) -> None:
    """Take as long as to find out that a password does not have a digest, whether or not it has."""
    cost, *_ = digest.split("$")
    _fits_scrypt(password, f"{cost}${'00' * 16}${'00' * 32}")


def _fits_scrypt(password: bytes, digest: str) -> bool:
    found = _SCRYPT.fullmatch(digest)
    if found is None:
        return False
    known = hmac.digest(_KEY, digest.encode() + b"\0" + password, "sha256")
    if known in _verified:
        return True
    n, r, p = (int(found[i]) for i in (1, 2, 3))
    wanted = bytes.fromhex(found[5])
    digested = hashlib.scrypt(
        password, salt=bytes.fromhex(found[4]), n=n, r=r, p=p, maxmem=_MOST_MEMORY * 2, dklen=len(wanted)
    )
    if not hmac.compare_digest(digested, wanted):
        return False
    if len(_verified) >= _MOST_VERIFIED:
        _verified.popitem(last=False)
    _verified[known] = None
    return True

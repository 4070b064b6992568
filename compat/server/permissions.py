"""What a key or a token allows: reading and writing series whose names match an expression, or everything."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from januskv.storage.regexes import BadPattern, compiled

_MOST_PATTERN: Final = 1024
_MOST_MEMORY_BYTES: Final = 8 << 20
_KEY = re.compile(r"[!-~]{1,512}")
# Of other collections, which are not here.
_PASSED_OVER: Final = "queriesByCollection"


class BadPermissions(Exception):
    """A text or document gives no permissions; the reason tells no secret."""


@dataclass(frozen=True, slots=True)
class Permission:
    """The series that are allowed: those whose whole name one of the expressions matches, and that the user of a key may use.

    ``keys`` tells the latter; None: all.
    """

    everything: bool = False
    patterns: tuple[Any, ...] = ()
    keys: Callable[[bytes], bool] | None = None

    def allows(self, name: str | None) -> bool:
        """Whether a series is allowed; None: something that is not a series, or not one series."""
        if name is None:
            return self.everything and self.keys is None
        return (self.everything or any(each.fullmatch(name) for each in self.patterns)) and (
            self.keys is None or self.keys(name.encode())
        )


@dataclass(frozen=True, slots=True)
class Permissions:
    """What somebody may do. ``user``: the name of the user whose rights count, to whom a key belongs; empty: none.

    ``delete``: what else must allow that events are deleted; None: nothing.
    """

    read: Permission = Permission()
    write: Permission = Permission()
    delete: Permission | None = None
    user: str = ""


ALL: Final = Permissions(Permission(everything=True), Permission(everything=True))


def read_permissions(document: object, *, strict: bool = False) -> Permissions:
    """The permissions in a document; ``strict`` refuses members that mean nothing. Raises BadPermissions."""
    members = _members(document, ("read", "write"), "permissions", strict)
    read, write = (_permission(members.get(name), name, strict) for name in ("read", "write"))
    return Permissions(read, write)


def _permissions_of_key(document: object) -> Permissions:
    """The permissions of a key. One of a user, ``{"user": "ada"}``, has all rights of that user unless it says which. Raises BadPermissions."""
    if not isinstance(document, dict) or "user" not in document:
        return read_permissions(document, strict=True)
    user = document["user"]
    if not isinstance(user, str) or not user:
        raise BadPermissions("'user' is not the name of a user")
    own = {name: value for name, value in document.items() if name != "user"}
    return replace(read_permissions(own, strict=True) if own else ALL, user=user)


def _permission(document: object, place: str, strict: bool) -> Permission:
    if document is None:
        return Permission()
    members = _members(document, ("everything", "timeseries", _PASSED_OVER), f"'{place}'", strict)
    everything = members.get("everything")
    if not isinstance(everything, bool | None):
        raise BadPermissions(f"'everything' of '{place}' is not true or false")
    patterns = members.get("timeseries") or []
    if not isinstance(patterns, list) or not all(isinstance(each, str) for each in patterns):
        raise BadPermissions(f"'timeseries' of '{place}' is not a list of texts")
    return Permission(bool(everything), tuple(map(_compiled, patterns)))


def _members(document: object, known: Sequence[str], what: str, strict: bool) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise BadPermissions(f"{what} are not an object" if what == "permissions" else f"{what} is not an object")
    for name in document:
        if strict and name not in known:
            raise BadPermissions(f"{name!r} means nothing, known are {', '.join(known)}")
    return document


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    if len(pattern) > _MOST_PATTERN:
        raise BadPermissions(f"an expression has more than {_MOST_PATTERN} characters")
    try:
        return compiled(pattern, most_memory=_MOST_MEMORY_BYTES)
    except BadPattern:
        raise BadPermissions(f"{pattern!r} is not a regular expression") from None


# ---------------------------------------------------------------- keys


def digest_of(key: str) -> bytes:
    """What a key is looked for by: how long that takes tells nothing about the keys there are."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()


@lru_cache(maxsize=8)
def keys_of(text: str) -> dict[bytes, Permissions]:
    """The permissions of each key, by its digest: ``{"KEY": {"read": {"everything": true}, "write": {"timeseries": ["a.*"]}}}``.

    Raises BadPermissions.
    """
    if not text.strip():
        return {}
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        # The text around the place, which json shows in no message, may be a key.
        raise BadPermissions(f"not JSON, {error}" if isinstance(error, json.JSONDecodeError) else "not JSON") from None
    if not isinstance(document, dict):
        raise BadPermissions("not a JSON object of keys and permissions")
    found: dict[bytes, Permissions] = {}
    for number, (key, permissions) in enumerate(document.items(), 1):
        if not _KEY.fullmatch(key):
            raise BadPermissions(f"key {number} is empty, too long, or has other characters than visible ones of ASCII")
        try:
            found[digest_of(key)] = _permissions_of_key(permissions)
        except BadPermissions as error:
            raise BadPermissions(f"key {number}: {error}") from None
    return found


def keys_in(path: str) -> dict[bytes, Permissions]:
    """The keys in a file as it is now. Raises BadPermissions, also where it cannot be read."""
    try:
        return _keys_in(path, os.stat(path).st_mtime_ns)
    except OSError as error:
        raise BadPermissions(str(error.strerror)) from None


@lru_cache(maxsize=4)
def _keys_in(path: str, changed_ns: int) -> dict[bytes, Permissions]:
    """The keys in a file that has changed then. Raises BadPermissions and OSError."""
    with open(path, "rb") as file:
        data = file.read()
    try:
        return keys_of(data.decode())
    except UnicodeDecodeError:
        raise BadPermissions("not UTF-8") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadPermissions("a name stands twice in an object")
    return found

"""Hashes: plain dicts of elements under fields (bytes), shared with JSON objects, and how their changes are redone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from .errors import WrongType
from .keyspace import Keyspace

Hash = dict[bytes, Any]


def as_hash(value: object) -> Hash | None:
    """The hash that a key holds, None if absent. Raises WrongType."""
    if value is None or type(value) is dict:
        return value
    raise WrongType


def put_fields(keyspace: Keyspace, key: bytes, fields: Hash, event: str = "hset") -> int:
    """Set fields of a hash, which is created if the key does not exist; give how many are new. Raises WrongType."""
    held = as_hash(keyspace.get(key))
    if held is None:
        keyspace.put(key, fields, event)
        return len(fields)
    before = len(held)
    held.update(fields)
    keyspace.changed(event, key, ("hash.put", fields))
    return len(held) - before


def remove_fields(keyspace: Keyspace, key: bytes, fields: Iterable[bytes]) -> int:
    """Remove fields of a hash, and the key with the last one; give how many there were. Raises WrongType."""
    held = as_hash(keyspace.get(key))
    if held is None:
        return 0
    removed = [field for field in dict.fromkeys(fields) if field in held]
    for field in removed:
        del held[field]
    if removed:
        keyspace.changed("hdel", key, ("hash.remove", tuple(removed)))
        if not held:
            keyspace.delete(key)
    return len(removed)


# How a log does a reported change again.
EFFECTS: Final[dict[str, Callable[..., object]]] = {"hash.put": put_fields, "hash.remove": remove_fields}

"""Hashes: plain dicts from fields (bytes) to elements, shared with JSON objects; and the replay of their changes.

A hash of a few short fields and values is a ``SmallHash``, compiled as one string, until it grows; one that shrinks to
half of SMALL fields becomes one again. A hash with field TTLs is a ``TimedHash``; other hashes pay nothing for that.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeGuard

from .errors import WrongType
from .keyspace import Keyspace
from .numbers import add_as_text, as_number
from .picking import random_field, sampled
from .small_hashes import MOST_FIELDS, SmallHash
from .timed_hashes import Fields as Fields
from .timed_hashes import TimedHash
from .values import compact, plus, text_of

Hash = Fields | SmallHash

SMALL: Final = MOST_FIELDS

# Changes of a field's value that keep its TTL.
_KEEPING: Final = frozenset(("hincrby", "hincrbyfloat"))


def is_small(value: object) -> TypeGuard[SmallHash]:
    """Whether a hash has the small form, which stores fields and values alternately."""
    return type(value) is SmallHash


def as_hash(value: object) -> Hash | None:
    """The hash that a key holds, None if absent. Raises WrongType."""
    if value is None or type(value) is SmallHash or type(value) is dict or type(value) is TimedHash:
        return value
    raise WrongType


def hash_at(keyspace: Keyspace, key: bytes, value: object) -> Hash | None:
    """The hash that a key holds, without expired fields; None if absent. Raises WrongType."""
    if value is None or type(value) is SmallHash or type(value) is dict:
        return value
    if type(value) is TimedHash:
        value.expire_fields(keyspace, key)
        return value or None
    raise WrongType


def hash_to_read(keyspace: Keyspace, key: bytes, value: object) -> Hash | None:
    """``hash_at`` for a read-only command: while the feed is held, expired fields are absent but not removed."""
    if value is None or type(value) is SmallHash or type(value) is dict:
        return value
    if type(value) is TimedHash and keyspace.feed.held:
        return value.unexpired(keyspace.clock.now_ms) or None
    return hash_at(keyspace, key, value)


def without_expired(keyspace: Keyspace, key: bytes, value: object) -> object:
    """The value of a key, of any kind, as readers see it; None if all fields of a hash have expired."""
    return hash_to_read(keyspace, key, value) if type(value) is TimedHash else value


def is_timed(value: object) -> bool:
    """Whether a value is a hash that has, or had, fields with a TTL."""
    return type(value) is TimedHash


def field_deadline(held: Hash, field: bytes) -> int | None:
    """When a field of a hash expires, None if never."""
    return held.deadlines.get(field) if type(held) is TimedHash else None


def put_fields(keyspace: Keyspace, key: bytes, fields: Fields, event: str = "hset") -> int:
    """Set fields of a hash, which is created if the key does not exist; return how many are new. Raises WrongType."""
    held = hash_at(keyspace, key, keyspace.get(key))
    keyspace.feed.extra += len(fields) - 1
    if held is None:
        keyspace.put(key, compact(fields), event)
        return len(fields)
    if type(held) is dict:
        table = held
        before = len(table)
        table.update(fields)
        keyspace.changed(event, key, ("hash.put", fields))
        return len(table) - before
    if isinstance(held, SmallHash):
        packed = held
        added = packed.put(fields)
        if added >= 0 and len(packed) <= SMALL:
            keyspace.changed(event, key, ("hash.put", fields))
            return added
        before = len(held) - max(added, 0)
        big = held.to_dict()
        keyspace.data[key] = big
    else:
        before = len(held)
        big = held
    big.update(fields)
    if type(big) is TimedHash:
        if event in _KEEPING:
            keyspace.changed(event, key, ("hash.keep", fields))
            return len(big) - before
        big.set_deadlines({field: None for field in fields if field in big.deadlines})
        keyspace.file_fields(key, big.soonest)
    keyspace.changed(event, key, ("hash.put", fields))
    return len(big) - before


def put_field(keyspace: Keyspace, key: bytes, field: bytes, value: Any) -> int:
    """``put_fields`` with one field, without a dict if there are no listeners."""
    held = keyspace.get(key)
    if type(held) is dict and not keyspace.feed.listeners:
        table = held
        before = len(table)
        table[field] = value
        keyspace.changed("hset", key)
        return len(table) - before
    return put_fields(keyspace, key, {field: value})


def remove_fields(keyspace: Keyspace, key: bytes, fields: Iterable[bytes]) -> int:
    """Remove fields of a hash, and the key with the last one; return how many were removed. Raises WrongType."""
    held = hash_at(keyspace, key, keyspace.get(key))
    if held is None:
        return 0
    if isinstance(held, SmallHash):
        removed = [field for field in fields if held.remove(field)]
    else:
        removed = _removed(keyspace, key, held, fields)
    if removed:
        keyspace.feed.extra += len(removed) - 1
        keyspace.changed("hdel", key, ("hash.remove", tuple(removed)))
        if not held:
            keyspace.emptied(key)
    return len(removed)


def _removed(keyspace: Keyspace, key: bytes, held: Fields, fields: Iterable[bytes]) -> list[bytes]:
    """Remove fields of a hash that is a dict; return those that existed."""
    was_big = len(held) > SMALL // 2
    removed = [field for field in dict.fromkeys(fields) if field in held]
    for field in removed:
        del held[field]
    if type(held) is TimedHash:
        held.set_deadlines({field: None for field in removed if field in held.deadlines})
        keyspace.file_fields(key, held.soonest)
    if was_big and len(held) <= SMALL // 2:
        keyspace.data[key] = compact(held)
    return removed


def add_integer_to_field(keyspace: Keyspace, key: bytes, field: bytes, increment: int) -> int:
    """Add to an integer in a field, which begins at 0; the sum. Only text stays text.

    Raises WrongType, NotAnInteger, IncrementOverflow.
    """
    held = hash_at(keyspace, key, keyspace.get(key))
    value = None if held is None else held.get(field)
    total = increment if value is None else plus(text_of(value), increment)
    put_fields(keyspace, key, {field: b"%d" % total if type(value) is bytes else total}, "hincrby")
    return total


def add_decimal_to_field(keyspace: Keyspace, key: bytes, field: bytes, increment: bytes) -> bytes:
    """Add to a decimal number in a field, which begins at 0; the sum as text. A JSON number stays one where JSON spells it so.

    Raises WrongType, NotAFloat, IncrementNotFinite.
    """
    held = hash_at(keyspace, key, keyspace.get(key))
    value = None if held is None else held.get(field)
    total = add_as_text(b"0" if value is None else text_of(value), increment)
    kept = as_number(total) if type(value) in (int, float) else total
    put_fields(keyspace, key, {field: kept}, "hincrbyfloat")
    return total


# If more than this share of the fields is wanted, they are drawn from a list of all.
_DRAWN_SHARE: Final = 8


def random_fields(held: Hash, count: int) -> list[bytes]:
    """Up to ``count`` different fields of a non-empty hash, at random; if negative, fields that may repeat. O(count)."""
    size = len(held)
    if count >= size:
        return list(held)
    if isinstance(held, SmallHash) or abs(count) * _DRAWN_SHARE > size:
        return sampled(list(held), count) if count >= 0 else random.choices(list(held), k=-count)
    if count < 0:
        return [random_field(held) for _ in range(-count)]
    found: dict[bytes, None] = {}
    while len(found) < count:
        found[random_field(held)] = None
    return list(found)


def time_fields(keyspace: Keyspace, key: bytes, held: Hash, deadlines: dict[bytes, int | None], event: str) -> None:
    """Set when existing fields expire; None: never."""
    _time(keyspace, key, held, deadlines)
    keyspace.feed.extra += len(deadlines) - 1
    keyspace.changed(event, key, ("hash.time", deadlines))


def _time(keyspace: Keyspace, key: bytes, held: Hash, deadlines: dict[bytes, int | None]) -> None:
    if type(held) is TimedHash:
        timed = held
    else:
        timed = TimedHash(held.to_dict() if isinstance(held, SmallHash) else held, {})
        keyspace.data[key] = timed
    timed.set_deadlines(deadlines)
    keyspace.file_fields(key, timed.soonest)


# ---------------------------------------------------------------- replay


def _keep(keyspace: Keyspace, key: bytes, fields: Fields) -> None:
    put_fields(keyspace, key, fields, "hincrby")


def _time_again(keyspace: Keyspace, key: bytes, deadlines: dict[bytes, int | None]) -> None:
    held = as_hash(keyspace.data[key])
    assert held is not None
    _time(keyspace, key, held, deadlines)


def _remove(keyspace: Keyspace, key: bytes, fields: Sequence[bytes]) -> None:
    remove_fields(keyspace, key, fields)


# How the log replays a reported change.
EFFECTS: Final[dict[str, Callable[..., object]]] = {
    "hash.put": put_fields,
    "hash.keep": _keep,
    "hash.remove": _remove,
    "hash.time": _time_again,
}

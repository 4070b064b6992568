"""Hashes: plain dicts of elements under fields (bytes), shared with JSON objects, and how their changes are redone.

A hash of a few short fields and values is a ``SmallHash``, one string, until it grows; one that shrinks to half of
SMALL fields is one again. A hash with a deadline for one of its fields is a ``TimedHash``; other hashes pay nothing
for that.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, TypeGuard

from .errors import WrongType
from .keyspace import Keyspace
from .picking import random_field, sampled
from .small_hashes import MOST_FIELDS, SmallHash
from .values import compact, copied_fields, element_to_json, name_to_json

Fields = dict[bytes, Any]
Hash = Fields | SmallHash

SMALL: Final = MOST_FIELDS

# Changes of a field's value that leave its deadline alone.
_KEEPING: Final = frozenset(("hincrby", "hincrbyfloat"))


class TimedHash(dict[bytes, Any]):
    """A hash some of whose fields have deadlines, in ms since the epoch. ``soonest`` is the first of them, or 0."""

    kind: ClassVar[str] = "hash"
    __slots__ = ("deadlines", "soonest")

    def __init__(self, fields: Fields, deadlines: dict[bytes, int]) -> None:
        super().__init__(fields)
        self.deadlines = deadlines
        self.soonest = min(deadlines.values(), default=0)

    def set_deadlines(self, deadlines: Mapping[bytes, int | None]) -> None:
        """Let fields expire, or no longer (None). O(fields given), and those with deadlines if one was the soonest."""
        held, soonest, lost = self.deadlines, self.soonest, False
        for field, deadline in deadlines.items():
            lost = lost or held.get(field) == soonest
            if deadline is None:
                held.pop(field, None)
            else:
                held[field] = deadline
                if not soonest or deadline < soonest:
                    soonest, lost = deadline, False
        self.soonest = min(held.values(), default=0) if lost else soonest

    def expire_fields(self, keyspace: Keyspace, key: bytes) -> None:
        """Remove the fields whose time is over, and the key with the last one. O(1) where there are none."""
        now_ms = keyspace.clock.now_ms
        if not self.soonest or self.soonest >= now_ms:
            return
        gone = [field for field, deadline in self.deadlines.items() if deadline < now_ms]
        for field in gone:
            del self[field], self.deadlines[field]
        self.soonest = min(self.deadlines.values(), default=0)
        keyspace.changed("hexpired", key, ("hash.remove", tuple(gone)))
        keyspace.feed.extra -= 1
        if not self:
            keyspace.emptied(key)
        else:
            keyspace.file_fields(key, self.soonest)

    def unexpired(self, now_ms: int) -> TimedHash:
        """The hash without the fields whose time is over; a copy where there are such."""
        if not self.soonest or self.soonest >= now_ms:
            return self
        deadlines = {field: deadline for field, deadline in self.deadlines.items() if deadline >= now_ms}
        fields = {name: item for name, item in self.items() if name in deadlines or name not in self.deadlines}
        return TimedHash(fields, deadlines)

    def to_json(self) -> Any:
        """An object."""
        return {name_to_json(name): element_to_json(item) for name, item in self.items()}

    @property
    def size_bytes(self) -> int:
        """Memory that the hash takes, nearly."""
        some = list(self.items())[:5]
        each = sum(sys.getsizeof(name) + sys.getsizeof(item) for name, item in some) // max(len(some), 1)
        return sys.getsizeof(self) + sys.getsizeof(self.deadlines) + each * len(self)

    def copy(self) -> TimedHash:
        """An independent hash with the same fields and deadlines."""
        return TimedHash(copied_fields(self), dict(self.deadlines))

    def to_state(self) -> tuple[Fields, dict[bytes, int]]:
        """Fields and deadlines."""
        return dict(self), self.deadlines

    @classmethod
    def from_state(cls, state: tuple[Fields, dict[bytes, int]]) -> TimedHash:
        """The hash of a state."""
        return cls(*state)

    def check(self) -> None:
        """Assert what the class promises; for tests."""
        assert self.deadlines.keys() <= self.keys()
        assert self.soonest == min(self.deadlines.values(), default=0)


def is_small(value: object) -> TypeGuard[SmallHash]:
    """Whether a hash has the form of small ones, which gives its fields and values one after the other."""
    return type(value) is SmallHash


def as_hash(value: object) -> Hash | None:
    """The hash that a key holds, None if absent. Raises WrongType."""
    if value is None or type(value) is SmallHash or type(value) is dict or type(value) is TimedHash:
        return value
    raise WrongType


def hash_at(keyspace: Keyspace, key: bytes, value: object) -> Hash | None:
    """The hash that a key holds, without fields whose time is over; None if absent. Raises WrongType."""
    if value is None or type(value) is SmallHash or type(value) is dict:
        return value
    if type(value) is TimedHash:
        value.expire_fields(keyspace, key)
        return value or None
    raise WrongType


def hash_to_read(keyspace: Keyspace, key: bytes, value: object) -> Hash | None:
    """``hash_at`` for a command that changes nothing: while the feed is held, expired fields are absent but stay."""
    if value is None or type(value) is SmallHash or type(value) is dict:
        return value
    if type(value) is TimedHash and keyspace.feed.held:
        return value.unexpired(keyspace.clock.now_ms) or None
    return hash_at(keyspace, key, value)


def put_fields(keyspace: Keyspace, key: bytes, fields: Fields, event: str = "hset") -> int:
    """Set fields of a hash, which is created if the key does not exist; give how many are new. Raises WrongType."""
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
    """``put_fields`` with one field, which takes no dict where nobody listens."""
    held = keyspace.get(key)
    if type(held) is dict and not keyspace.feed.listeners:
        table = held
        before = len(table)
        table[field] = value
        keyspace.changed("hset", key)
        return len(table) - before
    return put_fields(keyspace, key, {field: value})


def remove_fields(keyspace: Keyspace, key: bytes, fields: Iterable[bytes]) -> int:
    """Remove fields of a hash, and the key with the last one; give how many there were. Raises WrongType."""
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
    """Remove fields of a hash that is a dict; those that were there."""
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


# Where more than this share of the fields is wanted, they are drawn from a list of all.
_DRAWN_SHARE: Final = 8


def random_fields(held: Hash, count: int) -> list[bytes]:
    """Up to so many different fields of a hash that is not empty, at random; if negative so many that may repeat. O(count)."""
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
    """Give fields that are there deadlines, or take them away (None)."""
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


# ---------------------------------------------------------------- effects


def _keep(keyspace: Keyspace, key: bytes, fields: Fields) -> None:
    put_fields(keyspace, key, fields, "hincrby")


def _time_again(keyspace: Keyspace, key: bytes, deadlines: dict[bytes, int | None]) -> None:
    held = as_hash(keyspace.data[key])
    assert held is not None
    _time(keyspace, key, held, deadlines)


def _remove(keyspace: Keyspace, key: bytes, fields: Sequence[bytes]) -> None:
    remove_fields(keyspace, key, fields)


# How a log does a reported change again.
EFFECTS: Final[dict[str, Callable[..., object]]] = {
    "hash.put": put_fields,
    "hash.keep": _keep,
    "hash.remove": _remove,
    "hash.time": _time_again,
}

"""Sets: plain Python sets of bytes, and the replay of their changes. In JSON a set is an array."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from .errors import WrongType
from .keyspace import Keyspace
from .picking import random_member, sampled

Members = set[bytes]

# If more than this share of a set is wanted, a list of all members is sampled; otherwise members are drawn one by one.
_DRAWN_SHARE = 4
# Up to this many members are removed one by one.
_MANY = 1000


def as_set(value: object) -> Members | None:
    """The set that a key holds, None if absent. Raises WrongType."""
    if value is None or type(value) is set:
        return value
    raise WrongType


def add_members(keyspace: Keyspace, key: bytes, members: Sequence[bytes]) -> int:
    """Add members to a set, which is created if the key does not exist; return how many are new. Raises WrongType."""
    held = as_set(keyspace.get(key))
    if held is None:
        fresh = set(members)
        keyspace.feed.extra += len(fresh) - 1
        keyspace.put(key, fresh, "sadd")
        return len(fresh)
    before = len(held)
    if len(members) == 1:
        held.add(members[0])
    else:
        held.update(members)
    added = len(held) - before
    if added:
        keyspace.feed.extra += added - 1
        keyspace.changed("sadd", key, ("set.add", tuple(members)))
    return added


def remove_members(keyspace: Keyspace, key: bytes, members: Iterable[bytes], event: str = "srem") -> int:
    """Remove members of a set, and the key with the last one; return how many were removed. Raises WrongType."""
    held = as_set(keyspace.get(key))
    if held is None:
        return 0
    removed = held.intersection(members)
    if removed:
        keyspace.feed.extra += len(removed) - 1
        held -= removed
        keyspace.changed(event, key, ("set.remove", tuple(removed)))
        if not held:
            keyspace.emptied(key)
    return len(removed)


def random_members(held: Members, count: int) -> list[bytes]:
    """``count`` different members of a set, at random, or all if there are not more. O(count)."""
    if count >= len(held):
        return list(held)
    if count * _DRAWN_SHARE > len(held):
        return sampled(list(held), count)
    found: dict[bytes, None] = {}
    while len(found) < count:
        found[random_member(held)] = None
    return list(found)


def pop_members(keyspace: Keyspace, key: bytes, held: Members, count: int) -> list[bytes]:
    """Remove ``count`` random members of a set, all if there are fewer, and return them. O(count).

    If most of many members go, the key holds another set object afterwards.
    """
    if count == 1:
        member = random_member(held)
        held.remove(member)
        keyspace.changed("spop", key, ("set.remove", (member,)) if keyspace.feed.listeners else ())
        if not held:
            keyspace.emptied(key)
        return [member]
    if count >= len(held):
        keyspace.feed.extra += len(held) - 1
        keyspace.changed("spop", key, ("set.remove", ()))
        keyspace.emptied(key)
        return list(held)
    if count > _MANY and count > len(held) - count:  # more go than stay: those that stay become a new set
        kept = set(random_members(held, len(held) - count))
        mark = keyspace.mark_of(key)
        keyspace.feed.extra += count - 1
        keyspace.replace(key, kept, "spop")
        keyspace.mark(key, mark)
        return list(held - kept)
    taken = random_members(held, count)
    remove_members(keyspace, key, taken, "spop")
    return taken


# How the log replays a reported change.
EFFECTS: Final[dict[str, Callable[..., object]]] = {"set.add": add_members, "set.remove": remove_members}

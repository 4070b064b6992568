"""Changes of JSON commands inside the value of a key: parts are replaced, arrays are extended in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import NoArray
from .keyspace import Keyspace
from .lists import add, is_list, same_form
from .timed_hashes import TimedHash
from .values import compact, element_from_json, from_json, kind_of, name_to_json


def replace_parts(keyspace: Keyspace, key: bytes, old: Any, old_json: Any, new_json: Any) -> None:
    """Set a key to its value with parts replaced, given its JSON form before and after.

    Elements that are the same object in both keep their stored form.
    """
    keyspace.replace(key, _merged(old, old_json, new_json), "set")


def _merged(old: Any, old_json: Any, new_json: Any) -> object:
    if kind_of(old) == "hash" and type(new_json) is dict:
        kept = {name_to_json(name): element for name, element in old.items()}
        fields = {
            name.encode(): kept[name] if name in kept and old_json.get(name) is item else element_from_json(item)
            for name, item in new_json.items()
        }
        return _still_timed(old, fields) if type(old) is TimedHash else compact(fields)
    if is_list(old) and type(new_json) is list and len(old) == len(new_json):
        items = [
            element if was is item else element_from_json(item)
            for element, was, item in zip(old, old_json, new_json, strict=True)
        ]
        return same_form(old, items)
    return from_json(new_json)


def _still_timed(old: TimedHash, fields: dict[bytes, Any]) -> TimedHash:
    """Changed fields of a hash with field TTLs: fields whose value stays the same keep theirs; others lose it, as with HSET."""
    deadlines = {f: time for f, time in old.deadlines.items() if f in fields and fields[f] is old[f]}
    return TimedHash(fields, deadlines)


def append_items(keyspace: Keyspace, key: bytes, value: Any, member: bytes | None, items: list[Any]) -> None:
    """Add JSON items to the end of the array that is the value of a key, or a member of the object there.

    Raises NoArray.
    """
    if member is None:
        if not is_list(value):
            raise NoArray
    elif not isinstance(value, dict) or type(value.get(member)) is not list:  # small hashes hold no arrays
        raise NoArray
    if items:
        _append(value, member, items)
        keyspace.changed("rpush" if member is None else "hset", key, ("array.append", member, items))


def _append(value: Any, member: bytes | None, items: list[Any]) -> None:
    if member is None:
        add(value, False, [element_from_json(item) for item in items])
    else:
        value[member] += items


def _append_again(keyspace: Keyspace, key: bytes, member: bytes | None, items: list[Any]) -> None:
    _append(keyspace.data[key], member, items)


EFFECTS: dict[str, Callable[..., None]] = {"array.append": _append_again}

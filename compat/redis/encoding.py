"""OBJECT ENCODING: the representation that Redis would choose for a value, by its thresholds."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import islice
from typing import Any

from januskv.commands.context import Settings
from januskv.storage.hashes import Hash, is_timed
from januskv.storage.keyspace import Keyspace
from januskv.storage.strings import size_of
from januskv.storage.values import kind_of, text_of

from .args import INT64_MAX, INT64_MIN

# Up to this length Redis allocates a string together with its header.
_EMBEDDED = 44


_BEGINS = b"-0123456789"


def is_int(text: bytes) -> bool:
    """Whether a text is a 64-bit integer in its only spelling."""
    if not text or len(text) > 20 or text[0] not in _BEGINS:  # the first byte decides for most texts
        return False
    try:
        number = int(text)
    except ValueError:
        return False
    return b"%d" % number == text and INT64_MIN <= number <= INT64_MAX


def _string(value: object, config: Settings) -> str:
    if size_of(value) > _EMBEDDED:
        return "raw"
    return "int" if is_int(text_of(value)) else "embstr"


def _hash(value: Hash, config: Settings) -> str:
    listpack = "listpackex" if is_timed(value) else "listpack"
    if len(value) > config.hash_max_listpack_entries:
        return "hashtable"
    most = config.hash_max_listpack_value
    return "hashtable" if any(len(k) > most or len(text_of(v)) > most for k, v in value.items()) else listpack


def _list(value: list[Any], config: Settings) -> str:
    limit = config.list_max_listpack_size
    if limit >= 0:
        return "listpack" if len(value) <= limit else "quicklist"
    most_bytes = (4096, 8192, 16384, 32768, 65536)[-limit - 1]
    size = 0
    for item in islice(value, most_bytes):
        size += len(text_of(item)) + 2
        if size > most_bytes:
            return "quicklist"
    return "listpack"


# The mark of a key records the largest form that its set has had.
_SET_ENCODINGS = ("intset", "listpack", "hashtable")
_INTSET, _LISTPACK, _HASHTABLE = range(3)


def shrunk(keyspace: Keyspace, key: bytes, removed: Collection[bytes], config: Settings) -> None:
    """Mark the form that a key's set had before these members were removed, if its content no longer shows it. O(removed).

    Redis never converts back: a set that had other members than integers, or was big, keeps that form.
    """
    members: Any = keyspace.data.get(key)  # a set, or None if that was its last member
    if not members or not removed:
        return
    size, most_integers, most = len(members), config.set_max_intset_entries, config.set_max_listpack_entries
    if size > most_integers and size > most:  # its size shows its form
        return
    before = size + len(removed)
    full = _HASHTABLE if before > most else _LISTPACK
    level = _INTSET
    if max(map(len, removed)) > config.set_max_listpack_value:
        level = _HASHTABLE
    elif before > most_integers:
        if size <= most < before or size <= most_integers:
            level = full
    elif not all(map(is_int, removed)):
        if full == _HASHTABLE or is_int(next(iter(members))):
            level = full
    elif size <= most < before and not all(map(is_int, members)):
        level = full
    if level > keyspace.mark_of(key):
        keyspace.mark(key, level)


def is_intset(members: set[bytes], level: int, config: Settings) -> bool:
    """Whether Redis stores a set in ascending order: few members, which have always been integers."""
    return len(members) <= config.set_max_intset_entries and all(map(is_int, members)) and level == _INTSET


def _set(members: set[bytes], level: int, config: Settings) -> str:
    if is_intset(members, level, config):
        return _SET_ENCODINGS[_INTSET]
    small = len(members) <= config.set_max_listpack_entries
    shows = _LISTPACK if small and max(map(len, members)) <= config.set_max_listpack_value else _HASHTABLE
    return _SET_ENCODINGS[max(shows, level)]


_ENCODINGS: dict[str, Callable[[Any, Settings], str]] = {"string": _string, "hash": _hash, "list": _list}


def encoding_of(keyspace: Keyspace, key: bytes, config: Settings) -> str:
    """The name of the encoding of an existing key's value."""
    value: Any = keyspace.data[key]
    kind = kind_of(value)
    if kind == "set":
        return _set(value, keyspace.mark_of(key), config)
    name = _ENCODINGS.get(kind)
    return str(value.encoding(config)) if name is None else name(value, config)

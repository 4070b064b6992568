"""What OBJECT ENCODING says: the representation that Redis chooses for a value, by its thresholds."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection
from itertools import islice
from typing import Any

from januskv.compat.server.config import Config
from januskv.storage.hashes import Hash, TimedHash
from januskv.storage.long_strings import LongString
from januskv.storage.values import kind_of, text_of

from .args import INT64_MAX, INT64_MIN

# Redis keeps a string in one allocation with its header up to this length.
_EMBEDDED = 44


_BEGINS = b"-0123456789"


def is_int(text: bytes) -> bool:
    """Whether a text is a 64-bit integer in its only spelling."""
    if not text or len(text) > 20 or text[0] not in _BEGINS:  # most texts are told apart by how they begin
        return False
    try:
        number = int(text)
    except ValueError:
        return False
    return b"%d" % number == text and INT64_MIN <= number <= INT64_MAX


def _string(value: object, config: Config) -> str:
    if type(value) is LongString:
        return "raw"
    text = text_of(value)
    if is_int(text):
        return "int"
    return "embstr" if len(text) <= _EMBEDDED else "raw"


def _hash(value: Hash, config: Config) -> str:
    listpack = "listpackex" if type(value) is TimedHash else "listpack"
    if len(value) > config.hash_max_listpack_entries:
        return "hashtable"
    most = config.hash_max_listpack_value
    return "hashtable" if any(len(k) > most or len(text_of(v)) > most for k, v in value.items()) else listpack


def _list(value: list[Any], config: Config) -> str:
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


_SET_ENCODINGS = ("intset", "listpack", "hashtable")
_INTSET, _LISTPACK, _HASHTABLE = range(3)

# What sets have been that have shrunk since, by their identity: Redis never goes back. Forgotten with the set.
grown_sets: dict[int, tuple[weakref.ref[set[bytes]], int]] = {}


def _note(members: set[bytes], level: int) -> None:
    number = id(members)
    if level > _level_before(members):
        grown_sets[number] = (weakref.ref(members, lambda gone: grown_sets.pop(number, None)), level)


def _level_before(members: set[bytes]) -> int:
    found = grown_sets.get(id(members))
    return _INTSET if found is None else found[1]


def shrunk(members: set[bytes], removed: Collection[bytes], config: Config) -> None:
    """Note what a set was before these members were removed, where its content does not show it any more. O(removed)."""
    size, most_integers, most = len(members), config.set_max_intset_entries, config.set_max_listpack_entries
    if size > most_integers and size > most:  # its size shows what it is
        return
    if not size or not removed or _level_before(members) == _HASHTABLE:
        return
    before = size + len(removed)
    full = _HASHTABLE if before > most else _LISTPACK
    if max(map(len, removed)) > config.set_max_listpack_value:
        _note(members, _HASHTABLE)
    elif before > most_integers:
        if size <= most < before or size <= most_integers:
            _note(members, full)
    elif not all(map(is_int, removed)):
        if full == _HASHTABLE or is_int(next(iter(members))):
            _note(members, full)
    elif size <= most < before and not all(map(is_int, members)):
        _note(members, full)


def keep_encoding(value: object, copy: object) -> None:
    """Let the copy of a set have its encoding."""
    if type(value) is set and type(copy) is set:
        _note(copy, _level_before(value))


def is_intset(members: set[bytes], config: Config) -> bool:
    """Whether Redis keeps a set in ascending order: few members, and never any but integers."""
    return (
        len(members) <= config.set_max_intset_entries
        and all(map(is_int, members))
        and _level_before(members) == _INTSET
    )


def _set(members: set[bytes], config: Config) -> str:
    if is_intset(members, config):
        return _SET_ENCODINGS[_INTSET]
    small = len(members) <= config.set_max_listpack_entries
    level = _LISTPACK if small and max(map(len, members)) <= config.set_max_listpack_value else _HASHTABLE
    return _SET_ENCODINGS[max(level, _level_before(members))]


_ENCODINGS: dict[str, Callable[[Any, Config], str]] = {"string": _string, "hash": _hash, "list": _list, "set": _set}


def encoding_of(value: Any, config: Config) -> str:
    """The name of a value's encoding."""
    name = _ENCODINGS.get(kind_of(value))
    return str(value.encoding(config)) if name is None else name(value, config)

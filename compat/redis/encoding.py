"""What OBJECT ENCODING says: the representation that Redis chooses for a value, by its thresholds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from januskv.compat.config import Config
from januskv.storage.hashes import Hash, TimedHash
from januskv.storage.values import kind_of, text_of

from .args import INT64_MAX, INT64_MIN

# Redis keeps a string in one allocation with its header up to this length.
_EMBEDDED = 44


def is_int(text: bytes) -> bool:
    """Whether a text is a 64-bit integer in its only spelling."""
    if not text or len(text) > 20:
        return False
    try:
        number = int(text)
    except ValueError:
        return False
    return b"%d" % number == text and INT64_MIN <= number <= INT64_MAX


def _string(value: object, config: Config) -> str:
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


def is_intset(members: set[bytes], config: Config) -> bool:
    """Whether Redis keeps a set in ascending order: few members, all of them integers."""
    return len(members) <= config.set_max_intset_entries and all(map(is_int, members))


def _set(members: set[bytes], config: Config) -> str:
    if is_intset(members, config):
        return "intset"
    small = len(members) <= config.set_max_listpack_entries
    return "listpack" if small and max(map(len, members)) <= config.set_max_listpack_value else "hashtable"


_ENCODINGS: dict[str, Callable[[Any, Config], str]] = {"string": _string, "hash": _hash, "list": _list, "set": _set}


def encoding_of(value: Any, config: Config) -> str:
    """The name of a value's encoding."""
    name = _ENCODINGS.get(kind_of(value))
    return str(value.encoding(config)) if name is None else name(value, config)

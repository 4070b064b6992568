"""How much memory a key takes, for MEMORY USAGE."""

from __future__ import annotations

import sys
from itertools import islice
from typing import Any

from januskv.storage.streams import Stream

# A dict entry of the keyspace: hash, key, value and the index slot, at the usual fill.
_ENTRY = 40


def _deep(value: Any, samples: int) -> int:
    """Bytes of a value with its members; with more members than samples, extrapolated from that many."""
    size = sys.getsizeof(value)
    if type(value) is Stream:
        return value.size_bytes(samples)
    if type(value) is dict:
        members: Any = value.items()
    elif type(value) in (list, tuple, set):
        members = value
    else:
        own = getattr(value, "size_bytes", None)
        if own is None:
            return size
        return int(own(samples) if callable(own) else own)  # a stream looks at some of its blocks itself
    looked_at = list(members if samples == 0 else islice(members, samples))
    if not looked_at:
        return size
    inner = sum(
        sum(_deep(part, samples) for part in member) if type(value) is dict else _deep(member, samples)
        for member in looked_at
    )
    return size + inner * len(value) // len(looked_at)


def size_of(key: bytes, value: Any, samples: int) -> int:
    """Bytes of a key, its entry and its value."""
    return _ENTRY + sys.getsizeof(key) + _deep(value, samples)

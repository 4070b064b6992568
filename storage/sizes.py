"""How much memory a key takes. It depends on the stored forms of values: hence a table of these, not a visitor of kinds."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from itertools import chain, islice
from typing import Any, Final

from .events import EventSeries
from .long_lists import LongList
from .long_text import LongString
from .null import Null
from .samples import SampleSeries
from .small_hashes import SmallHash
from .sorted_sets import SortedSet
from .streams import Stream
from .timed_hashes import TimedHash

# A dict entry of the keyspace: hash, key, value and the index slot, at the usual fill.
_ENTRY: Final = 40


def _deep(value: Any, samples: int) -> int:
    size: int = SIZES.get(type(value), _flat)(value, samples)
    return size


def _flat(value: Any, samples: int) -> int:
    """A value in one piece."""
    return sys.getsizeof(value)


def _told(value: Any, samples: int) -> int:
    """A value that knows its size."""
    return int(value.size_bytes)


def _of_members(value: Collection[Any], looked_at: list[Any], parts: list[Any], samples: int) -> int:
    """A value with members: the sampled ones, with their parts, are extrapolated to all."""
    size = sys.getsizeof(value)
    if not looked_at:
        return size
    return size + sum(_deep(part, samples) for part in parts) * len(value) // len(looked_at)


def _items(value: Collection[Any], samples: int) -> int:
    looked_at = list(value if samples == 0 else islice(value, samples))
    return _of_members(value, looked_at, looked_at, samples)


def _fields(value: dict[Any, Any], samples: int) -> int:
    looked_at = list(value.items() if samples == 0 else islice(value.items(), samples))
    return _of_members(value, looked_at, list(chain.from_iterable(looked_at)), samples)


# Type of a value, or of an element -> its bytes; with more members than samples (0: all) extrapolated from the samples.
SIZES: Final[dict[type, Callable[[Any, int], int]]] = {
    bytes: _flat,
    LongString: _told,
    int: _flat,
    float: _flat,
    bool: _flat,
    Null: _flat,
    dict: _fields,
    SmallHash: _told,
    TimedHash: _told,
    list: _items,
    tuple: _items,
    LongList: _told,
    set: _items,
    SortedSet: _told,
    Stream: lambda stream, samples: stream.size_bytes(samples),  # it samples its blocks itself
    SampleSeries: _told,
    EventSeries: _told,
}


def size_of(key: bytes, value: object, samples: int) -> int:
    """Bytes of a key, its entry and its value."""
    return _ENTRY + sys.getsizeof(key) + _deep(value, samples)

"""The keys of a big dict, copied in batches while it changes."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

from .walking import key_at, walk

# Keys copied in a step: 10 to 20 ns each.
_STEP: Final = 1 << 14
# Python has one object for each string of one byte: such a key set again is the same object.
_OWN_BYTES: Final = 2


def keys_in_steps(table: dict[bytes, Any]) -> Generator[None, None, list[bytes]]:
    """The keys that exist at both the beginning and the end, each once, in order; others only if they existed in between.

    The table is walked entry by entry (see ``walking.py``) up to the end that it had at first. As long as the key copied
    last has not moved, the table has not been compacted, and keys that were removed and set again are behind that end.
    Otherwise the rest is found by going through all keys again. A step takes less than a millisecond, going through all
    10 ns a key.
    """
    if len(table) <= _STEP:
        return list(table)
    end = _end_of(table)
    found: list[bytes] = []
    place = 0
    while place < end:
        some, behind = walk(table, place, _STEP)
        if behind < 0 or behind > end:  # the last batch: keys behind the end do not belong to it
            behind = place
            while behind < end:
                one, behind = walk(table, behind, 1)
                if behind < 0 or behind > end:
                    return found
                found += one
            return found
        found += some
        place = behind
        yield
        if len(found[-1]) < _OWN_BYTES or key_at(table, place - 1) is not found[-1]:
            return (yield from _with_others(found, list(table)))
    return found


def _end_of(table: dict[bytes, Any]) -> int:
    """The index behind the last key."""
    low, high = len(table), 2 * len(table)
    while walk(table, high, 1)[0]:
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        if walk(table, middle, 1)[0]:
            low = middle + 1
        else:
            high = middle
    return low


def _with_others(found: list[bytes], others: list[bytes]) -> Generator[None, None, list[bytes]]:
    """Keys, then those of ``others`` that are not among them."""
    seen: set[bytes] = set()
    for at in range(0, len(found), _STEP):
        seen.update(found[at : at + _STEP])
        yield
    for at in range(0, len(others), _STEP):
        found += [key for key in others[at : at + _STEP] if key not in seen]
        yield
    return found

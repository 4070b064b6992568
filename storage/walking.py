"""Reads the tables of CPython's dicts and sets from any index on.

A dict keeps its entries in the order in which they were set; a place is an index in that table. Removing an entry leaves
its place empty. A new entry takes a new place at the end, unless none is left: then the table is compacted, in order.

The compiled implementation (``walking.pyx``) calls C; this one calls the same function through ctypes, at 1 us a key.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any, Final

# Members of a set to collect at a time when walking it. Collecting any means reading all of them, which is fast in C
# (20 ms for five million); here it would take longer than taking all.
WINDOW: Final = sys.maxsize

_next = ctypes.pythonapi.PyDict_Next
_next.restype = ctypes.c_int
_next.argtypes = [ctypes.py_object, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]


def walk(table: dict[bytes, Any], position: int, count: int) -> tuple[list[bytes], int]:
    """The next ``count`` keys of a dict from a place on, and the place behind them; -1 if there are no more."""
    at, key = ctypes.c_ssize_t(position), ctypes.c_void_p()
    found: list[bytes] = []
    while len(found) < count:
        if not _next(table, ctypes.byref(at), ctypes.byref(key), None):
            return found, -1
        found.append(ctypes.cast(key, ctypes.py_object).value)
    return found, at.value


def key_at(table: dict[bytes, Any], position: int) -> bytes | None:
    """The key at a place of a dict, None if that is empty."""
    found, after = walk(table, position, 1)
    return found[0] if after == position + 1 else None


def last_of(table: dict[bytes, Any], end: int, wanted: dict[int, Any]) -> tuple[bytes | None, int]:
    """The last key before a place whose ``id`` is wanted, and the place behind it. O(end), 4 ns a place in C."""
    last, behind, position = None, -1, 0
    while 0 <= position < end:
        found, position = walk(table, position, 1)
        if found and id(found[0]) in wanted:
            last, behind = found[0], position
    return last, behind


def with_hashes(members: set[bytes], low: int, high: int) -> list[bytes]:
    """The members of a set whose hashes are from ``low`` to ``high``. O(N), 5 ns a member in C."""
    return [member for member in members if low <= hash(member) <= high]

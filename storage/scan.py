"""SCAN's cursors over a collection that changes between calls. Only what is returned next is copied.

Keys that exist from a scan's first call to its last are returned; those that come or go meanwhile may be.

A *dict* is walked in the order of its entries. New ones come behind all others, so a scan ends after as many as there
were at its beginning. When the table is compacted (see ``walking.py``), the remaining entries move towards the beginning.
So each scan marks some keys that it has returned, by identity, finds the last of them again and continues behind it. If
none is left, it starts from the beginning. A key removed and set again is another object, so it is not taken for a mark.

A *set* has no stable order. It is walked by the hashes of its members: the range of hashes is divided into windows of
about WINDOW members each, and the members of one window are collected at a time.

A key may come twice if a scan had to go back. Each time it does, its calls return twice as many keys, so it ends however
fast the collection changes. A small collection of another type is returned in one call.

At most MOST_WINDOWS lists of members are held. When another is needed, the least recently used one is dropped; while all
are in use, the call returns no keys and the same cursor, so its client asks again.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from .walking import WINDOW, key_at, last_of, walk, with_hashes

MOST_WINDOWS: Final = 16
MOST_OPEN: Final = 1024
IDLE_MS: Final = 10 * 60 * 1000
IN_USE_MS: Final = 1000  # a scan continued this recently is in use

# A cursor is ``number << 40 | position``; clients may take it for a signed 64-bit integer.
_POSITION_BITS: Final = 40
_MOST_POSITION: Final = (1 << _POSITION_BITS) - 1
_NUMBERS: Final = (1 << 23) - 1
# The position in a set is ``window << 28 | index in it``, that in a dict the number of the call.
_PLACE_BITS: Final = 28
_MOST_PARTS: Final = 1 << (_POSITION_BITS - _PLACE_BITS)

_LEAST_HASH: Final = -(1 << 63)
_MOST_FIRST: Final = 1000

# Python has one object for each string of one byte: such a key set again is the same object.
_OWN_BYTES: Final = 2
_MOST_MARKS: Final = 32
_NEW_MARKS: Final = 8
_LONG_KEY: Final = 512  # kept for the last mark only


class Mark(NamedTuple):
    """How far a call has come: the last key that it returned, the next one, and their places."""

    call: int
    place: int  # behind the last key
    key: bytes
    left: int  # keys that may remain
    next_place: int
    next_key: bytes | None

    def holds(self, table: dict[bytes, Any]) -> bool:
        """Whether exactly the remaining keys are still behind the place."""
        there = key_at(table, self.place - 1) is self.key
        if there and len(self.key) >= _OWN_BYTES:
            return True
        if self.next_key is None or key_at(table, self.next_place) is not self.next_key:
            return False
        return there or len(self.next_key) >= _OWN_BYTES


class DictScan:
    """A scan of a dict. Its position is the number of the last call."""

    __slots__ = ("marks", "pace", "used_ms")

    def __init__(self) -> None:
        self.used_ms = 0
        self.pace = 1
        self.marks: list[Mark] = []

    def go_on(self, call: int, count: int, table: dict[bytes, Any]) -> tuple[int, list[bytes]]:
        """The next keys after those of a call, and the number of this one; -1 at the end."""
        place, left = self.resume(call, table) if call else (0, len(table))
        found, behind = walk(table, place, min(count * self.pace, left))
        left -= len(found)
        if behind < 0 or left <= 0:
            return -1, found
        following, after = walk(table, behind, 1)
        if not following:
            return -1, found
        call = (call + 1) & _MOST_POSITION
        self.add(Mark(call, behind, found[-1], left, after - 1, following[0]))
        return call, found

    def add(self, mark: Mark) -> None:
        """Add a mark; if there are too many, every second of the older ones is dropped."""
        marks = self.marks
        if marks and len(marks[-1].key) > _LONG_KEY:
            del marks[-1]
        elif marks:
            marks[-1] = marks[-1]._replace(next_key=None)
        if len(marks) >= _MOST_MARKS:
            self.marks = marks = marks[:-_NEW_MARKS:2] + marks[-_NEW_MARKS:]
        marks.append(mark)

    def resume(self, call: int, table: dict[bytes, Any]) -> tuple[int, int]:
        """Where a call's successor begins, and how many keys may remain."""
        marks = self.marks
        while marks and marks[-1].call > call:  # a client repeats an earlier call
            del marks[-1]
        for at in range(len(marks) - 1, -1, -1):
            if marks[at].holds(table):
                return self.go_back(at, marks[at].place, call)
        own = {id(mark.key): at for at, mark in enumerate(marks) if len(mark.key) >= _OWN_BYTES}
        key, behind = last_of(table, max((mark.place for mark in marks), default=0), own)
        if key is not None:
            return self.go_back(own[id(key)], behind, call)
        self.pace *= 2
        del marks[:]
        return 0, len(table)

    def go_back(self, at: int, place: int, call: int) -> tuple[int, int]:
        """Continue behind a mark, which is now at this place."""
        mark = self.marks[at]
        if mark.call != call:
            self.pace *= 2
        if place != mark.place:
            mark = mark._replace(place=place, next_key=None)
        self.marks[at:] = [mark]
        return place, mark.left


class SetScan:
    """A scan of a set. ``members`` are those of its current window, without the ``first`` ones, which have been returned."""

    __slots__ = ("first", "members", "pace", "parts", "used_ms", "window")

    def __init__(self, size: int) -> None:
        self.used_ms = 0
        self.pace = 1
        self.parts = min(max(size // WINDOW, 1), _MOST_PARTS)
        self.first: frozenset[bytes] = frozenset()
        self.window = 0
        self.members: list[bytes] | None = None

    def begin(self, count: int, members: set[bytes]) -> tuple[int, list[bytes]]:
        """Some members and the first position; reads no others if only a few are wanted."""
        if count > _MOST_FIRST:
            return self.go_on(0, count, members)
        found = list(islice(members, count))
        self.first = frozenset(found)
        return 0, found

    def go_on(self, position: int, count: int, members: set[bytes]) -> tuple[int, list[bytes]]:
        """The next members from a position on, and the next position; -1 at the end."""
        window, place = position >> _PLACE_BITS, position & ((1 << _PLACE_BITS) - 1)
        if window >= self.parts:
            return -1, []
        if self.members is None or self.window != window:
            if place:  # what was returned of this window is no longer known
                self.pace *= 2
                place = 0
            low = _LEAST_HASH + (window << 64) // self.parts
            high = _LEAST_HASH + (window + 1 << 64) // self.parts - 1
            within = members if self.parts == 1 else with_hashes(members, low, high)
            first = {each for each in self.first if low <= hash(each) <= high}
            self.members = [each for each in within if each not in first] if first else list(within)
            self.window = window
        end = place + count * self.pace
        found = self.members[place:end]
        if end < len(self.members):
            return window << _PLACE_BITS | end, found
        self.members = None
        window += 1
        return window << _PLACE_BITS if window < self.parts else -1, found


_S = TypeVar("_S", DictScan, SetScan)


class Scans:
    """The unfinished scans of a keyspace and of its collections."""

    __slots__ = ("last", "open")

    def __init__(self) -> None:
        self.open: dict[int, DictScan | SetScan] = {}  # the most recently used one last
        self.last = random.randrange(_NUMBERS)  # so that a cursor from before a restart is not taken for a current one

    def step(self, cursor: int, count: int, keys: Collection[bytes], now_ms: int) -> tuple[int, list[bytes]]:
        """Return the next cursor (0 at the end) and about ``count`` next keys, some of which may be gone.

        ``keys`` is the collection as it is now. An unknown cursor begins a new scan.
        """
        number, position = cursor >> _POSITION_BITS, cursor & _MOST_POSITION
        scan = self.open.get(number) if cursor else None
        if isinstance(keys, set):
            if not isinstance(scan, SetScan):
                if count >= len(keys):
                    return 0, list(keys)
                number, scan = self._open(SetScan(len(keys)))
                position, found = scan.begin(count, keys)
            elif scan.members is None and not self._has_room(now_ms):
                scan.used_ms = now_ms
                return cursor, []
            else:
                position, found = scan.go_on(position, count, keys)
        elif isinstance(keys, dict):
            if not isinstance(scan, DictScan):
                if count >= len(keys):
                    return 0, list(keys)
                number, scan = self._open(DictScan())
                position = 0
            position, found = scan.go_on(position, count, keys)
        else:
            return 0, list(keys)
        if position < 0:
            del self.open[number]
            return 0, found
        scan.used_ms = now_ms
        self.open[number] = self.open.pop(number)
        return number << _POSITION_BITS | position, found

    def _open(self, scan: _S) -> tuple[int, _S]:
        if len(self.open) >= MOST_OPEN:
            del self.open[next(iter(self.open))]
        self.last = self.last % _NUMBERS + 1
        while self.last in self.open:
            self.last = self.last % _NUMBERS + 1
        self.open[self.last] = scan
        return self.last, scan

    def _has_room(self, now_ms: int) -> bool:
        """Whether one more window may be held; drops one that is not in use if there are too many."""
        holding = [scan for scan in self.open.values() if isinstance(scan, SetScan) and scan.members is not None]
        if len(holding) < MOST_WINDOWS:
            return True
        if now_ms - holding[0].used_ms < IN_USE_MS:
            return False
        holding[0].members = None
        return True

    def idle_ms(self) -> int:
        """When the least recently used scan, which exists, will count as idle."""
        return next(iter(self.open.values())).used_ms + IDLE_MS

    def drop_idle(self, now_ms: int) -> None:
        """Forget scans that have not been continued for a while."""
        self.open = {n: scan for n, scan in self.open.items() if now_ms - scan.used_ms < IDLE_MS}

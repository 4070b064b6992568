"""SCAN's cursors over a collection that changes between the calls.

A scan walks over a copy of the keys. Keys that are there from its first call to its last one are
returned, those that come or go meanwhile may be. The first call of a scan copies no more than it
answers; the second one copies the rest (8 bytes and about 8 ns a key), so looking at the first few
keys of a big collection stays cheap. A key comes twice only if it was removed and set again, or
if the copy had to go: then the cursor begins anew.

At most MOST_COPIES copies are held. Where another one is wanted, that which has not been used for the
longest time goes; while all are in use, the call answers no keys and the same cursor, so its client asks again.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from itertools import islice

MOST_COPIES = 16
MOST_OPEN = 1024
IDLE_MS = 10 * 60 * 1000
IN_USE_MS = 1000  # a scan that was continued so recently is in use

# A cursor is ``number << 40 | position``; clients may take it for a signed 64-bit integer.
_POSITION_BITS = 40
_NUMBERS = (1 << 23) - 1


class Scan:
    """One scan: ``keys`` are copied when it goes on, ``first`` were returned before that."""

    __slots__ = ("first", "keys", "used_ms")

    def __init__(self, first: list[bytes], now_ms: int) -> None:
        self.first = first
        self.keys: list[bytes] | None = None
        self.used_ms = now_ms

    def rest(self, keys: Collection[bytes]) -> list[bytes]:
        """The keys after those of the first call; copied when first asked for."""
        if self.keys is None:
            copied = list(keys)
            size = len(self.first)
            if copied[:size] == self.first:  # nothing of the beginning was removed: the order is still that of then
                self.keys = copied[size:]
            else:
                returned = set(self.first)
                self.keys = [key for key in copied if key not in returned]
            self.first = []
        return self.keys


class Scans:
    """The scans of one collection that have not ended."""

    __slots__ = ("last", "open")

    def __init__(self) -> None:
        self.open: dict[int, Scan] = {}  # the one used last at the end
        self.last = random.randrange(_NUMBERS)  # so that a cursor of before a restart is not taken for one of ours

    def step(self, cursor: int, count: int, keys: Collection[bytes], now_ms: int) -> tuple[int, list[bytes]]:
        """Give the next cursor (0 at the end) and the next ``count`` keys, of which some may be gone.

        ``keys`` is the collection as it is now. A cursor that is not known begins a new scan.
        """
        number, position = cursor >> _POSITION_BITS, cursor & ((1 << _POSITION_BITS) - 1)
        scan = self.open.get(number) if cursor else None
        if scan is None:
            return self._begin(count, keys, now_ms)
        scan.used_ms = now_ms
        self.open[number] = self.open.pop(number)
        if scan.keys is None and not self._has_room(now_ms):
            return cursor, []
        rest = scan.rest(keys)
        end = position + count
        if end >= len(rest):
            del self.open[number]
            return 0, rest[position:]
        return number << _POSITION_BITS | end, rest[position:end]

    def _begin(self, count: int, keys: Collection[bytes], now_ms: int) -> tuple[int, list[bytes]]:
        if count >= len(keys):
            return 0, list(keys)
        if len(self.open) >= MOST_OPEN:
            del self.open[next(iter(self.open))]
        self.last = self.last % _NUMBERS + 1
        while self.last in self.open:
            self.last = self.last % _NUMBERS + 1
        first = list(islice(keys, count))
        self.open[self.last] = Scan(first, now_ms)
        return self.last << _POSITION_BITS, first

    def _has_room(self, now_ms: int) -> bool:
        """Whether one more copy may be made; drops one that is not in use where there are too many."""
        copies = [number for number, scan in self.open.items() if scan.keys is not None]
        if len(copies) < MOST_COPIES:
            return True
        if now_ms - self.open[copies[0]].used_ms < IN_USE_MS:
            return False
        del self.open[copies[0]]
        return True

    def drop_idle(self, now_ms: int) -> None:
        """Forget scans that nobody has continued for a while."""
        if self.open:
            self.open = {n: scan for n, scan in self.open.items() if now_ms - scan.used_ms < IDLE_MS}

"""SCAN's cursors over a collection that changes between the calls.

A scan walks over a copy of the keys that was taken when it began. Keys that were there from
beginning to end are returned exactly once, and a key removed meanwhile is passed over. The copy
costs 8 bytes and about 8 ns a key; it is shared by scans that begin while nothing has changed, and
dropped when the scan ends, when it is not continued for IDLE_MS, or when MOST newer ones exist.
A cursor whose copy is gone begins anew: keys may come twice (as SCAN allows), none is left out.
"""

from __future__ import annotations

from collections.abc import Iterable

MOST = 64
IDLE_MS = 10 * 60 * 1000
_POSITION_BITS = 40


class Scan:
    """The copy of the keys of one or several scans."""

    __slots__ = ("changes", "keys", "number", "used_ms")

    def __init__(self, number: int, keys: list[bytes], changes: int, now_ms: int) -> None:
        self.number = number
        self.keys = keys
        self.changes = changes
        self.used_ms = now_ms


class Scans:
    """The scans of one collection that have not ended. A cursor is ``number << 40 | position``."""

    __slots__ = ("last", "open")

    def __init__(self) -> None:
        self.open: dict[int, Scan] = {}
        self.last = 0

    def step(self, cursor: int, count: int, keys: Iterable[bytes], changes: int, now_ms: int) -> tuple[int, list[bytes]]:
        """Give the next cursor (0 at the end) and the next ``count`` keys, of which some may be gone.

        ``keys`` is the collection as it is now, ``changes`` a number that grows whenever it changes.
        """
        scan = self.open.get(cursor >> _POSITION_BITS) if cursor else None
        position = cursor & ((1 << _POSITION_BITS) - 1) if scan is not None else 0
        if scan is None:
            scan = self._begin(keys, changes, now_ms)
        scan.used_ms = now_ms
        end = position + count
        if end >= len(scan.keys):
            # Others may share the copy; it goes when it is idle, unless it is small enough to make anew.
            if position == 0 or len(scan.keys) <= count:
                self.open.pop(scan.number, None)
            return 0, scan.keys[position:]
        return scan.number << _POSITION_BITS | end, scan.keys[position:end]

    def _begin(self, keys: Iterable[bytes], changes: int, now_ms: int) -> Scan:
        newest = self.open.get(self.last)
        if newest is not None and newest.changes == changes:
            return newest
        self.drop_idle(now_ms)
        while len(self.open) >= MOST:
            del self.open[min(self.open.values(), key=lambda scan: scan.used_ms).number]
        self.last += 1
        scan = self.open[self.last] = Scan(self.last, list(keys), changes, now_ms)
        return scan

    def drop_idle(self, now_ms: int) -> None:
        """Forget scans that nobody has continued for a while."""
        if self.open:
            self.open = {n: scan for n, scan in self.open.items() if now_ms - scan.used_ms < IDLE_MS}

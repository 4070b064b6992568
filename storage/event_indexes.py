"""An index on a member of events: for each value of it, in order, the times of the events that have it."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final

from sortedcontainers import SortedDict

from .event_conditions import Between, Order, order_of

Path = tuple[str, ...]
# More times than this of one value are removed in one pass.
_FEW: Final = 16


class _Missing:
    """Stands for the value of a member that is not there."""


MISSING: Final = _Missing()


def at_path(document: Any, path: Path) -> Any:
    """The member of a document, or of an object in it, that a path of names leads to; MISSING if there is none."""
    for name in path:
        if type(document) is not dict or name not in document:
            return MISSING
        document = document[name]
    return document


class EventIndex:
    """Times by value. Those of a value ascend; a value of one event only has its time itself.

    It may also hold what is no longer, or not yet, in the series (``stale``): whoever asks looks at the events. While it is
    not ``ready`` it lacks some, and is not asked.
    """

    __slots__ = ("held", "path", "ready", "size", "stale")

    def __init__(self, path: Path) -> None:
        self.path = path
        self.held: Any = SortedDict()  # order of a value -> its times
        self.size = 0
        self.stale = 0  # entries that may be of no event
        self.ready = True

    @property
    def is_exact(self) -> bool:
        """Whether it holds the events of the series and nothing else."""
        return self.ready and not self.stale

    def entries(self, times: Iterable[int], documents: Iterable[dict[str, Any]]) -> list[tuple[Order, int]]:
        """The entries of some events: those that have the member."""
        found = zip(times, documents, strict=True)
        if len(self.path) == 1:
            name = self.path[0]
            return [(order_of(each[name]), time) for time, each in found if name in each]
        values = [(at_path(each, self.path), time) for time, each in found]
        return [(order_of(value), time) for value, time in values if value is not MISSING]

    def add(self, entries: Iterable[tuple[Order, int]]) -> None:
        """Add entries. O(log n) each, O(1) for a value that is there and a time behind all others."""
        held = self.held
        for order, time in entries:
            self.size += 1
            times = held.get(order)
            if times is None:
                held[order] = time
            elif type(times) is int:
                held[order] = _column(sorted((times, time)))
            else:
                try:
                    if time >= times[-1]:
                        times.append(time)
                    else:
                        insort(times, time)
                except OverflowError:
                    held[order] = sorted([*times, time])

    def remove(self, entries: Iterable[tuple[Order, int]]) -> None:
        """Remove entries that are there."""
        gone: dict[Order, list[int]] = {}
        for order, time in entries:
            gone.setdefault(order, []).append(time)
        for order, times in gone.items():
            self.size -= len(times)
            held = self.held[order]
            if type(held) is int or len(held) == len(times):
                del self.held[order]
            elif len(times) <= _FEW:
                for time in times:
                    del held[bisect_left(held, time)]
            else:
                self.held[order] = _without(held, times)

    def times(self, meant: Between, low: int, high: int, most: int) -> list[int] | None:
        """The times, from one to another, of events whose value is meant, in order; None if there are more than so many."""
        found: list[int] = []
        for held in self._spans(meant):
            if type(held) is int:
                if low <= held <= high:
                    found.append(held)
            else:
                found += held[bisect_left(held, low) : bisect_right(held, high)]
            if len(found) > most:
                return None
        found.sort()
        return found

    def _spans(self, meant: Between) -> Iterator[Any]:
        held, low, high = self.held, meant.low, meant.high
        if low is not None and low == high:
            times = held.get(low) if meant.with_low and meant.with_high else None
            if times is not None:
                yield times
            return
        if low is not None and high is not None and low > high:
            return
        for order in held.irange(low, high, (meant.with_low, meant.with_high)):
            yield held[order]

    @property
    def size_bytes(self) -> int:
        """Memory that the index takes, nearly."""
        return 1000 + 300 * len(self.held) + 8 * self.size

    def check(self, entries: Iterable[tuple[Order, int]]) -> None:
        """Assert that it holds these entries; for tests."""
        wanted: dict[Order, list[int]] = {}
        for order, time in entries:
            wanted.setdefault(order, []).append(time)
        held = {order: [times] if type(times) is int else list(times) for order, times in self.held.items()}
        assert all(times == sorted(times) for times in held.values())
        assert self.size == sum(map(len, held.values()))
        if self.is_exact:
            assert held == {order: sorted(times) for order, times in wanted.items()}
        for order, times in wanted.items():
            assert not Counter(times) - Counter(held.get(order, ()))


def _column(times: list[int]) -> Any:
    """Times in their least form."""
    try:
        return array("q", times)
    except OverflowError:
        return times


def _without(held: Any, times: list[int]) -> Any:
    """Ascending times without some of them."""
    times.sort()
    first, last = bisect_left(held, times[0]), bisect_right(held, times[-1])
    if last - first == len(times):
        del held[first:last]
        return held
    left = Counter(times)
    kept = []
    for time in held[first:last]:
        if left[time]:
            left[time] -= 1
        else:
            kept.append(time)
    held[first:last] = kept if type(held) is list else array("q", kept)
    return held

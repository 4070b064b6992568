"""Series of events: times and JSON objects in time order, with indexes on members.

    times[i], events[i], numbers[i]   one event; numbers are given in order of arrival and never change
    indexes[member]                   (order of the member's value, time, number), sorted

Equal times keep the order in which they arrived. An event that comes late is put in its place.
Changes are reported to the feed as effects, see ``EFFECTS``.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from operator import le
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from sortedcontainers import SortedList

from .chunks import Times, Values
from .errors import IndexExists, NotIndexed
from .keyspace import Keyspace
from .lazily import lazily

if TYPE_CHECKING:
    import numpy as np
else:
    np = lazily("numpy")

Event = dict[str, Any]
# The place of a JSON value among all JSON values; see order_of.
Order = tuple[Any, ...]
_Entry = tuple[Any, ...]

# Where an event stands among all that a series ever has: its time and its number.
Place = tuple[int, int]

# A batch with more late events than this is merged in one pass instead of being inserted one by one.
_FEW = 16


def order_of(value: Any) -> Order:
    """Where a JSON value stands: null < bool < number < string < array < object (specs: nemesis.md 7.6).

    Within a kind: numbers by value, strings by their bytes, arrays item by item and then by length, objects
    member by member in the order in which they are written.
    """
    kind = type(value)
    if kind is int or kind is float:
        return (2, value)
    if kind is str:
        return (3, value.encode())
    if value is None:
        return (0,)
    if kind is bool:
        return (1, value)
    if kind is list:
        return (4, *map(order_of, value))
    return (5, *((name.encode(), order_of(item)) for name, item in value.items()))


class Between:
    """Values from one place in the order to another: what one operator of ``where`` asks for.

    ``low`` and ``high`` are places, None where that side is open; ``with_ends`` says which ends belong to it.
    """

    __slots__ = ("high", "low", "with_high", "with_low")

    def __init__(
        self, low: Order | None = None, high: Order | None = None, *, with_low: bool = True, with_high: bool = True
    ) -> None:
        self.low = low
        self.high = high
        self.with_low = with_low
        self.with_high = with_high

    def holds(self, place: Order) -> bool:
        """Whether a value in this place is meant."""
        low, high = self.low, self.high
        if low is not None and (place < low or (place == low and not self.with_low)):
            return False
        return not (high is not None and (place > high or (place == high and not self.with_high)))

    def first(self) -> _Entry | None:
        """Index entries from here on may be meant."""
        return None if self.low is None else (self.low,) if self.with_low else (self.low, math.inf)

    def last(self) -> _Entry | None:
        """Index entries behind this are not meant."""
        return None if self.high is None else (self.high, math.inf) if self.with_high else (self.high,)


NOTHING: Final = Between((6,), (6,))

# Member -> what its value must be; all must hold.
Where = dict[str, Between]


class EventSeries:
    """Events in time order. Times are integers of any size in the user's unit."""

    kind: ClassVar[str] = "ts-events"
    is_series: ClassVar[bool] = True
    __slots__ = ("events", "indexes", "next_number", "numbers", "times")

    def __init__(self) -> None:
        self.times: list[int] = []
        self.events: list[Event] = []
        self.numbers: list[int] = []
        self.next_number: int = 0
        self.indexes: dict[str, SortedList] = {}

    def __len__(self) -> int:
        return len(self.times)

    # ------------------------------------------------------------ writing

    def add(self, times: Sequence[int], events: Sequence[Event]) -> None:
        """Add events, each to its place in time. Both sequences are of one length. O(m), late ones O(n) together."""
        numbers = list(range(self.next_number, self.next_number + len(times)))
        self.next_number += len(times)
        ascending = all(map(le, times, islice(times, 1, None)))
        if ascending and (not self.times or not times or times[0] >= self.times[-1]):
            self.times += times
            self.events += events
            self.numbers += numbers
        elif len(times) <= _FEW:
            for time, event, number in zip(times, events, numbers, strict=True):
                at = bisect_right(self.times, time)
                self.times.insert(at, time)
                self.events.insert(at, event)
                self.numbers.insert(at, number)
        else:
            self._merge(times, events, numbers)
        for member, index in self.indexes.items():
            index.update(_entries(member, times, events, numbers))

    def _merge(self, times: Sequence[int], events: Sequence[Event], numbers: Sequence[int]) -> None:
        """Add many events that are not all behind the last one: a stable sort of what is nearly sorted."""
        all_times = [*self.times, *times]
        order = sorted(range(len(all_times)), key=all_times.__getitem__)
        all_events = [*self.events, *events]
        all_numbers = [*self.numbers, *numbers]
        self.times = [all_times[i] for i in order]
        self.events = [all_events[i] for i in order]
        self.numbers = [all_numbers[i] for i in order]

    def remove(self, low: int | None, high: int | None) -> int:
        """Remove the events from one time to another, both included, None for no bound; give how many there were."""
        start, stop = self.span(low, high)
        if start == stop:
            return 0
        for member, index in self.indexes.items():
            for entry in _entries(member, self.times[start:stop], self.events[start:stop], self.numbers[start:stop]):
                index.remove(entry)
        del self.times[start:stop], self.events[start:stop], self.numbers[start:stop]
        return stop - start

    def create_index(self, member: str) -> None:
        """Index a member of the events that are here and of those to come. Raises IndexExists."""
        if member in self.indexes:
            raise IndexExists(member)
        self.indexes[member] = SortedList(_entries(member, self.times, self.events, self.numbers))

    # ------------------------------------------------------------ reading

    def span(self, low: int | None, high: int | None) -> tuple[int, int]:
        """The positions, first and behind the last, of the events from one time to another, both included."""
        start = 0 if low is None else bisect_left(self.times, low)
        stop = len(self.times) if high is None else bisect_right(self.times, high)
        return start, max(start, stop)

    def range(
        self, low: int | None = None, high: int | None = None, where: Where | None = None, limit: int | None = None
    ) -> tuple[list[int], list[Event]]:
        """Times and events from one time to another, both included, that meet all conditions, in order of the series.

        O(log n + m) with m events in the range, or with m the matches of the condition that has the fewest.
        Raises NotIndexed where a condition is on a member without an index, unless no event is as late as ``low``.
        """
        start, stop = self.span(low, high)
        if not where or start == len(self.times):
            if limit is not None:
                stop = min(stop, start + limit)
            return self.times[start:stop], self.events[start:stop]
        positions = self._matches(start, stop, where)
        chosen = list(islice(positions, limit))
        return [self.times[i] for i in chosen], [self.events[i] for i in chosen]

    def rows_behind(
        self, place: Place | None, low: int | None, high: int | None, count: int
    ) -> tuple[list[int], list[Event], Place | None]:
        """Up to ``count`` events from one time to another that stand behind a place, and the place of the last of them.

        Who asks again and again gets every event once that is there all the time, however the series changes. O(log n + m).
        """
        start, stop = self.span(low, high)
        if place is not None:
            first, last = bisect_left(self.times, place[0]), bisect_right(self.times, place[0])
            start = bisect_right(self.numbers, place[1], first, last)
        stop = min(stop, start + count)
        if start >= stop:
            return [], [], place
        return self.times[start:stop], self.events[start:stop], (self.times[stop - 1], self.numbers[stop - 1])

    def _matches(self, start: int, stop: int, where: Where) -> Iterable[int]:
        """Positions between two that meet all conditions, ascending; by the shortest way."""
        for member in where:
            if member not in self.indexes:
                raise NotIndexed(member)
        places = {member: self._index_span(member, meant) for member, meant in where.items()}
        best = min(places, key=lambda member: places[member][1] - places[member][0])
        first, last = places[best]
        if last - first < stop - start:
            low, high = self.times[start], self.times[stop - 1]
            entries = self.indexes[best].islice(first, last)
            positions = sorted(self._position(time, number) for _, time, number in entries if low <= time <= high)
            rest = {member: meant for member, meant in where.items() if member != best}
        else:
            positions = list(range(start, stop))
            rest = where
        events = self.events
        return (i for i in positions if _meets(events[i], rest))

    def _index_span(self, member: str, meant: Between) -> tuple[int, int]:
        index, first, last = self.indexes[member], meant.first(), meant.last()
        start = 0 if first is None else index.bisect_left(first)
        stop = len(index) if last is None else index.bisect_left(last)
        return start, max(start, stop)

    def _position(self, time: int, number: int) -> int:
        """Where the event with a time and a number stands. Numbers of one time ascend."""
        start, stop = bisect_left(self.times, time), bisect_right(self.times, time)
        return bisect_left(self.numbers, number, start, stop)

    def ends(self) -> tuple[int | None, int | None]:
        """The first and the last time; None and None for a series without events."""
        return (self.times[0], self.times[-1]) if self.times else (None, None)

    # ------------------------------------------------------------ as a value

    def to_json(self) -> Any:
        """The series as JSON: times and events."""
        return {"t": list(self.times), "evt": list(self.events)}

    def encoding(self, config: object) -> str:
        """What OBJECT ENCODING says."""
        return "columns"

    @property
    def size_bytes(self) -> int:
        """Memory that the series takes, nearly: that of 100 of its events counts for all."""
        sample = self.events[:: max(1, len(self.events) // 100)]
        events = sum(map(_size_of, sample)) * len(self.events) // max(1, len(sample))
        return 300 + 48 * len(self.times) + events + sum(150 * len(index) for index in self.indexes.values())

    def renamed(self, keyspace: Keyspace, old: bytes, new: bytes) -> None:
        """Nobody else knows the name of a series of events."""

    def unlink(self, keyspace: Keyspace, key: bytes) -> None:
        """Nobody else knows the name of a series of events."""

    def copy(self) -> EventSeries:
        """An independent series with the same events and indexes; events are never changed, so they are shared."""
        return EventSeries.from_state(self.to_state())

    def to_state(self) -> tuple[list[int], list[Event], list[str]]:
        """Times, events and names of indexed members: all that makes the series."""
        return list(self.times), list(self.events), list(self.indexes)

    @classmethod
    def from_state(cls, state: tuple[list[int], list[Event], list[str]]) -> EventSeries:
        """The series of a state."""
        times, events, members = state
        series = cls()
        series.add(times, events)
        for member in members:
            series.create_index(member)
        return series

    def check(self) -> None:
        """Assert what the class promises; for tests."""
        assert len(self.times) == len(self.events) == len(self.numbers)
        order = list(zip(self.times, self.numbers, strict=True))
        assert order == sorted(set(order))
        for member, index in self.indexes.items():
            assert list(index) == sorted(_entries(member, self.times, self.events, self.numbers))


def _entries(member: str, times: Sequence[int], events: Sequence[Event], numbers: Sequence[int]) -> Iterable[_Entry]:
    """Index entries of the events that have the member."""
    return [
        (order_of(event[member]), time, number)
        for time, event, number in zip(times, events, numbers, strict=True)
        if member in event
    ]


def _size_of(value: Any) -> int:
    """Memory of a JSON value, nearly."""
    size = sys.getsizeof(value)
    if type(value) is dict:
        return size + sum(map(_size_of, value.values()))
    return size + sum(map(_size_of, value)) if type(value) is list else size


def _meets(event: Event, where: Where) -> bool:
    return all(member in event and meant.holds(order_of(event[member])) for member, meant in where.items())


def event_columns(times: Sequence[int], events: Sequence[Event], member: str) -> tuple[Times, Values]:
    """Times and values of the events whose member is a number, for ``downsample``.

    Raises OverflowError for times beyond 64 bits.
    """
    pairs = [
        (time, event[member])
        for time, event in zip(times, events, strict=True)
        if type(event.get(member)) in (int, float)
    ]
    return (
        np.array([time for time, _ in pairs], dtype=np.int64),
        np.array([float(value) for _, value in pairs], dtype=np.float64),
    )


def join_columns(parts: Sequence[tuple[Times, Values]]) -> tuple[Times, Values]:
    """Times and values of parts, at least one, as one."""
    return np.concatenate([times for times, _ in parts]), np.concatenate([values for _, values in parts])


# ---------------------------------------------------------------- changes in a keyspace


def event_series(keyspace: Keyspace, key: bytes) -> EventSeries | None:
    """The event series of a key; None where there is none."""
    value = keyspace.get(key)
    return value if isinstance(value, EventSeries) else None


def add_events(keyspace: Keyspace, key: bytes, times: Sequence[int], events: Sequence[Event]) -> None:
    """Add events to the existing series of a key and report it."""
    _series(keyspace, key).add(times, events)
    keyspace.changed("ts.addevt", key, ("events.add", times, events))


def remove_events(keyspace: Keyspace, key: bytes, low: int | None, high: int | None) -> int:
    """Remove events from the existing series of a key and report it; give how many there were."""
    count = _series(keyspace, key).remove(low, high)
    if count:
        keyspace.changed("ts.delevt", key, ("events.remove", low, high))
    return count


def index_events(keyspace: Keyspace, key: bytes, member: str) -> None:
    """Index a member of the existing series of a key and report it. Raises IndexExists."""
    _series(keyspace, key).create_index(member)
    keyspace.changed("ts.createindex", key, ("events.index", member))


def _series(keyspace: Keyspace, key: bytes) -> EventSeries:
    return cast(EventSeries, keyspace.data[key])


# How a log does a reported change again.
EFFECTS: dict[str, Callable[..., object]] = {
    "events.add": add_events,
    "events.remove": remove_events,
    "events.index": index_events,
}

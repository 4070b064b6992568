"""Following metrics: the samples that a metric's series have, in slices, and then those that arrive.

A follower has a cursor in each series that it follows. Samples before a cursor have been given or never will be, so
one that arrives late is skipped. A cursor either *reads* (its backlog is in the series) or is *current*: what arrives is
handed to its follower immediately. Samples of the future (or younger than the lag) wait in the series until they are due.

The change feed reports everything: samples, and series that come, go or get other names or labels. Nothing is polled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from itertools import chain, islice, pairwise
from typing import Any, Final

from .clock import Clock
from .keyspace import Keyspace
from .labels import NAME_LABEL
from .sample_queries import first_samples
from .samples import SampleSeries

Labels = Mapping[bytes, bytes]

# Labels examined in one step when a follower searches for its series.
_LOOKED_AT: Final = 256
# Series read in one step, many of which may have few samples: about a millisecond.
_READ_AT_ONCE: Final = 64
# Samples that arrive together beyond this number are read from the series instead, like older ones.
_MOST_AT_ONCE: Final = 1000
_PUT: Final = "samples.put"


class Cursor:
    """How far a follower has come in one series. ``note`` belongs to the consumer of its samples; None after a change of labels."""

    __slots__ = ("due_ms", "follower", "key", "last_ms", "note", "reading", "series")

    def __init__(self, follower: Follower, key: bytes, series: SampleSeries, last_ms: int) -> None:
        self.follower = follower
        self.key = key
        self.series = series
        self.last_ms = last_ms  # samples up to this time have been given
        self.reading = True
        self.due_ms: int | None = None  # when its next sample is due, if it has one that must wait
        self.note: Any = None


# Some samples of one series, times ascending.
Run = tuple[Cursor, Sequence[int], Sequence[float]]


class Follower:
    """A follower of one metric: of those series whose labels it ``accepts``, and whose keys it ``may_read`` (None: all), from
    ``start_ms`` on.

    With ``end_ms`` it gets what is stored up to that time, and is ``finished`` then; without, what is or becomes older than
    ``lag_ms``. ``on_work`` is called when there may be something to ``take``, ``on_wait`` when there will be at
    ``due_ms``. Both may be called repeatedly.
    """

    def __init__(
        self,
        metric: bytes,
        accepts: Callable[[Labels], bool],
        *,
        clock: Clock,
        start_ms: int = 0,
        end_ms: int | None = None,
        lag_ms: int = 0,
        may_read: Callable[[bytes], bool] | None = None,
    ) -> None:
        self.metric = metric
        self.accepts = accepts
        self.may_read = may_read
        self.clock = clock
        self.start_ms = start_ms
        self.end_ms = end_ms
        self.lag_ms = lag_ms
        self.on_work: Callable[[], None] = lambda: None
        self.on_wait: Callable[[], None] = lambda: None
        self.cursors: dict[bytes, Cursor] = {}
        self.unlooked: Iterator[bytes] | None = None  # keys of series that it may have to follow
        self.arrived: deque[Run] = deque()
        self.waiting = 0  # samples in it
        self.reading: dict[Cursor, None] = {}
        self._due: list[tuple[int, int, Cursor]] = []
        self._filed = 0

    # ------------------------------------------------------------ what there is

    @property
    def upper_ms(self) -> int:
        """Samples up to this time may be given now."""
        return self.clock.now_ms - self.lag_ms if self.end_ms is None else self.end_ms

    @property
    def busy(self) -> bool:
        """Whether there may be something to take."""
        return bool(self.arrived or self.reading or self.unlooked is not None)

    @property
    def finished(self) -> bool:
        """Whether everything it will ever give has been given."""
        return self.end_ms is not None and not self.busy

    @property
    def due_ms(self) -> int | None:
        """When the next waiting sample is due; None if none waits."""
        while self._due and self._due[0][2].due_ms != self._due[0][0]:
            heappop(self._due)
        return self._due[0][0] if self._due else None

    def take(self, most: int) -> list[Run]:
        """One step: up to ``most`` samples, or none if the step only searched for series."""
        runs: list[Run] = []
        if self.arrived:
            most = self._take_arrived(runs, most)
        for cursor in list(islice(self.reading, _READ_AT_ONCE)):
            if not most:
                break
            times, values = self._read(cursor, most)
            if times:
                runs.append((cursor, times, values))
                most -= len(times)
        return runs

    def _take_arrived(self, runs: list[Run], most: int) -> int:
        """Take samples that have arrived; return how many more may be taken."""
        while self.arrived and most:
            cursor, times, values = self.arrived.popleft()
            if len(times) > most:
                self.arrived.appendleft((cursor, times[most:], values[most:]))
                times, values = times[:most], values[:most]
            runs.append((cursor, times, values))
            most -= len(times)
            self.waiting -= len(times)
        return most

    def _read(self, cursor: Cursor, most: int) -> tuple[list[int], list[float]]:
        """Read on in a series; at its end the cursor is current."""
        upper = self.upper_ms
        times, values = first_samples(cursor.series, cursor.last_ms + 1, upper, most)
        if times:
            cursor.last_ms = times[-1]
        if len(times) < most:
            del self.reading[cursor]
            cursor.reading = False
            if self.end_ms is None and cursor.series.last_time > upper:
                following = cursor.series.first_after(max(upper, cursor.last_ms))
                if following is not None:
                    self._wait(cursor, following[0] + self.lag_ms)
        return times, values

    # ------------------------------------------------------------ what happens

    def wake(self) -> None:
        """Read the waiting samples that are now due."""
        now_ms, woken = self.clock.now_ms, False
        while (due_ms := self.due_ms) is not None and due_ms <= now_ms:
            cursor = heappop(self._due)[2]
            cursor.due_ms = None
            self._read_on(cursor)
            woken = True
        if woken:
            self.on_work()

    def put(self, cursor: Cursor, times: Sequence[int], values: Sequence[float]) -> None:
        """React to samples written to a series."""
        if cursor.reading:
            return
        last = times[-1]
        if len(times) > 1 and not _ascending(times):
            self._read_on(cursor)
        elif last <= cursor.last_ms:
            return  # too late
        elif times[0] <= cursor.last_ms or len(times) > _MOST_AT_ONCE or last > self.upper_ms:
            self._read_on(cursor)
        else:
            self.arrived.append((cursor, times, values))
            self.waiting += len(times)
            cursor.last_ms = last
        self.on_work()

    def _read_on(self, cursor: Cursor) -> None:
        cursor.reading = True
        self.reading[cursor] = None

    def _wait(self, cursor: Cursor, due_ms: int) -> None:
        """Have a cursor read on at a time, unless it will earlier."""
        if cursor.due_ms is None or due_ms < cursor.due_ms:
            cursor.due_ms = due_ms
            self._filed += 1
            heappush(self._due, (due_ms, self._filed, cursor))
            self.on_wait()

    def _forget(self, cursor: Cursor) -> None:
        """Stop following a series; what has already arrived of it is still given."""
        self.reading.pop(cursor, None)
        cursor.due_ms = None
        self.on_work()  # perhaps it was the last one


class Following:
    """The followers of a keyspace's metrics. Listens to the feed while there are any."""

    def __init__(self, keyspace: Keyspace) -> None:
        self.keyspace = keyspace
        self.by_key: dict[bytes, list[Cursor]] = {}
        self.by_metric: dict[bytes, dict[Follower, None]] = {}

    def add(self, follower: Follower) -> None:
        """Follow a metric: the series that come from now on. ``look_through`` adds existing ones."""
        self.by_metric.setdefault(follower.metric, {})[follower] = None
        self.keyspace.feed.subscribe(self.on_change)

    def remove(self, follower: Follower) -> None:
        """Stop a follower; no error if it is unknown."""
        followers = self.by_metric.get(follower.metric, {})
        if follower not in followers:
            return
        del followers[follower]
        if not followers:
            del self.by_metric[follower.metric]
        follower.unlooked = None
        follower.arrived.clear()
        follower.waiting = 0
        for cursor in list(follower.cursors.values()):
            self._leave(cursor)
        if not self.by_metric:
            self.keyspace.feed.unsubscribe(self.on_change)

    def look_through(self, follower: Follower, keys: Iterable[bytes]) -> None:
        """Have a follower search some keys, in steps, for series that it is to follow."""
        follower.unlooked = chain(follower.unlooked or (), keys)
        follower.on_work()

    def keys_of(self, follower: Follower) -> list[bytes]:
        """The keys of all series of a follower's metric."""
        return list(self.keyspace.labels.keys_with(NAME_LABEL, follower.metric))

    def look(self, follower: Follower) -> None:
        """One step of a follower's search for its series, if it is searching."""
        if follower.unlooked is None:
            return
        keys = list(islice(follower.unlooked, _LOOKED_AT))
        if not keys:
            follower.unlooked = None
        for key in keys:
            self._meet(follower, key, self.keyspace.get(key))

    def on_change(self, keyspace: Keyspace, event: str, key: bytes, detail: tuple[object, ...]) -> None:
        """Pass a change to the followers that it concerns."""
        if keyspace is not self.keyspace:
            return
        if len(detail) == 3 and detail[0] == _PUT:
            cursors = self.by_key.get(key)
            if cursors is not None:
                for cursor in cursors:
                    cursor.follower.put(cursor, detail[1], detail[2])  # type: ignore[arg-type]
        elif key:
            if event == "rename_from":
                self._move(key, detail[0])  # type: ignore[arg-type]
            self._look_at(key)
        elif event in ("flushdb", "swapdb"):
            self._begin_again()

    # ------------------------------------------------------------ series come and go

    def _look_at(self, key: bytes) -> None:
        """Decide again which followers follow the value of a key."""
        held = self.keyspace.data.get(key)
        if type(held) is not SampleSeries and key not in self.by_key:
            return
        for cursor in list(self.by_key.get(key, ())):
            follower = cursor.follower
            if held is not cursor.series or not _is_of(follower, key, cursor.series):
                self._leave(cursor)
            cursor.note = None
        if type(held) is SampleSeries:
            for follower in self.by_metric.get(held.labels.get(NAME_LABEL, b""), ()):
                self._meet(follower, key, held)

    def _meet(self, follower: Follower, key: bytes, held: object) -> None:
        """Have a follower follow the series of a key, if it is to and does not yet."""
        if type(held) is not SampleSeries or key in follower.cursors or not _is_of(follower, key, held):
            return
        cursor = Cursor(follower, key, held, follower.start_ms - 1)
        follower.cursors[key] = cursor
        self.by_key.setdefault(key, []).append(cursor)
        follower._read_on(cursor)
        follower.on_work()

    def _leave(self, cursor: Cursor) -> None:
        """Have a follower stop following a series."""
        followed = self.by_key[cursor.key]
        followed.remove(cursor)
        if not followed:
            del self.by_key[cursor.key]
        del cursor.follower.cursors[cursor.key]
        cursor.follower._forget(cursor)

    def _move(self, key: bytes, target: bytes) -> None:
        """Follow a series under its new name, from where it was."""
        for cursor in list(self.by_key.get(target, ())):
            self._leave(cursor)
        for cursor in self.by_key.pop(key, []):
            cursor.key = target
            del cursor.follower.cursors[key]
            cursor.follower.cursors[target] = cursor
            self.by_key.setdefault(target, []).append(cursor)

    def _begin_again(self) -> None:
        """Follow none of the former series, and all of the present ones."""
        for cursors in list(self.by_key.values()):
            for cursor in list(cursors):
                self._leave(cursor)
        for followers in self.by_metric.values():
            for follower in followers:
                self.look_through(follower, self.keys_of(follower))

    def check(self) -> None:
        """Assert what the class promises; for tests."""
        cursors = [cursor for each in self.by_key.values() for cursor in each]
        assert all(self.by_key.values())
        for cursor in cursors:
            assert cursor in self.by_key[cursor.key]
            assert cursor.follower.cursors[cursor.key] is cursor
            assert cursor.series is self.keyspace.data[cursor.key]
            assert cursor.reading == (cursor in cursor.follower.reading)
        for metric, followers in self.by_metric.items():
            for follower in followers:
                assert follower.metric == metric
                assert follower.waiting == sum(len(times) for _, times, _ in follower.arrived)
                assert follower.reading.keys() <= set(follower.cursors.values())
                if follower.unlooked is None:
                    assert follower.cursors.keys() == {
                        key
                        for key, held in self.keyspace.data.items()
                        if type(held) is SampleSeries and _is_of(follower, key, held)
                    }
        assert len(cursors) == sum(len(each.cursors) for some in self.by_metric.values() for each in some)
        assert bool(self.by_metric) == (self.on_change in self.keyspace.feed.listeners)


def _is_of(follower: Follower, key: bytes, series: SampleSeries) -> bool:
    """Whether a series is one that a follower follows."""
    return (
        series.labels.get(NAME_LABEL) == follower.metric
        and follower.accepts(series.labels)
        and (follower.may_read is None or follower.may_read(key))
    )


def _ascending(times: Sequence[int]) -> bool:
    return all(first < second for first, second in pairwise(times))

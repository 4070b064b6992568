"""Series of events: times and JSON objects in time order, with indexes on members.

    blocks    the events, some hundred each (``event_blocks.py``)
    firsts    the first time of each block
    indexes   by path: the names that lead to the member (``event_indexes.py``)
    token     who may change a block: one that another series or a reader may have, too, is copied before

Equal times keep the order in which they arrived. An event that comes late is put in its place. Events may expire: then
they are not shown any more, and are removed soon after. Changes are reported to the feed as effects, see ``EFFECTS``.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, islice, repeat
from operator import le
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from .chunks import Times, Values
from .errors import IndexExists, NoSuchIndex
from .event_blocks import (
    MOST_ROWS,
    Block,
    Row,
    adopt,
    adopted,
    block_by_block,
    blocks_of,
    blocks_of_columns,
    merged,
    pack_blocks,
    place_at,
    place_of,
    unpack_blocks,
)
from .event_conditions import Order, Where
from .event_indexes import EventIndex, Path
from .event_positions import BlockList, Position, Span
from .event_shapes import WHOLE, Shape, Shapes
from .event_text import documents, records_of
from .event_views import EventView
from .keyspace import Keyspace
from .lazily import lazily

if TYPE_CHECKING:
    import numpy as np
else:
    np = lazily("numpy")

Event = dict[str, Any]
# A block by its number, rows of it that ascend, and the block without them if that has been made.
Part = tuple[int, Sequence[int], Block | None]
# Blocks from one number to in front of another, and those in their place.
Change = tuple[int, int, list[Block]]
# Indexes that events are in already which are still to be added.
Entered = Sequence[EventIndex]

# Events are looked at one after the other to find some places if there are no more than this many for each of them.
_FAR: Final = 32
# More events than this are left in the indexes when they are removed.
_FEW: Final = 4096
# What expires at once is removed in slices of so many events.
_SLICE: Final = 4096


class EventSeries(BlockList):
    """Events in time order. Times are integers of any size in the user's unit."""

    kind: ClassVar[str] = "ts-events"
    is_series: ClassVar[bool] = True
    __slots__ = ("count", "indexes", "shapes", "soonest", "token", "version")

    def __init__(self) -> None:
        super().__init__([], [])
        self.count = 0
        self.indexes: dict[Path, EventIndex] = {}
        self.shapes = Shapes()
        self.soonest = 0  # the first deadline of an event, or 0
        self.token = object()
        self.version = 0  # of what a reader sees

    def __len__(self) -> int:
        return self.count

    # ------------------------------------------------------------ writing

    def add(self, times: Sequence[int], events: Sequence[Event], deadlines: Sequence[int] | None = None) -> None:
        """Add events, each to its place in time. The sequences are of one length. Late ones cost what their blocks do."""
        self.add_blocks(self.blocks_of(times, events, deadlines))

    def blocks_of(
        self, times: Sequence[int], events: Sequence[Event], deadlines: Sequence[int] | None = None
    ) -> list[Block]:
        """Blocks of events, in order, to be added. ``deadlines``: the last ms of each, 0 for none."""
        shapes, records = records_of(events, self.shapes)
        if all(map(le, times, islice(times, 1, None))):
            return blocks_of_columns(times, shapes, records, deadlines, self.token)
        rows = zip(times, shapes, records, repeat(0) if deadlines is None else deadlines, strict=deadlines is not None)
        return blocks_of(sorted(rows, key=_time), self.token)

    def add_blocks(self, blocks: list[Block], entered: Entered = ()) -> None:
        """Add events that are in order, and whose shapes are those of the series; the blocks become the series' own.

        ``entered``: indexes that they are in already.
        """
        self.version += 1
        self._index(blocks, entered)
        for block in blocks:
            self.count += len(block)
            if block.soonest and (not self.soonest or block.soonest < self.soonest):
                self.soonest = block.soonest
        if not blocks:
            return
        if not self.blocks or place_at(blocks[0], 0) >= place_at(self.blocks[-1], len(self.blocks[-1]) - 1):
            self._append(blocks)
        else:
            self._merge([row for block in blocks for row in block.rows()])

    def _append(self, blocks: list[Block]) -> None:
        for block in blocks:
            if self.blocks and self.blocks[-1].has_room(len(block), len(block.text)):
                self._own(len(self.blocks) - 1).extend(block)
            else:
                block.owner = self.token
                self.blocks.append(block)
                self.firsts.append(block.times[0])

    def _merge(self, rows: list[Row]) -> None:
        """Add events that are in order, but not behind all that are here."""
        done = 0
        while done < len(rows):
            at = max(bisect_right(self.firsts, rows[done][0]) - 1, 0)
            until = self.firsts[at + 1] if at + 1 < len(self.firsts) else None
            stop = done + 1
            while stop < len(rows) and (until is None or rows[stop][0] < until):
                stop += 1
            block = self.blocks[at]
            if stop == done + 1 and block.has_room(1, len(rows[done][2])):
                block, row = self._own(at), rows[done]
                block.insert(_slot(block, row), row)
                self.firsts[at] = block.times[0]
            else:
                both = sorted([*block.rows(), *rows[done:stop]], key=place_of)
                self._put(at, blocks_of(both, self.token))
            done = stop

    def _own(self, at: int) -> Block:
        """A block that may be changed."""
        block = self.blocks[at]
        if block.owner is not self.token:
            block = self.blocks[at] = block.copy(self.token)
        return block

    def _put(self, at: int, blocks: list[Block]) -> None:
        """Put blocks in the place of one."""
        self.blocks[at : at + 1] = blocks
        self.firsts[at : at + 1] = [block.times[0] for block in blocks]

    def remove(self, low: int | None, high: int | None) -> int:
        """Remove the events from one time to another, both included, None for no bound; give how many there were."""
        return self.remove_parts(self.parts_of_span(self.span(low, high)))

    def _cut(self, at: int, start: int, stop: int) -> None:
        """Remove rows of a block, and the block with the last one."""
        if start == 0 and stop == len(self.blocks[at]):
            del self.blocks[at], self.firsts[at]
        elif start < stop:
            self._own(at).cut(start, stop)
            self.firsts[at] = self.blocks[at].times[0]

    def remove_parts(self, parts: Sequence[Part]) -> int:
        """Remove rows of blocks; give how many. Many are not taken out of the indexes, which may name more than there is."""
        count = sum([len(rows) for _, rows, _ in parts])
        if not count:
            return 0
        self.version += 1
        exact = count <= _FEW
        for at, rows, rest in reversed(parts):
            block = self.blocks[at]
            if exact:
                self._unindex(block, rows)
            if len(rows) == len(block):
                del self.blocks[at], self.firsts[at]
                continue
            if rest is None and rows[-1] - rows[0] + 1 == len(rows):
                self._cut(at, rows[0], rows[-1] + 1)
                continue
            rest = block.without(rows, self.token) if rest is None else rest
            rest.owner = self.token
            self.blocks[at], self.firsts[at] = rest, rest.times[0]
        self.count -= count
        if not exact:
            self._leave_stale(count)
        return count

    def apply(self, changes: Sequence[Change], blocks: Sequence[Block], entered: Entered) -> None:
        """Put blocks in the place of others, in the order of these; ``blocks`` are the events that this adds."""
        self.version += 1
        before = self.count
        for at, stop, made in reversed(changes):
            self.count += sum(map(len, made)) - sum(map(len, self.blocks[at:stop]))
            for block in made:
                block.owner = self.token
            self.blocks[at:stop] = made
            self.firsts[at:stop] = [block.times[0] for block in made]
        self._index(blocks, entered)
        replaced = before + sum(map(len, blocks)) - self.count
        if replaced:
            self._leave_stale(replaced)
        self.soonest = self._first_deadline()

    def _leave_stale(self, count: int) -> None:
        """So many events are gone, and still in the indexes; those are made again if there is hardly anything else in them."""
        for path, index in self.indexes.items():
            index.stale += count
            if index.ready and index.stale > _FEW + 4 * self.count:
                fresh = self.indexes[path] = EventIndex(path)
                for block in self.blocks:
                    self._add_entries(fresh, block)

    def parts_at(self, places: Sequence[tuple[int, int]]) -> list[Part]:
        """The rows of the events at some places (``place_of``), where there are any."""
        if not places:
            return []
        wanted = set(places)
        span = self.span(min(wanted)[0], max(wanted)[0])
        found: dict[int, list[int]] = {}
        if len(wanted) * _FAR < self.count_in(span):
            for time, leap in sorted(wanted):
                for at, row in self._at_time(time):
                    if self.blocks[at].leap(row) == leap:
                        found.setdefault(at, []).append(row)
        else:
            for at, rows in self.parts(span):
                some = [row for row in rows if place_at(self.blocks[at], row) in wanted]
                if some:
                    found[at] = some
        return [(at, found[at], None) for at in sorted(found)]

    def _at_time(self, time: int) -> Iterator[Position]:
        """Blocks and rows of the events with a time."""
        for at, rows in self.parts(self.span(time, time)):
            for row in rows:
                yield at, row

    def parts_of_span(self, span: Span) -> list[Part]:
        """The rows of events that stand behind one another."""
        return [(at, rows, None) for at, rows in self.parts(span) if len(rows)]

    def parts_expired(self, now_ms: int, most: int) -> list[Part]:
        """The rows of events whose time is over, whole blocks of them until there are ``most``."""
        found: list[Part] = []
        count = 0
        for at, block in enumerate(self.blocks):
            if block.soonest and block.soonest < now_ms:
                assert block.deadlines is not None
                rows = [row for row, deadline in enumerate(block.deadlines) if deadline and deadline < now_ms]
                found.append((at, rows, None))
                count += len(rows)
                if count >= most:
                    break
        return found

    def ranges_of(self, parts: Sequence[Part]) -> list[list[Any]]:
        """Rows of blocks, counted from the first event of the series: for each block how many are before it, and runs in it."""
        found: list[list[Any]] = []
        base, done = 0, 0
        for at, rows, _ in parts:
            base += sum([len(block) for block in self.blocks[done:at]])
            done = at
            found.append([base, runs_of(rows)])
        return found

    def parts_of_ranges(self, ranges: Sequence[Sequence[Any]]) -> list[Part]:
        """What ``ranges_of`` was given, however the blocks are divided."""
        bases = [0, *accumulate([len(block) for block in self.blocks])]
        found: dict[int, list[int]] = {}
        for base, runs in ranges:
            numbers = array("H", runs)
            for start, stop in zip(numbers[::2], numbers[1::2], strict=True):
                row = base + start
                while row < base + stop:
                    at = bisect_right(bases, row) - 1
                    end = min(base + stop, bases[at + 1])
                    found.setdefault(at, []).extend(range(row - bases[at], end - bases[at]))
                    row = end
        return [(at, found[at], None) for at in sorted(found)]

    def settle(self) -> int:
        """Look again when the first event expires, after some are gone; 0 if none does."""
        if self.soonest:
            self.soonest = self._first_deadline()
        return self.soonest

    def _first_deadline(self) -> int:
        return min([block.soonest for block in self.blocks if block.soonest], default=0)

    # ------------------------------------------------------------ indexes

    def create_index(self, path: Path) -> None:
        """Index a member of the events that are here and of those to come. Raises IndexExists."""
        for _ in self.index_steps(path):
            pass

    def index_steps(self, path: Path) -> Iterator[None]:
        """``create_index`` in steps of a millisecond; the index is asked once it is complete. Raises IndexExists."""
        if path in self.indexes:
            raise IndexExists(path)
        index = self.indexes[path] = EventIndex(path)
        index.ready = False
        try:
            for block in self.view(0).blocks:
                self._add_entries(index, block)
                yield
            index.ready = True
        finally:
            if not index.ready and self.indexes.get(path) is index:  # nobody waits for it any more
                del self.indexes[path]

    def entries_steps(self, blocks: Sequence[Block], indexes: Entered) -> Iterator[None]:
        """Enter events that are still to be added into indexes, in steps."""
        for block in blocks if indexes else ():
            for index in indexes:
                self._add_entries(index, block)
                index.stale += len(block)
            yield

    def drop_index(self, path: Path) -> None:
        """Remove an index. Raises NoSuchIndex."""
        if self.indexes.pop(path, None) is None:
            raise NoSuchIndex(path)

    def _index(self, blocks: Sequence[Block], entered: Entered) -> None:
        count = sum(map(len, blocks))
        for index in self.indexes.values():
            if any(each is index for each in entered):
                index.stale -= count
                continue
            for block in blocks:
                self._add_entries(index, block)

    def _add_entries(self, index: EventIndex, block: Block) -> None:
        index.add(_entries(index, block, range(len(block))))

    def _unindex(self, block: Block, rows: Sequence[int]) -> None:
        for index in self.indexes.values():
            if not index.ready:
                index.stale += len(rows)
                continue
            index.remove(_entries(index, block, rows))

    # ------------------------------------------------------------ reading

    def rows_about(self, low: int | None, high: int | None) -> int:
        """About how many events there are from one time to another."""
        (first, start), (last, stop) = self.span(low, high)
        return stop - start if first == last else (last - first) * MOST_ROWS

    def view(self, now_ms: int, *, lasting: bool = True) -> EventView:
        """What is here now, for a reader: later changes do not show. One that is not ``lasting`` must be read at once."""
        if lasting:
            self.token = object()
            return EventView(list(self.blocks), list(self.firsts), self.indexes, now_ms, self)
        return EventView(self.blocks, self.firsts, self.indexes, now_ms)

    def columns(self) -> tuple[list[int], list[Event], list[int]]:
        """All times, events and deadlines."""
        times, events = self.range()
        return times, events, [block.deadline(row) for block in self.blocks for row in range(len(block))]

    def range(
        self, low: int | None = None, high: int | None = None, where: Where | None = None, limit: int | None = None
    ) -> tuple[list[int], list[Event]]:
        """Times and events from one time to another, both included, that meet all conditions, in order of the series.

        Raises NotIndexed where a condition is on a member without an index, unless no event is as late as ``low``.
        """
        times: list[int] = []
        events: list[Event] = []
        for batch in self.view(0, lasting=False).between(low, high, where, limit):
            times += batch.times()
            events += batch.documents()
        return times, events

    def ends(self) -> tuple[int | None, int | None]:
        """The first and the last time; None and None for a series without events."""
        return (self.firsts[0], self.blocks[-1].times[-1]) if self.blocks else (None, None)

    # ------------------------------------------------------------ as a value

    def to_json(self) -> Any:
        """The series as JSON: times and events."""
        times, events = self.range()
        return {"t": times, "evt": events}

    def encoding(self, config: object) -> str:
        """What OBJECT ENCODING says."""
        return "columns"

    @property
    def size_bytes(self) -> int:
        """Memory that the series takes, nearly."""
        shapes = sum(shape.size_bytes for shape in self.shapes.by_names.values())
        blocks = sum([block.size_bytes + 48 for block in self.blocks])
        return 600 + shapes + blocks + sum(index.size_bytes for index in self.indexes.values())

    def expire_fields(self, keyspace: Keyspace, key: bytes) -> None:
        """Remove events whose time is over, some of them where there are many. O(1) where there are none."""
        now_ms = keyspace.clock.now_ms
        if not self.soonest or self.soonest >= now_ms:
            return
        parts = self.parts_expired(now_ms, _SLICE)
        if parts:
            detail = ("events.remove_rows", self.ranges_of(parts))
            self.remove_parts(parts)
            keyspace.changed("ts.evtexpired", key, detail)
            keyspace.feed.extra -= 1
        keyspace.file_fields(key, self.settle())

    def renamed(self, keyspace: Keyspace, old: bytes, new: bytes) -> None:
        """Nobody else knows the name of a series of events."""

    def unlink(self, keyspace: Keyspace, key: bytes) -> None:
        """Nobody else knows the name of a series of events."""

    def copy(self) -> EventSeries:
        """An independent series with the same events and indexes; the blocks are shared until one of them changes."""
        self.token = object()
        series = EventSeries()
        series.blocks, series.firsts = list(self.blocks), list(self.firsts)
        series.count, series.soonest = self.count, self.soonest
        series.shapes.by_names.update(self.shapes.by_names)
        for path in self.indexes:
            series.create_index(path)
        return series

    def to_state(self) -> tuple[list[Any], list[Any], list[list[str]]]:
        """Names of shapes, blocks and paths of indexes: all that makes the series."""
        names, blocks = pack_blocks(self.blocks)
        return names, blocks, [list(path) for path in self.indexes]

    @classmethod
    def from_state(cls, state: tuple[list[Any], list[Any], list[list[str]]]) -> EventSeries:
        """The series of a state. Raises ValueError for what is none."""
        names, blocks, paths = state
        series = cls()
        series.add_blocks(unpack_blocks((names, blocks), series.shapes, series.token))
        for path in paths:
            series.create_index(tuple(path))
        return series

    def check(self) -> None:
        """Assert what the class promises; for tests."""
        assert len(self.blocks) == len(self.firsts)
        places: list[tuple[int, int]] = []
        for block, first in zip(self.blocks, self.firsts, strict=True):
            block.check()
            assert first == block.times[0]
            places += [(time, block.leap(row)) for row, time in enumerate(block.times)]
            assert all(shape is WHOLE or self.shapes.by_names for shape in block.shapes)
        assert places == sorted(places)
        assert self.count == len(places)
        assert self.soonest == self._first_deadline()
        for index in self.indexes.values():
            index.check([entry for block in self.blocks for entry in _entries(index, block, range(len(block)))])


def _entries(index: EventIndex, block: Block, rows: Sequence[int]) -> list[tuple[Order, int]]:
    """The entries of an index for some events of a block."""
    members = documents(block.shapes, block.ends, block.text, rows, index.path[:1], {})
    return index.entries([block.times[row] for row in rows], members)


def runs_of(rows: Sequence[int]) -> bytes:
    """Rows of a block, which ascend, as runs: pairs of the first one and the one behind the last, 16 bits each."""
    if rows[-1] - rows[0] + 1 == len(rows):
        return array("H", (rows[0], rows[-1] + 1)).tobytes()
    runs = array("H")
    start = stop = rows[0]
    for row in rows:
        if row != stop:
            runs.extend((start, stop))
            start = row
        stop = row + 1
    runs.extend((start, stop))
    return runs.tobytes()


def _time(row: Row) -> int:
    return row[0]


def _slot(block: Block, row: Row) -> int:
    """Where in a block an event is put: behind all that are not after it."""
    at = block.behind(row[0])
    while at and block.times[at - 1] == row[0] and block.leap(at - 1) > place_of(row)[1]:
        at -= 1
    return at


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
    if not isinstance(value, EventSeries):
        return None
    if value.soonest and not keyspace.feed.held:
        value.expire_fields(keyspace, key)
    return value


def add_events(
    keyspace: Keyspace,
    key: bytes,
    times: Sequence[int],
    events: Sequence[Event],
    deadlines: Sequence[int] | None = None,
) -> None:
    """Add events to the existing series of a key and report it."""
    series = _series(keyspace, key)
    blocks = series.blocks_of(times, events, deadlines)
    packed = pack_blocks(blocks) if keyspace.feed.listeners else ()
    series.add_blocks(blocks)
    _report_added(keyspace, key, series, "events.append", packed)


def put_events(keyspace: Keyspace, key: bytes, blocks: list[Block], entered: Entered = ()) -> None:
    """Add events of blocks to the existing series of a key, each instead of those at its place, and report it.

    The blocks are in order, no place occurs twice, and they become the series' own. ``entered``: indexes that they are in
    already (``entries_steps``).
    """
    series = _series(keyspace, key)
    packed = pack_blocks(blocks) if keyspace.feed.listeners else ()
    _put(series, blocks, entered)
    _report_added(keyspace, key, series, "events.put", packed)


def merge_events(
    keyspace: Keyspace, key: bytes, blocks: list[Block], changes: Sequence[Change], entered: Entered
) -> None:
    """``put_events`` by changes that ``merged_steps`` has prepared."""
    series = _series(keyspace, key)
    packed = pack_blocks(blocks) if keyspace.feed.listeners else ()
    series.apply(changes, blocks, entered)
    _report_added(keyspace, key, series, "events.put", packed)


def _report_added(keyspace: Keyspace, key: bytes, series: EventSeries, effect: str, packed: tuple[Any, ...]) -> None:
    keyspace.changed("ts.addevt", key, (effect, *packed))
    if series.soonest:
        keyspace.file_fields(key, series.soonest)


def _put(series: EventSeries, blocks: list[Block], entered: Entered = ()) -> None:
    mine = adopted_blocks(series, blocks)
    if is_behind(series, mine):
        series.add_blocks(mine, entered)
        return
    first, last = series.firsts[0], series.blocks[-1].times[-1]
    places = [place_at(block, row) for block in mine for row in range(len(block)) if first <= block.times[row] <= last]
    if series.remove_parts(series.parts_at(places)):
        series.settle()
    series.add_blocks(mine, entered)


def is_behind(series: EventSeries, blocks: Sequence[Block]) -> bool:
    """Whether all events of blocks, in order, are behind those of a series."""
    if not series.blocks or not blocks:
        return True
    return place_at(blocks[0], 0) > place_at(series.blocks[-1], len(series.blocks[-1]) - 1)


def merged_steps(view: EventView, blocks: Sequence[Block]) -> Iterator[Change | None]:
    """The changes that put events of blocks, in order, into a series that a view shows, each instead of those at its place.

    One after the other; None is a step on the way, of a millisecond at most.
    """
    rows = (row for block in blocks for row in block.rows())
    row = next(rows, None)

    def before(until: int | None) -> Iterator[Row]:
        nonlocal row
        while row is not None and (until is None or row[0] < until):
            yield row
            row = next(rows, None)

    while row is not None:
        at = max(bisect_right(view.firsts, row[0]) - 1, 0)
        stop = at + 1
        # Blocks that share a time are merged together.
        while at and view.blocks[at - 1].times[-1] == view.firsts[at]:
            at -= 1
        while stop < len(view.firsts) and view.blocks[stop - 1].times[-1] == view.firsts[stop]:
            stop += 1
        until = view.firsts[stop] if stop < len(view.firsts) else None
        old = [each for block in view.blocks[at:stop] for each in block.rows()]
        made = []
        for block in block_by_block(merged(old, before(until))):
            made.append(block)
            yield None
        yield at, stop, made


def adopted_blocks(series: EventSeries, blocks: list[Block]) -> list[Block]:
    """The blocks with shapes of the series."""
    mapping: dict[Shape, Shape] = {}
    if all(adopt(block, series.shapes, mapping) for block in blocks):
        return blocks
    return blocks_of((adopted(row, series.shapes) for block in blocks for row in block.rows()), series.token)


def remove_events(keyspace: Keyspace, key: bytes, low: int | None, high: int | None) -> int:
    """Remove events from the existing series of a key and report it; give how many there were."""
    series = _series(keyspace, key)
    count = series.remove(low, high)
    if count:
        keyspace.changed("ts.delevt", key, ("events.remove", low, high))
        keyspace.file_fields(key, series.settle())
    return count


def remove_event_rows(keyspace: Keyspace, key: bytes, parts: Sequence[Part]) -> int:
    """Remove rows of the existing series of a key and report it; give how many there were."""
    series = _series(keyspace, key)
    detail = ("events.remove_rows", series.ranges_of(parts)) if keyspace.feed.listeners else ()
    count = series.remove_parts(parts)
    if count:
        keyspace.changed("ts.delevt", key, detail)
        keyspace.file_fields(key, series.settle())
    return count


def index_events(keyspace: Keyspace, key: bytes, path: Path) -> Iterator[None]:
    """Index a member of the existing series of a key and report it, in steps. Raises IndexExists."""
    series = _series(keyspace, key)
    yield from series.index_steps(path)
    if keyspace.data.get(key) is series and path in series.indexes:
        keyspace.changed("ts.createindex", key, ("events.index", list(path)))


def drop_event_index(keyspace: Keyspace, key: bytes, path: Path) -> None:
    """Remove an index of the existing series of a key and report it. Raises NoSuchIndex."""
    _series(keyspace, key).drop_index(path)
    keyspace.changed("ts.dropindex", key, ("events.unindex", list(path)))


def _series(keyspace: Keyspace, key: bytes) -> EventSeries:
    return cast(EventSeries, keyspace.data[key])


# ---------------------------------------------------------------- how a log does a reported change again


def _redo_append(keyspace: Keyspace, key: bytes, names: list[Any], blocks: list[Any]) -> None:
    series = _series(keyspace, key)
    series.add_blocks(unpack_blocks((names, blocks), series.shapes, series.token))
    keyspace.file_fields(key, series.soonest)


def _redo_put(keyspace: Keyspace, key: bytes, names: list[Any], blocks: list[Any]) -> None:
    series = _series(keyspace, key)
    _put(series, unpack_blocks((names, blocks), series.shapes, series.token))
    keyspace.file_fields(key, series.soonest)


def _redo_remove(keyspace: Keyspace, key: bytes, low: int | None, high: int | None) -> None:
    series = _series(keyspace, key)
    series.remove(low, high)
    keyspace.file_fields(key, series.settle())


def _redo_rows(keyspace: Keyspace, key: bytes, ranges: list[list[Any]]) -> None:
    series = _series(keyspace, key)
    series.remove_parts(series.parts_of_ranges(ranges))
    keyspace.file_fields(key, series.settle())


EFFECTS: dict[str, Callable[..., object]] = {
    "events.append": _redo_append,
    "events.put": _redo_put,
    "events.remove": _redo_remove,
    "events.remove_rows": _redo_rows,
    "events.index": lambda keyspace, key, path: _series(keyspace, key).create_index(tuple(path)),
    "events.unindex": lambda keyspace, key, path: _series(keyspace, key).drop_index(tuple(path)),
}

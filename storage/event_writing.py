"""Writing to series of events as the Ditto API does: whole batches, and transactions with numbers (specs: ditto.md 10 to 12)."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Final

from .errors import NoSuchIndex, WrongType
from .event_batches import EventBatch
from .event_blocks import Block
from .event_indexes import EventIndex, Path
from .event_views import EventView
from .events import (
    EventSeries,
    Part,
    adopted_blocks,
    drop_event_index,
    event_series,
    index_events,
    is_behind,
    merge_events,
    merged_steps,
    put_events,
    remove_event_rows,
)
from .filters import Filter
from .hashes import hash_to_read, put_field
from .keyspace import Keyspace

# The hash with the documents about series; its field that no series can be called holds the number of a transaction.
COLLECTION: Final = b"__timeseries"
_FIELD: Final = b"__txn_id"
# Numbers are taken from the store so many at a time: some are left out after a restart.
_RESERVED: Final = 1000
# What others overtake is prepared again this often; the last time nobody else is let in.
_ATTEMPTS: Final = 4
# Batches up to this many events are stored in one step.
_FEW: Final = 2000


class Transactions:
    """Numbers of transactions: one sequence for all series of a database, which goes on after a restart."""

    def __init__(self, keyspace: Keyspace) -> None:
        self.keyspace = keyspace
        self._last = -1
        self._reserved = -1

    def last(self) -> int:
        """The number of the last transaction, 0 before the first one."""
        if self._last < 0:
            self._last = self._reserved = self._stored()
        return self._last

    def new(self) -> int:
        """The number of a transaction that has been made. Raises WrongType if it cannot be stored."""
        number = self.last() + 1
        if number > self._reserved or self._stored() != self._reserved:
            put_field(self.keyspace, COLLECTION, _FIELD, b"%d" % (number + _RESERVED))
            self._reserved = number + _RESERVED
        self._last = number
        return number

    def check(self) -> None:
        """Raise WrongType where ``new`` would."""
        self._stored()

    def _stored(self) -> int:
        value = self.keyspace.get(COLLECTION)
        if value is None:
            return 0
        held = hash_to_read(self.keyspace, COLLECTION, value)
        if held is None:
            raise WrongType
        text = held.get(_FIELD)
        return int(text) if type(text) is bytes and text.isdigit() else 0


def series_to_read(keyspace: Keyspace, key: bytes) -> EventSeries | None:
    """The series of a key, None where there is nothing. Raises WrongType for anything else."""
    series = event_series(keyspace, key)
    if series is None and keyspace.get(key) is not None:
        raise WrongType
    return series


def write_events(transactions: Transactions, key: bytes, batch: EventBatch) -> Generator[None, None, int]:
    """Store a batch, each event instead of one at its instant, in steps; the number of the transaction. Raises WrongType.

    All is stored with the last step. The first event makes the series. The batch cannot be used again.
    """
    keyspace = transactions.keyspace
    series_to_read(keyspace, key)
    transactions.check()
    if len(batch) > _FEW:
        yield from _write_many(keyspace, key, batch)
    elif len(batch):
        put_events(keyspace, _made(keyspace, key), batch.blocks)
    return transactions.new()


def _made(keyspace: Keyspace, key: bytes) -> bytes:
    """A key that has a series, made now where there is none. Raises WrongType."""
    if series_to_read(keyspace, key) is None:
        keyspace.put_series(key, EventSeries(), "ts.create")
    return key


def _write_many(keyspace: Keyspace, key: bytes, batch: EventBatch) -> Generator[None, None, None]:
    """Store a batch that takes longer than others should wait: what can be made before is made in steps."""
    blocks = batch.blocks
    entered: list[EventIndex] = []
    for attempt in range(_ATTEMPTS):
        series = series_to_read(keyspace, key)
        if series is None:
            break
        fresh = [index for index in series.indexes.values() if index not in entered]
        entered += fresh
        for _ in series.entries_steps(blocks, fresh):
            yield
        version = series.version
        if is_behind(series, blocks) or series_to_read(keyspace, key) is not series:
            break
        blocks = adopted_blocks(series, blocks)
        changes = []
        for change in merged_steps(series.view(0), blocks):
            if change is not None:
                changes.append(change)
            if attempt < _ATTEMPTS - 1:
                yield
        if series_to_read(keyspace, key) is series and series.version == version:
            merge_events(keyspace, key, blocks, changes, entered)
            return
    put_events(keyspace, _made(keyspace, key), blocks, entered)


class _Deletion:
    """What is to be deleted, found block by block: blocks that others change meanwhile are looked at again."""

    def __init__(self, now_ms: int, start: int, end: int, filter: Filter | None) -> None:
        self.now_ms = now_ms
        self.start, self.end, self.filter = start, end, filter
        # By the id of a block: the block, what of it is to go, and what is left.
        self.found: dict[int, tuple[Block, Sequence[int], Block | None]] = {}

    def look(self, view: EventView) -> Iterator[None]:
        """Look at the blocks of a view that have not been looked at, in steps."""
        chosen: dict[int, list[int]] = {}
        blocks = {id(block): block for block in view.blocks if id(block) not in self.found}
        some = EventView(list(blocks.values()), [block.times[0] for block in blocks.values()], {}, self.now_ms)
        source = view if len(blocks) == len(view.blocks) else some
        for batch in source.batches(self.start, self.end, filter=self.filter):
            for block, rows in batch.parts:
                chosen.setdefault(id(block), []).extend(rows)
            yield
        for number, block in blocks.items():
            rows = sorted(chosen.get(number, ()))
            rest = block.without(rows, None) if 0 < len(rows) < len(block) else None
            self.found[number] = (block, rows, rest)
            if rest is not None:
                yield

    def is_complete(self, series: EventSeries) -> bool:
        """Whether all blocks of a series have been looked at."""
        return all(id(block) in self.found for block in series.blocks)

    def parts(self, series: EventSeries, limit: int | None) -> list[Part]:
        """What is to go of a series, up to a limit, the earliest first."""
        parts: list[Part] = []
        left = limit
        for at, block in enumerate(series.blocks):
            _, rows, rest = self.found[id(block)]
            if left is not None:
                rows, rest = rows[:left], rest if len(rows) <= left else None
                left -= len(rows)
            if rows:
                parts.append((at, rows, rest))
        return parts


def delete_events(
    transactions: Transactions, key: bytes, start: int, end: int, filter: Filter | None = None, limit: int | None = None
) -> Generator[None, None, int]:
    """Delete the events from one instant to before another that a filter keeps, the earliest first; in steps.

    Gives the number of the transaction; all are deleted with the last step. Raises WrongType.
    """
    keyspace = transactions.keyspace
    transactions.check()
    deletion = _Deletion(keyspace.clock.now_ms, start, end, filter)
    for attempt in range(_ATTEMPTS):
        series = series_to_read(keyspace, key)
        if series is None:
            break
        for _ in deletion.look(series.view(deletion.now_ms)):
            if attempt < _ATTEMPTS - 1:
                yield
        series = series_to_read(keyspace, key)
        if series is None:
            break
        if deletion.is_complete(series):
            remove_event_rows(keyspace, key, deletion.parts(series, limit))
            break
    return transactions.new()


def create_index(keyspace: Keyspace, key: bytes, path: Path) -> Generator[None, None, None]:
    """Index a member of the events of a series, which is made where there is none; in steps. Raises WrongType, IndexExists."""
    yield from index_events(keyspace, _made(keyspace, key), path)


def drop_index(keyspace: Keyspace, key: bytes, path: Path) -> None:
    """Remove an index. Raises WrongType, NoSuchIndex."""
    if series_to_read(keyspace, key) is None:
        raise NoSuchIndex(path)
    drop_event_index(keyspace, key, path)


def indexes_of(keyspace: Keyspace, key: bytes) -> list[Path]:
    """The paths that are indexed. Raises WrongType."""
    series = series_to_read(keyspace, key)
    return [] if series is None else list(series.indexes)

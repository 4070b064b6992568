"""Writing to series of events as the Ditto API does: whole batches, and transactions with numbers (specs: ditto.md 10 to 12)."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

from .errors import NoSuchIndex, WrongType
from .event_batches import EventBatch
from .event_indexes import Path
from .events import (
    EventSeries,
    drop_event_index,
    event_series,
    index_events,
    put_events,
    remove_event_places,
)
from .filters import Filter
from .hashes import hash_to_read, put_field
from .keyspace import Keyspace

# The hash with the documents about series; its field that no series can be called holds the number of a transaction.
COLLECTION: Final = b"__timeseries"
_FIELD: Final = b"__txn_id"
# Numbers are taken from the store so many at a time: some are left out after a restart.
_RESERVED: Final = 1000
# A deletion that others overtake looks for its events anew so often; the last time it lets nobody else in.
_ATTEMPTS: Final = 3


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


def write_events(transactions: Transactions, key: bytes, batch: EventBatch) -> int:
    """Store a batch, each event instead of one at its instant; the number of the transaction. Raises WrongType.

    The first event makes the series. The batch cannot be used again.
    """
    keyspace = transactions.keyspace
    series = series_to_read(keyspace, key)
    transactions.check()
    if len(batch):
        if series is None:
            keyspace.put_series(key, EventSeries(), "ts.create")
        put_events(keyspace, key, batch.blocks)
    return transactions.new()


def delete_events(
    transactions: Transactions, key: bytes, start: int, end: int, filter: Filter | None = None, limit: int | None = None
) -> Generator[None, None, int]:
    """Delete the events from one instant to before another that a filter keeps, the earliest first; in steps.

    Gives the number of the transaction; all are deleted with the last step. Raises WrongType.
    """
    keyspace = transactions.keyspace
    transactions.check()
    for attempt in range(_ATTEMPTS):
        series = series_to_read(keyspace, key)
        if series is None:
            break
        version, places = series.version, list[tuple[int, int]]()
        for batch in series.view(keyspace.clock.now_ms).batches(start, end, filter=filter, limit=limit):
            places += batch.places()
            if attempt < _ATTEMPTS - 1:
                yield
        if series_to_read(keyspace, key) is series and series.version == version:
            if places:
                remove_event_places(keyspace, key, places)
            break
    return transactions.new()


def create_index(keyspace: Keyspace, key: bytes, path: Path) -> None:
    """Index a member of the events of a series, which is made where there is none. Raises WrongType, IndexExists."""
    if series_to_read(keyspace, key) is None:
        keyspace.put_series(key, EventSeries(), "ts.create")
    index_events(keyspace, key, path)


def drop_index(keyspace: Keyspace, key: bytes, path: Path) -> None:
    """Remove an index. Raises WrongType, NoSuchIndex."""
    if series_to_read(keyspace, key) is None:
        raise NoSuchIndex(path)
    drop_event_index(keyspace, key, path)


def indexes_of(keyspace: Keyspace, key: bytes) -> list[Path]:
    """The paths that are indexed. Raises WrongType."""
    series = series_to_read(keyspace, key)
    return [] if series is None else list(series.indexes)

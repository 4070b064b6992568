"""What the endpoints do, in steps of a millisecond or two, without sockets."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from januskv.compat.server.json_text import dumps
from januskv.compat.server.permissions import Permissions
from januskv.storage import event_batches, event_reading, event_writing
from januskv.storage.errors import StorageError
from januskv.storage.event_writing import Transactions
from januskv.storage.filters import BadFilter, DistinctValues
from januskv.storage.filters.nodes import member_path
from januskv.storage.filters.parser import parse

from . import documents, store_calls
from .access import Access
from .errors import DittoError, bad_parameter, of_engine
from .queries import Answer, Query, read_filter, read_forward_interval, read_query

if TYPE_CHECKING:
    from januskv.compat.server.server import Server
    from januskv.storage.event_batches import EventBatch
    from januskv.storage.keyspace import Keyspace

T = TypeVar("T")

# Bytes of a body, unpacked: events, and everything else.
MOST_BODY: Final = 32 << 20
MOST_DOCUMENT: Final = 2 << 20
# 9999-12-31T23:59:59Z; nothing expires later.
_LAST_MS: Final = 253_402_300_799_000
# What stands in a path without brackets.
_NAME: Final = re.compile(r"(?!(?:true|false|null|in)$)[A-Za-z_][A-Za-z0-9_]*")

Steps = Generator[Any, None, Any]


class DittoFace:
    """What the endpoints work on. There is one for each server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.access = Access(server)
        self._transactions: Transactions | None = None

    @property
    def transactions(self) -> Transactions:
        """The numbers of the database's transactions."""
        keyspace = self.keyspace
        if self._transactions is None or self._transactions.keyspace is not keyspace:  # SWAPDB
            self._transactions = Transactions(keyspace)
        return self._transactions

    @property
    def keyspace(self) -> Keyspace:
        """The database that has the series."""
        index: int = self.server.config.ditto_database
        return self.server.store.databases[index]

    @property
    def last_transaction(self) -> int:
        """The version that requests see. Raises DittoError (409) where the collection for the numbers is something else."""
        return self._done(self.transactions.last)

    def check_ready(self, *, writes: bool) -> None:
        """Raise DittoError (503) while the server cannot serve the data, or change it."""
        state = self.server.state
        if state.ending:
            raise DittoError(503, "The server is ending")
        if state.loading:
            raise DittoError(503, "The data is being loaded")
        if writes and state.write_fault:
            raise DittoError(503, "Changes cannot be made safe")

    def tick(self) -> int:
        """The time of a request in milliseconds."""
        return self.server.store.clock.tick()

    # ------------------------------------------------------------ writing

    def read_events(
        self, name: str, body: bytes, *, lines: bool, ttl_ms: float | None
    ) -> Generator[Any, None, EventBatch]:
        """The events in a body for a series. Raises DittoError (400, 413)."""
        now_ms = self.tick()
        if ttl_ms is None:
            ttl_ms = documents.default_ttl_ms(self.keyspace, name)
        if ttl_ms is not None:
            ttl_ms = min(ttl_ms, _LAST_MS - now_ms)
        read = event_batches.read_lines if lines else event_batches.read_array
        try:
            return (yield from read(body, now_ms, ttl_ms))
        except event_batches.BadEvent as error:
            status = 413 if isinstance(error, event_batches.EventTooBig) else 400
            raise DittoError(status, error.message, **{"line" if lines else "index": error.position}) from None

    def insert(self, name: str, batch: EventBatch) -> Generator[Any, None, int]:
        """Store events; the transaction. Nothing is stored before the last step. Raises DittoError."""
        self.tick()
        return (yield from self._known_steps(event_writing.write_events(self.transactions, name.encode(), batch)))

    def delete_steps(self, name: str, given: dict[str, Any]) -> Generator[Any, None, int]:
        """Delete the events that parameters mean; the transaction. Nothing is deleted before the last step. Raises DittoError."""
        now_ms = self.tick()
        interval = read_forward_interval(given, now_ms, may_be_empty=False)
        yield
        steps = event_writing.delete_events(
            self.transactions,
            name.encode(),
            interval.start,
            interval.end,
            read_filter(given),
            given.get("limit"),
        )
        return (yield from self._known_steps(steps))

    def commands(self, given: dict[str, Any], *, version: int) -> list[store_calls.Command]:
        """The commands of a store call. Raises DittoError (400)."""
        return store_calls.commands_of_v1(given) if version == 1 else store_calls.read_commands(given)

    def do_commands(self, commands: Sequence[store_calls.Command], permissions: Permissions) -> list[dict[str, Any]]:
        """Do the commands of a store call; what each gives. Raises DittoError (403, 409)."""
        self.tick()
        transactions = self.transactions
        return self._done(
            lambda: store_calls.do(store_calls.permitted(commands, self.keyspace, permissions), transactions)
        )

    # ------------------------------------------------------------ reading

    def read_query(self, given: dict[str, Any]) -> Query:
        """What parameters ask for, now. Raises DittoError (400)."""
        return read_query(given, self.tick())

    def answer(self, name: str, query: Query, *, array: bool) -> Answer:
        """The answer to a query, from the state that there is now. Raises DittoError (409)."""
        return self._done(lambda: Answer(query, event_reading.view_of(self.keyspace, name.encode()), array=array))

    def read_distinct(self, given: dict[str, Any], *, version: int) -> DistinctValues:
        """The paths whose values are wanted. Raises DittoError (400)."""
        read_forward_interval(given, self.tick(), may_be_empty=True)
        read_filter(given)
        try:
            return DistinctValues(given["paths"], version)
        except BadFilter as error:
            raise bad_parameter("paths", error.message, offset=error.offset) from None

    def distinct_steps(self, name: str, given: dict[str, Any], values: DistinctValues) -> Steps:
        """The distinct values of paths, by path. Raises DittoError (409)."""
        now_ms = self.tick()
        view = self._done(lambda: event_reading.view_of(self.keyspace, name.encode()))
        interval = read_forward_interval(given, now_ms, may_be_empty=True)
        batches = view.batches(
            interval.start, interval.end, filter=read_filter(given), roots=values.roots, decoded=True
        )
        for batch in batches:
            for instant, document in batch.rows():
                values.add(document, instant)
            yield
        return (yield from values.result_in_steps())

    # ------------------------------------------------------------ indexes

    def indexes(self, name: str) -> list[tuple[str, ...]]:
        """The paths that are indexed in a series. Raises DittoError (409)."""
        self.tick()
        return self._done(lambda: event_writing.indexes_of(self.keyspace, name.encode()))

    def create_index(self, name: str, path: tuple[str, ...]) -> Generator[Any, None, bool]:
        """Index a path; whether it was not yet. Raises DittoError (409)."""
        if path in self.indexes(name):
            return False
        yield from self._known_steps(event_writing.create_index(self.keyspace, name.encode(), path))
        return True

    def drop_index(self, name: str, path: tuple[str, ...]) -> bool:
        """Index a path no longer; whether it was. Raises DittoError (409)."""
        if path not in self.indexes(name):
            return False
        self._done(lambda: event_writing.drop_index(self.keyspace, name.encode(), path))
        return True

    def _known_steps(self, steps: Generator[Any, None, T]) -> Generator[Any, None, T]:
        try:
            return (yield from steps)
        except StorageError as error:
            raise _known(error) from error

    def _done(self, act: Callable[[], T]) -> T:
        try:
            return act()
        except StorageError as error:
            raise _known(error) from error


def read_path(given: dict[str, Any]) -> tuple[str, ...]:
    """The names in the path of an index. Raises DittoError (400)."""
    try:
        path = member_path(parse(given["path"], None).node)
    except BadFilter as error:
        raise bad_parameter("path", error.message, offset=error.offset) from None
    if path is None:
        raise bad_parameter("path", "The path of an index has members only")
    return path


def path_text(path: Sequence[str]) -> str:
    """A path as it is written."""
    first, *rest = path
    shown = first if _NAME.fullmatch(first) else f"[{_quoted(first)}]"
    return shown + "".join(f".{name}" if _NAME.fullmatch(name) else f"[{_quoted(name)}]" for name in rest)


def _quoted(name: str) -> str:
    return dumps(name).decode()


def _known(error: StorageError) -> Exception:
    return of_engine(error) or error

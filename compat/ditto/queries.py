"""Queries: what a request asks for, and the events that answer it, in pieces."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from januskv.compat.server.json_text import dumps
from januskv.storage.filters import BadFilter, BadTemplate, Fill, Filter, TopRows, parse_expression, parse_filter
from januskv.storage.instants import LAST_INSTANT, instant_of_unix, instant_text

from .errors import bad_parameter
from .parameters import DEFAULT_LIMIT, DEFAULT_TIMEOUT_MS, MOST_TIMEOUT_MS

if TYPE_CHECKING:
    from januskv.storage.event_views import Batch, EventView

# Where an interval begins that says nothing else.
EPOCH = instant_of_unix(0)

Rows = list[tuple[int, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Interval:
    """``[start, end)``, or ``(end, start]`` with the latest first."""

    start: int
    end: int
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What a request for events asks for."""

    interval: Interval
    limit: int | None
    filter: Filter | None
    orders: list[tuple[Filter, int]]
    fill: Fill | None  # for one answer
    timeout_ms: int
    describe: bool


def read_filter(given: dict[str, Any]) -> Filter | None:
    """The filter among parameters. Raises DittoError (400)."""
    text = given.get("filter")
    if text is None:
        return None
    try:
        return parse_filter(text, given.get("args"))
    except BadFilter as error:
        raise bad_parameter("filter", error.message, offset=error.offset) from None


def read_timeout(given: dict[str, Any]) -> int:
    """How many milliseconds a request may take."""
    wanted: int = given.get("timeout_millis", DEFAULT_TIMEOUT_MS)
    return min(wanted, MOST_TIMEOUT_MS)


def read_interval(given: dict[str, Any], now_ms: int) -> Interval:
    """The interval of a query: backwards if both ends are given so."""
    start, end = given.get("start"), given.get("end")
    descending = start is not None and end is not None and end < start
    return Interval(
        EPOCH if start is None else start,
        instant_of_unix(now_ms * 1_000_000) if end is None else end,
        descending,
    )


def read_forward_interval(given: dict[str, Any], now_ms: int, *, may_be_empty: bool) -> Interval:
    """An interval that must not go backwards. Raises DittoError (400)."""
    interval = read_interval(given, now_ms)
    if interval.descending or (
        not may_be_empty and interval.start == interval.end and "start" in given and "end" in given
    ):
        raise bad_parameter("end", "start is to be earlier than end")
    return interval


def read_query(given: dict[str, Any], now_ms: int) -> Query:
    """What parameters ask for. Raises DittoError (400)."""
    return Query(
        read_interval(given, now_ms),
        given.get("limit", DEFAULT_LIMIT),
        read_filter(given),
        [(_key(text, given), direction) for text, direction in given.get("order_by", ())],
        _fill(given),
        read_timeout(given),
        given.get("describe", False),
    )


def _fill(given: dict[str, Any]) -> Fill | None:
    template = given.get("fill_template")
    try:
        return None if template is None else Fill(template)
    except BadTemplate as error:
        raise bad_parameter("fill_template", str(error)) from None


def _key(text: str, given: dict[str, Any]) -> Filter:
    try:
        return parse_expression(text, given.get("args"))
    except BadFilter as error:
        raise bad_parameter("order_by", error.message, offset=error.offset) from None


def plan_of(query: Query) -> dict[str, Any]:
    """How the filter of a query would be looked for."""
    return {"full_scan": {}} if query.filter is None else query.filter.plan.to_json()


class Answer:
    """The events that answer a query, as lines or as the elements of an array.

    Once ``pieces`` has ended, ``truncated`` says whether the limit has cut the result, and ``next_start`` where the rest begins; None:
    it has an order of its own.
    """

    def __init__(self, query: Query, view: EventView, *, array: bool = False) -> None:
        self.query = query
        self.view = view
        self.array = array
        self.truncated = False
        self.next_start: int | None = None
        self._began = False

    def pieces(self) -> Generator[bytes, None, None]:
        """The answer in pieces, which may be empty; each step takes a millisecond or two."""
        if self.array:
            yield b"["
        yield from self._sorted() if self.query.orders else self._chronological()
        if self.array:
            yield b"]"

    def _chronological(self) -> Iterator[bytes]:
        query = self.query
        last: int | None = None
        left = query.limit
        for batch in self._batches(query.interval, query.limit) if left != 0 else ():
            if not len(batch):
                yield b""
                continue
            last = batch.last_instant
            if left is not None:
                left -= len(batch)
            yield self._spelled(batch) if query.fill is None else self._rows(batch.rows())
        if left == 0:
            yield from self._look_for_more(last)

    def _look_for_more(self, last: int | None) -> Iterator[bytes]:
        """See whether there is an event behind the last one."""
        interval = self.query.interval
        if last is None:
            start = interval.start
        elif interval.descending:
            start = last - 1
        else:
            start = last + 1
        rest = Interval(start, interval.end, interval.descending)
        if start == interval.end:
            return
        for batch in self._batches(rest, 1):
            yield b""
            if len(batch):
                self.truncated = True
                self.next_start = start if start <= LAST_INSTANT else None
                return

    def _batches(self, interval: Interval, limit: int | None) -> Iterator[Batch]:
        return self.view.batches(
            interval.start,
            interval.end,
            descending=interval.descending,
            filter=self.query.filter,
            limit=limit,
            decoded=self.query.fill is not None or bool(self.query.orders),
        )

    def _sorted(self) -> Iterator[bytes]:
        query = self.query
        # One more than is wanted tells whether there are more.
        top = TopRows(query.orders, None if query.limit is None else query.limit + 1)
        interval = query.interval
        # Ties are in the order of time, also where the interval is backwards.
        for batch in self._batches(interval, None):
            for instant, document in batch.rows():
                top.add(instant, document)
            yield b""
        left = query.limit
        for rows in top.rows_in_steps():
            wanted = rows if left is None else rows[:left]
            self.truncated = self.truncated or len(wanted) < len(rows)
            if left is not None:
                left -= len(wanted)
            yield self._rows(wanted) if wanted else b""

    def _spelled(self, batch: Batch) -> bytes:
        return self._joined(batch.items()[:-1]) if self.array else batch.lines()

    def _rows(self, rows: Rows) -> bytes:
        fill = self.query.fill
        spelled = [
            dumps(
                {"item": {"_time": instant_text(instant), "value": document if fill is None else fill.apply(document)}}
            )
            for instant, document in rows
        ]
        return self._joined(b",".join(spelled)) if self.array else b"\n".join([*spelled, b""])

    def _joined(self, items: bytes) -> bytes:
        if not self._began:
            self._began = True
            return items
        return b"," + items

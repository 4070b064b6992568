"""Batches of events as the Ditto API takes them: JSON lines or a JSON array, read in steps (specs: ditto.md 4 and 5).

A batch is read as a whole before any of it is stored, so that it is stored as a whole or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from typing import Any, Final

import orjson

from .event_blocks import MOST_ROWS, Block, Row, block_by_block, blocks_of_columns, merged, place_of
from .event_shapes import Shapes
from .event_text import elements, pack, records_of, unix_time
from .instants import BadInstant, instant_of_unix, instant_text, parse_instant, unix_of_instant
from .values import MOST_DEPTH

TIME: Final = "_time"
EXPIRATION: Final = "_expiration"
MOST_EVENT_BYTES: Final = 2 << 20
# No shorter text is nested deeper than that.
_DEEP_BYTES: Final = 2 * MOST_DEPTH
# Bytes of lines between two steps: some hundred events.
_STEP_BYTES: Final = 1 << 16
# Events that are sorted between two steps.
_STEP_ROWS: Final = 1024
_BOM: Final = b"\xef\xbb\xbf"
_BLANK: Final = b" \t\r"
_LAST_MS: Final = 253_402_300_799_999  # of the year 9999
_MOST_DEADLINE: Final = (1 << 63) - 1


class BadEvent(ValueError):
    """Something in a body is no event. ``position``: the line or the element, from 1; None for the body as a whole."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class EventTooBig(BadEvent):
    """An event takes more than ``MOST_EVENT_BYTES``."""


class EventBatch:
    """Events to be stored: ``blocks`` with them in order, each instant once."""

    __slots__ = ("blocks", "count")

    def __init__(self, blocks: list[Block], count: int) -> None:
        self.blocks = blocks
        self.count = count

    def __len__(self) -> int:
        return self.count


def read_lines(body: bytes, now_ms: int, ttl_ms: float | None) -> Generator[None, None, EventBatch]:
    """The events of JSON lines, in steps. Raises BadEvent.

    ``ttl_ms``: how long events live that do not say when they expire; None: for ever.
    """
    reader = _Reader(now_ms, ttl_ms)
    start = len(_BOM) if body.startswith(_BOM) else 0
    number = 0
    while start < len(body):
        stop = body.find(b"\n", start + _STEP_BYTES) if start + _STEP_BYTES < len(body) else -1
        stop = len(body) if stop < 0 else stop
        for line in body[start:stop].split(b"\n"):
            number += 1
            if line.strip(_BLANK):
                reader.add_text(line, number)
        start = stop + 1
        yield
    return (yield from reader.batch())


def read_array(body: bytes, now_ms: int, ttl_ms: float | None) -> Generator[None, None, EventBatch]:
    """The events of a JSON text, an object or an array of objects, in steps; as ``read_lines``. Raises BadEvent."""
    reader = _Reader(now_ms, ttl_ms)
    body = body.removeprefix(_BOM)
    spans = elements(body) if len(body) > _STEP_BYTES else None
    if spans is not None:
        behind = 0
        for number, (start, stop) in enumerate(spans, 1):
            reader.add_text(body[start:stop], number)
            if stop - behind > _STEP_BYTES:
                behind = stop
                yield
        return (yield from reader.batch())
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadEvent(f"not JSON: {error}") from None
    yield
    events = value if type(value) is list else [value]
    if type(value) is not list and len(body) > MOST_EVENT_BYTES:
        raise EventTooBig(f"an event takes up to {MOST_EVENT_BYTES} bytes")
    deep = _brackets(body) > MOST_DEPTH
    for number, event in enumerate(events, 1):
        if type(event) is not dict:
            raise BadEvent("an event is an object", number)
        if deep and depth_of(event, MOST_DEPTH) > MOST_DEPTH:
            raise BadEvent(f"nested deeper than {MOST_DEPTH}", number)
        if len(body) > MOST_EVENT_BYTES and len(orjson.dumps(event)) > MOST_EVENT_BYTES:
            raise EventTooBig(f"an event takes up to {MOST_EVENT_BYTES} bytes", number)
        reader.add(event, number)
        if number % MOST_ROWS == 0:
            yield
    return (yield from reader.batch())


class _Reader:
    """Gathers events."""

    def __init__(self, now_ms: int, ttl_ms: float | None) -> None:
        self.shapes = Shapes()
        self.blocks: list[Block] = []
        self.times: list[int] = []
        self.events: list[dict[str, Any]] = []
        self.deadlines: list[int] = []
        self.leaps: list[tuple[int, int]] = []  # which of the events lie in a leap second, and where in it
        self.expires = False
        self.ascending = True
        self.last = -math.inf
        self.expiration: str | None = None
        self.deadline = 0
        if ttl_ms is not None:
            end_ms = min(math.floor(now_ms + min(ttl_ms, _LAST_MS)), _LAST_MS)
            self.expiration = instant_text(instant_of_unix(end_ms * 1_000_000))
            self.deadline = max(end_ms - 1, 1)

    def add_text(self, text: bytes, number: int) -> None:
        """Add the event of a line. Raises BadEvent."""
        if len(text) > MOST_EVENT_BYTES:
            raise EventTooBig(f"an event takes up to {MOST_EVENT_BYTES} bytes", number)
        try:
            event = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise BadEvent(f"not JSON: {error}", number) from None
        if type(event) is not dict:
            raise BadEvent("an event is an object", number)
        if len(text) > _DEEP_BYTES and _brackets(text) > MOST_DEPTH and depth_of(event, MOST_DEPTH) > MOST_DEPTH:
            raise BadEvent(f"nested deeper than {MOST_DEPTH}", number)
        self.add(event, number)

    def add(self, event: dict[str, Any], number: int) -> None:
        """Add an event. Raises BadEvent."""
        text = event.pop(TIME, None)
        if type(text) is not str:
            raise BadEvent(f"'{TIME}' must be a text with date and time as RFC 3339 has them", number)
        unix_ns, leap_ns = unix_time(text), -1
        if unix_ns is None:
            try:
                unix_ns, leap_ns = unix_of_instant(parse_instant(text))
            except BadInstant as error:
                raise BadEvent(f"'{TIME}': {error}", number) from None
        if EXPIRATION in event:
            deadline = deadline_of(event[EXPIRATION], number)
            self.expires = self.expires or deadline > 0
        elif self.expiration is not None:
            event[EXPIRATION], deadline = self.expiration, self.deadline
            self.expires = True
        else:
            deadline = 0
        if leap_ns >= 0:
            self.leaps.append((len(self.times), leap_ns))
        if unix_ns <= self.last:  # also within a leap second, where times are equal
            self.ascending = False
        self.last = unix_ns
        self.times.append(unix_ns)
        self.events.append(event)
        self.deadlines.append(deadline)
        if len(self.times) >= MOST_ROWS:
            self._flush()

    def _flush(self) -> None:
        """Make a block of what has been gathered, or several where it is long."""
        shapes, records = records_of(self.events, self.shapes)
        for at, leap_ns in self.leaps:
            event = self.events[at]
            shapes[at] = self.shapes.of(tuple(event), True)
            records[at] = b"%d\0%b" % (leap_ns, pack(event)) if event else b"%d" % leap_ns
        deadlines = self.deadlines if self.expires else None
        self.blocks += blocks_of_columns(self.times, shapes, records, deadlines)
        self.times, self.events, self.deadlines, self.leaps = [], [], [], []
        self.expires = False

    def batch(self) -> Generator[None, None, EventBatch]:
        """All that was added, in steps."""
        if self.times:
            self._flush()
        blocks = self.blocks
        if not self.ascending:
            blocks = yield from _in_order(blocks)
        return EventBatch(blocks, sum(map(len, blocks)))


def _in_order(blocks: list[Block]) -> Generator[None, None, list[Block]]:
    """Events in order of their places, in steps; of those at one place the one that came last."""
    runs: list[list[Row]] = []
    for block in blocks:
        last = {place_of(row): row for row in block.rows()}
        runs.append([last[place] for place in sorted(last)])
        yield
    while len(runs) > 1:  # neighbours are merged, those that came later stand instead of earlier ones
        pairs = []
        for at in range(0, len(runs), 2):
            made: list[Row] = []
            for row in merged(runs[at], runs[at + 1] if at + 1 < len(runs) else ()):
                made.append(row)
                if len(made) % _STEP_ROWS == 0:
                    yield
            pairs.append(made)
        runs = pairs
    found = []
    for block in block_by_block(runs[0]):
        found.append(block)
        yield
    return found


def deadline_of(expiration: Any, number: int | None = None) -> int:
    """The last ms of an event with this ``_expiration``, 0 for one that does not expire. Raises BadEvent.

    A Datetime, or seconds since 1970; null: never.
    """
    if expiration is None:
        return 0
    if type(expiration) is str:
        try:
            unix_ns, _ = unix_of_instant(parse_instant(expiration))
        except BadInstant as error:
            raise BadEvent(f"'{EXPIRATION}': {error}", number) from None
        last_ms = -(-unix_ns // 1_000_000) - 1
    elif type(expiration) is int or type(expiration) is float:
        last_ms = math.ceil(expiration * 1000) - 1
    else:
        raise BadEvent(f"'{EXPIRATION}' must be a text with date and time, seconds since 1970, or null", number)
    return min(max(last_ms, 1), _MOST_DEADLINE)


def _brackets(text: bytes) -> int:
    """At most so deep is a JSON text nested."""
    return text.count(b"[") + text.count(b"{")


def depth_of(value: Any, most: int) -> int:
    """How deep arrays and objects are nested, up to one level more than ``most``."""
    if not isinstance(value, dict | list):
        return 0
    if most == 0:
        return 1
    parts = value.values() if isinstance(value, dict) else value
    return 1 + max([depth_of(part, most - 1) for part in parts], default=0)

"""What a reader sees of a series of events: its blocks as they were at one time, walked over in steps.

Each step looks at some blocks or, by an index, at some hundred events that may be meant: about a millisecond at most.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from .errors import NotIndexed
from .event_blocks import Block, place_at
from .event_conditions import Between, Order, Where, order_of
from .event_indexes import EventIndex, Path
from .event_positions import BlockList, Position, Span
from .event_text import documents, texts
from .filters import Bound, Filter, Plan, Terms
from .instants import instant_of_unix, unix_of_instant

# What a step may cost: events written, those that are looked at four times as much, and what each block costs.
_STEP_COST: Final = 4096
_BLOCK_COST: Final = 32
# What an event costs that is decoded, in events that are written.
_DECODED: Final = 12
# Events of one block that are looked at by an index at a time.
_STEP: Final = 256
# An index is asked if it names at most one of so many events of the interval.
_WORTH: Final = 4

Keeps = Callable[[Any, int], bool]


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for: events that are kept, which is asked with these members of the document, and with the instant if
    that counts. ``weight``: what an event costs its reader, in events that are written.
    """

    keeps: Keeps | None = None
    names: tuple[str, ...] | None = None
    with_instants: bool = False
    limit: int | None = None
    descending: bool = False
    weight: int = 1


class Batch:
    """Some events, in the order asked for: rows of blocks.

    ``names``: the members of documents that ``rows`` gives; None: all.
    """

    __slots__ = ("names", "parts")

    def __init__(self, parts: list[tuple[Block, Sequence[int]]], names: tuple[str, ...] | None = None) -> None:
        self.parts = parts
        self.names = names

    def __len__(self) -> int:
        return sum([len(rows) for _, rows in self.parts])

    def lines(self) -> bytes:
        """The events as Ditto writes them, ``{"item":{"_time":...,"value":{...}}}``, each with a line feed."""
        return self._texts(True, b"}\n")

    def items(self) -> bytes:
        """The same objects with a comma behind each."""
        return self._texts(True, b"},")

    def values(self) -> bytes:
        """The documents, with a comma behind each."""
        return self._texts(False, b",")

    def _texts(self, with_time: bool, closing: bytes) -> bytes:
        return b"".join(
            [
                texts(block.times, block.shapes, block.ends, block.text, rows, with_time, closing)
                for block, rows in self.parts
            ]
        )

    def times(self) -> list[int]:
        """The times as they are kept."""
        return [block.times[row] for block, rows in self.parts for row in rows]

    def documents(self, names: tuple[str, ...] | None = None) -> list[dict[str, Any]]:
        """The documents; with ``names`` these members of them."""
        found: list[dict[str, Any]] = []
        for block, rows in self.parts:
            found += documents(block.shapes, block.ends, block.text, rows, names, {})
        return found

    def rows(self) -> list[tuple[int, dict[str, Any]]]:
        """Instants (``instants.py``), of events whose times are ns since 1970, and documents."""
        instants = [instant_at(block, row) for block, rows in self.parts for row in rows]
        return list(zip(instants, self.documents(self.names), strict=True))

    @property
    def last_instant(self) -> int:
        """The instant of the last event; there is one."""
        block, rows = next(part for part in reversed(self.parts) if len(part[1]))
        return instant_at(block, rows[-1])


def instant_at(block: Block, row: int) -> int:
    """The instant of a row whose time is ns since 1970."""
    return instant_of_unix(*place_at(block, row))


class Versioned(Protocol):
    """A series, as far as a view knows it: the number changes with what is in it."""

    version: int


class EventView(BlockList):
    """The events of a series at one time, without those that have expired by then."""

    __slots__ = ("_found", "_version", "indexes", "now_ms", "series")

    def __init__(
        self,
        blocks: list[Block],
        firsts: list[int],
        indexes: dict[Path, EventIndex],
        now_ms: int,
        series: Versioned | None = None,
    ) -> None:
        super().__init__(blocks, firsts)
        self.indexes = indexes
        self.now_ms = now_ms
        self.series = series
        self._version = 0 if series is None else series.version
        self._found: tuple[Filter, Span, list[int]] | None = None  # what an index has said of a filter

    # ------------------------------------------------------------ queries

    def between(
        self, low: int | None, high: int | None, where: Where | None = None, limit: int | None = None
    ) -> Iterator[Batch]:
        """The events from one time to another, both included, that meet all conditions.

        Raises NotIndexed where a condition is on a member without an index, unless no event is as late as ``low``.
        """
        span = self.span(low, high)
        if not where or span[0] == self.end():
            return self._kept(self.parts(span), Search(limit=limit))
        for member in where:
            index = self.indexes.get((member,))
            if index is None or not index.ready:
                raise NotIndexed(member)
        meant: list[tuple[Path, list[Between]]] = [((member,), [between]) for member, between in where.items()]

        def meets(document: dict[str, Any], time: int) -> bool:
            return all(name in document and each.holds(order_of(document[name])) for name, each in where.items())

        search = Search(meets, tuple(where), limit=limit)
        return self._kept(self._parts_asked(span, self._meant(span, meant), search), search)

    def batches(
        self,
        start: int,
        end: int,
        *,
        descending: bool = False,
        filter: Filter | None = None,
        roots: frozenset[str] | None = None,
        limit: int | None = None,
        decoded: bool = False,
    ) -> Iterator[Batch]:
        """The events from one instant to before another that a filter keeps, of a series with ns since 1970 as times.

        ``roots``: the members that the ``rows`` of batches give; None: all. ``decoded``: these are asked for, which takes longer
        than writing events, so that batches are smaller.

        Descending: from the first instant down to behind the other.
        """
        first, stop = (end + 1, start + 1) if descending else (start, end)
        span = self.position(*unix_of_instant(first)), self.position(*unix_of_instant(stop))
        search = _search(filter, limit, descending=descending, weight=_DECODED if decoded else 1)
        return _of_members(self._chosen(span, filter, search), roots)

    def filtered(self, low: int | None, high: int | None, filter: Filter, limit: int | None = None) -> Iterator[Batch]:
        """The events from one time to another, both included, that a filter keeps."""
        return self._chosen(self.span(low, high), filter, _search(filter, limit))

    def _chosen(self, span: Span, filter: Filter | None, search: Search) -> Iterator[Batch]:
        """The events of a span that a filter keeps."""
        if span[1] <= span[0]:
            return iter(())
        times = None if filter is None else self._times_for(filter, span)
        return self._kept(self._parts_asked(span, times, search), search)

    # ------------------------------------------------------------ indexes

    def _times_for(self, filter: Filter, span: Span) -> list[int] | None:
        """The times of the events that a filter may keep in a span, by an index; None where none helps.

        Indexes go with the series: once that has changed, only what they said before counts.
        """
        if self._found is not None:
            known, (first, stop), times = self._found
            if known is filter and first <= span[0] and span[1] <= stop:
                low, high = self._ends(span)
                return times[bisect_left(times, low) : bisect_right(times, high)]
        if self.series is not None and self.series.version != self._version:
            return None
        meant = self._asked(filter.plan)
        found = None if meant is None else self._meant(span, meant)
        if found is not None:
            self._found = (filter, span, found)
        return found

    def _asked(self, plan: Plan) -> list[tuple[Path, list[Between]]] | None:
        """What an index is asked for a plan; None where none helps."""
        if plan.path is None or plan.terms is None:
            return None
        index = self.indexes.get(plan.path)
        if index is None or not index.ready:
            return None
        meant, with_missing = _spans(plan.terms)
        if with_missing and not (index.is_exact and index.size == sum(map(len, self.blocks))):
            return None
        return [(plan.path, meant)]

    def _meant(self, span: Span, asked: list[tuple[Path, list[Between]]]) -> list[int] | None:
        """The times of the events that may be meant, by the index that names the fewest; None if all name too many."""
        if span[1] <= span[0]:
            return []
        low, high = self._ends(span)
        most, best = self.count_in(span) // _WORTH, None
        for path, spans in asked:
            found: list[int] | None = []
            for values in spans:
                some = self.indexes[path].times(values, low, high, most - len(found or ()))
                if some is None:
                    found = None
                    break
                assert found is not None
                found += some
            if found is not None:
                most, best = len(found), found
        return None if best is None else sorted(set(best))

    def _ends(self, span: Span) -> tuple[int, int]:
        """The first and the last time of a span with events."""
        (first, start), (last, stop) = span
        if not stop:
            last, stop = last - 1, len(self.blocks[last - 1])
        return self.blocks[first].times[start], self.blocks[last].times[stop - 1]

    # ------------------------------------------------------------ walking

    def _parts_asked(self, span: Span, times: list[int] | None, search: Search) -> Iterator[tuple[int, Sequence[int]]]:
        """The rows of a span that are to be looked at: those with certain times, or all of them (None)."""
        if times is not None:
            return self._parts_at(span, times, search.descending)
        parts = self.parts(span, descending=search.descending)
        return _divided(parts, search.descending) if search.weight > 1 else parts

    def _parts_at(self, span: Span, times: list[int], descending: bool) -> Iterator[tuple[int, Sequence[int]]]:
        at, rows = -1, list[int]()
        for time in reversed(times) if descending else times:
            for block, row in self._at_time(time, span, descending):
                if block != at or len(rows) >= _STEP:
                    if rows:
                        yield at, sorted(rows)
                    at, rows = block, []
                rows.append(row)
        if rows:
            yield at, sorted(rows)

    def _at_time(self, time: int, span: Span, descending: bool) -> list[Position]:
        """The positions of a span where events with a time stand."""
        start, stop = span
        at, row = max(self.position(time), start)
        found = []
        while at < len(self.blocks) and (at, row) < stop:
            if row == len(self.blocks[at]):
                at, row = at + 1, 0
                continue
            if self.blocks[at].times[row] != time:
                break
            found.append((at, row))
            row += 1
        return found[::-1] if descending else found

    def _kept(self, parts: Iterator[tuple[int, Sequence[int]]], search: Search) -> Iterator[Batch]:
        """Those of some rows that are kept and have not expired, up to a limit."""
        keeps, left = search.keeps, search.limit
        known: dict[bytes, Any] = {}
        found: list[tuple[Block, Sequence[int]]] = []
        cost = 0
        for at, some in parts:
            if left is not None and left <= 0:
                break
            block = self.blocks[at]
            rows = block.visible(some, self.now_ms)
            cost += _BLOCK_COST + (len(rows) if keeps is None else 4 * len(rows))
            if keeps is not None:
                seen = documents(block.shapes, block.ends, block.text, rows, search.names, known)
                if search.with_instants:
                    rows = [row for row, each in zip(rows, seen, strict=True) if keeps(each, instant_at(block, row))]
                else:
                    rows = [row for row, each in zip(rows, seen, strict=True) if keeps(each, 0)]
            if search.descending:
                rows = rows[::-1]
            if left is not None:
                rows = rows[:left]
                left -= len(rows)
            if len(rows):
                found.append((block, rows))
                cost += (search.weight - 1) * len(rows)
            if cost >= _STEP_COST:
                yield Batch(found)
                found, cost = [], 0
        yield Batch(found)


def _search(filter: Filter | None, limit: int | None, *, descending: bool = False, weight: int = 1) -> Search:
    if filter is None:
        return Search(limit=limit, descending=descending, weight=weight)
    names = None if filter.roots is None else tuple(sorted(filter.roots))
    return Search(filter.keeps, names, filter.uses_time, limit, descending, weight)


def _divided(parts: Iterator[tuple[int, Sequence[int]]], descending: bool) -> Iterator[tuple[int, Sequence[int]]]:
    """Rows of blocks, some of a block at a time."""
    for at, rows in parts:
        starts = range(0, len(rows), _STEP)
        for start in reversed(starts) if descending else starts:
            yield at, rows[start : start + _STEP]


def _of_members(batches: Iterator[Batch], roots: frozenset[str] | None) -> Iterator[Batch]:
    """Batches that give certain members of documents."""
    if roots is None:
        return batches
    names = tuple(sorted(roots))
    return (Batch(batch.parts, names) for batch in batches)


# ---------------------------------------------------------------- what a plan asks of an index


def _spans(terms: Terms) -> tuple[list[Between], bool]:
    """Values that an index is asked for, and whether events without the member are meant, too."""
    if terms.kind == "range":
        return [_range(terms.lower, terms.upper)], False
    places = [order_of(value) for value in terms.values]
    if terms.kind == "prefix":
        return [Between(low=each, high=(3, each[1] + _LAST_BYTE), with_high=False) for each in places], False
    if terms.kind == "ne":
        parts = [(Between(high=each, with_high=False), Between(low=each, with_low=False)) for each in places]
        return [span for pair in parts for span in pair], None not in terms.values
    return [Between(each, each) for each in places], None in terms.values


def _range(lower: Bound | None, upper: Bound | None) -> Between:
    """Values between two numbers or two strings, of which one may be missing."""
    given = lower or upper
    assert given is not None
    first, last = ((3, b""), (3, _LAST_BYTE)) if isinstance(given.value, str) else _NUMBERS
    return Between(
        first if lower is None else order_of(lower.value),
        last if upper is None else order_of(upper.value),
        with_low=lower is None or lower.included,
        with_high=upper is None or upper.included,
    )


_NUMBERS: Final[tuple[Order, Order]] = ((2, float("-inf")), (2, float("inf")))
_LAST_BYTE: Final = b"\xff"  # behind all of UTF-8

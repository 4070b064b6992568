"""Where events stand in blocks: what a series and the views of it both look up."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from .event_blocks import Block

# Block, row.
Position = tuple[int, int]
# From one position to in front of another.
Span = tuple[Position, Position]


class BlockList:
    """Blocks in order, and the first time of each. A position behind the last event is one of the last block."""

    __slots__ = ("blocks", "firsts")

    def __init__(self, blocks: list[Block], firsts: list[int]) -> None:
        self.blocks = blocks
        self.firsts = firsts

    def position(self, time: int, leap: int = -1) -> Position:
        """Where the first event stands that is not before a time (or a fraction of the leap second behind it)."""
        at = max(bisect_left(self.firsts, time) - 1, 0)
        while at < len(self.blocks):
            row = self.blocks[at].first_at(time, leap)
            if row < len(self.blocks[at]):
                return at, row
            at += 1
        return self.end()

    def behind(self, time: int) -> Position:
        """The position behind the last event that is not after a time."""
        at = bisect_right(self.firsts, time) - 1
        return (0, 0) if at < 0 else (at, self.blocks[at].behind(time))

    def end(self) -> Position:
        """The position behind the last event."""
        return (len(self.blocks) - 1, len(self.blocks[-1])) if self.blocks else (0, 0)

    def span(self, low: int | None, high: int | None) -> Span:
        """The events from one time to another, both included."""
        start = (0, 0) if low is None else self.position(low)
        return start, max(start, self.end() if high is None else self.behind(high))

    def parts(self, span: Span, *, descending: bool = False) -> Iterator[tuple[int, range]]:
        """The blocks of a span, each with its rows."""
        start, stop = span
        numbers = range(start[0], min(stop[0] + 1, len(self.blocks)))
        for at in reversed(numbers) if descending else numbers:
            yield at, range(start[1] if at == start[0] else 0, stop[1] if at == stop[0] else len(self.blocks[at]))

    def count_in(self, span: Span) -> int:
        """How many events a span has, expired ones included."""
        return sum([len(rows) for _, rows in self.parts(span)])

"""Ranges of sorted sets as arguments: by rank, by score (``(1.5``, ``-inf``), by name (``[a``, ``(b``, ``-``, ``+``)."""

from __future__ import annotations

from dataclasses import dataclass

from januskv.compat.server.faults import RespError
from januskv.storage.errors import NotAFloat
from januskv.storage.sorted_sets import SortedSet

from .args import SYNTAX_ERROR, Args, parse_int, read_terminated


def score_bound(text: bytes) -> tuple[float, bool]:
    """An end of a range of scores, and whether it is excluded. Raises RespError."""
    is_open = text[:1] == b"("
    try:
        return read_terminated(text[1:] if is_open else text), is_open
    except NotAFloat:
        raise RespError("ERR min or max is not a float") from None


def name_bound(text: bytes, *, is_low: bool) -> tuple[bytes | None, bool]:
    """An end of a range of names as the first one inside or after it; None and False for unbounded, True for empty.

    ``[a`` begins at a and ends after a, ``(a`` begins after a and ends before a. Raises RespError.
    """
    if text in (b"-", b"+"):
        return None, (text == b"-") != is_low
    if text[:1] == b"[":
        return (text[1:] if is_low else text[1:] + b"\0"), False
    if text[:1] == b"(":
        return (text[1:] + b"\0" if is_low else text[1:]), False
    raise RespError("ERR min or max not valid string range item")


class Span:
    """A parsed range of a sorted set; ``ranks`` finds its members in a set."""

    def ranks(self, sorted_set: SortedSet) -> tuple[int, int]:
        """First rank and end (exclusive), counted from the lowest score."""
        raise NotImplementedError


@dataclass(slots=True)
class RankSpan(Span):
    """From one index to another, both included, from the end if negative; counted from the highest score if reversed."""

    start: int
    stop: int
    reverse: bool = False

    def ranks(self, sorted_set: SortedSet) -> tuple[int, int]:
        size = len(sorted_set)
        start = max(self.start + size, 0) if self.start < 0 else self.start
        stop = self.stop + size if self.stop < 0 else min(self.stop, size - 1)
        if start > stop:
            return 0, 0
        return (size - stop - 1, size - start) if self.reverse else (start, stop + 1)


@dataclass(slots=True)
class ScoreSpan(Span):
    """From one score to another."""

    low: tuple[float, bool]
    high: tuple[float, bool]

    def ranks(self, sorted_set: SortedSet) -> tuple[int, int]:
        return sorted_set.ranks_by_score(self.low[0], self.high[0], self.low[1], self.high[1])


@dataclass(slots=True)
class NameSpan(Span):
    """From one name to another."""

    low: tuple[bytes | None, bool]
    high: tuple[bytes | None, bool]
    reverse: bool = False

    def ranks(self, sorted_set: SortedSet) -> tuple[int, int]:
        if self.low[1] or self.high[1]:
            return 0, 0
        return sorted_set.ranks_by_name(self.low[0], self.high[0], backwards=self.reverse)


def span_of(by: str, low: bytes, high: bytes, *, reverse: bool = False) -> Span:
    """The span of two texts: by rank, score or name. Raises RespError, NotAnInteger."""
    if by == "score":
        return ScoreSpan(score_bound(low), score_bound(high))
    if by == "name":
        return NameSpan(name_bound(low, is_low=True), name_bound(high, is_low=False), reverse)
    return RankSpan(parse_int(low), parse_int(high), reverse)


class RangeQuery:
    """The arguments of the ZRANGE family, from the two ends of the range on.

    ``by`` and ``reverse`` follow from the command's name; None if options set them (ZRANGE, ZRANGESTORE).
    """

    __slots__ = ("limit", "offset", "reverse", "span", "with_scores")

    def __init__(self, args: Args, by: str | None, reverse: bool | None, *, storing: bool = False) -> None:
        ends = args.take(), args.take()
        self.offset, self.limit, self.with_scores = 0, -1, False
        while args.more():
            word = args.word()
            if word == b"WITHSCORES" and not storing:
                self.with_scores = True
            elif word == b"LIMIT" and args.left() >= 2:
                self.offset, self.limit = args.integer(), args.integer()
            elif word == b"REV" and reverse is None:
                reverse = True
            elif word in _BY and by is None:
                by = _BY[word]
            else:
                raise RespError(SYNTAX_ERROR)
        by = by or "rank"
        self.reverse = bool(reverse)
        if self.limit != -1 and by == "rank":
            raise RespError("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
        if self.with_scores and by == "name":
            raise RespError("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
        if self.reverse and by != "rank":
            ends = ends[1], ends[0]
        self.span = span_of(by, *ends, reverse=self.reverse)

    def ranks(self, sorted_set: SortedSet) -> tuple[int, int]:
        """First rank and end (exclusive) of the requested members, counted from the lowest score."""
        start, stop = self.span.ranks(sorted_set)
        if not isinstance(self.span, RankSpan) and (self.offset or self.limit != -1):
            if self.offset < 0:
                return 0, 0
            count = stop - start - self.offset if self.limit < 0 else self.limit
            if self.reverse:
                stop = max(start, stop - self.offset)
                start = max(start, stop - count)
            else:
                start = min(stop, start + self.offset)
                stop = min(stop, start + count)
        return start, stop

    def names(self, sorted_set: SortedSet) -> list[bytes]:
        """The requested members, in the requested order."""
        names = sorted_set.names(*self.ranks(sorted_set))
        return names[::-1] if self.reverse else names

    def columns(self, sorted_set: SortedSet) -> tuple[list[bytes], list[float]]:
        """The requested members and their scores, in the requested order."""
        start, stop = self.ranks(sorted_set)
        names, scores = sorted_set.names(start, stop), sorted_set.values(start, stop)
        return (names[::-1], scores[::-1]) if self.reverse else (names, scores)


_BY = {b"BYSCORE": "score", b"BYLEX": "name"}

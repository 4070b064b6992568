"""Small sorted sets: a few members with scores.

The compiled implementation (``packed_scores.pyx``) keeps them in one string, without an object for each, and searches it:

    count (1 byte), then for each member, in order: length (1 byte), score (8 bytes, double), name

This one has a dict and a list in order. In both, functions that change something return a new set and leave the old one unchanged.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, insort
from itertools import chain
from typing import Final

Pair = tuple[bytes, float]

# Sets with more or longer members than these are not packed. Redis-server's limits.
MOST_MEMBERS: Final = 128
LONGEST: Final = 64


class Packed:
    """Members with their scores: by name, and in order as scores with members. Neither changes."""

    __slots__ = ("by_name", "order")

    def __init__(self, by_name: dict[bytes, float], order: list[tuple[float, bytes]]) -> None:
        self.by_name = by_name
        self.order = order

    def __sizeof__(self) -> int:
        parts = chain((self.by_name, self.order), self.by_name, self.by_name.values(), self.order)
        return object.__sizeof__(self) + sum(map(sys.getsizeof, parts))


EMPTY: Final = Packed({}, [])


def packed(scores: dict[bytes, float]) -> Packed | None:
    """Members with their scores in the small form; None if they are too many or too long. O(n log n)."""
    if len(scores) > MOST_MEMBERS or any(len(member) > LONGEST for member in scores):
        return None
    # No -0.0: small sets of redis-server cannot hold it.
    by_name = {member: score + 0.0 for member, score in scores.items()}
    return Packed(by_name, sorted((score, member) for member, score in by_name.items()))


def count_in(held: Packed) -> int:
    """How many members there are."""
    return len(held.order)


def score_in(held: Packed, member: bytes) -> float | None:
    """The score of a member; None if it is missing."""
    return held.by_name.get(member)


def with_score(held: Packed, member: bytes, score: float) -> Packed | None:
    """The set with a member added or given another score; None if it does not fit."""
    old = held.by_name.get(member)
    if len(member) > LONGEST or (old is None and len(held.order) == MOST_MEMBERS):
        return None
    order = held.order.copy()
    if old is not None:
        del order[bisect_left(order, (old, member))]
    score += 0.0
    insort(order, (score, member))
    by_name = held.by_name.copy()
    by_name[member] = score
    return Packed(by_name, order)


def without(held: Packed, member: bytes) -> Packed | None:
    """The set without a member; None if it is missing."""
    score = held.by_name.get(member)
    if score is None:
        return None
    at = bisect_left(held.order, (score, member))
    return cut_out(held, at, at + 1)


def rank_in(held: Packed, score: float, member: bytes) -> int:
    """How many members stand before a place, which need not be taken."""
    return bisect_left(held.order, (score, member))


def pairs_in(held: Packed, start: int, stop: int) -> list[Pair]:
    """Members with scores from one rank up to another, without it."""
    return [(member, score) for score, member in held.order[start:stop]]


def names_in(held: Packed, start: int, stop: int) -> list[bytes]:
    """Members from one rank up to another, without it."""
    return [member for _, member in held.order[start:stop]]


def cut_out(held: Packed, start: int, stop: int) -> Packed:
    """The set without the members from one rank up to another, without that."""
    by_name = held.by_name.copy()
    for _, member in held.order[start:stop]:
        del by_name[member]
    return Packed(by_name, held.order[:start] + held.order[max(start, stop) :])

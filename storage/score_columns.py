"""Scores in ascending order, side by side in memory: an array of doubles, so that finding one touches few cache lines.

The compiled implementation (``score_columns.pyx``) reads the array directly.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence


def column(scores: Sequence[float]) -> array[float]:
    """A column of scores that are already sorted."""
    return array("d", scores)


def first_from(scores: array[float], score: float) -> int:
    """The first place with this score or a higher one."""
    return bisect_left(scores, score)


def first_behind(scores: array[float], score: float, start: int) -> int:
    """The first place from ``start`` on with a higher score."""
    return bisect_right(scores, score, start)


def put_in(scores: array[float], place: int, score: float) -> None:
    """Insert a score at an index."""
    scores.insert(place, score)


def cut_from(scores: array[float], place: int, count: int) -> None:
    """Remove ``count`` scores from an index on."""
    del scores[place : place + count]

"""Small sorted sets in one string: what a few members with scores need, without an object for each.

    count (1 byte), then for each member, in order: length (1 byte), score (8 bytes, double), name

Functions look through such a string from its start; those that change something give a new one. The compiled implementation
(``packed_scores.pyx``) does the same.
"""

from __future__ import annotations

import struct
from typing import Final

Pair = tuple[bytes, float]

# More or longer members than these are kept in other ways. Redis-server's limits.
MOST_MEMBERS: Final = 128
LONGEST: Final = 64

EMPTY: Final = b"\0"

_HEAD: Final = struct.Struct("=Bd")


def packed(scores: dict[bytes, float]) -> bytes | None:
    """Members with their scores as one string; None if they are too many or too long. O(n log n)."""
    if len(scores) > MOST_MEMBERS or any(len(member) > LONGEST for member in scores):
        return None
    return _joined(sorted(scores.items(), key=lambda pair: (pair[1], pair[0])))


def _joined(pairs: list[Pair]) -> bytes:
    parts = [bytes((len(pairs),))]
    for member, score in pairs:
        parts += (_HEAD.pack(len(member), score + 0.0), member)  # no -0.0: small sets of redis-server cannot hold it
    return b"".join(parts)


def _all(text: bytes) -> list[Pair]:
    found = []
    at = 1
    for _ in range(text[0]):
        length, score = _HEAD.unpack_from(text, at)
        at += _HEAD.size
        found.append((text[at : at + length], score))
        at += length
    return found


def score_in(text: bytes, member: bytes) -> float | None:
    """The score of a member; None if it is missing."""
    return next((score for name, score in _all(text) if name == member), None)


def with_score(text: bytes, member: bytes, score: float) -> bytes | None:
    """The string with a member, new or in another place; None where it does not fit."""
    pairs = [pair for pair in _all(text) if pair[0] != member]
    if len(pairs) == MOST_MEMBERS or len(member) > LONGEST:
        return None
    pairs.insert(_rank(pairs, score, member), (member, score))
    return _joined(pairs)


def without(text: bytes, member: bytes) -> bytes | None:
    """The string without a member; None if it is missing."""
    pairs = [pair for pair in _all(text) if pair[0] != member]
    return None if len(pairs) == text[0] else _joined(pairs)


def rank_in(text: bytes, score: float, member: bytes) -> int:
    """How many members stand before a place, which need not be taken."""
    return _rank(_all(text), score, member)


def _rank(pairs: list[Pair], score: float, member: bytes) -> int:
    return sum((each, name) < (score, member) for name, each in pairs)


def pairs_in(text: bytes, start: int, stop: int) -> list[Pair]:
    """Members with scores from one rank up to another, without it."""
    return _all(text)[start:stop]


def names_in(text: bytes, start: int, stop: int) -> list[bytes]:
    """Members from one rank up to another, without it."""
    return [name for name, _ in _all(text)[start:stop]]


def cut_out(text: bytes, start: int, stop: int) -> bytes:
    """The string without the members from one rank up to another, without that."""
    pairs = _all(text)
    del pairs[start:stop]
    return _joined(pairs)

"""Timeouts of blocking commands."""

from __future__ import annotations

from math import ceil

from januskv.compat.server.faults import RespError
from januskv.storage.errors import NotAFloat
from januskv.storage.numbers import parse_long_double

from .args import parse_float

_MOST_MS = (1 << 63) - 1


def blocking_timeout(text: bytes) -> int | None:
    """A timeout in seconds, with fractions, as ms; None for 0, which means forever."""
    try:
        seconds = parse_float(text)
    except NotAFloat:
        seconds = _wide_timeout(text)
    if seconds * 1000 > _MOST_MS:
        raise RespError("ERR timeout is out of range")
    if seconds < 0:
        raise RespError("ERR timeout is negative")
    return ceil(seconds * 1000) or None


def _wide_timeout(text: bytes) -> float:
    """A timeout beyond a double's precision: Redis reads timeouts as long doubles. Raises RespError."""
    try:
        seconds = parse_long_double(text)
    except NotAFloat:
        raise RespError("ERR timeout is not a float or out of range") from None
    return float(seconds) if abs(seconds) > 1 else 0.001

"""Arithmetic on numbers that are kept as text, with Redis' results."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import orjson

from .errors import IncrementNotFinite, NotAFloat
from .lazily import lazily

if TYPE_CHECKING:
    import numpy as np
else:
    np = lazily("numpy")

_FRACTION_DIGITS = 17

# Redis reads numbers in a buffer of 5 KiB.
MOST_CHARACTERS = 5 * 1024 - 1

# Shorter texts cannot overflow even a double, numpy's smallest extended format, which does from 309 digits.
_NO_OVERFLOW = 300
_FAR_FROM_OVERFLOW = 1e300


def lost_in_reading(text: bytes, *, infinite: bool, zero: bool) -> bool:
    """Whether a number was too big or too small for its type: read as infinite or zero without being written so."""
    if infinite:
        return b"n" not in text.lower()
    if not zero:
        return False
    lowered = text.lower()
    digits, exponent = (b"123456789abcdef", b"p") if b"x" in lowered else (b"123456789", b"e")
    return any(digit in digits for digit in lowered.partition(exponent)[0])


def parse_long_double(text: bytes) -> np.longdouble:
    """A number as C's strtold reads it; NaN, surrounding blanks, and numbers too big or too small are rejected.

    Raises NotAFloat.
    """
    if not text or len(text) > MOST_CHARACTERS or text[:1].isspace() or b"\0" in text:
        raise NotAFloat
    try:
        if len(text) < _NO_OVERFLOW and text.translate(None, b"0123456789.-") == b"":
            return np.longdouble(text.decode("ascii"))
        with warnings.catch_warnings():  # numpy warns of overflow, which is handled below; 2.5 us
            warnings.simplefilter("ignore", RuntimeWarning)
            value = np.longdouble(text.decode("ascii"))
    except ValueError:
        raise NotAFloat from None
    if value != value or lost_in_reading(text, infinite=bool(np.isinf(value)), zero=not value):
        raise NotAFloat
    return value


def long_double_text(value: np.longdouble) -> bytes:
    """A number without exponent, with at most 17 digits after the point and no trailing zeros."""
    text = np.format_float_positional(value, precision=_FRACTION_DIGITS, unique=False, trim="-")
    return b"0" if text == "-0" else text.encode()


def as_number(text: bytes) -> int | float | bytes:
    """The JSON number that is spelled like a sum of ``add_as_text``; the text itself where there is none.

    There is none for sums that JSON writes with an exponent, that have more digits than a double, or that are integers
    beyond 64 bits.
    """
    if b"." not in text:
        return int(text) if -(1 << 63) <= int(text) < 1 << 64 else text
    value = float(text)
    return value if orjson.dumps(value) == text else text


def add_as_text(number: bytes, increment: bytes) -> bytes:
    """The sum of two numbers as text (INCRBYFLOAT, HINCRBYFLOAT), in extended precision as Redis.

    Raises NotAFloat, IncrementNotFinite.
    """
    first, second = parse_long_double(number), parse_long_double(increment)
    if abs(first) < _FAR_FROM_OVERFLOW and abs(second) < _FAR_FROM_OVERFLOW:
        return long_double_text(first + second)
    with np.errstate(over="ignore", invalid="ignore"):
        total = first + second
    if np.isnan(total) or np.isinf(total):
        raise IncrementNotFinite
    return long_double_text(total)

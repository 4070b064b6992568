"""Arithmetic on numbers that are kept as text, with Redis' results."""

from __future__ import annotations

import numpy as np

from .errors import IncrementNotFinite, NotAFloat

_FRACTION_DIGITS = 17


def parse_long_double(text: bytes) -> np.longdouble:
    """A number as C's strtold reads it; NaN and blanks around it are refused. Raises NotAFloat."""
    if not text or len(text) > 5000 or b"_" in text or text[:1].isspace() or text[-1:].isspace() or b"\0" in text:
        raise NotAFloat
    try:
        value = np.longdouble(text.decode("ascii"))
    except ValueError:
        try:
            if b"x" not in text.lower():
                raise NotAFloat
            value = np.longdouble(float.fromhex(text.decode("ascii")))
        except (ValueError, OverflowError):
            raise NotAFloat from None
    if np.isnan(value):
        raise NotAFloat
    return value


def long_double_text(value: np.longdouble) -> bytes:
    """A number without exponent, with at most 17 digits behind the point and no trailing zeros."""
    text = np.format_float_positional(value, precision=_FRACTION_DIGITS, unique=False, trim="-")
    return b"0" if text == "-0" else text.encode()


def add_as_text(number: bytes, increment: bytes) -> bytes:
    """The sum of two numbers as text (INCRBYFLOAT, HINCRBYFLOAT), in extended precision as Redis.

    Raises NotAFloat, IncrementNotFinite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        total = parse_long_double(number) + parse_long_double(increment)
    if np.isnan(total) or np.isinf(total):
        raise IncrementNotFinite
    return long_double_text(total)

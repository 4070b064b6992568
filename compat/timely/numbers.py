"""Numbers as Timely reads them from text: the grammar of Java's Long.parseLong and Double.parseDouble."""

from __future__ import annotations

import math
import re
from typing import Final

from januskv.storage.chunks import MOST_TIME

# Text timestamps below are seconds to Timely 0.0.2 and to the collectors written for OpenTSDB.
FIRST_MS: Final = 9_999_999_999

_LONG = re.compile(rb"[+-]?[0-9]+").fullmatch
_BLANKS: Final = bytes(range(33))
_DECIMAL = re.compile(rb"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[fFdD]?").fullmatch
_HEXADECIMAL = re.compile(
    rb"([+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+)[fFdD]?"
).fullmatch
_NAMED: Final = {b"NaN": math.nan, b"Infinity": math.inf}
_SIGNS: Final = {b"+": 1.0, b"-": -1.0}

_MOST_DIGITS: Final = 4096  # of a timestamp: Python's own conversion takes quadratic time


def long_of(text: bytes) -> int | None:
    """The integer of 64 bits that a text spells; None if it is none."""
    if _LONG(text) is None or len(text) > _MOST_DIGITS:
        return None
    value = int(text)
    return value if -MOST_TIME - 1 <= value <= MOST_TIME else None


def double_of(text: bytes) -> float | None:
    """The double that a text spells, perhaps between blanks; None if it is none."""
    text = text.strip(_BLANKS)
    if (decimal := _DECIMAL(text)) is not None:
        return float(decimal[1])
    if (hexadecimal := _HEXADECIMAL(text)) is not None:
        return _from_hex(hexadecimal[1].decode())
    sign, name = (text[:1], text[1:]) if text[:1] in _SIGNS else (b"+", text)
    value = _NAMED.get(name)
    return None if value is None else value * _SIGNS[sign]


def _from_hex(text: str) -> float:
    try:
        return float.fromhex(text)
    except OverflowError:
        return -math.inf if text.startswith("-") else math.inf

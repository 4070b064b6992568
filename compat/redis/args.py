"""Parsing a command's arguments: numbers as strictly as Redis, options in any order.

Numbers follow Redis' string2ll: no leading zeros, blanks or plus signs.
"""

from __future__ import annotations

from math import inf, isinf

from januskv.compat.server.faults import RespError
from januskv.storage.errors import NotAFloat, NotAnInteger
from januskv.storage.numbers import MOST_CHARACTERS, lost_in_reading
from januskv.storage.spelling import int64_of

INT64_MIN = -(1 << 63)
INT64_MAX = (1 << 63) - 1
UINT64_MAX = (1 << 64) - 1

SYNTAX_ERROR = "ERR syntax error"
OUT_OF_RANGE = "ERR value is out of range"

# Most members that a random pick may return when they may repeat (a negative count).
MOST_REPEATED = 10_000_000


def parse_int(text: bytes) -> int:
    """A 64-bit signed integer in its only spelling. Raises NotAnInteger."""
    value = int64_of(text)
    if value is None:
        raise NotAnInteger
    return value


def parse_uint(text: bytes) -> int:
    """A 64-bit unsigned integer in its only spelling. Raises NotAnInteger."""
    if not text.isdigit() or len(text) > 20 or (text[0] == 48 and len(text) > 1) or int(text) > UINT64_MAX:
        raise NotAnInteger
    return int(text)


def parse_float(text: bytes) -> float:
    """A double as C's strtod reads it, except NaN, surrounding blanks, and values out of range.

    Raises NotAFloat.
    """
    if len(text) > MOST_CHARACTERS:
        raise NotAFloat
    return read_double(text)


def read_double(text: bytes) -> float:
    """``parse_float`` for a text of any length. Raises NotAFloat."""
    value = _double(text)
    if lost_in_reading(text, infinite=isinf(value), zero=not value):
        raise NotAFloat
    return value


def read_terminated(text: bytes) -> float:
    """A whole string as C's strtod reads it: leading blanks are ignored, and everything from a zero byte on.

    A number that is too big is infinite; one that is too small or missing is zero. Raises NotAFloat.
    """
    try:
        return _double(text)
    except NotAFloat:
        number_text = text.partition(b"\0")[0]
        return _double(number_text.lstrip(_BLANKS)) if number_text else 0.0


_BLANKS = b" \t\n\v\f\r"


def _double(text: bytes) -> float:
    """A number without blanks; out of a double's range it is infinite or zero. Raises NotAFloat."""
    if not text or b"_" in text or text[:1].isspace() or text[-1:].isspace():
        raise NotAFloat
    try:
        value = float.fromhex(text.decode("ascii")) if b"x" in text or b"X" in text else float(text)
    except OverflowError:  # of a hexadecimal one
        return -inf if text[:1] == b"-" else inf
    except ValueError:
        raise NotAFloat from None
    if value != value:
        raise NotAFloat
    return value


class Args:
    """A cursor over a command's arguments, taken by type. ``end`` refuses left-over ones."""

    __slots__ = ("argv", "at")

    def __init__(self, argv: list[bytes], at: int = 1) -> None:
        self.argv = argv
        self.at = at

    def more(self) -> bool:
        """Whether an argument is left."""
        return self.at < len(self.argv)

    def left(self) -> int:
        """How many arguments are left."""
        return len(self.argv) - self.at

    def take(self) -> bytes:
        """The next argument. A syntax error if there is none."""
        if self.at >= len(self.argv):
            raise RespError(SYNTAX_ERROR)
        self.at += 1
        return self.argv[self.at - 1]

    def word(self) -> bytes:
        """The next argument in upper case, for option names."""
        return self.take().upper()

    def peek(self) -> bytes:
        """The next argument in upper case without taking it; b"" at the end."""
        return self.argv[self.at].upper() if self.at < len(self.argv) else b""

    def flag(self, name: bytes) -> bool:
        """Take the next argument if it is this word."""
        if self.peek() == name:
            self.at += 1
            return True
        return False

    def integer(self, error: str | None = None) -> int:
        """The next argument as a 64-bit integer; ``error`` replaces the usual text."""
        try:
            return parse_int(self.take())
        except NotAnInteger:
            if error is None:
                raise
            raise RespError(error) from None

    def between(self, least: int, most: int) -> int:
        """The next argument as an integer from ``least`` to ``most``."""
        value = parse_int(self.take())
        if not least <= value <= most:
            raise RespError(f"{OUT_OF_RANGE}, value must between {least} and {most}")
        return value

    def number(self, error: str | None = None) -> float:
        """The next argument as a double; ``error`` replaces the usual text."""
        try:
            return parse_float(self.take())
        except NotAFloat:
            if error is None:
                raise
            raise RespError(error) from None

    def rest(self) -> list[bytes]:
        """All arguments that are left."""
        taken = self.argv[self.at :]
        self.at = len(self.argv)
        return taken

    def end(self) -> None:
        """Refuse left-over arguments."""
        if self.at < len(self.argv):
            raise RespError(SYNTAX_ERROR)

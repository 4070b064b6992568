"""The options that SCAN, HSCAN, SSCAN and ZSCAN share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from januskv.compat.server.faults import RespError
from januskv.storage.glob import matcher

from .args import SYNTAX_ERROR, UINT64_MAX, Args

Matches = Callable[[bytes], Any]


_CURSOR = re.compile(rb"[ \t\n\v\f\r]*\+?([0-9]+)")


def parse_cursor(text: bytes) -> int:
    """A SCAN cursor, an unsigned 64-bit integer; leading blanks, zeros and a plus sign are allowed. Raises RespError."""
    match = _CURSOR.fullmatch(text)
    digits = match[1].lstrip(b"0") if match else b""
    if match is None or len(digits) > 20 or int(digits or b"0") > UINT64_MAX:
        raise RespError("ERR invalid cursor")
    return int(digits or b"0")


class ScanOptions:
    """COUNT, the matcher of MATCH (None: everything), and one option of the command's own: TYPE's word, or NOVALUES."""

    __slots__ = ("count", "kind", "matches", "no_values")

    def __init__(self, args: Args, *, typed: bool = False, valued: bool = False) -> None:
        self.count = 10
        self.matches: Matches | None = None
        self.kind: str | None = None
        self.no_values = False
        while args.more():
            word = args.word()
            if word == b"MATCH" and args.more():
                pattern = args.take()
                self.matches = None if pattern == b"*" else matcher(pattern)
            elif word == b"COUNT" and args.more():
                self.count = args.integer()
                if self.count < 1:
                    raise RespError(SYNTAX_ERROR)
            elif typed and word == b"TYPE" and args.more():
                self.kind = args.take().decode(errors="replace").lower()
            elif word == b"NOVALUES":
                if not valued:
                    raise RespError("ERR NOVALUES option can only be used in HSCAN")
                self.no_values = True
            else:
                raise RespError(SYNTAX_ERROR)

    def wants(self, name: bytes) -> bool:
        """Whether a name passes MATCH."""
        return self.matches is None or bool(self.matches(name))

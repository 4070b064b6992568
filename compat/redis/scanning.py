"""The options that SCAN, HSCAN, SSCAN and ZSCAN share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from januskv.compat.faults import RespError
from januskv.storage.glob import matcher

from .args import SYNTAX_ERROR, Args

Matches = Callable[[bytes], Any]


def parse_cursor(text: bytes) -> int:
    """A SCAN cursor, an unsigned 64-bit integer."""
    if not text.isdigit() or len(text) > 20 or int(text) >= 1 << 64:
        raise RespError("ERR invalid cursor")
    return int(text)


class ScanOptions:
    """COUNT, the matcher of MATCH (None: everything), and one option of the verb's own: TYPE's word, or NOVALUES."""

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
            elif valued and word == b"NOVALUES":
                self.no_values = True
            else:
                raise RespError(SYNTAX_ERROR)

    def wants(self, name: bytes) -> bool:
        """Whether a name passes MATCH."""
        return self.matches is None or bool(self.matches(name))

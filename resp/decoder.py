"""Replies from bytes: the client's side of the codec, for tests and tools.

Values come tagged as the encoder takes them, so that what was sent can be told apart exactly:
``Simple``, ``ErrorReply``, bytes, None, ``NULL_ARRAY`` ..., and each with the bytes it came from.
"""

from __future__ import annotations

from typing import Any

from .replies import NULL_ARRAY, Attribute, ErrorReply, Push, SetReply, Simple, Verbatim


class Incomplete(Exception):
    """More bytes are needed."""


class ReplyReader:
    """Incremental reader of RESP2 and RESP3 replies."""

    def __init__(self) -> None:
        self.buffer = b""

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        self.buffer += data

    def gets(self) -> tuple[bytes, Any] | None:
        """The next reply as (its bytes, its value); None if it is not complete. Raises ValueError for what is none."""
        try:
            value, end = self._read(0)
        except Incomplete:
            return None
        raw, self.buffer = self.buffer[:end], self.buffer[end:]
        return raw, value

    def _line(self, at: int) -> tuple[bytes, int]:
        end = self.buffer.find(b"\r\n", at)
        if end < 0:
            raise Incomplete
        return self.buffer[at:end], end + 2

    def _bulk(self, size: int, at: int) -> tuple[bytes, int]:
        if len(self.buffer) < at + size + 2:
            raise Incomplete
        if self.buffer[at + size : at + size + 2] != b"\r\n":
            raise ValueError("a bulk string does not end in CRLF")
        return self.buffer[at : at + size], at + size + 2

    def _items(self, count: int, at: int) -> tuple[list[Any], int]:
        items = []
        for _ in range(count):
            item, at = self._read(at)
            items.append(item)
        return items, at

    def _read(self, at: int) -> tuple[Any, int]:
        mark = self.buffer[at : at + 1]
        if not mark:
            raise Incomplete
        line, at = self._line(at + 1)
        if mark == b"+":
            return Simple(line), at
        if mark == b"-":
            return ErrorReply(line), at
        if mark in b":(":
            return int(line), at
        if mark == b",":
            return float(line), at
        if mark == b"#":
            return {b"t": True, b"f": False}[line], at
        if mark == b"_":
            return None, at
        size = int(line)
        if mark == b"$":
            return (None, at) if size < 0 else self._bulk(size, at)
        if mark == b"=":
            text, at = self._bulk(size, at)
            return Verbatim(text[:3], text[4:]), at
        if mark == b"*" and size < 0:
            return NULL_ARRAY, at
        return self._aggregate(mark, size, at)

    def _aggregate(self, mark: bytes, size: int, at: int) -> tuple[Any, int]:
        items, at = self._items(size * 2 if mark in b"%|" else size, at)
        if mark == b"*":
            return items, at
        if mark == b"~":
            return SetReply(items), at
        if mark == b">":
            return Push(items), at
        pairs = list(zip(items[::2], items[1::2], strict=True))
        if mark == b"%":
            return Pairs(pairs), at
        if mark == b"|":
            reply, at = self._read(at)
            return Attribute(dict(pairs), reply), at
        raise ValueError(f"{mark!r} begins no reply")


class Pairs(list[tuple[Any, Any]]):
    """A map as pairs in order: keys of a map need not be hashable."""

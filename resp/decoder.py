"""Replies from bytes: the client's side of the codec, for tests and tools.

Values are tagged as the encoder takes them, so that types on the wire can be distinguished exactly:
``Simple``, ``ErrorReply``, bytes, None, ``NULL_ARRAY`` ... Each comes with its bytes.
"""

from __future__ import annotations

from typing import Any

from .replies import NULL_ARRAY, Attribute, ErrorReply, Push, SetReply, Simple, Verbatim


class Incomplete(Exception):
    """More bytes are needed."""


class ReplyReader:
    """Incremental reader of RESP2 and RESP3 replies. An incomplete reply is read again when more bytes arrive."""

    def __init__(self) -> None:
        self._buffer = b""
        self._start = 0

    @property
    def buffer(self) -> bytes:
        """The bytes of an incomplete reply."""
        return self._buffer[self._start :]

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        self._buffer = self.buffer + data
        self._start = 0

    def gets(self) -> tuple[bytes, Any] | None:
        """The next reply as (its bytes, its value); None if it is not complete. Raises ValueError for invalid input."""
        start = self._start
        try:
            value, self._start = self._read(start)
        except Incomplete:
            return None
        return self._buffer[start : self._start], value

    def _line(self, at: int) -> tuple[bytes, int]:
        end = self._buffer.find(b"\r\n", at)
        if end < 0:
            raise Incomplete
        return self._buffer[at:end], end + 2

    def _bulk(self, size: int, at: int) -> tuple[bytes, int]:
        if len(self._buffer) < at + size + 2:
            raise Incomplete
        if self._buffer[at + size : at + size + 2] != b"\r\n":
            raise ValueError("a bulk string does not end in CRLF")
        return self._buffer[at : at + size], at + size + 2

    def _read(self, at: int) -> tuple[Any, int]:
        mark = self._buffer[at : at + 1]
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
        if mark == b"#" and line in (b"t", b"f"):
            return line == b"t", at
        if mark == b"_" and not line:
            return None, at
        size = int(line)
        if size == -1 and mark in b"$*":
            return (None if mark == b"$" else NULL_ARRAY), at
        if size < 0:
            raise ValueError(f"a negative size: {line!r}")
        if mark == b"$":
            return self._bulk(size, at)
        if mark == b"=":
            text, at = self._bulk(size, at)
            return Verbatim(text[:3], text[4:]), at
        return self._aggregate(mark, size, at)

    def _aggregate(self, mark: bytes, size: int, at: int) -> tuple[Any, int]:
        if mark not in b"*~>%|":
            raise ValueError(f"{mark!r} begins no reply")
        items = []
        for _ in range(size * 2 if mark in b"%|" else size):
            item, at = self._read(at)
            items.append(item)
        if mark == b"*":
            return items, at
        if mark == b"~":
            return SetReply(items), at
        if mark == b">":
            return Push(items), at
        pairs = list(zip(items[::2], items[1::2], strict=True))
        if mark == b"%":
            return Pairs(pairs), at
        reply, at = self._read(at)
        return Attribute(dict(pairs), reply), at


class Pairs(list[tuple[Any, Any]]):
    """A map as pairs in order: keys of a map need not be hashable."""

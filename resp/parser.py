"""Requests from bytes: RESP arrays, inline commands and JSON lines, in any mixture and any pieces.

At a command border the first byte decides: ``*`` begins an array of bulk strings; a line whose
first non-blank byte is ``{`` is a JSON line; every other line is an inline command.

The compiled twin (``parser.pyx``) parses in C. This module leaves a chunk that holds whole arrays
to hiredis, whose result is taken only if the chunk is exactly what a client's encoder produces;
everything else (pieces, inline, JSON, errors) goes through the careful parser below, which knows
Redis' limits and error texts.
"""

from __future__ import annotations

import re
from collections import deque
from itertools import chain

import hiredis

from .inline import HttpRequest, ProtocolError, is_http, split_words

# hiredis makes room for as many items as a header announces: gigabytes, for a lie of ten digits.
_MANY_ARGS = re.compile(rb"\*[0-9]{6}")

__all__ = ["HttpRequest", "Parser", "ProtocolError"]


class Parser:
    """Incremental parser of one connection's requests.

    The limits are attributes; ``authenticated`` False applies Redis' smaller ones for strangers.
    """

    __slots__ = (
        "_argv",
        "_at",
        "_buffer",
        "_bulk_left",
        "_collected",
        "_error",
        "_missing",
        "_pieces",
        "_reader",
        "_ready",
        "_scanned",
        "authenticated",
        "max_args",
        "max_bulk",
        "max_inline",
        "max_json",
    )

    def __init__(self) -> None:
        self.max_bulk: int = 512 << 20
        self.max_args: int = 1 << 20
        self.max_inline: int = 64 << 10
        self.max_json: int = 64 << 20
        self.authenticated: bool = True
        self._buffer = bytearray()
        self._at = 0  # start of what is not parsed yet
        self._scanned = 0  # no line feed between _at and here
        self._argv: list[bytes] = []  # of the array that is being collected
        self._missing = 0  # arguments that it still lacks
        self._bulk_left = -1  # size of the bulk string that is being collected; -1: its header comes next
        self._collected = 0
        self._ready: deque[list[bytes]] = deque()
        self._error: ProtocolError | None = None
        self._reader: hiredis.Reader | None = None

    @property
    def pending(self) -> int:
        """Bytes received and not yet returned as requests, about."""
        return len(self._buffer) - self._at + self._collected

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        if data[:1] == b"*" and not self._buffer and not self._missing and not self._ready and self.authenticated:
            if self._take_whole(data):
                return
        if self._at:
            del self._buffer[: self._at]
            self._scanned -= self._at
            self._at = 0
        self._buffer += data

    def _take_whole(self, data: bytes) -> bool:
        """Let hiredis parse a chunk of whole arrays; False if it is anything else."""
        if _MANY_ARGS.search(data) is not None:
            return False
        reader = self._reader
        if reader is None:
            reader = hiredis.Reader()
        self._reader = None  # it is kept for the next chunk only if it has read this one to its end
        reader.feed(data)
        commands: list[list[bytes]] = []
        try:
            while (command := reader.gets()) is not False:
                if type(command) is not list or not command:
                    return False
                commands.append(command)
            args = sum(map(len, commands))
            # The only encoding of these arguments has so many of these bytes, unless arguments hold some.
            if data.count(b"$") != args or data.count(b"*") != len(commands):
                return False
            if data.count(b"\r\n") != len(commands) + 2 * args or reader.has_data():
                return False
            size = len(b"".join(chain.from_iterable(commands)))
        except (hiredis.ProtocolError, hiredis.ReplyError, TypeError, MemoryError):
            return False
        if size > self.max_bulk or args > self.max_args:
            return False  # perhaps a limit is broken
        self._reader = reader
        self._ready.extend(commands)
        return True

    def next(self) -> list[bytes] | bytes | None:
        """The next request: an argument list, a JSON line, or None if more bytes are needed.

        Raises ProtocolError, and again whenever it is called after that.
        """
        if self._ready:
            return self._ready.popleft()
        if self._error is not None:
            raise self._error
        try:
            return self._next()
        except ProtocolError as error:
            self._error = error
            raise

    def _next(self) -> list[bytes] | bytes | None:
        while True:
            if self._missing:
                return self._collect()
            buffer = self._buffer
            if self._at >= len(buffer):
                if buffer:
                    self._buffer = bytearray()
                    self._at = self._scanned = 0
                return None
            if buffer[self._at] == 42:  # *
                count = self._array_header()
                if count is None:
                    return None
                if count > 0:
                    self._missing = count
                continue
            line = self._line()
            if line is None:
                return None
            stripped = line.strip()
            if stripped[:1] == b"{":
                if len(stripped) > self._json_limit():
                    raise ProtocolError("too big JSON request", json=True)
                return stripped
            if is_http(stripped):
                raise HttpRequest
            argv = split_words(line)
            if argv is None:
                raise ProtocolError("unbalanced quotes in request")
            if argv:
                return argv

    # ------------------------------------------------------------ lines

    def _json_limit(self) -> int:
        return self.max_json if self.authenticated else min(self.max_json, 16384)

    def _line(self) -> bytes | None:
        """The next line without its end, or None."""
        buffer, at = self._buffer, self._at
        end = buffer.find(b"\n", max(self._scanned, at))
        if end < 0:
            self._scanned = len(buffer)
            waiting = len(buffer) - at
            if waiting > self.max_inline:
                if not _begins_json(buffer, at):
                    raise ProtocolError("too big inline request")
                if waiting > self._json_limit():
                    raise ProtocolError("too big JSON request", json=True)
            return None
        line = bytes(buffer[at:end])
        self._at = self._scanned = end + 1
        if len(line) > self.max_inline and line.lstrip(b" \t")[:1] != b"{":
            raise ProtocolError("too big inline request")
        return line[:-1] if line.endswith(b"\r") else line

    def _header(self, too_big: str) -> bytes | None:
        """The rest of a header line after its first byte, or None. A header has no business being long."""
        buffer, at = self._buffer, self._at
        end = buffer.find(b"\r", at, at + self.max_inline + 2)
        if end < 0:
            if len(buffer) - at > self.max_inline:
                raise ProtocolError(too_big)
            return None
        if end + 1 >= len(buffer):
            return None
        header = bytes(buffer[at + 1 : end])
        self._at = self._scanned = end + 2
        return header

    # ------------------------------------------------------------ arrays

    def _array_header(self) -> int | None:
        header = self._header("too big mbulk count string")
        if header is None:
            return None
        count = strict_int(header)
        if count is None or count > self.max_args:
            raise ProtocolError("invalid multibulk length")
        if count > 10 and not self.authenticated:
            raise ProtocolError("unauthenticated multibulk length")
        return count

    def _collect(self) -> list[bytes] | None:
        """Go on with the array; the whole of it once the last argument is there, else None."""
        while self._missing:
            if self._bulk_left < 0 and not self._bulk_header():
                return None
            buffer, at, size = self._buffer, self._at, self._bulk_left
            if len(buffer) - at < size + 2:
                return None
            self._argv.append(bytes(buffer[at : at + size]))
            self._collected += size
            self._at = self._scanned = at + size + 2
            self._bulk_left = -1
            self._missing -= 1
        argv = self._argv
        self._argv = []
        self._collected = 0
        return argv

    def _bulk_header(self) -> bool:
        buffer, at = self._buffer, self._at
        if at >= len(buffer):
            return False
        if self._find_header_end() and buffer[at] != 36:  # $
            raise ProtocolError(f"expected '$', got '{chr(buffer[at])}'")
        header = self._header("too big bulk count string")
        if header is None:
            return False
        size = strict_int(header)
        if size is None or size < 0 or size > self.max_bulk:
            raise ProtocolError("invalid bulk length")
        if size > 16384 and not self.authenticated:
            raise ProtocolError("unauthenticated bulk length")
        self._bulk_left = size
        return True

    def _find_header_end(self) -> bool:
        end = self._buffer.find(b"\r", self._at, self._at + self.max_inline + 2)
        return 0 <= end < len(self._buffer) - 1


def strict_int(text: bytes) -> int | None:
    """A 64-bit integer in its only spelling (Redis' string2ll), or None."""
    try:
        value = int(text)
    except ValueError:
        return None
    return value if b"%d" % value == text and -(1 << 63) <= value < 1 << 63 else None


def _begins_json(buffer: bytearray, at: int) -> bool:
    return bytes(buffer[at : at + 64]).lstrip(b" \t")[:1] == b"{"

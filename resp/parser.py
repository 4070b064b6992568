"""Requests from bytes: RESP arrays, inline commands and JSON lines, mixed and split in any way.

The first byte of a request decides: ``*`` begins an array of bulk strings; a line whose
first byte behind blanks is ``{`` is a JSON line; a line that begins with ``put ``, or is ``version``,
is Timely's; every other line is an inline command. Timely's binary form is known by its mark.

The compiled implementation (``parser.pyx``) parses in C. This module leaves runs of whole arrays to hiredis,
whose result is taken only if it is proven that Redis would have read the same; everything else
(partial input, inline, JSON, errors) goes through the careful parser below, which has Redis' limits and
error texts.
"""

from __future__ import annotations

import re
from collections import deque
from itertools import chain
from typing import Any

import hiredis

from .inline import (
    MOST_TIMELY,
    UNAUTHENTICATED_MAX_ARGS,
    UNAUTHENTICATED_MAX_BULK,
    UNAUTHENTICATED_MAX_JSON,
    BinaryInput,
    HttpRequest,
    ProtocolError,
    TimelyBuffer,
    TimelyLines,
    begins_timely_buffer,
    begins_timely_line,
    is_binary,
    read_line,
    unexpected,
    wire_size,
)

__all__ = ["HttpRequest", "Parser", "ProtocolError", "Request"]

# An argument list, a JSON line, or points of Timely's.
Request = list[bytes] | bytes | TimelyLines | TimelyBuffer

# In place of the number of missing arguments: what comes up to the next line end belongs to a line that is too long.
_SKIPPING = -1


class Parser:
    """Incremental parser of one connection's requests.

    The limits are attributes. Unless ``authenticated``, Redis' smaller ones for unauthenticated clients apply.
    """

    __slots__ = (
        "_argv",
        "_at",
        "_buffer",
        "_bulk",
        "_error",
        "_fresh",
        "_is_json",
        "_missing",
        "_ready",
        "_scanned",
        "_taken",
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
        self._ready: deque[list[bytes]] = deque()  # parsed ahead of the buffer
        self._buffer: bytes | bytearray = b""
        self._at = 0  # start of the unparsed bytes
        self._scanned = 0  # no line end before this
        self._fresh = False  # hiredis has not seen what is in the buffer
        self._argv: list[bytes] = []  # of the unfinished array
        self._missing = 0  # arguments still missing
        self._bulk = -1  # size of the next argument; -1: its header has not been read
        self._taken = 0  # bytes of the unfinished request that are no longer in the buffer
        self._is_json = False  # the unfinished line is known to be JSON
        self._error: ProtocolError | None = None

    @property
    def pending(self) -> int:
        """Bytes received and not yet returned as requests."""
        return len(self._buffer) - self._at + self._taken + sum(map(wire_size, self._ready))

    @property
    def spare(self) -> int:
        """Unused capacity of the buffer for unfinished requests: none, it grows as bytes arrive."""
        return 0

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        if self._error is not None:
            return
        buffer, start = self._buffer, self._at
        self._fresh = True
        self._at = 0
        if start >= len(buffer):
            self._buffer = data
            self._scanned = 0
            return
        self._scanned -= start
        if type(buffer) is bytearray:
            del buffer[:start]
        else:
            buffer = self._buffer = bytearray(memoryview(buffer)[start:])
        buffer += data

    def next(self) -> Request | None:
        """The next request: an argument list, a JSON line, lines or a buffer of Timely's; None if more bytes are needed.

        Raises ProtocolError, and from then on at each call.
        """
        if self._ready:
            return self._ready.popleft()
        if self._error is not None:
            raise self._error.with_traceback(None)
        try:
            return self._next()
        except ProtocolError as error:
            self._error = error
            self._buffer, self._argv, self._at, self._taken = b"", [], 0, 0
            raise

    def finish(self) -> bool:
        """No more input will arrive: accept an unfinished line of JSON. Returns whether there is one.

        Call it when ``next`` has returned None. Other requests need their end: a command line may have been cut off.
        """
        if self._error is not None or self._missing or not _JSON(self._buffer, self._at):
            return False
        self.feed(b"\n")
        return True

    def _next(self) -> Request | None:
        while True:
            if self._missing > 0:
                return self._collect()
            if self._missing == _SKIPPING and not self._skip_line():
                return None
            buffer, at = self._buffer, self._at
            if at >= len(buffer):
                self._buffer = b""
                self._at = self._scanned = 0
                return None
            if buffer[at] == 42:  # *
                if self._fresh and self._take_batch():
                    return self._ready.popleft()
                if not self._array_header():
                    return None
                continue
            if begins_timely_buffer(buffer, at):
                self._at = len(buffer)
                return TimelyBuffer(bytes(buffer[at:]))
            if is_binary(buffer[at]):
                raise BinaryInput
            if begins_timely_line(buffer, at):
                return self._timely_lines()
            line = self._line()
            if line is None:
                return None
            request = read_line(line)
            if request:
                return request

    # ------------------------------------------------------------ whole arrays

    def _take_batch(self) -> bool:
        """Have hiredis parse the whole arrays in the buffer; False leaves them to the careful parser."""
        self._fresh = False
        buffer, at = self._buffer, self._at
        size = len(buffer) - at
        if size > self.max_bulk or size > self.max_args or not self.authenticated:
            return False  # a limit may be exceeded
        if buffer.endswith(b"\r\n") and self._take_arrays(len(buffer)):
            return True
        # The end of a read may cut a pipeline in the middle of an array: most likely the last one.
        end = buffer.rfind(b"\r\n*", at) + 2
        return end > at and self._take_arrays(end)

    def _take_arrays(self, end: int) -> bool:
        chunk, at = self._buffer, self._at
        if at or end < len(chunk) or type(chunk) is not bytes:
            chunk = bytes(memoryview(chunk)[at:end])
        commands = whole_arrays(chunk)
        if commands is None:
            return False
        self._ready.extend(commands)
        self._at = end
        return True

    # ------------------------------------------------------------ lines

    def _line(self) -> bytes | None:
        """The next line without its line feed, or None."""
        buffer, at = self._buffer, self._at
        end = buffer.find(b"\n", max(self._scanned, at))
        stop = end if end >= 0 else len(buffer)
        json_limit = self.max_json if self.authenticated else min(self.max_json, UNAUTHENTICATED_MAX_JSON)
        if stop - at > min(self.max_inline, json_limit):
            self._is_json = self._is_json or _JSON(buffer, at, at + self.max_inline + 1) is not None
            if self._is_json:
                # A carriage return at the limit may be the line's end.
                if stop - at - (buffer[stop - 1] == 13) > json_limit:
                    raise ProtocolError("too big JSON request", json=True)
            elif stop - at > self.max_inline:
                raise ProtocolError("too big inline request")
        if end < 0:
            self._scanned = stop
            return None
        self._is_json = False
        self._at = end + 1
        return bytes(memoryview(buffer)[at:end])

    def _timely_lines(self) -> TimelyLines | None:
        """Lines of Timely's from here on, as many as are whole; None if the first is not. A line too long is not read."""
        buffer, start, at = self._buffer, self._at, self._at
        end = -1
        while at < len(buffer) and at - start < MOST_TIMELY and begins_timely_line(buffer, at):
            end = buffer.find(b"\n", max(self._scanned, at))
            if end < 0:
                self._scanned = len(buffer)
                break
            if end - at > self.max_inline:
                break
            at = end + 1
        if at > start:
            self._at = at
            return TimelyLines(bytes(memoryview(buffer)[start:at]))
        if end >= 0:
            self._at = end + 1
        elif len(buffer) - start > self.max_inline:
            self._missing = _SKIPPING
            self._at = len(buffer)
        else:
            return None
        return TimelyLines(b"")

    def _skip_line(self) -> bool:
        """Pass over the rest of a line that is too long; whether its end has come."""
        end = self._buffer.find(b"\n", self._at)
        if end < 0:
            self._buffer = b""
            self._at = self._scanned = 0
            return False
        self._at = end + 1
        self._missing = 0
        return True

    def _header(self, too_big: str) -> int:
        """The index of the header line's carriage return, or -1 if the line is not complete."""
        buffer, at = self._buffer, self._at
        limit = at + self.max_inline + 1
        end = buffer.find(b"\r", max(self._scanned, at), limit)
        if end < 0:
            if len(buffer) >= limit:
                raise ProtocolError(too_big)
            self._scanned = len(buffer)
        elif end + 1 == len(buffer):
            self._scanned = end
            return -1
        return end

    # ------------------------------------------------------------ arrays

    def _array_header(self) -> bool:
        """Begin an array; False if its header is not complete."""
        end = self._header("too big mbulk count string")
        if end < 0:
            return False
        count = strict_int(bytes(self._buffer[self._at + 1 : end]))
        if count is None or count > self.max_args:
            raise ProtocolError("invalid multibulk length")
        if count > UNAUTHENTICATED_MAX_ARGS and not self.authenticated:
            raise ProtocolError("unauthenticated multibulk length")
        if count > 0:
            self._missing = count
            self._taken = end + 2 - self._at
        self._at = end + 2
        return True

    def _collect(self) -> list[bytes] | None:
        """Continue with the array. Returns it once the last argument has arrived, else None."""
        start = self._at
        while self._missing:
            size = self._bulk
            if size < 0:
                size = self._bulk = self._bulk_header()
            buffer, at = self._buffer, self._at
            if size < 0 or len(buffer) - at < size + 2:
                self._taken += at - start
                return None
            self._argv.append(
                bytes(buffer[at : at + size]) if size < 1024 else bytes(memoryview(buffer)[at : at + size])
            )
            self._at = at + size + 2  # like Redis, any two bytes count as the line end
            self._bulk = -1
            self._missing -= 1
        argv = self._argv
        self._argv = []
        self._taken = 0
        return argv

    def _bulk_header(self) -> int:
        """The size of the next argument, or -1 if its header is not complete."""
        end = self._header("too big bulk count string")
        if end < 0:
            return -1
        buffer, at = self._buffer, self._at
        if buffer[at] != 36:  # $
            raise unexpected(buffer[at])
        size = strict_int(bytes(buffer[at + 1 : end]))
        if size is None or not 0 <= size <= self.max_bulk:
            raise ProtocolError("invalid bulk length")
        if size > UNAUTHENTICATED_MAX_BULK and not self.authenticated:
            raise ProtocolError("unauthenticated bulk length")
        self._at = end + 2
        return size


_JSON = re.compile(rb"[ \t]*\{").match


def strict_int(text: bytes) -> int | None:
    """A 64-bit integer in its only spelling (Redis' string2ll), or None."""
    if not text.isdigit() and not (text[:1] == b"-" and text[1:].isdigit()):
        return None
    if len(text) > 20:
        return None
    value = int(text)
    return value if b"%d" % value == text and -(1 << 63) <= value < 1 << 63 else None


# ---------------------------------------------------------------- hiredis

# hiredis reads server replies: it accepts more types than requests may have, and allocates
# as many elements as a header announces. Chunks with huge headers are not passed to it.
_HUGE_ARRAY = re.compile(rb"\*\d{6}").search
_HUGE = re.compile(rb"[*~>|%]\d{6}").search
_OTHER_TYPE = re.compile(rb"[=~>|%]\d").search

_encode: Any = hiredis.pack_command  # its declared types allow one argument only
_MORE = object()
_spare: list[hiredis.Reader] = []  # an idle reader; making one costs as much as parsing four commands


def whole_arrays(data: bytes) -> list[list[bytes]] | None:
    """The commands of a chunk that begins with ``*``, or None if the chunk is not their canonical encoding.

    Proof that Redis would read the same: the reader is idle afterwards, so the chunk consists of
    whole values. If no argument contains a carriage return, no line end is inside one. If there are
    only arrays of bytes and no verbatim strings, each argument is a bulk string, or a simple string
    or big number in disguise. Then an array's header has one line end, a bulk string at most two, and
    the disguised have one; the total is right only if all arguments are bulk strings that end
    properly. Where one of these conditions is uncertain, encoding the commands again must give the chunk.
    """
    # 61, 126, 62, 124, 37: = ~ > | %. Searching for integers is three times as fast.
    odd = (61 in data or 126 in data or 62 in data or 124 in data or 37 in data) and _OTHER_TYPE(data) is not None
    if (_HUGE if odd else _HUGE_ARRAY)(data):
        return None
    reader = _spare.pop() if _spare else hiredis.Reader(notEnoughData=_MORE)
    try:
        reader.feed(data)
        commands: list[list[bytes]] = list(iter(reader.gets, _MORE))
        args = list(chain.from_iterable(commands))
        joined = b"".join(args)  # raises TypeError for anything but bytes
        if odd or 13 in joined:
            if b"".join([_encode(tuple(argv)) for argv in commands]) != data:
                return None
        elif data.count(b"\r\n") != len(commands) + 2 * len(args):
            return None
        reader.feed(b"+\r\n")  # an empty string, unless something was unfinished
        if reader.gets() != b"" or reader.has_data() or not all(commands):
            return None
    except (hiredis.ProtocolError, TypeError, MemoryError):
        return None
    _spare.append(reader)
    return commands

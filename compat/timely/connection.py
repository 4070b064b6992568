"""One connection to Timely's own port: every line is Timely's, nothing is closed for bad input but what a browser sends."""

from __future__ import annotations

from typing import Any, Final

from januskv.compat.server.channel import Channel
from januskv.compat.server.server import Server
from januskv.resp.inline import TimelyBuffer, begins_like_http, begins_timely_buffer

from .binary import CutBuffer
from .ingest import Ingest
from .put_line import MOST_LINE

# The binary form does not tell its size. What one read cuts is put together again up to this size.
_MOST_BUFFER: Final = 256 << 10
_MOST_TRIES: Final = 16  # each reads it from its beginning


class TimelyConnection(Channel):
    """Reads lines and buffers, and stores their points.

    ``waiting`` is what has come and is not a whole line yet, or the beginning of a buffer that has been read ``tries`` times.
    """

    def __init__(self, server: Server, ingest: Ingest) -> None:
        super().__init__(server, server.native)
        self.ingest = ingest
        self.waiting = b""
        self.tries = 0
        self.begun = False  # the first line has been looked at
        self.skipping = False  # in the middle of a line that is too long
        self.client.authenticated = self.client.logs_in = False  # nobody can log in here

    # ------------------------------------------------------------ bytes

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        self.waiting = self.waiting + data if self.waiting else data

    def pending_input(self) -> int:
        """Bytes received that are not a whole line yet."""
        return len(self.waiting)

    def run_batch(self) -> None:
        """Store the points of whole lines, or of a buffer."""
        self.active_ms = self.clock.tick()
        parked, self.parked = self.parked, None
        while not self.closing:
            request = self.next_request() if parked is None else parked
            parked = None
            if request is None:
                break
            if self.ingest.waits:
                self.hold_points(request)
                break
            self.take(request)
            if self.tries:
                break
            if self.outbox.wake:
                self.write_behind()
                self.server.waiting.serve()
                self.write_behind()

    def take(self, request: bytes | TimelyBuffer) -> None:
        """Store the points of a request."""
        if isinstance(request, TimelyBuffer):
            self.take_buffer(request.data)
            return
        if not self.begun and begins_like_http(request):
            line = f"possible attack: an HTTP request from {self.client.address} on the Timely port, closed"
            self.server.limited_log.note("http", line)
            self.close()
            return
        self.begun = True
        self.encoder.write_raw(self.ingest.take_lines_of(self.context, request))

    def next_request(self) -> bytes | TimelyBuffer | None:
        """The whole lines, or all of a buffer, that have come; None if there are none."""
        data = self.waiting
        if self.skipping:
            data = self.skip(data)
        if not data:
            self.waiting = b""
            return None
        if self.tries or begins_timely_buffer(data, 0):
            self.waiting = b""
            return TimelyBuffer(data)
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        self.waiting = data[end:]
        if len(self.waiting) > MOST_LINE:
            self.ingest.refuse_long_line(self.client.address)
            self.waiting, self.skipping = b"", True
        return data[:end] or None

    def skip(self, data: bytes) -> bytes:
        """What is behind the end of a line that is too long; empty if that has not come."""
        ends = [end for end in (data.find(b"\n"), data.find(b"\r")) if end >= 0]
        self.skipping = not ends
        return data[min(ends) + 1 :] if ends else b""

    def take_buffer(self, data: bytes) -> None:
        """Store the points of a buffer; one whose end is missing waits for more."""
        try:
            self.ingest.take_binary_of(self.context, data)
            self.tries = 0
        except CutBuffer as error:
            self.tries += 1
            if len(data) < _MOST_BUFFER and self.tries < _MOST_TRIES:
                self.waiting = data
            else:
                self.tries = 0
                self.ingest.refused(f"points of {self.client.address} refused: {error}")

    # ------------------------------------------------------------ output

    def encoded(self, message: Any) -> bytes:
        """Replies have no form here. Raises TypeError."""
        raise TypeError(f"a Timely connection carries no {type(message).__name__}")

    def encoded_native(self, text: bytes) -> bytes:
        """Nor have native messages. Raises TypeError."""
        raise TypeError("a Timely connection carries no native messages")

    def denied(self, data: bytes, text: str) -> tuple[bytes, bool]:
        """Nothing can be sent in place of what confirms nothing; the end of the connection has to tell it."""
        return b"", False

    def refuse(self, text: str) -> None:
        """Close: a new client is not served, and cannot be told."""
        self.close()

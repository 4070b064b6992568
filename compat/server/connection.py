"""One connection of the data port: RESP arrays, inline commands, JSON lines and points in, replies out, one write per read.

The module is compiled where possible; keep anything that plain commands do not need out of the loop in ``run_batch``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from januskv.commands.table import Command
from januskv.resp.encoder import encode
from januskv.resp.inline import BinaryInput, TimelyBuffer, TimelyLines
from januskv.resp.parser import HttpRequest, Parser, ProtocolError
from januskv.resp.replies import ErrorReply, RawReply

from .acl.guards import Guard
from .channel import FLUSH_BYTES, Channel
from .dispatch import Dispatcher
from .native_requests import NativeRequests
from .server import Server
from .stopwatch import now_ns
from .unconfirmed import denied

log = logging.getLogger("januskv")

_NO_COMMANDS: dict[bytes, Command] = {}


class Connection(Channel):
    """Reads requests, runs them in order and writes the replies.

    ``fast`` is the server's table of commands on the fast path, or an empty one while the client is in a special
    state; then every request goes through the dispatcher, as does what the ``guard`` of a user with limited rights does not allow.
    """

    def __init__(self, server: Server, dispatcher: Dispatcher, native: NativeRequests) -> None:
        super().__init__(server, native)
        self.dispatcher: Dispatcher = dispatcher
        self.parser: Parser = Parser()
        self.fast: dict[bytes, Command] = _NO_COMMANDS
        self.guard: Guard | None = None
        self.encoder.slices = True
        self.client.authenticated = server.users.default.is_open

    def refresh(self) -> None:
        """Apply the client's state and the limits, and choose between fast path and dispatcher."""
        super().refresh()
        client, config, parser = self.client, self.server.config, self.parser
        self.fast = self.server.state.fast if client.plain else _NO_COMMANDS
        self.guard = client.user.guard
        parser.max_bulk = config.proto_max_bulk_len
        parser.max_json = config.json_max_payload
        parser.authenticated = client.authenticated
        self.encoder.protocol = client.protocol

    def refuse(self, text: str) -> None:
        """Tell a new client why it is rejected, and close."""
        self.push(ErrorReply(text))
        self.close()

    # ------------------------------------------------------------ bytes and requests

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        self.parser.feed(data)

    def finish(self) -> None:
        """Reply to a last line of JSON without a line end."""
        if self.parser.finish():
            self.process()

    def pending_input(self) -> int:
        """Received bytes that are not a whole request yet."""
        return self.parser.pending

    def spare_input(self) -> int:
        """Spare bytes in the buffer for an incomplete request."""
        return int(self.parser.spare)

    def encoded(self, message: Any) -> bytes:
        """The bytes of a reply value that is sent out of turn."""
        return message.wire if type(message) is RawReply else encode(message, self.client.protocol)

    def encoded_native(self, text: bytes) -> bytes:
        """A native message is a line."""
        return text + b"\n"

    def denied(self, data: bytes, text: str) -> tuple[bytes, bool]:
        """Replies with errors in place of successes, and whether these tell the client of every failure."""
        return denied(data, text, self.native)

    def native_pieces(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """A native reply in pieces: a line."""
        yield from pieces
        yield b"\n"

    def run_batch(self) -> None:
        """Run whole requests until none is left. Raises ProtocolError.

        Commands that are not timed individually share the time of the batch: ``last`` was called
        ``count`` times in a row, ``earlier`` has the runs before it.
        """
        parser = self.parser
        encoder = self.encoder
        context = self.context
        dispatcher = self.dispatcher
        native = self.native
        self.active_ms = self.clock.tick()
        if self.session is not None:
            self.session.renew(self.active_ms)
        started = now_ns()
        context.timed_ns = 0
        earlier: list[tuple[Command, int]] | None = None
        last: Command | None = None
        last_request: list[bytes] | None = None
        count = 0
        served = 0
        try:
            while True:
                if self.parked is None:
                    request = parser.next()
                    if request is None:
                        break
                else:
                    request = self.parked
                    self.parked = None
                if type(request) is not list:
                    if type(request) is not bytes:
                        if self.server.points.waits:
                            self.hold_points(request)
                            break
                        self.take_points(request)  # type: ignore[arg-type]
                    elif self.pause.until_ms and native.holds(context, request):
                        self.hold(request)
                        break
                    else:
                        encoder.write_raw(native.answer_line(context, request))
                else:
                    command = self.fast.get(request[0])
                    if (
                        command is None
                        or not command.min_args <= len(request) <= command.max_args
                        or (self.guard is not None and not self.guard.allows(command, request))
                    ):
                        encoder.write(dispatcher.route(context, request))
                    elif command.timed:
                        encoder.write(dispatcher.execute(context, command, request))
                    else:
                        if command is not last:
                            if last is not None:
                                earlier = earlier or []
                                earlier.append((last, count))
                            last = command
                            count = 0
                        count += 1
                        last_request = request
                        try:
                            encoder.write(command.run(context, request))  # type: ignore[arg-type]
                        except Exception as error:
                            encoder.write(dispatcher.accounts.failure(command, error))
                if encoder.sliced is not None:
                    self.send_sliced()
                if self.outbox.wake:
                    before = now_ns()
                    self.write_behind()
                    self.server.waiting.serve()
                    self.write_behind()
                    context.timed_ns += now_ns() - before
                if self.closing or self.halted:
                    break
                served += 1
                if not served & 63 and encoder.size > FLUSH_BYTES:
                    self.flush()
        finally:
            if last is not None:
                context.command = last
                spent_ns = now_ns() - started - context.timed_ns
                dispatcher.accounts.batch(earlier, last, count, spent_ns, last_request, self.client)

    def take_points(self, points: TimelyLines | TimelyBuffer) -> None:
        """Store points, whose time is not part of the commands' batch time. Raises ProtocolError."""
        before = now_ns()
        try:
            self.encoder.write_raw(self.server.points.take(self.context, points))
        finally:
            self.context.timed_ns += now_ns() - before
            self.clock.tick()

    def failed(self, error: Exception) -> None:
        """Reply to input that is not a request, and close; an unexpected error closes immediately."""
        if isinstance(error, ProtocolError):
            self.refuse_input(error)
        else:
            Channel.failed(self, error)

    def refuse_input(self, error: ProtocolError) -> None:
        """Reply to input that is not a request, and close: where the next request begins is unknown."""
        self.server.accounts.stats.protocol_errors += 1
        error.__traceback__ = (
            None  # the parser keeps the error, and its frames would keep the parser and the connection
        )
        if isinstance(error, HttpRequest):
            line = f"possible attack: an HTTP request from {self.client.address} on the data port, closed"
            self.server.limited_log.note("http", line)
        elif error.json:
            self.encoder.write_raw(self.native.refuse_line(str(error)))
        else:
            if isinstance(error, BinaryInput):
                line = f"client {self.client.address} closed: it sends binary data, perhaps TLS, which this port does not speak"
                self.server.limited_log.note("binary", line)
            self.server.accounts.error("ERR")
            self.encoder.write(ErrorReply(f"ERR {error}"))
        self.close()

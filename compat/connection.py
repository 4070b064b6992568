"""One connection of the data port: bytes in, replies out, one write per read.

It has the methods of an asyncio protocol but imports no event loop, so tests drive it with a fake
transport. The module is compiled where possible; keep the loop in ``process`` free of anything
that plain commands do not need.
"""

from __future__ import annotations

import logging
from typing import Any

from januskv.commands.context import Context
from januskv.commands.table import Command
from januskv.resp.encoder import Encoder
from januskv.resp.parser import HttpRequest, Parser, ProtocolError
from januskv.resp.replies import ErrorReply, RawReply
from januskv.storage.clock import Clock
from januskv.storage.feed import Feed
from januskv.storage.sessions import Session

from .client import Client
from .dispatch import Dispatcher
from .json_text import dumps
from .native import NativeFace
from .outbox import Outbox
from .server import Server
from .stopwatch import now_ns
from .unconfirmed import denied

log = logging.getLogger("januskv")

# A batch's replies are handed to the transport in pieces of about this size, so that the output
# limits are looked at while a batch of big answers runs and not after it.
_FLUSH_BYTES = 1 << 20

_NO_COMMANDS: dict[bytes, Command] = {}


class Connection:
    """Reads requests, runs them in order and writes the replies.

    ``hot`` is the server's table of commands that may run straight away, or an empty one while the
    client is in a special state; then every request goes through the dispatcher.
    """

    def __init__(self, server: Server, dispatcher: Dispatcher, native: NativeFace) -> None:
        self.server: Server = server
        self.dispatcher: Dispatcher = dispatcher
        self.native: NativeFace = native
        self.clock: Clock = server.store.clock
        self.feed: Feed = server.store.feed
        self.parser: Parser = Parser()
        self.encoder: Encoder = Encoder()
        self.client: Client = Client(server.new_client_id(), self.clock.now_ms, self)
        self.context: Context = Context(server.store, server.store.databases[0], self.client, server)
        self.hot: dict[bytes, Command] = _NO_COMMANDS
        self.transport: Any = None
        self.outbox: Outbox = server.outbox
        self.queued: bool = False  # in the outbox
        self.closing: bool = False
        self.halted: bool = False  # requests wait (CLIENT PAUSE, a blocking command, a reply sent in slices)
        self.sending: bool = False  # in the middle of a reply that is sent in slices
        self.unsent: list[Any] = []  # messages that wait for its end
        self.running: bool = False
        self.session: Session | None = None  # the client's, if it has a deadline to renew
        self.last_command: Command | None = None
        self.active_ms: int = self.clock.now_ms
        self.held: list[bytes] | bytes | None = None  # a request that waits for the end of a pause
        self.timed_ns: int = 0  # of this batch, spent in commands that were timed one by one
        self.changed: int = 0  # the number of the last change of the data that it has made
        self.bytes_in: int = 0
        self.bytes_out: int = 0
        self.query_limit: int = 0
        self.apply_limits()

    def apply_limits(self) -> None:
        """Take the limits of the configuration over; after CONFIG SET and AUTH too."""
        config, parser = self.server.config, self.parser
        parser.max_bulk = config.proto_max_bulk_len
        parser.max_json = config.json_max_payload
        self.query_limit = config.client_query_buffer_limit
        parser.authenticated = self.client.authenticated
        self.encoder.protocol = self.client.protocol

    def refresh(self) -> None:
        """Choose between the straight and the long way, after the client's state has changed."""
        self.hot = self.server.hot if self.client.plain else _NO_COMMANDS
        self.session = self.client.session
        self.apply_limits()

    # ------------------------------------------------------------ transport events

    def connection_made(self, transport: Any) -> None:
        """A client has connected."""
        self.transport = transport
        self.server.accept(self)
        self.refresh()

    def data_received(self, data: bytes) -> None:
        """Take received bytes and run the requests that they complete."""
        if self.closing:
            return
        self.bytes_in += len(data)
        self.parser.feed(data)
        if not self.halted:
            self.process()
        if self.parser.pending > self.query_limit:
            self.server.stats.client_query_buffer_limit_disconnections += 1
            log.warning("client %s closed: query buffer limit", self.client.address)
            self.abort()

    def eof_received(self) -> bool:
        """The client sends no more; what it asked is answered, then the connection closes."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self.closing = True
        self.transport = None
        self.server.remove_client(self.client)

    def pause_writing(self) -> None:
        """Replies pile up: see whether there are too many."""
        self.check_output()

    def resume_writing(self) -> None:
        """The client has read most of its replies."""

    # ------------------------------------------------------------ the loop

    def process(self) -> None:
        """Run all complete requests that have arrived, then write their replies at once."""
        if self.running:  # a handler of ours made more input available; the outer loop goes on
            return
        self.running = True
        try:
            self.run_batch()
        except ProtocolError as error:
            self.refuse_input(error)
        finally:
            self.running = False
        self.flush_soon()

    def run_batch(self) -> None:
        """Run requests until there is no whole one left. Raises ProtocolError.

        Commands that are not timed one by one share the time of the batch: ``last`` was called
        ``count`` times in a row, ``earlier`` holds the runs before it.
        """
        parser = self.parser
        encoder = self.encoder
        context = self.context
        dispatcher = self.dispatcher
        native = self.native
        self.active_ms = self.clock.tick()
        if self.session is not None:
            self.session.renew(self.active_ms)
        feed = self.feed
        changes = feed.changes
        started = now_ns()
        self.timed_ns = 0
        earlier: list[tuple[Command, int]] | None = None
        last: Command | None = None
        last_request: list[bytes] | None = None
        count = 0
        served = 0
        try:
            while True:
                if self.held is None:
                    request = parser.next()
                    if request is None:
                        break
                else:
                    request = self.held
                    self.held = None
                if type(request) is not list:
                    if self.server.paused_until_ms:
                        self.hold(request)
                        break
                    encoder.write_raw(native.answer_line(context, request))  # type: ignore[arg-type]
                    if native.served is not None:
                        self.last_command = native.served
                        self.timed_ns += native.spent_ns
                else:
                    command = self.hot.get(request[0])
                    if command is None or not command.min_args <= len(request) <= command.max_args:
                        encoder.write(dispatcher.route(context, request))
                    elif command.timed:
                        self.last_command = command
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
                            encoder.write(dispatcher.failure(command, request, error))
                if self.outbox.wake:
                    before = now_ns()
                    self.server.waiting.serve()
                    self.timed_ns += now_ns() - before
                if self.closing or self.halted:
                    break
                served += 1
                if not served & 63 and encoder.size > _FLUSH_BYTES:
                    if feed.changes != changes:
                        self.changed = feed.changes
                    self.flush()
        finally:
            if feed.changes != changes:
                self.changed = feed.changes
            if last is not None:
                self.last_command = last
                spent_us = (now_ns() - started - self.timed_ns) / 1000
                if earlier is None and (count > 1 or spent_us < self.server.config.slow_threshold_us):
                    last.calls += count
                    last.usec += spent_us
                else:
                    self.server.account([*(earlier or ()), (last, count)], spent_us, last_request, self.client)

    def refuse_input(self, error: ProtocolError) -> None:
        """Answer input that is no request, and close: what follows cannot be told apart any more."""
        self.server.stats.protocol_errors += 1
        if isinstance(error, HttpRequest):
            log.warning("possible attack: an HTTP request from %s on the data port, closed", self.client.address)
        elif error.json:
            self.encoder.write_raw(self.native.refuse_line(str(error)))
        else:
            self.server.count_error("ERR")
            self.encoder.write(ErrorReply(f"ERR {error}"))
        self.close()

    # ------------------------------------------------------------ output

    def push(self, message: Any) -> None:
        """Send a reply value out of turn; at once unless a batch of this connection is running."""
        if self.sending:
            self.unsent.append(message)
            return
        self.encoder.write(message)
        if not self.running:
            self.flush_soon()

    def push_native(self, message: dict[str, Any]) -> None:
        """Send a message to a client of JSON lines."""
        self.push(RawReply(dumps(message) + b"\n"))

    def sent(self) -> None:
        """A reply that was sent in slices is whole: messages and requests that waited for it go on."""
        self.sending = False
        messages, self.unsent = self.unsent, []
        for message in messages:
            self.encoder.write(message)
        self.resume()

    def flush_soon(self) -> None:
        """Write the replies once all connections that the loop has found readable have been served.

        A write wakes a client that sleeps; waking it for the replies of a whole round instead of once a
        connection is what an event loop in C does before it sleeps, and is worth a third of the throughput.
        """
        unflushed = self.outbox.waiting
        if self.outbox.soon is None:
            self.flush()
        elif not self.queued:
            self.queued = True
            unflushed.append(self)
            if len(unflushed) == 1:
                self.outbox.soon(self.outbox.flush)

    def flush(self) -> None:
        """Hand the encoded replies to the transport, through the gate if there is one."""
        data = self.encoder.take() if self.encoder.size else b""
        if self.outbox.gate is None:
            self.deliver(data, self.closing)
        else:
            self.outbox.gate.send(self, data, self.closing)

    def deliver(self, data: bytes, last: bool) -> None:
        """Write encoded replies; close after the last ones."""
        if self.transport is None:
            return
        if data:
            self.bytes_out += len(data)
            self.transport.write(data)
            if len(data) > 65536:
                self.check_output()
        if last and self.transport is not None:
            self.transport.close()

    def deny(self, data: bytes, text: str) -> None:
        """Send errors in place of replies that confirm what the log does not have; close where they do not tell it all."""
        if self.sending:  # in the middle of a reply
            self.abort()
            return
        errors, told = denied(data, text)
        if not told:
            self.closing = True
        self.deliver(errors, self.closing)

    def check_output(self) -> None:
        """Close a client that leaves more replies unread than its class is allowed."""
        if self.transport is None:
            return
        limit = self.server.config.output_limit(self.client)
        if limit and self.transport.get_write_buffer_size() > limit:
            self.server.stats.client_output_buffer_limit_disconnections += 1
            log.warning("client %s closed: output buffer limit", self.client.address)
            self.abort()

    def close(self) -> None:
        """Take no more requests; close when the replies so far have been sent."""
        self.closing = True
        if not self.running:
            self.flush_soon()

    def abort(self) -> None:
        """Close without sending what is left."""
        self.closing = True
        if self.transport is not None:
            self.transport.abort()

    @property
    def pending_input(self) -> int:
        """Bytes received that are no whole request yet."""
        return int(self.parser.pending)

    def hold(self, argv: list[bytes] | bytes) -> None:
        """Keep a request that cannot run now; it is the first one when the connection goes on."""
        self.held = argv
        self.halted = True

    def resume(self) -> None:
        """Go on with the requests that waited."""
        self.halted = False
        if not self.closing:
            self.process()

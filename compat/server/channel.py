"""The base of every connection that carries commands, in any protocol: its life cycle and its output.

It has the methods of an asyncio protocol but imports no event loop, so tests drive it with a fake transport.
``Connection`` (data port) and ``WebSocketChannel`` derive from it. They define how bytes become requests
(``feed``, ``run_batch``) and how a message becomes bytes (``encoded``); everything that the server does to a
connection (pause, kill, time out, limit, write later) is here, once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Final, cast

from januskv.commands.context import NOBODY
from januskv.resp.encoder import Encoder
from januskv.storage.clock import Clock
from januskv.storage.feed import Feed
from januskv.storage.sessions import Session

from .client import Client
from .context import ServerContext
from .json_text import dumps
from .native_requests import NativeRequests
from .outbox import Outbox
from .pause import Pause
from .server import Server
from .wire import Wire

log = logging.getLogger("januskv")

# A batch's replies are handed to the transport in pieces of about this size, so that the output
# limits are checked while a batch of big replies runs and not after it.
FLUSH_BYTES: Final = 1 << 20

# A chunk of output bigger than this is checked against the output limits immediately; smaller ones when the
# transport reports that they pile up (asyncio's default high-water mark is the same number).
_BIG_OUTPUT: Final = 1 << 16

# A client that sends this much at a time, nearly the size of one read (256,000 bytes), has probably sent more.
_MUCH_INPUT: Final = 200_000

# Replaces a channel's client once the connection is gone.
_NOBODY: Final = Client(0, 0, cast("Wire", None))


class Channel:
    """Reads requests, runs them in order and writes the replies.

    ``halted``: requests wait for the end of a pause (``parked`` is the first one then), of a blocking command or of
    a reply that is sent in pieces (``sending``). ``closing``: there will be no more requests.
    """

    def __init__(self, server: Server, native: NativeRequests) -> None:
        self.server: Server = server
        self.pause: Pause = server.pause
        self.native: NativeRequests = native
        self.clock: Clock = server.store.clock
        self.change_feed: Feed = server.store.feed
        self.outbox: Outbox = server.outbox
        self.encoder: Encoder = Encoder()
        self.client: Client = Client(server.clients.new_id(), self.clock.now_ms, self, server.users.default)
        self.context: ServerContext = ServerContext(server, self.client)
        self.transport: Any = None
        if not self.client.user.may_enter(None):
            self.client.session = server.store.sessions.missing(0)
            self.context.keyspace = self.client.session.keyspace
        self.running: bool = False  # in the middle of a batch of requests
        self.retrying: bool = False  # in the middle of retrying a blocked command
        self.behind: list[bytes] = []  # messages of a command to its own client, sent after its reply
        self.closing: bool = False
        self.ended: bool = False  # the client has finished sending
        self.lost: bool = False  # the connection is gone
        self.halted: bool = False
        self.parked: Any = None  # a request waiting for the end of a pause
        self.stopped_reading: bool = False  # nothing is read while it waits
        self.sending: bool = False  # in the middle of a reply that is sent later or in pieces
        self.pieces: Iterator[bytes] | None = None  # the rest of a reply that is sent in pieces
        self.piece_called: bool = False  # the loop will call for the next piece
        self.unsent: list[bytes] = []  # messages waiting for the end of such a reply
        self.unsent_bytes: int = 0
        self.queued: bool = False  # in the outbox
        self.write_paused: bool = False  # the transport's buffer is above its high-water mark
        self.small_buffer: bool = False  # the transport's buffer is limited to that of an unauthenticated client
        self.session: Session | None = None  # the client's, if it has a deadline to renew
        self.active_ms: int = self.clock.now_ms
        self.changes_before: int = 0  # the number of changes of the data when the batch began
        self.changed: int = 0  # the number of the last change made by its requests
        self.bytes_in: int = 0
        self.bytes_out: int = 0
        self.reads: int = 0
        self.writes: int = 0
        self.most_written: int = 0  # most bytes of replies at a time
        self.taken_before: int = 0  # ``taken_bytes`` when last checked; see ``has_read``
        self.query_limit: int = 0

    # ------------------------------------------------------------ defined by protocols

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        raise NotImplementedError

    def pending_input(self) -> int:
        """Received bytes that are not a whole request yet."""
        raise NotImplementedError

    def spare_input(self) -> int:
        """Spare bytes in the buffer for an incomplete request."""
        return 0

    def run_batch(self) -> None:
        """Run whole requests until none is left, or the channel halts or closes. Exceptions go to ``failed``."""
        raise NotImplementedError

    def finish(self) -> None:
        """Run a request that is complete only because the input ends."""

    def encoded(self, message: Any) -> bytes:
        """The bytes of a reply value that is sent out of turn."""
        raise NotImplementedError

    def encoded_native(self, text: bytes) -> bytes:
        """The bytes of a native message."""
        raise NotImplementedError

    def denied(self, data: bytes, text: str) -> tuple[bytes, bool]:
        """Replacement for encoded replies that confirm nothing, and whether it tells the client of every failure."""
        raise NotImplementedError

    def native_pieces(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """A native reply in pieces, with its terminator."""
        return pieces

    def write_piece(self, piece: bytes) -> None:
        """Write a piece of a reply that is sent in pieces."""
        self.encoder.write_raw(piece)

    def end_pieces(self) -> None:
        """Write the end of a reply that was sent in pieces."""

    def refuse(self, text: str) -> None:
        """Tell a new client why it is rejected, and close."""
        raise NotImplementedError

    # ------------------------------------------------------------ transport events

    def connection_made(self, transport: Any) -> None:
        """Begin to serve a client that has connected."""
        self.transport = transport
        self.server.clients.accept(self.client)
        self.refresh()

    def data_received(self, data: bytes) -> None:
        """Take received bytes and run the requests that they complete."""
        if self.closing:
            return
        self.bytes_in += len(data)
        self.reads += 1
        if len(data) >= _MUCH_INPUT:
            self.rest()
        self.feed(data)
        if not self.halted:
            self.process()
        if self.pending_input() > self.query_limit:
            self.server.accounts.stats.client_query_buffer_limit_disconnections += 1
            self.server.limited_log.note("query buffer", f"client {self.client.address} closed: query buffer limit")
            self.abort()

    def rest(self) -> None:
        """Stop reading until others have been served: the loop would continue with this client, up to 32 times."""
        self.transport.pause_reading()
        self.server.later(0, self.read_on)

    def read_on(self) -> None:
        """Read again after a rest, or when points no longer have to wait."""
        if not self.closing and not self.stopped_reading and self.transport is not None:
            self.transport.resume_reading()

    def eof_received(self) -> bool:
        """End of the client's input: replies so far are sent, one in pieces completely; then the connection is closed."""
        self.ended = True
        if not self.halted and not self.closing:
            self.finish()
        if self.sending:
            self.server.upkeep.linger(self.client)
        elif not self.stopped_reading:
            self.close()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """Clean up after a lost connection."""
        self.closing = True
        self.transport = None
        self.let_go()
        if not self.lost:
            self.lost = True
            self.server.remove_client(self.client)
        if not self.running:
            self.part()

    def part(self) -> None:
        """Drop the reference to the client, which refers to the channel. Only the garbage collector frees reference
        cycles, and it ignores frozen objects (see ``App.freeze``).
        """
        self.client = _NOBODY
        self.context.client = None
        self.context.caller = NOBODY

    def pause_writing(self) -> None:
        """Check the output limits, as replies pile up."""
        self.write_paused = True
        self.taken_before = self.taken_bytes
        self.check_output()

    def resume_writing(self) -> None:
        """Continue, as the client has read most of its replies."""
        self.write_paused = False
        if self.pieces is not None:
            self.call_for_piece()

    # ------------------------------------------------------------ requests

    def refresh(self) -> None:
        """Update everything derived from the client's state and the configuration, after either has changed."""
        self.client.settle()
        self.session = self.client.session
        self.query_limit = self.server.config.input_limit(self.client)
        if self.small_buffer == self.client.authenticated and self.transport is not None:
            self.small_buffer = not self.client.authenticated
            self.server.clients.note_login(self.client)
            if self.small_buffer:
                self.transport.set_write_buffer_limits(self.server.config.output_limit(self.client))
            else:
                self.transport.set_write_buffer_limits()  # back to the default

    def process(self) -> None:
        """Run all complete requests that have arrived, then write their replies together."""
        if self.running:  # a handler made more input available; the outer loop continues
            return
        self.running = True
        self.changes_before = self.change_feed.changes
        try:
            self.run_batch()
        except Exception as error:
            self.failed(error)
        finally:
            self.note_changes()
            self.running = False
        self.flush_soon()
        if self.lost:
            self.part()

    def note_changes(self) -> None:
        """Note that the replies so far confirm the changes since the batch began."""
        if self.change_feed.changes != self.changes_before:
            self.changed = self.change_feed.changes

    def failed(self, error: Exception) -> None:
        """Close after an unexpected error: it is no longer known which requests have been answered."""
        log.error("client %s closed: unexpected error", self.client.address, exc_info=error)
        self.abort()

    def hold(self, request: Any) -> None:
        """Keep a request that cannot run before the end of a pause; it runs first then."""
        self.parked = request
        self.halted = True

    def hold_points(self, points: Any) -> None:
        """``hold`` for points, whose sender expects no reply: reading stops, too."""
        self.hold(points)
        self.stopped_reading = True
        self.transport.pause_reading()

    def resume(self) -> None:
        """Continue with the requests that waited."""
        self.halted = False
        if self.closing:
            return
        self.process()
        if self.stopped_reading and self.parked is None:
            self.stopped_reading = False
            self.read_on()
        if self.ended and not self.sending:
            self.finish()
            if not self.sending:
                self.close()

    # ------------------------------------------------------------ deferred replies

    def send_sliced(self) -> None:
        """Send the reply of many items that the encoder has prepared."""
        reply = self.encoder.sliced
        assert reply is not None
        self.encoder.sliced = None
        self.send_pieces(reply.pieces(self.client.protocol))

    def send_pieces(self, pieces: Iterator[bytes]) -> None:
        """Reply in pieces, each encoded when the transport can take it. Requests and messages wait for the end."""
        self.halted = self.sending = True
        self.pieces = pieces
        self.call_for_piece()

    def call_for_piece(self) -> None:
        """Schedule the next piece, after other clients have been served."""
        if not self.piece_called:
            self.piece_called = True
            self.server.later(0, self.send_piece)

    def send_piece(self) -> None:
        """Send the next piece, unless the transport's buffer is full; ``resume_writing`` continues then."""
        self.piece_called = False
        if self.pieces is None or self.write_paused:
            return
        try:
            piece = next(self.pieces, None)
        except Exception as error:
            self.failed(error)
            return
        self.active_ms = self.clock.now_ms
        if piece is None:
            self.pieces = None
            self.end_pieces()
            self.sent()
            return
        self.write_piece(piece)
        self.flush()
        if self.pieces is not None and not self.write_paused:
            self.call_for_piece()

    def sent(self) -> None:
        """Finish a deferred reply: messages and requests that waited for it continue."""
        self.sending = False
        for message in self.unsent:
            self.encoder.write_raw(message)
        self.unsent = []
        self.unsent_bytes = 0
        self.resume()

    # ------------------------------------------------------------ output

    def push(self, message: Any) -> None:
        """Send a reply value out of turn; after the reply of the command that this connection is running."""
        self.push_bytes(self.encoded(message))

    def push_native(self, message: dict[str, Any]) -> None:
        """Send a native message out of turn."""
        self.push_bytes(self.encoded_native(dumps(message)))

    def push_bytes(self, message: bytes) -> None:
        """Send a message out of turn, after a reply that is in progress or pending."""
        if self.closing:
            return
        if self.running or self.retrying:
            self.behind.append(message)
            self.outbox.wake = True  # code that runs commands calls write_behind
        else:
            self.write_message(message)

    def reply_late(self, reply: Any) -> None:
        """Send the reply of a command that was blocked."""
        if not self.closing:
            self.write_message(self.encoded(reply))

    def write_behind(self) -> None:
        """Send the messages of the last command to its own client."""
        messages = self.behind
        self.behind = []
        for message in messages:
            self.write_message(message)

    def write_message(self, message: bytes) -> None:
        """Queue a message after the replies so far, or after the one in progress."""
        if self.sending:
            self.unsent.append(message)
            self.unsent_bytes += len(message)
            self.check_output()
            return
        self.encoder.write_raw(message)
        if not self.running:
            self.flush_soon()

    def flush_soon(self) -> None:
        """Write the replies after all connections that the loop found readable have been served.

        A write wakes a client that sleeps; writing for all connections at the end of a round
        instead, as event loops in C do before they sleep, is worth a third of the throughput.
        """
        unflushed = self.outbox.waiting
        if self.outbox.soon is None:
            self.flush()
        elif not self.queued:
            self.queued = True
            unflushed.append(self)
            if len(unflushed) == 1:
                self.outbox.soon(self.server.outbox.flush)

    def flush(self) -> None:
        """Hand the encoded replies to the transport, through the gate if there is one."""
        if self.running:
            self.note_changes()
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
            self.writes += 1
            if len(data) > self.most_written:
                self.most_written = len(data)
            self.transport.write(data)
            if self.write_paused or len(data) > _BIG_OUTPUT:
                self.check_output()
        if last and self.transport is not None:
            self.transport.close()

    def deny(self, data: bytes, text: str) -> None:
        """Send errors in place of replies that confirm changes missing in the log; close if they cannot cover all."""
        if self.sending:  # in the middle of a reply
            self.abort()
            return
        errors, told = self.denied(data, text)
        if not told:
            self.closing = True
        self.deliver(errors, self.closing)

    @property
    def unread_bytes(self) -> int:
        """Bytes of replies and messages that have not been passed to the kernel yet."""
        if self.transport is None:
            return 0
        return int(self.transport.get_write_buffer_size() + self.unsent_bytes + self.encoder.size)

    @property
    def taken_bytes(self) -> int:
        """Bytes of replies and messages that have been passed to the kernel."""
        return self.bytes_out - (0 if self.transport is None else int(self.transport.get_write_buffer_size()))

    def has_read(self, now_ms: int) -> bool:
        """Whether the client is reading pending output and has read some since the last call; that counts as activity."""
        if not self.write_paused or self.taken_bytes == self.taken_before:
            return False
        self.taken_before = self.taken_bytes
        self.active_ms = now_ms
        return True

    def check_output(self, held_bytes: int = 0) -> None:
        """Close a client with more unread replies than its class may have, including those pending elsewhere."""
        if self.transport is None:
            return
        limit = self.server.config.output_limit(self.client)
        if limit and self.unread_bytes + held_bytes > limit:
            self.server.accounts.stats.client_output_buffer_limit_disconnections += 1
            self.server.limited_log.note("output buffer", f"client {self.client.address} closed: output buffer limit")
            self.abort()

    # ------------------------------------------------------------ the end

    def close(self) -> None:
        """Stop taking requests; close when the replies so far have been sent, or the client does not read them."""
        if not self.closing:
            self.closing = True
            self.let_go()
            if self.transport is not None:
                self.server.upkeep.linger(self.client)
        if not self.running:
            self.flush_soon()

    def abort(self) -> None:
        """Close without sending pending output. The transport calls ``connection_lost`` afterwards."""
        transport = self.transport
        self.closing = True
        self.transport = None
        self.let_go()
        if transport is not None:
            transport.abort()

    def kill(self) -> None:
        """Close immediately: nothing more is sent, and the server forgets the client now."""
        self.abort()
        self.connection_lost(None)

    def let_go(self) -> None:
        """Discard requests and output that wait."""
        if self.stopped_reading and self.parked is not None:
            self.server.limited_log.note("points", f"client {self.client.address} closed: points that waited are lost")
        self.parked = None
        self.sending = False
        self.pieces = None
        self.unsent = []
        self.unsent_bytes = 0
        self.server.upkeep.forget(self.client)
        self.server.long_commands.forget(self.client)

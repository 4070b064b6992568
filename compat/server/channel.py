"""What every connection that carries commands is, whichever protocol it speaks: its life cycle and its output.

It has the methods of an asyncio protocol but imports no event loop, so tests drive it with a fake transport.
``Connection`` (data port) and ``WebSocketChannel`` derive from it. They say how bytes become requests
(``feed``, ``run_batch``) and how a message becomes bytes (``encoded``); everything that the server does to a
connection (pause, kill, time out, limit, write later) stands here, once.
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
# limits are looked at while a batch of big answers runs and not after it.
FLUSH_BYTES: Final = 1 << 20

# A chunk of output that is bigger than this is checked against the output limits at once; smaller ones are
# when the transport says that they pile up (asyncio's default high-water mark is the same number).
_BIG_OUTPUT: Final = 1 << 16

# Who sends so much at a time, which is nearly what one read takes (256,000 bytes), probably has sent more.
_MUCH_INPUT: Final = 200_000

# What a channel has in place of its client once the connection is gone.
_NOBODY: Final = Client(0, 0, cast("Wire", None))


class Channel:
    """Reads requests, runs them in order and writes the replies.

    ``halted`` says that requests wait: for the end of a pause (``parked`` is the first one then), of a blocking
    command or of a reply that is sent in pieces (``sending``). ``closing`` says that there will be no more requests.
    """

    def __init__(self, server: Server, native: NativeRequests) -> None:
        self.server: Server = server
        self.pause: Pause = server.pause
        self.native: NativeRequests = native
        self.clock: Clock = server.store.clock
        self.change_feed: Feed = server.store.feed
        self.outbox: Outbox = server.outbox
        self.encoder: Encoder = Encoder()
        self.client: Client = Client(server.clients.new_id(), self.clock.now_ms, self)
        self.context: ServerContext = ServerContext(server, self.client)
        self.transport: Any = None
        self.running: bool = False  # in the middle of a batch of requests
        self.retrying: bool = False  # in the middle of a command that has waited
        self.behind: list[bytes] = []  # messages that a command has caused for its own client: they follow its reply
        self.closing: bool = False
        self.ended: bool = False  # the client sends no more
        self.lost: bool = False  # the connection is gone
        self.halted: bool = False
        self.parked: Any = None  # a request that waits for the end of a pause
        self.stopped_reading: bool = False  # nothing more is read as long as it waits
        self.sending: bool = False  # in the middle of a reply that is sent later or in pieces
        self.pieces: Iterator[bytes] | None = None  # what is left of a reply that is sent in pieces
        self.piece_called: bool = False  # the loop will call for the next piece
        self.unsent: list[bytes] = []  # messages that wait for the end of such a reply
        self.unsent_bytes: int = 0
        self.queued: bool = False  # in the outbox
        self.write_paused: bool = False  # the transport has more than it wants
        self.small_buffer: bool = False  # the transport's buffer is limited to that of an unauthenticated client
        self.session: Session | None = None  # the client's, if it has a deadline to renew
        self.active_ms: int = self.clock.now_ms
        self.changes_before: int = 0  # how many changes of the data there were when the batch began
        self.changed: int = 0  # the number of the last change that its requests have made
        self.bytes_in: int = 0
        self.bytes_out: int = 0
        self.most_written: int = 0  # most bytes of replies at a time
        self.taken_before: int = 0  # ``taken_bytes`` when it was last looked at; see ``has_read``
        self.query_limit: int = 0

    # ------------------------------------------------------------ what a protocol says

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        raise NotImplementedError

    def pending_input(self) -> int:
        """Bytes received that are not a whole request yet."""
        raise NotImplementedError

    def spare_input(self) -> int:
        """Bytes that the buffer for what is not a whole request yet has room for besides."""
        return 0

    def run_batch(self) -> None:
        """Run requests until there is no whole one left, or the channel halts or closes. ``failed`` gets what it raises."""
        raise NotImplementedError

    def finish(self) -> None:
        """Run what is a whole request only because nothing follows it."""

    def encoded(self, message: Any) -> bytes:
        """The bytes of a reply value that is sent out of turn."""
        raise NotImplementedError

    def encoded_native(self, text: bytes) -> bytes:
        """The bytes of a native message."""
        raise NotImplementedError

    def denied(self, data: bytes, text: str) -> tuple[bytes, bool]:
        """What is sent in place of encoded replies that confirm nothing, and whether it tells the client of everything."""
        raise NotImplementedError

    def native_pieces(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """A native reply in pieces, with what has to follow it."""
        return pieces

    def write_piece(self, piece: bytes) -> None:
        """Write a piece of a reply that is sent in pieces."""
        self.encoder.write_raw(piece)

    def end_pieces(self) -> None:
        """Write what the end of a reply that was sent in pieces needs."""

    def refuse(self, text: str) -> None:
        """Tell a new client why it is not served, and close."""
        raise NotImplementedError

    # ------------------------------------------------------------ transport events

    def connection_made(self, transport: Any) -> None:
        """A client has connected."""
        self.transport = transport
        self.server.clients.accept(self.client)
        self.refresh()

    def data_received(self, data: bytes) -> None:
        """Take received bytes and run the requests that they complete."""
        if self.closing:
            return
        self.bytes_in += len(data)
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
        """Read no more before others have been served: the loop would go on with this client, up to 32 times."""
        self.transport.pause_reading()
        self.server.later(0, self.read_on)

    def read_on(self) -> None:
        """Read again after a rest, or when points need not wait any more."""
        if not self.closing and not self.stopped_reading and self.transport is not None:
            self.transport.resume_reading()

    def eof_received(self) -> bool:
        """The client sends no more: what has been answered is sent, a reply in pieces as a whole; then it is closed."""
        self.ended = True
        if not self.halted and not self.closing:
            self.finish()
        if self.sending:
            self.server.upkeep.linger(self.client)
        elif not self.stopped_reading:
            self.close()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self.closing = True
        self.transport = None
        self.let_go()
        if not self.lost:
            self.lost = True
            self.server.remove_client(self.client)
        if not self.running:
            self.part()

    def part(self) -> None:
        """Let go of the client, which knows the channel. What refers to itself in a circle is freed by the garbage
        collector alone, and that no longer looks at what there was when it was told to freeze (see ``App.freeze``).
        """
        self.client = _NOBODY
        self.context.client = None
        self.context.caller = NOBODY

    def pause_writing(self) -> None:
        """Replies pile up: see whether there are too many."""
        self.write_paused = True
        self.taken_before = self.taken_bytes
        self.check_output()

    def resume_writing(self) -> None:
        """The client has read most of its replies."""
        self.write_paused = False
        if self.pieces is not None:
            self.call_for_piece()

    # ------------------------------------------------------------ requests

    def refresh(self) -> None:
        """Take over what depends on the state of the client and on the configuration, after either has changed."""
        self.session = self.client.session
        self.query_limit = self.server.config.input_limit(self.client)
        if self.small_buffer == self.client.authenticated and self.transport is not None:
            self.small_buffer = not self.client.authenticated
            if self.small_buffer:
                self.transport.set_write_buffer_limits(self.server.config.output_limit(self.client))
            else:
                self.transport.set_write_buffer_limits()  # as it was

    def process(self) -> None:
        """Run all complete requests that have arrived, then write their replies at once."""
        if self.running:  # a handler of ours made more input available; the outer loop goes on
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
        """Note that the replies so far confirm what has changed since the batch began."""
        if self.change_feed.changes != self.changes_before:
            self.changed = self.change_feed.changes

    def failed(self, error: Exception) -> None:
        """Close after an unexpected error: which requests have been answered cannot be told any more."""
        log.error("client %s closed: unexpected error", self.client.address, exc_info=error)
        self.abort()

    def hold(self, request: Any) -> None:
        """Keep a request that cannot run before the end of a pause; it is the first one then."""
        self.parked = request
        self.halted = True

    def hold_points(self, points: Any) -> None:
        """``hold`` for points, whose sender goes on without an answer: it has to wait, too."""
        self.hold(points)
        self.stopped_reading = True
        self.transport.pause_reading()

    def resume(self) -> None:
        """Go on with the requests that waited."""
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

    # ------------------------------------------------------------ replies that come later

    def send_sliced(self) -> None:
        """Send the reply of many items that the encoder has been given."""
        reply = self.encoder.sliced
        assert reply is not None
        self.encoder.sliced = None
        self.send_pieces(reply.pieces(self.client.protocol))

    def send_pieces(self, pieces: Iterator[bytes]) -> None:
        """Reply in pieces, each made when the transport takes it. Requests and messages wait for the end."""
        self.halted = self.sending = True
        self.pieces = pieces
        self.call_for_piece()

    def call_for_piece(self) -> None:
        """Have the next piece sent soon, with the loop free for other clients before."""
        if not self.piece_called:
            self.piece_called = True
            self.server.later(0, self.send_piece)

    def send_piece(self) -> None:
        """Send the next piece, unless the transport has enough; ``resume_writing`` goes on then."""
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
        """A reply that was sent later or in pieces is whole: messages and requests that waited for it go on."""
        self.sending = False
        for message in self.unsent:
            self.encoder.write_raw(message)
        self.unsent = []
        self.unsent_bytes = 0
        self.resume()

    # ------------------------------------------------------------ output

    def push(self, message: Any) -> None:
        """Send a reply value out of turn; behind the reply of the command that this connection is running."""
        self.push_bytes(self.encoded(message))

    def push_native(self, message: dict[str, Any]) -> None:
        """Send a native message out of turn."""
        self.push_bytes(self.encoded_native(dumps(message)))

    def push_bytes(self, message: bytes) -> None:
        """Send a message out of turn, behind a reply that is on its way or still to come."""
        if self.closing:
            return
        if self.running or self.retrying:
            self.behind.append(message)
            self.outbox.wake = True  # whoever runs commands calls write_behind
        else:
            self.write_message(message)

    def reply_late(self, reply: Any) -> None:
        """Send the reply of a command that has waited."""
        if not self.closing:
            self.write_message(self.encoded(reply))

    def write_behind(self) -> None:
        """Send the messages that the last command has caused for its own client."""
        messages = self.behind
        self.behind = []
        for message in messages:
            self.write_message(message)

    def write_message(self, message: bytes) -> None:
        """Put a message behind the replies so far, or behind the one that is on its way."""
        if self.sending:
            self.unsent.append(message)
            self.unsent_bytes += len(message)
            self.check_output()
            return
        self.encoder.write_raw(message)
        if not self.running:
            self.flush_soon()

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
            if len(data) > self.most_written:
                self.most_written = len(data)
            self.transport.write(data)
            if self.write_paused or len(data) > _BIG_OUTPUT:
                self.check_output()
        if last and self.transport is not None:
            self.transport.close()

    def deny(self, data: bytes, text: str) -> None:
        """Send errors in place of replies that confirm what the log does not have; close where they do not tell it all."""
        if self.sending:  # in the middle of a reply
            self.abort()
            return
        errors, told = self.denied(data, text)
        if not told:
            self.closing = True
        self.deliver(errors, self.closing)

    @property
    def unread_bytes(self) -> int:
        """Bytes of replies and messages that the client has not read, as far as they are not in the system's hands."""
        if self.transport is None:
            return 0
        return int(self.transport.get_write_buffer_size() + self.unsent_bytes + self.encoder.size)

    @property
    def taken_bytes(self) -> int:
        """Bytes of replies and messages that the system has taken for the client."""
        return self.bytes_out - (0 if self.transport is None else int(self.transport.get_write_buffer_size()))

    def has_read(self, now_ms: int) -> bool:
        """Whether the client is in the middle of reading and has gone on since this was asked last; that counts as activity."""
        if not self.write_paused or self.taken_bytes == self.taken_before:
            return False
        self.taken_before = self.taken_bytes
        self.active_ms = now_ms
        return True

    def check_output(self, held_bytes: int = 0) -> None:
        """Close a client that leaves more replies unread than its class is allowed, with what is held for it elsewhere."""
        if self.transport is None:
            return
        limit = self.server.config.output_limit(self.client)
        if limit and self.unread_bytes + held_bytes > limit:
            self.server.accounts.stats.client_output_buffer_limit_disconnections += 1
            self.server.limited_log.note("output buffer", f"client {self.client.address} closed: output buffer limit")
            self.abort()

    # ------------------------------------------------------------ the end

    def close(self) -> None:
        """Take no more requests; close when the replies so far have been sent, or the client does not read them."""
        if not self.closing:
            self.closing = True
            self.let_go()
            if self.transport is not None:
                self.server.upkeep.linger(self.client)
        if not self.running:
            self.flush_soon()

    def abort(self) -> None:
        """Close without sending what is left. The transport calls ``connection_lost`` afterwards."""
        transport = self.transport
        self.closing = True
        self.transport = None
        self.let_go()
        if transport is not None:
            transport.abort()

    def kill(self) -> None:
        """Close at once: nothing is sent any more, and the server forgets the client now."""
        self.abort()
        self.connection_lost(None)

    def let_go(self) -> None:
        """Free what waits to be run or sent."""
        if self.stopped_reading and self.parked is not None:
            self.server.limited_log.note("points", f"client {self.client.address} closed: points that waited are lost")
        self.parked = None
        self.sending = False
        self.pieces = None
        self.unsent = []
        self.unsent_bytes = 0
        self.server.upkeep.forget(self.client)
        self.server.long_commands.forget(self.client)

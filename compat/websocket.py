"""One WebSocket connection: every text message is one native command, every reply one text message."""

from __future__ import annotations

import logging
from typing import Any, cast

from januskv.commands.context import Context
from januskv.commands.status import Status
from januskv.commands.table import Command
from januskv.resp import websocket as ws
from januskv.resp.inline import STRANGER_JSON
from januskv.resp.replies import Reply

from .client import Client
from .connection import Connection
from .json_text import dumps
from .native import NativeFace, error_reply
from .server import Server

log = logging.getLogger("januskv")


class WebSocketConnection:
    """Reads messages, runs them in order and writes the replies of one read at once.

    Has the methods of an asyncio protocol, and those of ``Connection`` that a ``Client`` calls.
    """

    def __init__(self, server: Server, native: NativeFace) -> None:
        self.server = server
        self.native = native
        self.reader = ws.FrameReader(server.config.json_max_payload)
        self.client = Client(server.new_client_id(), server.store.clock.now_ms, cast(Connection, self))
        self.context = Context(server.store, server.store.databases[0], self.client, server)
        self.transport: Any = None
        self.closing = False
        self.halted = False
        self.queued = False  # in the outbox
        self.out: list[bytes] = []
        self.sending = False  # its next reply comes when something has ended
        self.changed = 0  # the number of the last change of the data that it has made
        self.last_command: Command | None = None
        self.active_ms = server.store.clock.now_ms
        self.bytes_in = 0
        self.bytes_out = 0

    # ------------------------------------------------------------ transport events

    def connection_made(self, transport: Any) -> None:
        """The handshake is done."""
        self.transport = transport
        self.client.describe(transport)
        refusal = self.server.accept_refusal(self.client)
        if refusal is not None:
            self.server.stats.rejected_connections += 1
            self.end(ws.POLICY, refusal)
            return
        self.server.add_client(self.client)
        self.refresh()

    def data_received(self, data: bytes) -> None:
        """Take received bytes and run the commands that they complete."""
        if self.closing:
            return
        self.bytes_in += len(data)
        self.reader.feed(data)
        if not self.halted:
            self.process()
        elif self.reader.pending > self.server.config.client_query_buffer_limit:
            self.server.stats.client_query_buffer_limit_disconnections += 1
            log.warning("client %s closed: query buffer limit", self.client.address)
            self.abort()

    def process(self) -> None:
        """Answer all whole messages, then write the replies at once."""
        client = self.client
        feed = self.server.store.feed
        changes = feed.changes
        self.active_ms = self.server.store.clock.tick()
        if self.server.paused_until_ms:  # CLIENT PAUSE; the end of the pause resumes the connection
            self.halted = True
            return
        if client.session is not None:
            client.session.renew(self.active_ms)
        try:
            while not self.closing and not self.halted and (message := self.reader.next()) is not None:
                self.take(*message)
                if self.server.outbox.wake:
                    self.server.waiting.serve()
        except ws.FrameError as error:
            self.server.stats.protocol_errors += 1
            self.end(error.code, str(error))
        if feed.changes != changes:
            self.changed = feed.changes
        self.flush_soon()

    def take(self, opcode: int, payload: bytes) -> None:
        """Answer one message or control frame."""
        if opcode == ws.TEXT:
            answer = self.native.answer(self.context, payload)
            if self.native.served is not None:
                self.last_command = self.native.served
            if answer is not None:
                self.out.append(ws.frame(ws.TEXT, answer))
        elif opcode == ws.BINARY:
            self.out.append(ws.frame(ws.TEXT, self.native.binary_refusal()))
        elif opcode == ws.PING:
            self.out.append(ws.frame(ws.PONG, payload))
        elif opcode == ws.CLOSE:
            code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else ws.NORMAL
            self.end(code if code in range(1000, 5000) and code not in (1004, 1005, 1006) else ws.PROTOCOL)

    def eof_received(self) -> bool:
        """The client sends no more."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self.closing = True
        self.transport = None
        self.server.remove_client(self.client)

    def pause_writing(self) -> None:
        """Replies pile up: see whether there are too many."""
        self.check_output()

    def check_output(self) -> None:
        """Close a client that leaves more replies unread than its class is allowed."""
        limit = self.server.config.output_limit(self.client)
        if self.transport is not None and limit and self.transport.get_write_buffer_size() > limit:
            self.server.stats.client_output_buffer_limit_disconnections += 1
            log.warning("client %s closed: output buffer limit", self.client.address)
            self.abort()

    def resume_writing(self) -> None:
        """The client has read most of its replies."""

    # ------------------------------------------------------------ output

    def flush_soon(self) -> None:
        """Write the replies together with those of other connections; see ``Connection.flush_soon``."""
        outbox = self.server.outbox
        if outbox.soon is None:
            self.flush()
        elif not self.queued:
            self.queued = True
            outbox.waiting.append(self)
            if len(outbox.waiting) == 1:
                outbox.soon(outbox.flush)

    def flush(self) -> None:
        """Hand what has been collected to the transport; it is closed after that if it is to be."""
        data = b"".join(self.out)
        self.out = []
        gate = self.server.outbox.gate
        if gate is None:
            self.deliver(data, self.closing)
        else:
            gate.send(self, data, self.closing)

    def deliver(self, data: bytes, last: bool) -> None:
        """Write frames; close after the last ones."""
        if self.transport is None:
            return
        if data:
            self.bytes_out += len(data)
            self.transport.write(data)
        if last:
            self.transport.close()

    def deny(self, data: bytes, text: str) -> None:
        """Send an error in place of replies that confirm what the log does not have, and close: some may have been quiet."""
        self.closing = True
        self.deliver(
            ws.frame(ws.TEXT, error_reply(Status.UNKNOWN, text)) + ws.close_frame(ws.INTERNAL, "not logged"), True
        )

    def sent(self) -> None:
        """What the next reply waited for has ended: the messages that waited go on."""
        self.sending = False
        self.resume()

    def push_native(self, message: dict[str, Any]) -> None:
        """Send a message out of turn."""
        self.out.append(ws.frame(ws.TEXT, dumps(message)))
        self.flush_soon()

    def push(self, message: Reply) -> None:
        """Push messages are RESP's; see ``push_native``."""
        raise TypeError("a WebSocket takes no RESP push messages")

    def end(self, code: int, reason: str = "") -> None:
        """Send a close frame and take no more messages."""
        if not self.closing:
            self.closing = True
            self.out.append(ws.close_frame(code, reason))

    def close(self) -> None:
        """Close in order, from outside (CLIENT KILL, end of the server)."""
        self.end(ws.NORMAL)
        self.flush()

    def abort(self) -> None:
        """Close without sending what is left."""
        self.closing = True
        if self.transport is not None:
            self.transport.abort()

    @property
    def pending_input(self) -> int:
        """Bytes received that are no whole message yet."""
        return self.reader.pending

    def refresh(self) -> None:
        """Take the limit of messages over: strangers get a small one, as on the data port."""
        most = self.server.config.json_max_payload
        self.reader.max_message = most if self.client.authenticated else min(most, STRANGER_JSON)

    def resume(self) -> None:
        """Go on with the messages that waited."""
        self.halted = False
        if not self.closing:
            self.process()

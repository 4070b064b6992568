"""A channel of WebSocket messages. Their content, and the replies, are the matter of a protocol."""

from __future__ import annotations

from typing import Any

from januskv.resp import websocket as ws

from .channel import FLUSH_BYTES, Channel
from .native_requests import NativeRequests
from .server import Server


class WebSocketChannel(Channel):
    """Reads messages, runs them in order and writes the replies of one read together.

    A subclass handles text and binary messages (``take_text``, ``take_binary``), and decides which have to wait
    (``must_wait``). Pings, closes and invalid frames are handled here.
    """

    def __init__(self, server: Server, native: NativeRequests, max_message: int) -> None:
        super().__init__(server, native)
        self.reader = ws.FrameReader(max_message)

    def connection_made(self, transport: Any) -> None:
        """Begin after the handshake, which the HTTP listener rejects for clients that may not connect."""
        self.transport = transport
        self.client.describe(transport)
        self.server.clients.add(self.client)
        self.refresh()

    # ------------------------------------------------------------ defined by protocols

    def take_text(self, payload: bytes) -> None:
        """Run a text message."""
        raise NotImplementedError

    def take_binary(self) -> None:
        """Reject a binary message."""
        raise NotImplementedError

    def must_wait(self, payload: bytes) -> bool:
        """Whether a text message, and so those after it, must wait; ``resume`` is called when they may run."""
        raise NotImplementedError

    # ------------------------------------------------------------ bytes and messages

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        self.reader.feed(data)

    def pending_input(self) -> int:
        """Received bytes that are not a whole message yet."""
        return self.reader.pending

    def run_batch(self) -> None:
        """Handle all whole messages and control frames. Raises FrameError."""
        server, encoder = self.server, self.encoder
        self.active_ms = self.clock.tick()
        if self.session is not None:
            self.session.renew(self.active_ms)
        served = 0
        while True:
            message = self.reader.next() if self.parked is None else self.parked
            self.parked = None
            if message is None:
                break
            opcode, payload = message
            if opcode == ws.TEXT and self.must_wait(payload):
                self.hold(message)
                break
            self.take(opcode, payload)
            if server.outbox.wake:
                self.write_behind()
                server.waiting.serve()
                self.write_behind()
            if self.closing or self.halted:
                break
            served += 1
            if not served & 63 and encoder.size > FLUSH_BYTES:
                self.flush()

    def take(self, opcode: int, payload: bytes) -> None:
        """Handle one message or control frame."""
        if opcode == ws.TEXT:
            self.take_text(payload)
        elif opcode == ws.BINARY:
            self.take_binary()
        elif opcode == ws.PING:
            self.encoder.write_raw(ws.frame(ws.PONG, payload))
        elif opcode == ws.CLOSE:
            code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else ws.NORMAL
            self.end(code if code in range(1000, 5000) and code not in (1004, 1005, 1006) else ws.PROTOCOL)

    def failed(self, error: Exception) -> None:
        """Close in order after invalid frames; an unexpected error closes immediately."""
        if isinstance(error, ws.FrameError):
            self.server.accounts.stats.protocol_errors += 1
            self.end(error.code, str(error))
        else:
            Channel.failed(self, error)

    def encoded_native(self, text: bytes) -> bytes:
        """A message of JSON is a text message."""
        return ws.frame(ws.TEXT, text)

    # ------------------------------------------------------------ the end

    def end(self, code: int, reason: str = "") -> None:
        """Send a close frame and accept no more messages."""
        if not self.closing:
            self.encoder.write_raw(ws.close_frame(code, reason))
        Channel.close(self)

    def close(self) -> None:
        """Close in order, from outside."""
        self.end(ws.GOING_AWAY if self.server.state.ending else ws.NORMAL)

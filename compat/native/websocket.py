"""One WebSocket connection: every text message is one native command, every reply one text message."""

from __future__ import annotations

from typing import Any

from januskv.commands.status import Status
from januskv.compat.server.channel import FLUSH_BYTES, Channel
from januskv.compat.server.server import Server
from januskv.resp import websocket as ws
from januskv.resp.inline import STRANGER_JSON
from januskv.resp.replies import RawReply

from .face import NativeFace


class WebSocketConnection(Channel):
    """Reads messages, runs them in order and writes the replies of one read at once."""

    def __init__(self, server: Server, native: NativeFace) -> None:
        super().__init__(server, native)
        self.face = native
        self.reader = ws.FrameReader(server.config.json_max_payload)
        self.fragmented = False  # in the middle of a reply of several frames

    def refresh(self) -> None:
        """Take the client's state and the limits over: strangers may send small messages only, as on the data port."""
        super().refresh()
        most = self.server.config.json_max_payload
        self.reader.max_message = most if self.client.authenticated else min(most, STRANGER_JSON)

    def connection_made(self, transport: Any) -> None:
        """The handshake is done, which the HTTP listener refuses to those who may not connect."""
        self.transport = transport
        self.client.describe(transport)
        self.server.clients.add(self.client)
        self.refresh()

    # ------------------------------------------------------------ bytes and requests

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        self.reader.feed(data)

    def pending_input(self) -> int:
        """Bytes received that are no whole message yet."""
        return self.reader.pending

    def run_batch(self) -> None:
        """Answer all whole messages and control frames. Raises FrameError."""
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
            if server.pause.until_ms and opcode == ws.TEXT and self.native.holds(self.context, payload):
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
        """Answer one message or control frame."""
        if opcode == ws.TEXT:
            self.context.as_json = True
            answer = self.native.answer(self.context, payload)
            if type(answer) is bytes:
                self.encoder.write_raw(ws.frame(ws.TEXT, answer))
        elif opcode == ws.BINARY:
            self.encoder.write_raw(ws.frame(ws.TEXT, self.face.binary_refusal()))
        elif opcode == ws.PING:
            self.encoder.write_raw(ws.frame(ws.PONG, payload))
        elif opcode == ws.CLOSE:
            code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else ws.NORMAL
            self.end(code if code in range(1000, 5000) and code not in (1004, 1005, 1006) else ws.PROTOCOL)

    def failed(self, error: Exception) -> None:
        """Close in order after frames that break the protocol; an unexpected error closes at once."""
        if isinstance(error, ws.FrameError):
            self.server.accounts.stats.protocol_errors += 1
            self.end(error.code, str(error))
        else:
            Channel.failed(self, error)

    # ------------------------------------------------------------ output

    def denied(self, data: bytes, text: str) -> tuple[bytes, bool]:
        """An error and the end in place of messages, of which some may have been quiet."""
        error = ws.frame(ws.TEXT, self.native.error_reply(Status.UNKNOWN, text))
        return error + ws.close_frame(ws.INTERNAL, "not logged"), False

    def encoded(self, message: Any) -> bytes:
        """The bytes of a native message; reply values are RESP's and have no form here. Raises TypeError."""
        if type(message) is not RawReply:
            raise TypeError(f"a WebSocket carries native messages only, not {type(message).__name__}")
        return message.wire

    def encoded_native(self, text: bytes) -> bytes:
        """A native message is a text message."""
        return ws.frame(ws.TEXT, text)

    def write_piece(self, piece: bytes) -> None:
        """Write a piece of a reply: a fragment of a text message."""
        opcode = ws.CONTINUATION if self.fragmented else ws.TEXT
        self.fragmented = True
        self.encoder.write_raw(ws.frame(opcode, piece, final=False))

    def end_pieces(self) -> None:
        """Write the last fragment, an empty one."""
        opcode = ws.CONTINUATION if self.fragmented else ws.TEXT
        self.fragmented = False
        self.encoder.write_raw(ws.frame(opcode, b""))

    # ------------------------------------------------------------ the end

    def end(self, code: int, reason: str = "") -> None:
        """Send a close frame and take no more messages."""
        if not self.closing:
            self.encoder.write_raw(ws.close_frame(code, reason))
        Channel.close(self)

    def close(self) -> None:
        """Close in order, from outside."""
        self.end(ws.GOING_AWAY if self.server.state.ending else ws.NORMAL)

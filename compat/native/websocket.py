"""One WebSocket connection: every text message is one native command, every reply one text message."""

from __future__ import annotations

from typing import Any

from januskv.commands.status import Status
from januskv.compat.server.server import Server
from januskv.compat.server.websocket import WebSocketChannel
from januskv.resp import websocket as ws
from januskv.resp.inline import UNAUTHENTICATED_MAX_JSON
from januskv.resp.replies import RawReply

from .face import NativeFace


class WebSocketConnection(WebSocketChannel):
    """Reads native commands, runs them in order and writes the replies of one read at once."""

    def __init__(self, server: Server, native: NativeFace) -> None:
        super().__init__(server, native, server.config.json_max_payload)
        self.face = native
        self.fragmented = False  # in the middle of a reply of several frames

    def refresh(self) -> None:
        """Apply the client's state and the limits: unauthenticated clients may send only small messages, as on the data port."""
        super().refresh()
        most = self.server.config.json_max_payload
        self.reader.max_message = most if self.client.authenticated else min(most, UNAUTHENTICATED_MAX_JSON)

    # ------------------------------------------------------------ requests

    def must_wait(self, payload: bytes) -> bool:
        """Whether a command has to wait until a pause ends."""
        return bool(self.pause.until_ms) and self.native.holds(self.context, payload)

    def take_text(self, payload: bytes) -> None:
        """Run a command."""
        self.context.as_json = True
        answer = self.native.answer(self.context, payload)
        if type(answer) is bytes:
            self.encoder.write_raw(ws.frame(ws.TEXT, answer))

    def take_binary(self) -> None:
        """Refuse a message that is not text."""
        self.encoder.write_raw(ws.frame(ws.TEXT, self.face.binary_refusal()))

    # ------------------------------------------------------------ output

    def denied(self, data: bytes, text: str) -> tuple[bytes, bool]:
        """Send an error and close instead of handling messages, some of which may have been quiet."""
        error = ws.frame(ws.TEXT, self.native.error_reply(Status.UNKNOWN, text))
        return error + ws.close_frame(ws.INTERNAL, "not logged"), False

    def encoded(self, message: Any) -> bytes:
        """The bytes of a native message; reply values are RESP's and cannot be sent here. Raises TypeError."""
        if type(message) is not RawReply:
            raise TypeError(f"a WebSocket carries native messages only, not {type(message).__name__}")
        return message.wire

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

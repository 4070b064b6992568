"""WebSocket (RFC 6455), the server's side: handshake, frames, messages. No sockets, no extensions.

request head --UpgradeRequest.read--> .accept(origins) -> bytes of the 101 answer
bytes --FrameReader.feed / next--> messages, pings, closes
text  --text_frame--> bytes
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from urllib.parse import urlsplit

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

# Close codes of RFC 6455, section 7.4.1.
NORMAL, GOING_AWAY, PROTOCOL, NOT_UTF8, POLICY, TOO_BIG, INTERNAL = 1000, 1001, 1002, 1007, 1008, 1009, 1011


class HandshakeError(Exception):
    """The upgrade is refused, with an HTTP status."""

    def __init__(self, status: int, reason: str, text: str, headers: str = "") -> None:
        super().__init__(text)
        self.status, self.reason, self.text, self.headers = status, reason, text, headers

    def response(self) -> bytes:
        """The whole HTTP answer; the connection closes after it."""
        body = f"{self.text}\n"
        return (
            f"HTTP/1.1 {self.status} {self.reason}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body.encode())}\r\n{self.headers}Connection: close\r\n\r\n{body}"
        ).encode()


class FrameError(Exception):
    """The peer breaks the protocol; the connection is closed with ``code``."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """The head of a request that asks for a WebSocket."""

    path: str
    headers: dict[str, str]

    @classmethod
    def read(cls, head: bytes) -> UpgradeRequest | None:
        """Read a request head, blank line included; None if it is no GET that asks for a WebSocket."""
        try:
            first, *lines = head.decode("ascii").split("\r\n")[:-2]
        except UnicodeDecodeError:
            return None
        words = first.split(" ")
        if len(words) != 3 or words[0] != "GET" or words[2] != "HTTP/1.1":
            return None
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            name = name.lower()
            if not colon or not name or name != name.strip() or (name in headers and name in _ONCE):
                return None
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
        if headers.get("upgrade", "").lower() != "websocket" or "upgrade" not in _tokens(headers.get("connection", "")):
            return None
        return cls(words[1], headers)

    @property
    def authorization(self) -> str | None:
        """The Authorization header."""
        return self.headers.get("authorization")

    def accept(self, allowed_origins: list[str]) -> bytes:
        """The answer that opens the WebSocket. Raises HandshakeError.

        A page of another origin could use a visitor's browser to reach a server on the visitor's
        machine, so an Origin must be the Host itself or be listed (``*``: any).
        """
        if self.headers.get("sec-websocket-version") != "13":
            raise HandshakeError(
                426, "Upgrade Required", "WebSocket version 13 is needed", "Sec-WebSocket-Version: 13\r\n"
            )
        key = self.headers.get("sec-websocket-key", "")
        if not _is_nonce(key):
            raise HandshakeError(400, "Bad Request", "Sec-WebSocket-Key must be 16 bytes in base64")
        if "host" not in self.headers:
            raise HandshakeError(400, "Bad Request", "Host is missing")
        origin = self.headers.get("origin")
        if origin is not None and "*" not in allowed_origins and origin not in allowed_origins:
            if urlsplit(origin).netloc.lower() != self.headers["host"].lower():
                raise HandshakeError(403, "Forbidden", "this origin may not connect")
        digest = base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest())
        return (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + digest + b"\r\n\r\n"
        )


_ONCE = frozenset({"host", "origin", "sec-websocket-key", "sec-websocket-version", "authorization", "content-length"})


def _tokens(value: str) -> list[str]:
    return [token.strip().lower() for token in value.split(",")]


def _is_nonce(key: str) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == 16
    except ValueError:
        return False


# ---------------------------------------------------------------- frames


def frame(opcode: int, payload: bytes) -> bytes:
    """One whole, unmasked frame, as servers send them."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 65536:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame; the reason is cut to what a control frame holds."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason.encode()[:123])


def unmasked(data: bytes, mask: bytes) -> bytes:
    """The payload without its mask (RFC 6455, 5.3), by one XOR of big integers."""
    size = len(data)
    key = mask * (size // 4 + 1)
    return (int.from_bytes(data, "little") ^ int.from_bytes(key[:size], "little")).to_bytes(size, "little")


class FrameReader:
    """Incremental reader of a client's frames.

    ``next`` gives (opcode, payload): whole TEXT and BINARY messages, PING, PONG and CLOSE frames;
    None when more bytes are needed. Text is checked to be UTF-8. ``max_message`` limits a message,
    fragmented or not, before its bytes are collected.
    """

    def __init__(self, max_message: int) -> None:
        self.max_message: int = max_message
        self._buffer: bytes = b""
        self._at: int = 0
        self._opcode: int = 0  # of the fragmented message that is being collected; 0: none
        self._fragments: list[bytes] = []
        self._collected: int = 0

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        if self._at == len(self._buffer):
            self._buffer = data
        else:
            self._buffer = self._buffer[self._at :] + data
        self._at = 0

    @property
    def pending(self) -> int:
        """Bytes that wait for the rest of their message."""
        return len(self._buffer) - self._at + self._collected

    def next(self) -> tuple[int, bytes] | None:
        """The next message or control frame. Raises FrameError; the reader is of no use after that."""
        while True:
            found = self.next_frame()
            if found is None:
                return None
            final, opcode, payload = found
            if opcode >= CLOSE:
                return opcode, payload
            if final and opcode and not self._opcode:
                return self._message(opcode, payload)
            self._collect(opcode, payload)
            if final:
                opcode, self._opcode = self._opcode, 0
                whole = b"".join(self._fragments)
                self._fragments, self._collected = [], 0
                return self._message(opcode, whole)

    def _message(self, opcode: int, payload: bytes) -> tuple[int, bytes]:
        if opcode == TEXT and not payload.isascii():
            try:
                payload.decode()
            except UnicodeDecodeError:
                raise FrameError(NOT_UTF8, "text is not UTF-8") from None
        return opcode, payload

    def _collect(self, opcode: int, payload: bytes) -> None:
        if bool(opcode) == bool(self._opcode):
            raise FrameError(PROTOCOL, "fragments of two messages are mixed" if opcode else "nothing to continue")
        self._opcode = self._opcode or opcode
        self._collected += len(payload)
        if self._collected > self.max_message:
            raise FrameError(TOO_BIG, "message too big")
        if len(self._fragments) >= 1024:  # tiny fragments cost more than their bytes: fold them
            self._fragments = [b"".join(self._fragments)]
        self._fragments.append(payload)

    def next_frame(self) -> tuple[bool, int, bytes] | None:
        """The next frame as (final, opcode, payload), or None. Raises FrameError."""
        buffer, at = self._buffer, self._at
        left = len(buffer) - at
        if left < 2:
            return None
        first, second = buffer[at], buffer[at + 1]
        opcode, size = first & 15, second & 127
        if first & 0x70:
            raise FrameError(PROTOCOL, "reserved bits are set")
        if not second & 0x80:
            raise FrameError(PROTOCOL, "a client's frames must be masked")
        if opcode not in (CONTINUATION, TEXT, BINARY) and (
            opcode not in (CLOSE, PING, PONG) or size > 125 or not first & 0x80
        ):
            raise FrameError(PROTOCOL, "bad opcode or control frame")
        head = 6
        if size == 126:
            head = 8
            if left < head:
                return None
            size = int.from_bytes(buffer[at + 2 : at + 4], "big")
        elif size == 127:
            head = 14
            if left < head:
                return None
            announced = int.from_bytes(buffer[at + 2 : at + 10], "big")
            if announced > self.max_message:  # up to 2**64, more than an index holds
                raise FrameError(TOO_BIG, "message too big")
            size = announced
        if size > self.max_message:
            raise FrameError(TOO_BIG, "message too big")
        if left < head + size:
            return None
        start = at + head
        self._at = start + size
        return bool(first & 0x80), opcode, unmasked(buffer[start : start + size], buffer[start - 4 : start])

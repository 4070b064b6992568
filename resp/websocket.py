"""WebSocket (RFC 6455), the server's side: handshake, frames, messages. No sockets, no extensions.

request head --UpgradeRequest.read--> .accept() -> bytes of the 101 response
bytes --FrameReader.feed / next--> messages, pings, closes
text  --text_frame--> bytes
"""

from __future__ import annotations

import base64
import hashlib
from collections import deque
from dataclasses import dataclass

from .payload import Payload, is_utf8, unmasked

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

# Close codes of RFC 6455, section 7.4.1.
NORMAL, GOING_AWAY, PROTOCOL, UNSUPPORTED, NOT_UTF8 = 1000, 1001, 1002, 1003, 1007
POLICY, TOO_BIG, INTERNAL = 1008, 1009, 1011


class HandshakeError(Exception):
    """The upgrade is refused with an HTTP status."""

    def __init__(self, status: int, reason: str, text: str, headers: str = "") -> None:
        super().__init__(text)
        self.status, self.reason, self.text, self.headers = status, reason, text, headers

    def response(self) -> bytes:
        """The whole HTTP response; the connection closes after it."""
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
    """The head of a request that asks for a WebSocket. Names of headers are in lower case."""

    target: str
    headers: dict[str, str]

    @classmethod
    def read(cls, head: bytes) -> UpgradeRequest | None:
        """Read a request head, blank line included; None if it is not a GET that asks for a WebSocket.

        Raises HandshakeError if a header that may occur once is repeated.
        """
        try:
            first, *lines = head.decode("ascii").split("\r\n")[:-2]
        except UnicodeDecodeError:
            return None
        words = first.split(" ")
        if len(words) != 3 or words[0] != "GET" or words[2] != "HTTP/1.1":
            return None
        headers: dict[str, str] = {}
        repeated = ""
        for line in lines:
            name, colon, value = line.partition(":")
            name = name.lower()
            if not colon or not name or name != name.strip():
                return None
            if name in headers and name in _ONCE:
                repeated = name
            headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
        if headers.get("upgrade", "").lower() != "websocket" or "upgrade" not in _tokens(headers.get("connection", "")):
            return None
        if repeated:
            raise HandshakeError(400, "Bad Request", f"more than one header {repeated}")
        return cls(words[1], headers)

    @property
    def authorization(self) -> str | None:
        """The Authorization header."""
        return self.headers.get("authorization")

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies, the first one of each name."""
        found: dict[str, str] = {}
        for each in self.headers.get("cookie", "").replace(",", ";").split(";"):
            name, equals, value = each.strip().partition("=")
            if equals:
                found.setdefault(name, value.strip('"'))
        return found

    def accept(self) -> bytes:
        """The response that opens the WebSocket. Raises HandshakeError."""
        if self.headers.get("sec-websocket-version") != "13":
            raise HandshakeError(
                426, "Upgrade Required", "WebSocket version 13 is needed", "Sec-WebSocket-Version: 13\r\n"
            )
        key = self.headers.get("sec-websocket-key", "")
        if not _is_nonce(key):
            raise HandshakeError(400, "Bad Request", "Sec-WebSocket-Key must be 16 bytes in base64")
        if "host" not in self.headers:
            raise HandshakeError(400, "Bad Request", "Host is missing")
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


def frame(opcode: int, payload: bytes, final: bool = True) -> bytes:
    """One unmasked frame, as servers send them: a whole message, or a fragment that is not the final one."""
    size = len(payload)
    first = 0x80 | opcode if final else opcode
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame; the reason is cut to what a control frame holds, between two characters."""
    text = reason.encode(errors="replace")[:123].decode(errors="ignore")
    return frame(CLOSE, code.to_bytes(2, "big") + text.encode())


class FrameReader:
    """Incremental reader of a client's frames.

    ``next`` returns (opcode, payload): whole TEXT and BINARY messages, PING, PONG and CLOSE frames;
    None when more bytes are needed. Text is checked to be UTF-8. ``max_message`` limits a message,
    fragmented or not, before its bytes are collected.

    Bytes of a message are taken out of the input as they arrive, so its cost is linear in its size, however
    it is split. As long as ``next`` is called, less than a control frame is left in the buffer.
    """

    def __init__(self, max_message: int) -> None:
        self.max_message: int = max_message
        self._buffer: bytes = b""
        self._at: int = 0
        self._chunks: deque[bytes] = deque()  # the input after the buffer
        self._waiting: int = 0  # bytes in it
        self._opcode: int = 0  # of the unfinished message; 0: none
        self._payload: Payload = Payload(False)  # what has arrived of it
        self._in_frame: bool = False
        self._left: int = 0  # bytes of the frame still missing
        self._final: bool = False  # it is the last one of its message

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        if self._at == len(self._buffer) and not self._chunks:
            self._buffer = data
            self._at = 0
        else:
            self._chunks.append(data)
            self._waiting += len(data)

    @property
    def pending(self) -> int:
        """Bytes that wait for the rest of their message."""
        return len(self._buffer) - self._at + self._waiting + self._payload.size

    def next(self) -> tuple[int, bytes] | None:
        """The next message or control frame. Raises FrameError; the reader is of no use after that."""
        while True:
            if not self._in_frame:
                message = self._begin()
                if message is not None:
                    return message
            if self._in_frame and self._fill():
                self._in_frame = False
                if self._final:
                    return self._message()
            elif not self._more():
                return None

    def _more(self) -> bool:
        """Append the next chunk to the buffer; False if there is none."""
        if not self._chunks:
            return False
        chunk = self._chunks.popleft()
        self._waiting -= len(chunk)
        self._buffer = chunk if self._at == len(self._buffer) else self._buffer[self._at :] + chunk
        self._at = 0
        return True

    def _fill(self) -> bool:
        """Take what has arrived of the frame. Returns whether it is complete."""
        size = min(self._left, len(self._buffer) - self._at)
        if size:
            try:
                self._payload.add(self._buffer, self._at, size)
            except UnicodeDecodeError:
                raise FrameError(NOT_UTF8, "text is not UTF-8") from None
            self._at += size
            self._left -= size
        return not self._left

    def _message(self) -> tuple[int, bytes]:
        """The message whose last frame is complete."""
        try:
            whole = self._payload.take()
        except UnicodeDecodeError:
            raise FrameError(NOT_UTF8, "text is not UTF-8") from None
        opcode, self._opcode, self._payload = self._opcode, 0, Payload(False)
        return opcode, whole

    def _begin(self) -> tuple[int, bytes] | None:
        """Read the head of the next frame; of a control frame, or a message that is complete, all of it.

        None if more bytes are needed, or the frame is to be filled. Raises FrameError.
        """
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
        is_control = opcode in (CLOSE, PING, PONG)
        if opcode not in (CONTINUATION, TEXT, BINARY) and (not is_control or size > 125 or not first & 0x80):
            raise FrameError(PROTOCOL, "bad opcode or control frame")
        if not is_control and bool(opcode) == bool(self._opcode):
            raise FrameError(PROTOCOL, "fragments of two messages are mixed" if opcode else "nothing to continue")
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
        if left < head or (is_control and left < head + size):
            return None
        start = at + head
        if is_control or (opcode and first & 0x80 and left >= head + size):
            if size > self.max_message and not is_control:
                raise FrameError(TOO_BIG, "message too big")
            self._at = start + size
            payload = unmasked(buffer, start, size)
            if opcode == TEXT and not is_utf8(payload):
                raise FrameError(NOT_UTF8, "text is not UTF-8")
            return opcode, payload
        if self._payload.size + size > self.max_message:
            raise FrameError(TOO_BIG, "message too big")
        if opcode:
            self._opcode = opcode
            self._payload = Payload(opcode == TEXT)
        self._payload.begin_frame(buffer[start - 4 : start])
        self._in_frame = True
        self._left = size
        self._final = bool(first & 0x80)
        self._at = start
        return None

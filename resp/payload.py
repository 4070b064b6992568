"""Payloads of WebSocket frames: unmasked, checked to be UTF-8, joined. Each byte is read once.

The compiled implementation (``payload.pyx``) collects a message in the object that it returns.
"""

from __future__ import annotations

import codecs


def unmasked(data: bytes, start: int, size: int) -> bytes:
    """The payload that begins at ``start``, without its mask, the four bytes before (RFC 6455, 5.3)."""
    return _xor(data[start : start + size], data[start - 4 : start])


def _xor(data: bytes, mask: bytes) -> bytes:
    """Apply the mask by one XOR of big integers."""
    size = len(data)
    key = mask * (size // 4 + 1)
    return (int.from_bytes(data, "little") ^ int.from_bytes(key[:size], "little")).to_bytes(size, "little")


def is_utf8(data: bytes) -> bool:
    """Whether these bytes are UTF-8 as a whole."""
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


class Payload:
    """A message that arrives in pieces, of one frame or several. With ``text`` it must be UTF-8."""

    __slots__ = ("_data", "_mask", "_unread", "size", "text")

    def __init__(self, text: bool) -> None:
        self.text = text
        self.size = 0
        self._data = bytearray()
        self._unread = b""  # the beginning of a character
        self._mask = b""

    def begin_frame(self, mask: bytes) -> None:
        """Take the mask of the pieces that follow."""
        self._mask = mask

    def add(self, data: bytes, start: int, size: int) -> None:
        """Take the next bytes of the frame. Raises UnicodeDecodeError."""
        piece = _xor(data[start : start + size], self._mask)
        turn = size & 3
        self._mask = self._mask[turn:] + self._mask[:turn]
        if self.text and (self._unread or not piece.isascii()):
            joined = self._unread + piece
            self._unread = joined[codecs.utf_8_decode(joined, "strict", False)[1] :]
        self._data += piece
        self.size += size

    def take(self) -> bytes:
        """The whole message. Raises UnicodeDecodeError if its last character is incomplete."""
        self._unread.decode()
        return bytes(self._data)

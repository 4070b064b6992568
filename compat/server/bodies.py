"""Bodies of HTTP requests, unpacked piece by piece and no further than they may be long."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Final

# Bytes that are unpacked at a time: a fraction of a millisecond.
_PIECE: Final = 1 << 16
_GZIP: Final = 31
_ZLIB: Final = 15
_RAW: Final = -15


class BodyTooLong(Exception):
    """A body is longer than ``most`` bytes, as it is or unpacked."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most


class UnknownCoding(Exception):
    """A body is packed in a way that is not known."""


class BadPacking(Exception):
    """A body is not packed as its header says, or it is cut short; the text says what is wrong."""


class Unpacker:
    """Unpacks a body that comes in pieces: by gzip, also of several members, by zlib or, as some clients do, by bare deflate."""

    def __init__(self, coding: str, most: int) -> None:
        coding = coding.strip().lower()
        if coding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise UnknownCoding(coding)
        self.most = most
        self.length = 0
        self._packed = coding not in ("", "identity")
        self._gzip = coding in ("gzip", "x-gzip")
        self._stream: Any = None
        self._ended = False  # the last member

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What a piece holds, in pieces. Raises BodyTooLong and BadPacking."""
        if not self._packed:
            yield self._counted(data)
            return
        while data:
            if self._stream is None or self._ended:
                self._begin(data)
            try:
                piece = self._stream.decompress(data, _PIECE)
            except zlib.error as error:
                raise BadPacking(str(error)) from None
            yield self._counted(piece)
            self._ended = self._stream.eof
            data = self._stream.unused_data if self._ended else self._stream.unconsumed_tail

    def end(self) -> None:
        """The body is there. Raises BadPacking if something is missing."""
        if self._stream is not None and not self._ended:
            raise BadPacking("It is cut short")
        if self._packed and self._stream is None:
            raise BadPacking("It is empty")

    def _begin(self, data: bytes) -> None:
        if self._stream is not None and not self._gzip:
            raise BadPacking("Something follows its end")
        # A stream of zlib begins with the method 8 and two bytes that 31 divides.
        wrapped = data[0] & 15 == 8 and (len(data) < 2 or (data[0] << 8 | data[1]) % 31 == 0)
        self._stream = zlib.decompressobj(wbits=_GZIP if self._gzip or data[0] == 0x1F else _ZLIB if wrapped else _RAW)

    def _counted(self, piece: bytes) -> bytes:
        self.length += len(piece)
        if self.length > self.most:
            raise BodyTooLong(self.most)
        return piece

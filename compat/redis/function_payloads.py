"""What FUNCTION DUMP gives and FUNCTION RESTORE takes: the code of libraries as Redis writes it into its files.

A payload is, for each library, the mark of a function and its code as a string; then the version of the format, two
bytes, and a CRC of 64 bits (polynomial of Jones), both with the least byte first.
"""

from __future__ import annotations

from typing import Final

from januskv.compat.server.faults import RespError

_MARK: Final = 245
# The first version with this mark; any server with functions takes it. The last one that we know.
_WRITTEN: Final = 10
_KNOWN: Final = 12
_FOOTER_BYTES: Final = 10
_POLYNOMIAL: Final = 0x95AC9329AC4BC9B5
_WRONG: Final = "ERR DUMP payload version or checksum are wrong"
_UNREADABLE: Final = "ERR failed loading the given functions payload"
_NO_FUNCTION: Final = "ERR given type is not a function"


def _row(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ _POLYNOMIAL if byte & 1 else byte >> 1
    return byte


_TABLE: Final = [_row(byte) for byte in range(256)]


def crc64(data: bytes) -> int:
    """The CRC that Redis' files and payloads end with."""
    crc = 0
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc


def dumped(codes: list[bytes]) -> bytes:
    """The payload of libraries."""
    parts = [bytes([_MARK]) + _length(len(code)) + code for code in codes]
    data = b"".join(parts) + _WRITTEN.to_bytes(2, "little")
    return data + crc64(data).to_bytes(8, "little")


def _length(size: int) -> bytes:
    if size < 1 << 6:
        return bytes([size])
    if size < 1 << 14:
        return (size | 1 << 14).to_bytes(2, "big")
    return b"\x80" + size.to_bytes(4, "big")


def restored(payload: bytes) -> list[bytes]:
    """The code of each library in a payload. Raises RespError."""
    data, version, crc = payload[:-_FOOTER_BYTES], payload[-_FOOTER_BYTES:-8], payload[-8:]
    if (
        len(payload) < _FOOTER_BYTES
        or int.from_bytes(version, "little") > _KNOWN
        or crc64(payload[:-8]) != int.from_bytes(crc, "little")
    ):
        raise RespError(_WRONG)
    codes = []
    reader = _Reader(data)
    while reader.at < len(data):
        if reader.byte() != _MARK:
            raise RespError(_NO_FUNCTION)
        codes.append(reader.string())
    return codes


class _Reader:
    """Reads lengths and strings. Raises RespError where they end too soon."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        """The next bytes."""
        found = self.data[self.at : self.at + size]
        if len(found) < size:
            raise RespError(_UNREADABLE)
        self.at += size
        return found

    def byte(self) -> int:
        """The next byte."""
        return self.take(1)[0]

    def length(self) -> tuple[int, bool]:
        """A length, or a number that says how a string is encoded, and whether it is the latter."""
        first = self.byte()
        kind, rest = first >> 6, first & 0x3F
        if kind == 0:
            return rest, False
        if kind == 1:
            return rest << 8 | self.byte(), False
        if kind == 3:
            return rest, True
        if first not in (0x80, 0x81):
            raise RespError(_UNREADABLE)
        return int.from_bytes(self.take(4 if first == 0x80 else 8), "big"), False

    def string(self) -> bytes:
        """A string: as it is, a number of 8, 16 or 32 bits, or compressed."""
        size, encoded = self.length()
        if not encoded:
            return self.take(size)
        if size < 3:
            return b"%d" % int.from_bytes(self.take(1 << size), "little", signed=True)
        if size > 3:
            raise RespError(_UNREADABLE)
        packed, _ = self.length()
        whole, _ = self.length()
        return _unpacked(self.take(packed), whole)


def _unpacked(packed: bytes, size: int) -> bytes:
    """What LZF has compressed: runs of bytes, and references to what stands before. Raises RespError."""
    found = bytearray()
    at = 0
    try:
        while at < len(packed):
            control = packed[at]
            at += 1
            if control < 32:
                run = packed[at : at + control + 1]
                if len(run) <= control:
                    raise RespError(_UNREADABLE)
                found += run
                at += control + 1
                continue
            length = control >> 5
            if length == 7:
                length += packed[at]
                at += 1
            start = len(found) - ((control & 0x1F) << 8 | packed[at]) - 1
            at += 1
            if start < 0 or len(found) > size:
                raise RespError(_UNREADABLE)
            for place in range(start, start + length + 2):
                found.append(found[place])
    except IndexError:
        raise RespError(_UNREADABLE) from None
    if len(found) != size:
        raise RespError(_UNREADABLE)
    return bytes(found)

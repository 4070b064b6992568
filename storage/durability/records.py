"""Files of records: what a segment of the log and a snapshot look like, byte by byte.

    file    = magic "JANUSKV\\n" | u16 version | u8 file type | 16 bytes data set | u64 first sequence number
              | u32 crc32c of the header before it, then records
    record  = u32 length of payload | u32 crc32c of all that follows, length first | u8 type | u64 sequence number | payload

Integers are little-endian. Sequence numbers count up by one. A file that is still written to may
end in zeros, which were allocated ahead.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import google_crc32c

MAGIC: Final = b"JANUSKV\n"
VERSION: Final = 1
_HEADER = struct.Struct("<8sHB16sQ")
_CRC = struct.Struct("<I")
HEADER_BYTES: Final = _HEADER.size + _CRC.size

_LENGTH = struct.Struct("<I")
_TYPE_SEQ = struct.Struct("<BQ")
_RECORD = struct.Struct("<IIBQ")
RECORD_BYTES: Final = _RECORD.size
MOST_PAYLOAD_BYTES: Final = 2**32 - 1

LOG: Final = 1  # file types
SNAPSHOT: Final = 2

CHANGES: Final = 1  # record types: operations one after the other, see replay.py
END: Final = 2  # the last record of a snapshot: how many keys it holds
_TYPES = bytes((CHANGES, END))


class Damaged(Exception):
    """A file is not what was written. The text names file and offset."""

    def __init__(self, path: str, offset: int, reason: str) -> None:
        super().__init__(f"{path}: damaged at offset {offset}: {reason}")
        self.path = path
        self.offset = offset
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Torn:
    """The last record of a file was not written to its end: all bytes from the offset on are none."""

    offset: int
    bytes_lost: int
    reason: str


@dataclass(frozen=True, slots=True)
class Record:
    """One record; ``end`` is the offset behind it."""

    kind: int
    seq: int
    payload: bytes
    end: int


def header(file_type: int, data_set: bytes, first_seq: int) -> bytes:
    """The first bytes of a file."""
    start = _HEADER.pack(MAGIC, VERSION, file_type, data_set, first_seq)
    return start + _CRC.pack(google_crc32c.value(start))


def record(kind: int, seq: int, payload: bytes) -> bytes:
    """One record as bytes. Raises OverflowError for a payload of 4 GiB."""
    if len(payload) > MOST_PAYLOAD_BYTES:
        raise OverflowError(f"a record cannot hold {len(payload)} bytes")
    length = _LENGTH.pack(len(payload))
    middle = _TYPE_SEQ.pack(kind, seq)
    crc = google_crc32c.extend(google_crc32c.extend(google_crc32c.value(length), middle), payload)
    return b"".join((length, _CRC.pack(crc), middle, payload))


class RecordFile:
    """The whole content of a file of records, to be read. Raises Damaged for a bad header."""

    def __init__(self, path: str, data: bytes, file_type: int, data_set: bytes) -> None:
        self.path = path
        self.data = data
        start = data[: _HEADER.size]
        if len(data) < HEADER_BYTES or _CRC.unpack_from(data, _HEADER.size)[0] != google_crc32c.value(start):
            raise Damaged(path, 0, "the header is incomplete or its checksum wrong")
        magic, version, held_type, held_set, self.first_seq = _HEADER.unpack(start)
        if magic != MAGIC or held_type != file_type:
            raise Damaged(path, 0, "this is another kind of file")
        if version != VERSION:
            raise Damaged(path, 8, f"format version {version} is unknown")
        if held_set != data_set:
            raise Damaged(path, 11, "the file belongs to another data set")
        self.end = HEADER_BYTES  # behind the last good record, once they have been read
        self.torn: Torn | None = None

    def records(self, *, open_ended: bool) -> Iterator[Record]:
        """All records in order. Raises Damaged.

        With ``open_ended`` an unfinished last record and zeros behind the last one are no damage; ``torn``
        then tells what there was.
        """
        seq = self.first_seq
        while self.end < len(self.data):
            found = self._read(self.end, seq)
            if isinstance(found, Record):
                self.end = found.end
                seq += 1
                yield found
                continue
            if not open_ended:
                raise Damaged(self.path, self.end, found)
            rest = self.data[self.end :]
            if not rest.strip(b"\0"):
                return
            later = self.later_record(self.end + 1, seq)
            if later is not None:
                raise Damaged(self.path, self.end, f"{found}, and a whole record follows at offset {later}")
            self.torn = Torn(self.end, len(rest.rstrip(b"\0")), found)
            return

    def _read(self, at: int, seq: int) -> Record | str:
        """The record at an offset, or why there is none."""
        if len(self.data) - at < RECORD_BYTES:
            return "an incomplete record"
        length, crc, kind, held_seq = _RECORD.unpack_from(self.data, at)
        end = at + RECORD_BYTES + length
        if end > len(self.data):
            return "an incomplete record"
        if not self._is_whole(at, end, crc):
            return "a record with a wrong checksum"
        if held_seq != seq:
            return f"the record number {held_seq} where {seq} has to be"
        return Record(kind, held_seq, self.data[at + RECORD_BYTES : end], end)

    def _is_whole(self, at: int, end: int, crc: int) -> bool:
        data = self.data
        return bool(crc == google_crc32c.extend(google_crc32c.value(data[at : at + 4]), data[at + 8 : end]))

    def later_record(self, start: int, seq: int) -> int | None:
        """Where a whole record begins behind a broken one, if there is any."""
        # The upper half of the sequence number is the same in all of them: it finds the candidates quickly.
        upper = re.escape(struct.pack("<Q", seq)[4:])
        for found in re.finditer(b"(?=[%b].{4}%b)" % (re.escape(_TYPES), upper), self.data[start:], re.DOTALL):
            at = start + found.start() - 8
            if at < start:
                continue
            if self.end_of_whole(at) is not None:
                return at
        return None

    def end_of_whole(self, at: int) -> int | None:
        """Where the record ends that begins at an offset; None if there is no whole one, whatever its number."""
        if len(self.data) - at < RECORD_BYTES:
            return None
        length, crc, _, _ = _RECORD.unpack_from(self.data, at)
        end = at + RECORD_BYTES + length
        return end if end <= len(self.data) and self._is_whole(at, end, crc) else None

"""Files of records: the byte format of log segments and snapshots.

    file    = magic "JANUSKV\\n" | u16 version | u8 file type | 16 bytes data set | u64 first sequence number
              | u32 crc32c of the header before it, then records
    record  = u32 length of payload | u32 crc32c of length and all that follows | u8 type | u64 sequence number | payload

Changes that are too many for one record are divided between several: all but the last are of the type PART. They count
together or, if the last one is not whole, not at all.

Integers are little-endian. Sequence numbers count up by one. A file that is still being written may
end in zeros, which were allocated ahead.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Final, NamedTuple, Protocol

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
# Changes of more bytes are divided between records, so that loading needs little more memory than the data.
PART_BYTES: Final = 64 << 20
# Values of at least this many bytes are not copied on their way to the file.
BIG_BYTES: Final = 1 << 16

LOG: Final = 1  # file types
SNAPSHOT: Final = 2

CHANGES: Final = 1  # record types: operations one after the other, see replay.py
END: Final = 2  # the last record of a snapshot: its number of keys
PART: Final = 3  # operations that count with those of the next record only
_TYPES = bytes((CHANGES, END, PART))


class Damaged(Exception):
    """A file is not as it was written. The text names file and offset."""

    def __init__(self, path: str, offset: int, reason: str) -> None:
        super().__init__(f"{path}: damaged at offset {offset}: {reason}")
        self.path = path
        self.offset = offset
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Torn:
    """The last record of a file was not completely written: the bytes from the offset on do not count."""

    offset: int
    bytes_lost: int
    reason: str


class Record(NamedTuple):
    """One record; ``end`` is the offset after it."""

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
    return b"".join(record_pieces(kind, seq, (payload,)))


def record_pieces(kind: int, seq: int, payload: Sequence[bytes]) -> list[bytes]:
    """One record as a list of pieces; those of its payload are not copied unless they are short.

    Raises OverflowError for a payload of 4 GiB.
    """
    size = sum(map(len, payload))
    if size > MOST_PAYLOAD_BYTES:
        raise OverflowError(f"a record cannot hold {size} bytes")
    middle = _TYPE_SEQ.pack(kind, seq)
    crc = google_crc32c.value(_LENGTH.pack(size) + middle)
    for piece in payload:
        crc = google_crc32c.extend(crc, piece)
    head = _RECORD.pack(size, crc, kind, seq)
    return [b"".join((head, *payload))] if size < BIG_BYTES else [head, *payload]


# A file is read in windows of this size, and longer records in pieces of it.
_WINDOW_BYTES = 4 << 20


class Content(Protocol):
    """The content of a file: bytes, or a ``FileContent``."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...


class FileContent:
    """The content of a file, of which only the requested parts are in memory. Raises OSError."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.size = os.fstat(fd).st_size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self.size)
        pieces: list[bytes] = []
        while start < stop:
            piece = os.pread(self.fd, stop - start, start)
            if not piece:
                break  # it became shorter: the records' checksums detect that
            pieces.append(piece)
            start += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class RecordFile:
    """The content of a file of records, to be read. Raises Damaged for a bad header."""

    def __init__(self, path: str, data: Content, file_type: int, data_set: bytes) -> None:
        self.path = path
        self.data = data
        head = data[:HEADER_BYTES]
        start = head[: _HEADER.size]
        if len(head) < HEADER_BYTES or _CRC.unpack_from(head, _HEADER.size)[0] != google_crc32c.value(start):
            raise Damaged(path, 0, "the header is incomplete or its checksum wrong")
        magic, version, held_type, held_set, self.first_seq = _HEADER.unpack(start)
        if magic != MAGIC or held_type != file_type:
            raise Damaged(path, 0, "this is another kind of file")
        if version != VERSION:
            raise Damaged(path, 8, f"format version {version} is unknown")
        if held_set != data_set:
            raise Damaged(path, 11, "the file belongs to another data set")
        self.end = HEADER_BYTES  # after the last good record, once they have been read
        self.torn: Torn | None = None

    def records(self, *, open_ended: bool) -> Iterator[Record]:
        """All records in order. Raises Damaged.

        With ``open_ended`` an unfinished last record and zeros after the last one are not damage; ``torn``
        then describes them. A part is returned only if the records that it counts with are whole.
        """
        return filter(None, self.records_in_steps(open_ended=open_ended))

    def records_in_steps(self, *, open_ended: bool) -> Iterator[Record | None]:
        """As ``records``, with None between the pieces in which long records are read. Raises Damaged."""
        seq = self.first_seq
        window = _Window(self.data, self.end)
        whole_to = 0  # the parts up to this offset belong to changes that are whole
        while self.end < len(self.data):
            found = yield from window.record(self.end, seq)
            at, number = self.end, seq
            if isinstance(found, Record) and found.kind == PART and found.end > whole_to:
                last, at, number = yield from self._last_of(found)
                if isinstance(last, Record):
                    whole_to = last.end
                else:
                    found = last
            if isinstance(found, Record):
                self.end = found.end
                seq += 1
                yield found
                continue
            reason = "an incomplete record" if isinstance(found, int) else found
            if at > self.end:
                reason += f" (at offset {at}, in changes of several records)"
            if not open_ended:
                raise Damaged(self.path, self.end, reason)
            self._end_with(reason, at, number)
            return

    def _last_of(self, part: Record) -> Generator[None, None, tuple[Record | int | str, int, int]]:
        """The record that ends the changes of a part, or why there is none; with its offset and number."""
        window = _Window(self.data, part.end)
        found: Record | int | str = part
        at, number = part.end, part.seq + 1
        while isinstance(found, Record) and found.kind == PART:
            at, number = found.end, found.seq + 1
            found = yield from window.record(at, number)
        return found, at, number

    def _end_with(self, reason: str, at: int, seq: int) -> None:
        """Examine what follows the last good record: zeros, a torn record, or damage. Raises Damaged.

        The offset is the end, or lies within changes of several records that begin at the end.
        """
        rest = self.data[at : len(self.data)]
        if at == self.end and not rest.strip(b"\0"):
            return
        later = self.later_record(at + 1, seq)
        if later is not None:
            raise Damaged(self.path, self.end, f"{reason}, and a whole record follows at offset {later}")
        self.torn = Torn(self.end, at - self.end + len(rest.rstrip(b"\0")), reason)

    def later_record(self, start: int, seq: int) -> int | None:
        """Where the next whole record begins, at an offset or after it, if there is one."""
        rest = self.data[start : len(self.data)]
        # The upper half of the sequence number is the same in all of them: searching for it finds candidates quickly.
        upper = re.escape(struct.pack("<Q", seq)[4:])
        for found in re.finditer(b"(?=[%b].{4}%b)" % (re.escape(_TYPES), upper), rest, re.DOTALL):
            at = found.start() - 8
            if at >= 0 and self.end_of_whole(start + at) is not None:
                return start + at
        return None

    def end_of_whole(self, at: int) -> int | None:
        """Where the record that begins at an offset ends; None if it is not whole. Its number is not checked."""
        head = self.data[at : at + RECORD_BYTES]
        if len(head) < RECORD_BYTES:
            return None
        length, crc, _, _ = _RECORD.unpack(head)
        end = at + RECORD_BYTES + int(length)
        return end if end <= len(self.data) and _is_whole(self.data[at:end], 0, end - at, crc) else None


class _Window:
    """The part of a file of records that is in memory; it moves as records are read."""

    def __init__(self, data: Content, start: int) -> None:
        self.data = data
        self.start = start
        self.held = data[start : start + _WINDOW_BYTES]

    def record(self, offset: int, seq: int) -> Generator[None, None, Record | int | str]:
        """The record at an offset; the bytes that it needs if the file has fewer; or why there is none."""
        found = _read(self.held, self.start, offset, seq)
        for _ in range(2):  # the window may end within the record, or even before its length
            if not isinstance(found, int) or offset + found > len(self.data):
                break
            if found > _WINDOW_BYTES:
                found = yield from self._long_record(offset, offset + found, seq)
            else:
                self.start = offset
                self.held = self.data[offset : offset + _WINDOW_BYTES]
                found = _read(self.held, offset, offset, seq)
        return found

    def _long_record(self, offset: int, end: int, seq: int) -> Generator[None, None, Record | int | str]:
        """The record from an offset to another, read in pieces; returns as ``_read``."""
        head = self.data[offset : offset + RECORD_BYTES]
        if len(head) < RECORD_BYTES:
            return RECORD_BYTES
        _, crc, kind, held_seq = _RECORD.unpack(head)
        held_crc = google_crc32c.extend(google_crc32c.value(head[:4]), head[8:])
        payload = BytesIO()  # joins the pieces without another copy
        for at in range(offset + RECORD_BYTES, end, _WINDOW_BYTES):
            piece = self.data[at : min(at + _WINDOW_BYTES, end)]
            held_crc = google_crc32c.extend(held_crc, piece)
            payload.write(piece)
            yield
        if offset + RECORD_BYTES + payload.tell() < end:  # the file has become shorter
            return end - offset
        return _checked(crc == held_crc, kind, held_seq, seq, payload.getvalue(), end)


def _read(window: bytes, start: int, offset: int, seq: int) -> Record | int | str:
    """The record at an offset of the file; the bytes that it needs if the window has fewer; or why there is none.

    The window begins at the offset ``start``.
    """
    at = offset - start
    if len(window) - at < RECORD_BYTES:
        return RECORD_BYTES
    length, crc, kind, held_seq = _RECORD.unpack_from(window, at)
    end = at + RECORD_BYTES + length
    if end > len(window):
        return RECORD_BYTES + int(length)
    whole = _is_whole(window, at, end, crc)
    return _checked(whole, kind, held_seq, seq, window[at + RECORD_BYTES : end], start + end)


def _checked(whole: bool, kind: int, held_seq: int, seq: int, payload: bytes, end: int) -> Record | str:
    """A record, or why it is invalid."""
    if not whole:
        return "a record with a wrong checksum"
    if held_seq != seq:
        return f"the record number {held_seq} where {seq} has to be"
    return Record(kind, held_seq, payload, end)


def _is_whole(data: bytes, at: int, end: int, crc: int) -> bool:
    return bool(crc == google_crc32c.extend(google_crc32c.value(data[at : at + 4]), data[at + 8 : end]))

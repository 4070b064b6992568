"""Bits of byte strings, the first one being the highest bit of the first byte. Bits past the end are zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .lazily import lazily
from .long_text import LongString

if TYPE_CHECKING:
    import numpy as np
else:
    np = lazily("numpy")

Bits = bytes | LongString

# Long strings are processed in parts of this many bytes, which fit into the processor's cache.
_PART = 1 << 20
_FEW = 4096


def _view(data: Bits) -> memoryview:
    return data.view() if isinstance(data, LongString) else memoryview(data)


def get_field(data: Bits, offset: int, width: int, *, signed: bool = False) -> int:
    """The integer in the ``width`` bits that begin at a bit offset."""
    first, last = offset >> 3, (offset + width + 7) >> 3
    part = int.from_bytes(data[first:last].ljust(last - first, b"\0"), "big")
    value = (part >> ((last << 3) - offset - width)) & ((1 << width) - 1)
    return value - (1 << width) if signed and value >> (width - 1) else value


def set_field(data: LongString, offset: int, width: int, value: int) -> None:
    """Put the lowest ``width`` bits of an integer at a bit offset; zeros are added where the data is shorter."""
    first, last = offset >> 3, (offset + width + 7) >> 3
    shift = (last << 3) - offset - width
    mask = ((1 << width) - 1) << shift
    part = int.from_bytes(data[first:last].ljust(last - first, b"\0"), "big")
    data.write(first, ((part & ~mask) | ((value << shift) & mask)).to_bytes(last - first, "big"))


def count(data: Bits, first: int, end: int) -> int:
    """How many bits are set from one bit to another, end exclusive. O(N)."""
    if first >= end:
        return 0
    low, high = first >> 3, min((end + 7) >> 3, len(data))
    found = _count_in_bytes(data, low, high)
    if first & 7:
        found -= (data[low] >> (8 - (first & 7))).bit_count()
    if end & 7 and (end + 7) >> 3 <= len(data):
        found -= (data[high - 1] & ((1 << (8 - (end & 7))) - 1)).bit_count()
    return found


def _count_in_bytes(data: Bits, low: int, high: int) -> int:
    """How many bits are set from one byte to another, end exclusive."""
    found = 0
    if high - low > _FEW:
        with _view(data) as view:
            aligned = (low + 7) & ~7
            found = int.from_bytes(view[low:aligned], "big").bit_count()
            for at in range(aligned, high & ~7, _PART):
                with view[at : min(at + _PART, high & ~7)] as part:
                    found += int(np.bitwise_count(np.frombuffer(part, np.uint64)).sum())
        low = high & ~7
    return found + int.from_bytes(data[low:high], "big").bit_count()


# More differences than this are not listed one by one.
_MOST_DIFFERENCES = 64


def differences(old: bytes, new: bytes) -> list[tuple[int, int]] | None:
    """Where two strings of the same length differ, as pairs of first byte and end; None if in more than a few places. O(N)."""
    places = np.flatnonzero(np.frombuffer(old, np.uint8) != np.frombuffer(new, np.uint8))
    return None if len(places) > _MOST_DIFFERENCES else [(int(at), int(at) + 1) for at in places]


def find(data: Bits, bit: int, first: int, end: int) -> int:
    """The first bit with a value from one bit to another, end exclusive; -1 if there is none. O(N)."""
    at = first
    while at < end and at & 7:  # up to a whole byte
        if data[at >> 3] >> (7 - (at & 7)) & 1 == bit:
            return at
        at += 1
    if at >= end:
        return -1
    high = min((end + 7) >> 3, len(data))
    byte = _first_other(data, b"\0" if bit else b"\xff", at >> 3, high)
    if byte == high:
        return -1
    value = data[byte] if bit else data[byte] ^ 0xFF
    at = (byte << 3) + 8 - value.bit_length()
    return at if at < end else -1


def _first_other(data: Bits, common: bytes, low: int, high: int) -> int:
    """The first byte between two that differs from the common one, which is all ones or all zeros; ``high`` if there is none."""
    together = np.bitwise_or if common == b"\0" else np.bitwise_and
    nothing = int.from_bytes(common * 8, "big")
    size = _FEW  # it is usually near; later parts begin with a whole word
    with _view(data) as view:
        while low < high:
            end = min((low + size) & ~7, high)
            with view[low:end] as part:
                in_words = size == _PART and not len(part) & 7
                if not in_words or int(together.reduce(np.frombuffer(part, np.uint64))) != nothing:
                    rest = bytes(part).lstrip(common)
                    if rest:
                        return end - len(rest)
            low, size = end, _PART
    return high


def combine(operation: str, parts: Sequence[Bits]) -> bytes:
    """AND, OR or XOR of byte strings, the shorter ones padded with zeros; NOT of one. O(N)."""
    size = max(map(len, parts), default=0)
    combined = LongString(b"")
    work = {"AND": np.bitwise_and, "OR": np.bitwise_or, "XOR": np.bitwise_xor, "NOT": np.invert}[operation]
    if size > _PART:
        combined.write(size, b"")
    for at in range(0, size, _PART):
        end = min(at + _PART, size)
        columns = [np.frombuffer(part[at:end].ljust(end - at, b"\0"), np.uint8) for part in parts]
        found = work(columns[0]) if operation == "NOT" else columns[0]
        for column in columns[1:]:
            found = work(found, column)
        combined.write(at, found.tobytes())
    return combined.text()

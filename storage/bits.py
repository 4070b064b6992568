"""Bits of byte strings, the first one being the highest bit of the first byte. What lies behind the end is zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def get_field(data: bytes | bytearray, offset: int, width: int, *, signed: bool = False) -> int:
    """The integer in ``width`` bits from a bit offset on."""
    first, last = offset >> 3, (offset + width + 7) >> 3
    part = int.from_bytes(data[first:last].ljust(last - first, b"\0"), "big")
    value = (part >> ((last << 3) - offset - width)) & ((1 << width) - 1)
    return value - (1 << width) if signed and value >> (width - 1) else value


def set_field(data: bytearray, offset: int, width: int, value: int) -> None:
    """Put the lowest ``width`` bits of an integer at a bit offset; zeros are added where the data is shorter."""
    first, last = offset >> 3, (offset + width + 7) >> 3
    if len(data) < last:
        data.extend(bytes(last - len(data)))
    shift = (last << 3) - offset - width
    mask = ((1 << width) - 1) << shift
    part = int.from_bytes(data[first:last], "big")
    data[first:last] = ((part & ~mask) | ((value << shift) & mask)).to_bytes(last - first, "big")


def count(data: bytes | bytearray, first: int, end: int) -> int:
    """How many bits are set from one bit up to another, without that. O(N)."""
    if first >= end:
        return 0
    part = data[first >> 3 : (end + 7) >> 3]
    found = int(np.bitwise_count(np.frombuffer(part, np.uint8)).sum()) if len(part) > 64 else _few(part)
    if first & 7:
        found -= (part[0] >> (8 - (first & 7))).bit_count()
    if end & 7 and (end + 7) >> 3 <= len(data):
        found -= (part[-1] & ((1 << (8 - (end & 7))) - 1)).bit_count()
    return found


def _few(part: bytes | bytearray) -> int:
    return int.from_bytes(part, "big").bit_count()


# More places than these are not listed one by one.
_MOST_DIFFERENCES = 64


def differences(old: bytes, new: bytes) -> list[tuple[int, int]] | None:
    """Where two strings of the same length differ, as first byte and end; None for more than a few places. O(N)."""
    places = np.flatnonzero(np.frombuffer(old, np.uint8) != np.frombuffer(new, np.uint8))
    return None if len(places) > _MOST_DIFFERENCES else [(int(at), int(at) + 1) for at in places]


def find(data: bytes | bytearray, bit: int, first: int, end: int) -> int:
    """The first bit with a value from one bit up to another, without that; -1 if there is none. O(N)."""
    at = first
    while at < end and at & 7:  # up to a whole byte
        if data[at >> 3] >> (7 - (at & 7)) & 1 == bit:
            return at
        at += 1
    if at >= end:
        return -1
    skipped = b"\xff" if bit == 0 else b"\0"
    low, high = at >> 3, (end + 7) >> 3
    rest = data[low:high].lstrip(skipped) if high - low <= 4096 else None
    if rest is None:
        found = np.flatnonzero(np.frombuffer(data[low:high], np.uint8) != skipped[0])
        byte = high if not len(found) else low + int(found[0])
    else:
        byte = high - len(rest)
    if byte >= high:
        return -1
    value = data[byte] if bit else data[byte] ^ 0xFF
    at = (byte << 3) + 8 - value.bit_length()
    return at if at < end else -1


def combine(operation: str, parts: Sequence[bytes]) -> bytes:
    """AND, OR or XOR of byte strings, the shorter ones filled up with zeros; NOT of one. O(N)."""
    size = max(map(len, parts), default=0)
    columns = [np.frombuffer(part.ljust(size, b"\0"), np.uint8) for part in parts]
    if operation == "NOT":
        return np.invert(columns[0]).tobytes()
    combined = columns[0].copy()
    work = {"AND": np.bitwise_and, "OR": np.bitwise_or, "XOR": np.bitwise_xor}[operation]
    for column in columns[1:]:
        work(combined, column, out=combined)
    return combined.tobytes()

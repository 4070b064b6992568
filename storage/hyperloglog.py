"""HyperLogLogs: estimates of how many different elements were added, in strings that Redis reads too.

| bytes  | hold                                                                     |
|--------|--------------------------------------------------------------------------|
| 0-3    | HYLL                                                                     |
| 4      | 0: dense, 1: sparse                                                      |
| 5-7    | zero                                                                     |
| 8-15   | the last estimate, little endian; the highest bit says that it is stale  |
| 16-    | 16,384 registers                                                         |

Dense registers take six bits each, the lowest first. Sparse ones are runs: 00nnnnnn, n + 1 zeros; 01nnnnnn nnnnnnnn,
n + 1 zeros; 1vvvvvnn, n + 1 registers of the value v + 1.

The hash is MurmurHash64A with Redis' seed, the estimate that of Otmar Ertl, so that answers equal those of Redis.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, sqrt
from typing import Final

import numpy as np
import numpy.typing as npt

from .errors import CorruptHyperLogLog, NotHyperLogLog

Registers = npt.NDArray[np.uint8]

REGISTERS: Final = 1 << 14
HEADER: Final = 16
DENSE_BYTES: Final = HEADER + REGISTERS * 6 // 8
MOST_SPARSE_VALUE: Final = 32

_SEED = 0xADC83B19
_FACTOR = 0xC6A4A7935BD1E995
_ALL = 0xFFFFFFFFFFFFFFFF
_RANKS = 50  # 64 bits of a hash without the 14 that choose the register
_ALPHA = 0.721347520444481703680
_DENSE, _SPARSE = 0, 1
_STALE = b"\0\0\0\0\0\0\0\x80"


def murmur64a(data: bytes) -> int:
    """The 64-bit MurmurHash64A of some bytes."""
    size = len(data)
    hashed = _SEED ^ ((size * _FACTOR) & _ALL)
    whole = size & ~7
    for at in range(0, whole, 8):
        block = int.from_bytes(data[at : at + 8], "little")
        block = (block * _FACTOR) & _ALL
        block = ((block ^ (block >> 47)) * _FACTOR) & _ALL
        hashed = ((hashed ^ block) * _FACTOR) & _ALL
    if size & 7:
        block = int.from_bytes(data[whole:], "little")
        hashed = ((hashed ^ block) * _FACTOR) & _ALL
    hashed = ((hashed ^ (hashed >> 47)) * _FACTOR) & _ALL
    return hashed ^ (hashed >> 47)


def place_of(element: bytes) -> tuple[int, int]:
    """The register of an element, and the value that the register has at least then."""
    hashed = murmur64a(element)
    rest = (hashed >> 14) | (1 << _RANKS)
    return hashed & (REGISTERS - 1), (rest & -rest).bit_length()


def is_sparse(data: bytes) -> bool:
    """Whether a HyperLogLog is sparse. Raises NotHyperLogLog."""
    if len(data) < HEADER or data[:4] != b"HYLL" or data[4] > _SPARSE:
        raise NotHyperLogLog
    if data[4] == _DENSE and len(data) != DENSE_BYTES:
        raise NotHyperLogLog
    return data[4] == _SPARSE


def empty() -> bytes:
    """A HyperLogLog of nothing."""
    return b"HYLL\x01\0\0\0" + bytes(8) + b"\x7f\xff"


# ---------------------------------------------------------------- registers


def registers_of(data: bytes) -> Registers:
    """All registers. Raises NotHyperLogLog, CorruptHyperLogLog."""
    if is_sparse(data):
        return _sparse_registers(data)
    three = np.frombuffer(data, np.uint8, offset=HEADER).reshape(-1, 3).astype(np.uint16)
    found = np.empty((REGISTERS // 4, 4), np.uint8)
    found[:, 0] = three[:, 0] & 63
    found[:, 1] = (three[:, 0] >> 6 | three[:, 1] << 2) & 63
    found[:, 2] = (three[:, 1] >> 4 | three[:, 2] << 4) & 63
    found[:, 3] = three[:, 2] >> 2
    return found.reshape(-1)


def _sparse_registers(data: bytes) -> Registers:
    found = np.zeros(REGISTERS, np.uint8)
    at, register, size = HEADER, 0, len(data)
    while at < size:
        code = data[at]
        if code & 0x80:
            count = (code & 3) + 1
            found[register : register + count] = (code >> 2 & 31) + 1
        elif code & 0x40:
            at += 1
            if at == size:
                raise CorruptHyperLogLog
            count = ((code & 63) << 8 | data[at]) + 1
        else:
            count = code + 1
        register += count
        at += 1
    if register != REGISTERS:
        raise CorruptHyperLogLog
    return found


def dense(registers: Registers) -> bytes:
    """The dense form of some registers, its estimate stale."""
    four = registers.reshape(-1, 4).astype(np.uint16)
    packed = np.empty((REGISTERS // 4, 3), np.uint8)
    packed[:, 0] = (four[:, 0] | four[:, 1] << 6) & 255
    packed[:, 1] = (four[:, 1] >> 2 | four[:, 2] << 4) & 255
    packed[:, 2] = four[:, 2] >> 4 | four[:, 3] << 2
    return b"HYLL\0\0\0\0" + _STALE + packed.tobytes()


def sparse(registers: Registers, most_bytes: int) -> bytes | None:
    """The sparse form of some registers, its estimate stale; None where it would be too long, or cannot be."""
    if int(registers.max()) > MOST_SPARSE_VALUE:
        return None
    begins = np.flatnonzero(np.concatenate(([True], registers[1:] != registers[:-1])))
    counts = np.diff(np.append(begins, REGISTERS))
    found = bytearray(b"HYLL\x01\0\0\0" + _STALE)
    for value, count in zip(registers[begins].tolist(), counts.tolist(), strict=True):
        found += _zeros(count) if value == 0 else _values(value, count)
        if len(found) - HEADER > most_bytes:
            return None
    return bytes(found)


def _zeros(count: int) -> bytes:
    """Runs of so many registers that are 0."""
    if count <= 0:
        return b""
    return bytes((count - 1,)) if count <= 64 else bytes((0x40 | (count - 1) >> 8, (count - 1) & 255))


def _values(value: int, count: int) -> bytes:
    """Runs of so many registers with a value."""
    whole, rest = divmod(count, 4)
    code = 0x80 | (value - 1) << 2
    return bytes((code | 3,)) * whole + (bytes((code | rest - 1,)) if rest else b"")


def merged(parts: Iterable[bytes]) -> Registers:
    """The highest value of each register. Raises NotHyperLogLog, CorruptHyperLogLog."""
    found = np.zeros(REGISTERS, np.uint8)
    for part in parts:
        found = np.maximum(found, registers_of(part))
    return found


# ---------------------------------------------------------------- adding


def add(data: bytes, elements: list[bytes], most_sparse_bytes: int) -> bytes | None:
    """The HyperLogLog with some more elements; None if that changes nothing. Raises NotHyperLogLog, CorruptHyperLogLog."""
    changed = False
    for element in elements:
        register, value = place_of(element)
        new = _raised_sparse(data, register, value) if is_sparse(data) else _raised_dense(data, register, value)
        if new is not None:
            changed = True
            too_long = data[4] == _SPARSE and len(new) - HEADER > most_sparse_bytes
            data = dense(registers_of(new)) if too_long else new
    return data[:8] + _stale(data[8:16]) + data[16:] if changed else None


def _stale(estimate: bytes) -> bytes:
    return estimate[:7] + bytes((estimate[7] | 0x80,))


def _raised_dense(data: bytes, register: int, value: int) -> bytes | None:
    """The dense form with one register raised; None if it is as high already."""
    at, shift = HEADER + (register * 6 >> 3), register * 6 & 7
    both = int.from_bytes(data[at : at + 2], "little")
    if both >> shift & 63 >= value:
        return None
    both = both & ~(63 << shift) | value << shift
    part = data[at : at + 2]
    return data[:at] + both.to_bytes(len(part), "little") + data[at + len(part) :]


def _raised_sparse(data: bytes, register: int, value: int) -> bytes | None:
    """The sparse form with one register raised, dense where the value is too high; None if it is as high already."""
    at, first, size = HEADER, 0, len(data)
    while at < size:
        code = data[at]
        length = 1
        if code & 0x80:
            count = (code & 3) + 1
        elif code & 0x40:
            if at + 1 == size:
                raise CorruptHyperLogLog
            length = 2
            count = ((code & 63) << 8 | data[at + 1]) + 1
        else:
            count = code + 1
        if register < first + count:
            break
        first += count
        at += length
    else:
        raise CorruptHyperLogLog
    old = (code >> 2 & 31) + 1 if code & 0x80 else 0
    if old >= value:
        return None
    if value > MOST_SPARSE_VALUE:
        registers = registers_of(data).copy()
        registers[register] = value
        return dense(registers)
    left, right = register - first, first + count - register - 1
    if old:
        middle = (_values(old, left) if left else b"") + _values(value, 1) + (_values(old, right) if right else b"")
    else:
        middle = _zeros(left) + _values(value, 1) + _zeros(right)
    return data[:at] + middle + data[at + length :]


# ---------------------------------------------------------------- counting


def estimate(registers: Registers) -> int:
    """How many different elements were added, about."""
    histogram = np.bincount(registers, minlength=_RANKS + 2).tolist()
    total = REGISTERS * _tau((REGISTERS - histogram[_RANKS + 1]) / REGISTERS)
    for rank in range(_RANKS, 0, -1):
        total = (total + histogram[rank]) * 0.5
    total += REGISTERS * _sigma(histogram[0] / REGISTERS)
    return 0 if total == inf else int(_ALPHA * REGISTERS * REGISTERS / total + 0.5)


def _sigma(share: float) -> float:
    if share == 1.0:
        return inf
    factor, total, before = 1.0, share, -1.0
    while before != total:
        share *= share
        before = total
        total += share * factor
        factor += factor
    return total


def _tau(share: float) -> float:
    if share in (0.0, 1.0):
        return 0.0
    factor, total, before = 1.0, 1 - share, -1.0
    while before != total:
        share = sqrt(share)
        before = total
        factor *= 0.5
        total -= (1 - share) ** 2 * factor
    return total / 3


def count_of(data: bytes) -> int:
    """The estimate of one HyperLogLog: the stored one if it is not stale. Raises NotHyperLogLog, CorruptHyperLogLog."""
    is_sparse(data)
    if not data[15] & 0x80:
        return int.from_bytes(data[8:16], "little")
    return estimate(registers_of(data))

"""HyperLogLogs: estimates of how many different elements were added, in the string format of Redis.

| bytes  | hold                                                                     |
|--------|--------------------------------------------------------------------------|
| 0-3    | HYLL                                                                     |
| 4      | 0: dense, 1: sparse                                                      |
| 5-7    | zero                                                                     |
| 8-15   | the last estimate, little endian; the highest bit says that it is stale  |
| 16-    | 16,384 registers                                                         |

Dense registers take six bits each, the lowest first. Sparse ones are runs: 00nnnnnn, n + 1 zeros; 01nnnnnn nnnnnnnn,
n + 1 zeros; 1vvvvvnn, n + 1 registers of the value v + 1.

The hash is MurmurHash64A with Redis' seed, the estimate that of Otmar Ertl, so that replies equal those of Redis.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, sqrt
from typing import TYPE_CHECKING, Final

from .errors import CorruptHyperLogLog, NotHyperLogLog
from .lazily import lazily

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Registers = npt.NDArray[np.uint8]
else:
    np = lazily("numpy")


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
    """The register of an element, and the least value that the element gives it."""
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
    """An empty HyperLogLog."""
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


def dense(registers: Registers, head: bytes | None = None) -> bytes:
    """The dense form of some registers: with a given header, or a new one whose estimate is stale."""
    four = registers.reshape(-1, 4).astype(np.uint16)
    packed = np.empty((REGISTERS // 4, 3), np.uint8)
    packed[:, 0] = (four[:, 0] | four[:, 1] << 6) & 255
    packed[:, 1] = (four[:, 1] >> 2 | four[:, 2] << 4) & 255
    packed[:, 2] = four[:, 2] >> 4 | four[:, 3] << 2
    header = b"HYLL\0\0\0\0" + _STALE if head is None else head[:4] + b"\0" + head[5:HEADER]
    return header + packed.tobytes()


def sparse(registers: Registers, most_bytes: int) -> bytes | None:
    """The sparse form of some registers, its estimate stale; None if it would be too long or a value does not fit."""
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
    """Runs for this many registers that are 0."""
    if count <= 0:
        return b""
    return bytes((count - 1,)) if count <= 64 else bytes((0x40 | (count - 1) >> 8, (count - 1) & 255))


def _values(value: int, count: int) -> bytes:
    """Runs for this many registers with a value."""
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


def stale(data: bytes) -> bytes:
    """A HyperLogLog whose estimate is marked as stale."""
    marked = bytearray(data)
    marked[HEADER - 1] |= 0x80
    return bytes(marked)


class Raising:
    """A HyperLogLog whose registers are raised. ``data`` changes as in Redis, byte for byte.

    Raising registers in ascending order walks through a sparse form once.
    """

    __slots__ = ("after", "begin", "data", "first", "most_bytes", "sparse")

    def __init__(self, data: bytes, most_bytes: int) -> None:
        """``most_bytes``: how long a sparse form may grow. Raises NotHyperLogLog."""
        self.data = bytearray(data)
        self.most_bytes = most_bytes
        self.sparse = is_sparse(data)
        # A run before the one that was changed last: its offset, its first register, and that of the run after it.
        # The search for later registers starts at this run.
        self.begin = HEADER
        self.first = 0
        self.after = 0

    def raise_to(self, register: int, value: int) -> bool:
        """Raise one register; False if it is already as high. Raises CorruptHyperLogLog."""
        if not self.sparse:
            return _raise_dense(self.data, register, value)
        if value > MOST_SPARSE_VALUE:
            self.to_dense()
            return _raise_dense(self.data, register, value)
        return self.raise_sparse(register, value)

    def raise_sparse(self, register: int, value: int) -> bool:
        """``raise_to`` for the sparse form."""
        data = self.data
        size = len(data)
        if register < self.after:
            self.begin, self.first, self.after = HEADER, 0, 0
        at, first, before, before_first, earlier, earlier_first = self.begin, self.first, -1, 0, -1, 0
        code, count, length = 0, 0, 1
        while at < size:
            code, length = data[at], 1
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
            earlier, earlier_first, before, before_first = before, before_first, at, first
            first += count
            at += length
        else:
            raise CorruptHyperLogLog
        if earlier >= 0:
            self.begin, self.first, self.after = earlier, earlier_first, before_first
        else:
            self.begin, self.first, self.after = HEADER, 0, 0
        old = (code >> 2 & 31) + 1 if code & 0x80 else 0
        if old >= value:
            return False
        left, right = register - first, first + count - register - 1
        if old:
            new = (_values(old, left) if left else b"") + _values(value, 1) + (_values(old, right) if right else b"")
        else:
            new = _zeros(left) + _values(value, 1) + _zeros(right)
        growth = len(new) - length
        if growth > 0 and size + growth > self.most_bytes:
            self.to_dense()
            return _raise_dense(self.data, register, value)
        data[at : at + length] = new
        _join(data, before if before >= 0 else HEADER)
        return True

    def marked(self) -> bytes:
        """The bytes, with the estimate marked as stale."""
        self.data[HEADER - 1] |= 0x80
        return bytes(self.data)

    def to_dense(self) -> None:
        """Turn the sparse form into the dense one; the header stays. Raises CorruptHyperLogLog."""
        if self.sparse:
            data = bytes(self.data)
            self.data = bytearray(dense(registers_of(data), data))
            self.sparse = False


def _join(data: bytearray, at: int) -> None:
    """Join adjacent runs with the same value as Redis does: in up to five steps from a run on."""
    size = len(data)
    for _ in range(5):
        if at >= size:
            return
        code = data[at]
        if not code & 0x80:
            at += 2 if code & 0x40 else 1
            continue
        following = data[at + 1] if at + 1 < size else 0
        count = (code & 3) + (following & 3) + 2
        if following & 0x80 and following >> 2 == code >> 2 and count <= 4:
            data[at] = code & ~3 | count - 1
            del data[at + 1]
            size -= 1
        else:
            at += 1


def _raise_dense(data: bytearray, register: int, value: int) -> bool:
    """Raise one register of the dense form; False if it is already as high."""
    at, shift = HEADER + (register * 6 >> 3), register * 6 & 7
    last = at + 1 == len(data)
    both = data[at] if last else data[at] | data[at + 1] << 8
    if both >> shift & 63 >= value:
        return False
    both = both & ~(63 << shift) | value << shift
    data[at] = both & 255
    if not last:
        data[at + 1] = both >> 8
    return True


def add(data: bytes, elements: list[bytes], most_bytes: int) -> bytes | None:
    """The HyperLogLog with more elements; None if nothing changes. Raises NotHyperLogLog, CorruptHyperLogLog."""
    return added(data, elements, most_bytes)[0]


def added(data: bytes, elements: list[bytes], most_bytes: int) -> tuple[bytes | None, int]:
    """``add``, and how many of the elements changed it."""
    raising = Raising(data, most_bytes) if is_sparse(data) else None
    count = 0
    for element in elements:
        register, value = place_of(element)
        if raising is None:  # a dense one is long: it is copied only if something changes
            if _dense_register(data, register) >= value:
                continue
            raising = Raising(data, most_bytes)
        if raising.raise_to(register, value):
            count += 1
    return (raising.marked() if raising is not None and count else None), count


def _dense_register(data: bytes, register: int) -> int:
    at, shift = HEADER + (register * 6 >> 3), register * 6 & 7
    return (data[at] | (data[at + 1] << 8 if at + 1 < len(data) else 0)) >> shift & 63


def merge(target: bytes, others: Iterable[bytes], most_bytes: int) -> bytes:
    """The union of HyperLogLogs; dense if one of them is. Raises NotHyperLogLog, CorruptHyperLogLog."""
    raising, registers = Raising(target, most_bytes), registers_of(target)
    all_sparse = True
    for other in others:
        registers = np.maximum(registers, registers_of(other))
        all_sparse = all_sparse and is_sparse(other)
    if not all_sparse:
        raising.to_dense()
    for register in np.flatnonzero(registers).tolist():
        if not raising.sparse:
            return stale(dense(registers, bytes(raising.data)))
        raising.raise_to(register, int(registers[register]))
    return raising.marked()


def with_estimate(data: bytes, number: int) -> bytes:
    """The header of a HyperLogLog with a cached estimate."""
    return data[:8] + number.to_bytes(8, "little")


# ---------------------------------------------------------------- counting


def estimate(registers: Registers) -> int:
    """Roughly how many different elements were added."""
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


def stored_estimate(data: bytes) -> int | None:
    """The cached estimate of a HyperLogLog; None if it is stale."""
    return None if data[HEADER - 1] & 0x80 else int.from_bytes(data[8:HEADER], "little")


def count_of(data: bytes) -> int:
    """The estimate of one HyperLogLog: the cached one unless it is stale. Raises NotHyperLogLog, CorruptHyperLogLog."""
    is_sparse(data)
    stored = stored_estimate(data)
    return estimate(registers_of(data)) if stored is None else stored

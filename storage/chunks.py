"""Chunks: runs of samples in time order, open for writing or packed.

| form of the times | the packed bytes are                                   |
|-------------------|--------------------------------------------------------|
| EVEN (0)          | one int64: the step from each time to the next         |
| 1, 2, 4, 8        | differences to the time before, of so many bytes each  |
| WHOLE (16)        | the times as int64                                     |

| form of the values | the packed bytes are                                  |
|--------------------|-------------------------------------------------------|
| 1, 2, 4            | integers of so many bytes: the values times ``scale``, a power of ten |
| 7                  | their common last byte (sign and most of the exponent), and the other seven of each float64 |
| 8                  | the values as float64                                 |

Integers of a power of ten are taken only where they give exactly the same doubles. Both columns are read back
in one step each, which a codec that goes bit by bit (Gorilla's XOR) does not allow. ``scans`` reads them without
making columns of them first.
"""

from __future__ import annotations

from array import array
from sys import getsizeof
from typing import TYPE_CHECKING, Any, Final

from .lazily import lazily

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Times = npt.NDArray[np.int64]
    Values = npt.NDArray[np.float64]
else:
    np = lazily("numpy")
    Times = Values = Any


Sample = tuple[int, float]

MOST_TIME: Final = (1 << 63) - 1

# A chunk without its samples, with its place in the lists of its series, the time in one of them, and what the
# allocator rounds up.
CHUNK_BYTES: Final = 240

EVEN: Final = 0
WHOLE: Final = 16

_SCALES: Final = (1.0, 10.0, 100.0, 1000.0, 1e4, 1e6)
_INTEGERS: Final[dict[int, Any]] = {1: "int8", 2: "int16", 4: "int32", 8: "int64"}  # as numpy calls them


def _narrow(numbers: Any) -> tuple[int, bytes]:
    """Integers in the narrowest form that holds them all: its width in bytes, and the bytes."""
    low, high = int(numbers.min()), int(numbers.max())
    for width, kind in _INTEGERS.items():
        info = np.iinfo(kind)
        if info.min <= low and high <= info.max:
            return width, numbers.astype(kind).tobytes()
    raise AssertionError("int64 holds them")


def _pack_values(values: Values) -> tuple[int, bytes, float]:
    """Values as narrow integers with their scale, or as they are: width in bytes, the bytes, scale."""
    if np.isfinite(values).all() and np.abs(values).max() < 2**31:
        for scale in _SCALES:
            numbers = np.rint(values * scale)
            if np.abs(numbers).max() >= 2**31:
                break
            if np.array_equal((numbers / scale).view(np.int64), values.view(np.int64)):
                return *_narrow(numbers.astype(np.int64)), scale
    octets = values.view(np.uint8).reshape(len(values), 8)
    if (octets[:, 7] == octets[0, 7]).all():
        return 7, octets[0, 7:].tobytes() + octets[:, :7].tobytes(), 1.0
    return 8, values.tobytes(), 1.0


class Chunk:
    """A run of samples, open or sealed, never empty. ``first`` and ``last`` are their first and last time."""

    __slots__ = (
        "count",
        "first",
        "last",
        "open_times",
        "open_values",
        "packed_times",
        "packed_values",
        "scale",
        "times_form",
        "values_form",
    )

    def __init__(self, times: array[int], values: array[float]) -> None:
        self.open_times: array[int] | None = times
        self.open_values: array[float] | None = values
        self.packed_times: bytes = b""
        self.packed_values: bytes = b""
        self.times_form: int = WHOLE
        self.values_form: int = 8
        self.scale: float = 1.0
        self.count: int = len(times)
        self.first: int = times[0]
        self.last: int = times[-1]

    def columns(self) -> tuple[Times, Values]:
        """Times and values as arrays that are not changed by later writes."""
        if self.open_times is not None:
            return np.array(self.open_times, dtype=np.int64), np.array(self.open_values, dtype=np.float64)
        return self._times(), self._values()

    def _times(self) -> Times:
        if self.times_form == WHOLE:
            return np.frombuffer(self.packed_times, np.int64)
        if self.times_form == EVEN:
            step = int.from_bytes(self.packed_times, "little", signed=True)
            return self.first + np.arange(self.count, dtype=np.int64) * step
        times = np.empty(self.count, dtype=np.int64)
        times[0] = 0
        np.cumsum(np.frombuffer(self.packed_times, _INTEGERS[self.times_form]), dtype=np.int64, out=times[1:])
        times += self.first
        return times

    def _values(self) -> Values:
        if self.values_form == 8:
            return np.frombuffer(self.packed_values, np.float64)
        if self.values_form == 7:
            octets = np.empty((self.count, 8), np.uint8)
            packed = np.frombuffer(self.packed_values, np.uint8)
            octets[:, :7], octets[:, 7] = packed[1:].reshape(self.count, 7), packed[0]
            return octets.view(np.float64).ravel()
        values: Values = np.frombuffer(self.packed_values, _INTEGERS[self.values_form]) / self.scale
        return values

    def seal(self, compressed: bool) -> None:
        """Give the samples the form that takes less memory and cannot be written to."""
        self._pack(*self.columns(), compressed)

    def absorb(self, younger: Chunk, compressed: bool) -> None:
        """Take in the samples of the chunk behind this one, and seal both."""
        columns = [np.concatenate(pair) for pair in zip(self.columns(), younger.columns(), strict=True)]
        self.count += younger.count
        self.last = younger.last
        self._pack(columns[0], columns[1], compressed)

    def _pack(self, times: Times, values: Values, compressed: bool) -> None:
        self.open_times = self.open_values = None
        self.times_form, self.values_form, self.scale = WHOLE, 8, 1.0
        if not compressed or self.count == 1:
            self.packed_times, self.packed_values = times.tobytes(), values.tobytes()
            return
        steps = np.diff(times)
        if (steps == steps[0]).all():
            self.times_form, self.packed_times = EVEN, int(steps[0]).to_bytes(8, "little", signed=True)
        else:
            self.times_form, self.packed_times = _narrow(steps)
        self.values_form, self.packed_values, self.scale = _pack_values(values)

    def open(self) -> tuple[array[int], array[float]]:
        """The samples in the form that can be written to."""
        if self.open_times is None or self.open_values is None:
            times, values = self.columns()
            self.open_times, self.open_values = array("q", times.tobytes()), array("d", values.tobytes())
            self.packed_times = self.packed_values = b""
        return self.open_times, self.open_values

    def measure(self) -> None:
        """Note count and ends anew after a write."""
        times = self.open_times
        assert times is not None
        self.count, self.first, self.last = len(times), times[0], times[-1]

    @property
    def size_bytes(self) -> int:
        """What the samples take, without what holds them."""
        return 16 * self.count if self.open_times is not None else len(self.packed_times) + len(self.packed_values)

    @property
    def memory_bytes(self) -> int:
        """Memory that the chunk takes: what is allocated for its samples, room for further ones included, and itself."""
        held = (
            (self.packed_times, self.packed_values) if self.open_times is None else (self.open_times, self.open_values)
        )
        return CHUNK_BYTES + sum(map(getsizeof, held))

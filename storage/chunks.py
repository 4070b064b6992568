"""Chunks: runs of samples in time order, open for writing or packed.

| form of the times | the packed bytes are                                   |
|-------------------|--------------------------------------------------------|
| EVEN (0)          | one int64: the step from each time to the next         |
| 1, 2, 4, 8        | differences to the time before, of that many bytes each |
| WHOLE (16)        | the times as int64                                     |

| form of the values | the packed bytes are                                  |
|--------------------|-------------------------------------------------------|
| 1, 2, 4            | integers of that many bytes: the values times ``scale``, a power of ten |
| 5, 6, 7            | float64 read as unsigned integers, minus the least of them, in 5, 6 or 7 bytes each; then the least in 8 |
| 8                  | the values as float64                                 |

Integers of a power of ten are taken only where they give exactly the same doubles. Each column is decoded
in one step, which a bitwise codec (Gorilla's XOR) does not allow. ``scans`` packs chunks, and reads them without
decoding them to columns first.
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

# A chunk without its samples: the object, its entries in the lists of its series, and what the allocator rounds up.
CHUNK_BYTES: Final = 240

EVEN: Final = 0
WHOLE: Final = 16

SCALES: Final = (1.0, 10.0, 100.0, 1000.0, 1e4, 1e6)
INTEGERS: Final[dict[int, Any]] = {1: "int8", 2: "int16", 4: "int32", 8: "int64"}  # as numpy calls them


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
        """Times and values as arrays that later writes do not change."""
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
        np.cumsum(np.frombuffer(self.packed_times, INTEGERS[self.times_form]), dtype=np.int64, out=times[1:])
        times += self.first
        return times

    def _values(self) -> Values:
        if self.values_form == 8:
            return np.frombuffer(self.packed_values, np.float64)
        if self.values_form > 4:
            octets = np.zeros((self.count, 8), np.uint8)
            packed = np.frombuffer(self.packed_values, np.uint8)
            octets[:, : self.values_form] = packed[:-8].reshape(self.count, self.values_form)
            least = packed[-8:].copy().view(np.uint64)
            return (octets.view(np.uint64).ravel() + least).view(np.float64)
        values: Values = np.frombuffer(self.packed_values, INTEGERS[self.values_form]) / self.scale
        return values

    def open(self) -> tuple[array[int], array[float]]:
        """The samples in the open form, which can be written to."""
        if self.open_times is None or self.open_values is None:
            times, values = self.columns()
            self.open_times, self.open_values = array("q", times.tobytes()), array("d", values.tobytes())
            self.packed_times = self.packed_values = b""
        return self.open_times, self.open_values

    def measure(self) -> None:
        """Update count and ends after a write."""
        times = self.open_times
        assert times is not None
        self.count, self.first, self.last = len(times), times[0], times[-1]

    @property
    def size_bytes(self) -> int:
        """Bytes of the samples, without the objects that contain them."""
        return 16 * self.count if self.open_times is not None else len(self.packed_times) + len(self.packed_values)

    @property
    def memory_bytes(self) -> int:
        """Memory that the chunk takes: the object and what is allocated for its samples, spare room included."""
        held = (
            (self.packed_times, self.packed_values) if self.open_times is None else (self.open_times, self.open_values)
        )
        return CHUNK_BYTES + sum(map(getsizeof, held))

"""Tallies: running aggregates of the buckets of several series together, updated as samples come.

A bucket gets a row with its first sample. A row has the number of its values and the aggregates asked for:

| asked for | is                                                                               |
|-----------|----------------------------------------------------------------------------------|
| SUMS      | the sum of the values, added one by one as they come                             |
| SQUARES   | the same of their squares                                                        |
| LEAST, GREATEST | NaN where a value is NaN                                                   |
| PRODUCT   | of the values                                                                    |
| FIRSTS, LASTS | the value of the oldest and the newest sample; of equal times the first and the last to come |
| VALUES    | the values themselves, in the order in which they came                           |

If rates are asked for, each sample but the first one of its series is replaced by its rate.

The compiled implementation (``tallies.pyx``) goes over packed chunks in C; this one uses numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .chunks import Chunk, Times, Values
from .errors import TooManyBuckets, TooManyValues
from .lazily import lazily
from .scans import read_columns

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    np = lazily("numpy")

SUMS: Final = 1
SQUARES: Final = 2
LEAST: Final = 4
GREATEST: Final = 8
PRODUCT: Final = 16
FIRSTS: Final = 32
LASTS: Final = 64
VALUES: Final = 128

_COLUMNS: Final = (SUMS, SQUARES, LEAST, GREATEST, PRODUCT, FIRSTS, LASTS)

# Samples that may wait before they are added to the rows, or as many as there are rows if more.
_MOST_WAITING = 20_000
_UNITS = 20  # per sample here


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast the values of a series change: by how much in each ``interval_ms``, from each sample to the next.

    A ``counter`` whose value has become less has wrapped around to 0 after ``counter_max``; if that is unknown (0), it has
    restarted at 0. Rates above ``reset_value``, if there is one, are 0. With ``drop_resets`` a counter has no rate where
    its value has become less.
    """

    interval_ms: int
    counter: bool = False
    counter_max: float = 0.0
    reset_value: float = 0.0
    drop_resets: bool = False


class Tally:
    """Rows of buckets of ``bucket`` ms. Raises TooManyBuckets for more than ``most`` rows.

    ``most_values``: how many values may be stored if they are asked for; more raise TooManyValues.
    """

    __slots__ = (
        "_before",
        "_begins",
        "_bucket",
        "_columns",
        "_counts",
        "_most",
        "_most_values",
        "_needs",
        "_rate",
        "_starts",
        "_taken",
        "_times",
        "_units",
        "_values",
        "_waiting",
        "_waits",
    )

    def __init__(self, needs: int, bucket: int, most: int, *, rate: Rate | None = None, most_values: int = 0) -> None:
        self._needs = needs
        self._bucket = bucket
        self._most = most
        self._most_values = most_values
        self._rate = rate
        self._before: tuple[int, float] | None = None  # the sample before, for its rate
        self._begins: Times = np.empty(0, np.int64)
        self._counts: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._columns: dict[int, Values] = {need: np.empty(0) for need in _COLUMNS if needs & need}
        self._times: dict[int, Times] = {}  # of FIRSTS and LASTS
        self._waiting: list[tuple[Times, Values]] = []
        self._waits = 0
        self._units = 0
        self._taken: list[tuple[Times, Values]] = []  # begins and values, if values are asked for
        self._values: Values = np.empty(0)
        self._starts: npt.NDArray[np.int64] = np.empty(0, np.int64)

    def expect(self, first: int, last: int, samples: int, *, series: int) -> None:
        """Announce, before the first sample, the time range of the samples, about how many come at most, and from how many series."""

    def begin_series(self) -> None:
        """Begin another series."""
        self._before = None

    def take(self, chunks: Sequence[Chunk], low: int, high: int, most_units: int) -> int:
        """Take the samples of some chunks of one series, from one time to another, both included, oldest first.

        It ends after the chunk with which ``most_units`` are spent, or later; a unit is the least cost of a sample. Returns
        how many chunks were taken.
        """
        taken = samples = 0
        while taken < len(chunks) and _UNITS * samples < most_units:
            samples += chunks[taken].count
            taken += 1
        times, values = read_columns(chunks[:taken])
        start, stop = np.searchsorted(times, low, "left"), np.searchsorted(times, high, "right")
        self.take_columns(times[start:stop], values[start:stop])
        return taken

    def spent(self) -> int:
        """How many units were spent since this was last asked."""
        units, self._units = self._units, 0
        return units

    def take_columns(self, times: Times, values: Values) -> None:
        """Take samples of one series, oldest first."""
        if self._rate is not None:
            times, values = self._rated(times, values, self._rate)
        if not len(times):
            return
        self._waiting.append((times, values))
        self._waits += len(times)
        self._units += _UNITS * len(times)
        if self._waits >= max(_MOST_WAITING, len(self._begins)):
            self._add_waiting()

    def _rated(self, times: Times, values: Values, rate: Rate) -> tuple[Times, Values]:
        if not len(times):
            return times, values
        if self._before is not None:
            times = np.insert(times, 0, self._before[0])
            values = np.insert(values, 0, self._before[1])
        self._before = int(times[-1]), float(values[-1])
        older, newer = values[:-1], values[1:]
        with np.errstate(all="ignore"):
            fallen = (newer < older) & rate.counter
            grown = np.where(fallen, newer + (rate.counter_max if rate.counter_max > 0 else older), newer)
            rates = (grown - older) / np.diff(times) * rate.interval_ms
        if rate.counter and rate.reset_value > 0:
            rates[rates > rate.reset_value] = 0.0
        if rate.drop_resets:
            return times[1:][~fallen], rates[~fallen]
        return times[1:], rates

    def _add_waiting(self) -> None:
        """Add the samples that wait to the rows."""
        if not self._waiting:
            return
        times = np.concatenate([times for times, _ in self._waiting])
        values = np.concatenate([values for _, values in self._waiting])
        self._waiting, self._waits = [], 0
        begins = times - times % self._bucket
        if self._needs & VALUES:
            self._taken.append((begins, values))
            if sum(len(each) for _, each in self._taken) > self._most_values:
                raise TooManyValues(self._most_values)
        self._begins, row = np.unique(np.concatenate((self._begins, begins)), return_inverse=True)
        if len(self._begins) > self._most:
            raise TooManyBuckets(len(self._begins))
        self._counts = np.bincount(row, np.concatenate((self._counts, np.ones(len(values), np.int64)))).astype(np.int64)
        columns, self._columns = self._columns, {}
        with np.errstate(all="ignore"):
            for need in (SUMS, SQUARES):
                if self._needs & need:
                    added = values if need == SUMS else values * values
                    sums = np.bincount(row, np.concatenate((columns[need], added)))
                    self._columns[need] = sums.astype(np.float64, copy=False)
            order = np.argsort(row, kind="stable")
            starts = np.flatnonzero(np.diff(row[order], prepend=-1))
            for need, merge in ((LEAST, np.minimum), (GREATEST, np.maximum), (PRODUCT, np.multiply)):
                if self._needs & need:
                    all_values = np.concatenate((columns[need], values))
                    self._columns[need] = merge.reduceat(all_values[order], starts)
        ends = np.append(starts[1:], len(row)) - 1
        for need, places in ((FIRSTS, starts), (LASTS, ends)):
            if self._needs & need:
                all_times = np.concatenate((self._times.get(need, times[:0]), times))
                found = np.lexsort((all_times, row))[places]  # stable: equal times stay in order of arrival
                self._times[need] = all_times[found]
                self._columns[need] = np.concatenate((columns[need], values))[found]

    def settle(self, units: int) -> bool:
        """After the last sample: sort the rows, in steps; return whether there is more to do."""
        self._add_waiting()
        if self._needs & VALUES and self._taken:
            begins = np.concatenate([begins for begins, _ in self._taken])
            values = np.concatenate([values for _, values in self._taken])
            self._values = values[np.argsort(begins, kind="stable")]
            self._starts = np.cumsum(self._counts) - self._counts
            self._taken = []
        return False

    def release(self) -> bool:
        """Give back some of the memory; return whether there is more to do. The rows can no longer be read then."""
        return False

    def __len__(self) -> int:
        """How many rows there are, once they are settled."""
        return len(self._begins)

    def begins(self, start: int, stop: int) -> Times:
        """The begins of some rows' buckets, ascending."""
        return self._begins[start:stop]

    def counts(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """How many values some rows have."""
        return self._counts[start:stop]

    def column(self, need: int, start: int, stop: int) -> Values:
        """An aggregate of some rows; not VALUES."""
        return self._columns[need][start:stop]

    def values(self, start: int, stop: int) -> Values:
        """All values of some rows, row after row."""
        stop = min(stop, len(self._begins))
        if start >= stop:
            return self._values[:0]
        return self._values[self._starts[start] : self._starts[stop - 1] + self._counts[stop - 1]]

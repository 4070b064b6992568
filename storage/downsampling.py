"""Downsampling: one value for each bucket and function, with numpy, never sample by sample.

A sample belongs to the bucket that begins at ``align + n * bucket`` at or before its time. NaN stands for
"no value": it counts for countNaN and countAll only.

A function of ``FUNCTIONS`` gets the groups and gives one value for each group that has a value. ``IF_EMPTY`` has its
result for a group without values (NaN if the function is not listed there).

``reverse``: the samples are read newest first. ``first`` and ``last`` are swapped then, and sums are added from the
other end, which may round differently.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from .chunks import MOST_TIME, Sample, Times, Values
from .errors import TooManyBuckets
from .lazily import lazily
from .scans import split, time_weighted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    np = lazily("numpy")

# Most values in one reply when empty buckets are asked for: 8 bytes each, and 30 of text.
MOST_VALUES: Final = 4_000_000

# A variance that is a smaller share of the mean square than this has lost too many digits.
_GOOD_SHARE = 1e-9

# Groups of at least this many samples on average are sorted individually, smaller ones together.
_SORTED_ALONE = 16


class Room:
    """How many values the rows of one reply may still have, where empty buckets are asked for."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MOST_VALUES

    def take(self, rows: int, columns: int) -> None:
        """Use up some of them. Raises TooManyBuckets."""
        self.left -= rows * columns
        if self.left < 0:
            raise TooManyBuckets(rows)


@dataclass(slots=True)
class Surroundings:
    """What twa and rate need beyond the samples: the neighbours of the first and the last one, and the ends of the query."""

    before: Sample | None = None
    after: Sample | None = None
    low: int = -MOST_TIME
    high: int = MOST_TIME


class Groups:
    """Samples in consecutive groups: group g has ``values[starts[g] : ends[g]]``, which is never empty.

    ``begins`` are the times at which the groups' buckets begin, ``bucket`` their length.
    """

    def __init__(
        self,
        times: Times,
        values: Values,
        starts: npt.NDArray[np.intp],
        begins: Times,
        bucket: int,
        around: Surroundings,
        reverse: bool = False,
    ) -> None:
        self.times = times
        self.values = values
        self.starts = starts
        self.ends = np.append(starts[1:], len(values))
        self.counts = self.ends - starts
        self.begins = begins
        self.bucket = bucket
        self.around = around
        self.reverse = reverse
        self._sorted: Values | None = None

    def _added(self, values: Values) -> Values:
        """The sum of each group, added one by one in the order in which they are read."""
        if not len(values):  # bincount does not take empty arrays
            return np.empty(0)
        group = np.repeat(np.arange(len(self.starts)), self.counts)
        if self.reverse:
            group, values = group[::-1], values[::-1]
        sums: Values = np.bincount(group, values, len(self.starts)).astype(np.float64, copy=False)
        return sums

    def sums(self) -> Values:
        """The sum of each group."""
        return self._added(self.values)

    def averages(self) -> Values:
        """The mean of each group, even where its sum is too big for a double."""
        averages = self.sums() / self.counts
        for at in np.flatnonzero(~np.isfinite(averages)).tolist():
            values = self.values[self.starts[at] : self.ends[at]]
            if np.isfinite(values).all():
                averages[at] = _careful_average(values[::-1] if self.reverse else values)
        return averages

    def variances(self) -> Values:
        """The variance of each group: from the sums of values and squares, as RedisTimeSeries computes it.

        Where that cancels too many digits, from the distances from the mean; 0 where all values are equal.
        """
        sums, squares, counts = self.sums(), self._added(self.values * self.values), self.counts
        means = sums / counts
        variances = (squares - 2 * sums * sums / counts + means * means * counts) / counts
        good = variances > _GOOD_SHARE * (squares / counts)
        if not good.all():
            spread = self._added((self.values - np.repeat(means, counts)) ** 2) / counts
            least = np.minimum.reduceat(self.values, self.starts)
            equal = np.maximum.reduceat(self.values, self.starts) - least == 0
            variances = np.where(good, variances, np.where(equal, 0.0, spread))
        return variances

    def firsts(self) -> Values:
        """The first value of each group, in reading order."""
        return self.values[self.ends - 1 if self.reverse else self.starts]

    def lasts(self) -> Values:
        """The last value of each group, in reading order."""
        return self.values[self.starts if self.reverse else self.ends - 1]

    def sorted(self) -> Values:
        """The values, sorted within each group."""
        if self._sorted is None:
            if len(self.values) >= _SORTED_ALONE * len(self.starts):
                self._sorted = self.values.copy()
                for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
                    self._sorted[start:end].sort()
            else:
                group = np.repeat(np.arange(len(self.starts)), self.counts)
                self._sorted = self.values[np.lexsort((self.values, group))]
        return self._sorted

    def quantile(self, share: float) -> Values:
        """The value below which a share of each group lies, interpolated between its neighbours."""
        ordered = self.sorted()
        at = share * (self.counts - 1)
        below = np.floor(at).astype(np.intp)
        above = np.minimum(below + 1, self.counts - 1)
        low, high = ordered[self.starts + below], ordered[self.starts + above]
        result: Values = low + (high - low) * (at - below)
        return result

    def steps(self) -> Values:
        """By how much a counter has grown in each group: the sum of its steps; where it falls, it restarted at 0."""
        first = self.values[0] if self.around.before is None else self.around.before[1]
        step = np.diff(self.values, prepend=first)
        step = np.where(step < 0, self.values, step)
        return np.add.reduceat(step, self.starts)

    def time_weighted(self) -> Values:
        """The time-weighted mean of the line through the samples, within each bucket."""
        around = self.around
        return time_weighted(
            self.times,
            self.values,
            self.starts,
            self.begins,
            self.bucket,
            around.before,
            around.after,
            around.low,
            around.high,
            self.reverse,
        )


def _careful_average(values: Values) -> float:
    """The mean of values whose sum overflows: from there on a running mean, each step rounded to a double."""
    total, average, overflown = 0.0, np.longdouble(0), False
    for taken, value in enumerate(values.tolist(), 1):
        if overflown:
            average = average / taken * (taken - 1)
        elif abs(total) <= sys.float_info.max - abs(value) or (total < 0) != (value < 0):
            total += value
            continue
        else:
            overflown, average = True, np.longdouble(total) / taken
        average = np.longdouble(float(average + np.longdouble(value) / taken))
    return float(average) if overflown else total / len(values)


def _sample_variances(groups: Groups) -> Values:
    counts = groups.counts
    return np.where(counts > 1, groups.variances() * counts / np.maximum(counts - 1, 1), 0.0)


FUNCTIONS: Final[dict[str, Callable[[Groups], Any]]] = {
    "avg": Groups.averages,
    "sum": Groups.sums,
    "min": lambda groups: np.minimum.reduceat(groups.values, groups.starts),
    "max": lambda groups: np.maximum.reduceat(groups.values, groups.starts),
    "range": lambda groups: (
        np.maximum.reduceat(groups.values, groups.starts) - np.minimum.reduceat(groups.values, groups.starts)
    ),
    "count": lambda groups: groups.counts.astype(np.float64),
    "first": Groups.firsts,
    "last": Groups.lasts,
    "std.p": lambda groups: np.sqrt(groups.variances()),
    "std.s": lambda groups: np.sqrt(_sample_variances(groups)),
    "var.p": Groups.variances,
    "var.s": _sample_variances,
    "twa": Groups.time_weighted,
    # Not in RedisTimeSeries:
    "median": lambda groups: groups.quantile(0.5),
    "p50": lambda groups: groups.quantile(0.5),
    "p90": lambda groups: groups.quantile(0.9),
    "p95": lambda groups: groups.quantile(0.95),
    "p99": lambda groups: groups.quantile(0.99),
    "increase": Groups.steps,
    "rate": lambda groups: groups.steps() / groups.bucket * 1000,  # per second; times are in ms
}
# These count NaN samples too.
COUNTS: Final = ("countNaN", "countAll")
NAMES: Final = (*FUNCTIONS, *COUNTS)
IF_EMPTY: Final = {"sum": 0.0, "count": 0.0, "increase": 0.0, "rate": 0.0, "countNaN": 0.0, "countAll": 0.0}


def bucket_starts(times: Times, bucket: int, align: int) -> Times:
    """The begin of each time's bucket."""
    return times - (times - align) % bucket


def downsample(
    times: Times,
    values: Values,
    functions: Sequence[str],
    bucket: int,
    *,
    align: int = 0,
    around: Surroundings | None = None,
    reverse: bool = False,
) -> tuple[Times, list[Values]]:
    """The begins of the buckets that have samples, and a column of values for each function.

    ``times`` ascend, and so do the buckets, with ``reverse`` too. O(n), quantiles O(n log n).
    """
    if not len(times):
        return times, [values for _ in functions]
    found, begins = split(times, bucket, align)
    real = ~np.isnan(values)
    counts_all = np.diff(np.append(found, len(times))).astype(np.float64)
    with_value = np.arange(len(begins))
    if not real.all():
        counts_real = np.add.reduceat(real, found, dtype=np.intp)
        counts_nan = counts_all - counts_real
        with_value = np.flatnonzero(counts_real)
        times, values = times[real], values[real]
        found = (np.cumsum(counts_real) - counts_real)[with_value]
    else:
        counts_nan = np.zeros(len(begins))
    groups = Groups(
        times, values, found, begins[with_value], bucket, Surroundings() if around is None else around, reverse
    )
    columns = []
    with np.errstate(over="ignore", invalid="ignore"):
        for name in functions:
            if name == "countAll":
                columns.append(counts_all)
            elif name == "countNaN":
                columns.append(counts_nan)
            elif len(with_value) == len(begins):
                columns.append(FUNCTIONS[name](groups))
            else:
                column = np.full(len(begins), IF_EMPTY.get(name, np.nan))
                if len(with_value):
                    column[with_value] = FUNCTIONS[name](groups)
                columns.append(column)
    return begins, columns


def bucket_count(first: int, last: int, bucket: int) -> int:
    """How many buckets there are from one that begins at ``first`` to one that begins at ``last``, both included."""
    return (last - first) // bucket + 1


@dataclass(slots=True)
class Filling:
    """Which of a query's buckets are shown when empty ones are included: up to a number from one end, or all (None).

    ``line`` has the samples of the query and their neighbours, for twa: an empty bucket gets the mean of the line between
    the samples on both sides of it, from ``low`` to ``high``.
    """

    room: Room = field(default_factory=Room)
    most: int | None = None
    reverse: bool = False
    align: int = 0
    line: tuple[Times, Values] | None = None
    low: int = 0
    high: int = MOST_TIME

    def ends(self, begins: Times, bucket: int) -> tuple[int, int] | None:
        """The begins of the first and the last bucket, empty ones included; None if there are none.

        Empty buckets before the first or behind the last sample are included only if a line leads through them.
        """
        outer = None if not len(begins) else (int(begins[0]), int(begins[-1]))
        if self.line is None or not len(self.line[0]) or self.low > self.high:
            return outer
        first, last = (time - (time - self.align) % bucket for time in (self.low, self.high))
        leaders = (last, last) if self.reverse else (first, first)
        if outer is not None:
            leaders = (outer[0] - bucket, last) if self.reverse else (first, outer[1] + bucket)
        # The line must have samples on both sides of the gap, looked up from the side from which the gap is read.
        leads = [self.line[0][0] < max(leader, self.low) <= self.line[0][-1] for leader in leaders]
        if outer is None:
            return (first, last) if leads[0] else None
        return first if leads[0] and first < outer[0] else outer[0], last if leads[1] and last > outer[1] else outer[1]


def with_empty(
    begins: Times, columns: list[Values], functions: Sequence[str], bucket: int, filling: Filling
) -> tuple[Times, list[Values]]:
    """Insert the buckets without samples; only those that are shown are made.

    ``last`` repeats the value read last. Raises TooManyBuckets.
    """
    ends = filling.ends(begins, bucket)
    if ends is None:
        return begins, columns
    first = ends[0]
    total = bucket_count(*ends, bucket)
    count = total if filling.most is None else min(total, filling.most)
    filling.room.take(count, len(functions))
    if not count:
        return begins[:0], [column[:0] for column in columns]
    skipped = total - count if filling.reverse else 0
    # Two times may be further apart than 63 bits: their difference is an unsigned 64-bit integer.
    places = ((begins - np.int64(first)).view(np.uint64) // np.uint64(bucket)).astype(np.int64) - skipped
    shown = (places >= 0) & (places < count)
    every = first + skipped * bucket + bucket * np.arange(count, dtype=np.int64)
    full = []
    for name, column in zip(functions, columns, strict=True):
        if name == "last" and len(begins):
            full.append(_repeated(column, places, count, filling.reverse))
            continue
        filled = np.full(count, IF_EMPTY.get(name, np.nan))
        if name == "twa" and filling.line is not None and len(filling.line[0]):
            filled = _on_line(every, bucket, places, filling)
        filled[places[shown]] = column[shown]
        full.append(filled)
    return every, full


def _repeated(column: Values, places: npt.NDArray[np.int64], count: int, reverse: bool) -> Values:
    """For each bucket the value of the last one with samples read before it; NaN if there is none."""
    every = np.arange(count)
    if reverse:
        source = np.searchsorted(places, every, side="left")
        return np.where(source < len(column), column[np.minimum(source, len(column) - 1)], np.nan)
    source = np.searchsorted(places, every, side="right") - 1
    return np.where(source >= 0, column[np.maximum(source, 0)], np.nan)


def _on_line(every: Times, bucket: int, places: npt.NDArray[np.int64], filling: Filling) -> Values:
    """For each bucket the mean of the line between the samples around its gap.

    The samples are looked up once per gap, from the side from which it is read. NaN if a side has none.
    """
    assert filling.line is not None
    times, values = filling.line
    at = np.arange(len(every))
    if filling.reverse:
        behind = np.searchsorted(places, at, side="left")
        edge = np.append(places, len(every))[np.minimum(behind, len(places))]
        leader = np.minimum(edge, len(every)) - 1
    else:
        behind = np.searchsorted(places, at, side="right") - 1
        edge = np.where(behind >= 0, places[np.maximum(behind, 0)] if len(places) else -1, -1)
        leader = np.maximum(edge, -1) + 1
    # A leader outside the shown buckets is where reading came to the gap.
    asked = np.maximum(every[0] + bucket * leader, filling.low)
    after = np.searchsorted(times, asked, side="left")
    good = (after > 0) & (after < len(times))
    after = np.clip(after, 1, len(times) - 1) if len(times) > 1 else np.zeros(len(every), np.intp)
    before = np.maximum(after - 1, 0)
    t0, v0, span, rise = times[before], values[before], times[after] - times[before], values[after] - values[before]
    ends = np.minimum(every, np.iinfo(np.int64).max - bucket) + bucket
    with np.errstate(invalid="ignore", divide="ignore"):
        low = v0 + (np.maximum(every, filling.low) - t0) * rise / span
        high = v0 + (np.minimum(ends, filling.high) - t0) * rise / span
    return np.where(good, (low + high) / 2.0, np.nan)

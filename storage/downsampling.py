"""Downsampling: many samples to one value a bucket and function, with numpy, never sample by sample.

A sample belongs to the bucket that begins at ``align + n * bucket`` at or before its time. NaN stands for
"no value": it counts for countNaN and countAll only.

A function of ``FUNCTIONS`` gets the groups and gives one value for each group that has a value. What it is for
a group without one is in ``IF_EMPTY`` (NaN where it is not named).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from .chunks import Sample, Times, Values
from .errors import TooManyBuckets
from .lazily import lazily
from .scans import split, time_weighted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    np = lazily("numpy")

# So many values may the rows of one reply have when empty buckets are asked for: they take 8 bytes each, and 30 of text.
MOST_VALUES: Final = 4_000_000

# Groups of so many samples on average are sorted one by one, smaller ones together.
_SORTED_ALONE = 16


class Room:
    """How many values the rows of one reply may still have, where empty buckets are asked for."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MOST_VALUES

    def take(self, rows: int, columns: int) -> None:
        """Leave that many fewer. Raises TooManyBuckets."""
        self.left -= rows * columns
        if self.left < 0:
            raise TooManyBuckets(rows)


@dataclass(slots=True)
class Filling:
    """Which of the buckets between the first and the last one are shown: so many from one end, or all (None)."""

    room: Room = field(default_factory=Room)
    most: int | None = None
    from_end: bool = False


class Groups:
    """Samples in groups of neighbours: group g holds ``values[starts[g] : ends[g]]``, never none.

    ``begins`` are the times at which the groups' buckets begin, ``bucket`` their length, ``before`` and ``after``
    the samples next to the first and the last one, where there are any.
    """

    def __init__(
        self,
        times: Times,
        values: Values,
        starts: npt.NDArray[np.intp],
        begins: Times,
        bucket: int,
        before: Sample | None = None,
        after: Sample | None = None,
    ) -> None:
        self.times = times
        self.values = values
        self.starts = starts
        self.ends = np.append(starts[1:], len(values))
        self.counts = self.ends - starts
        self.begins = begins
        self.bucket = bucket
        self.before = before
        self.after = after
        self._sorted: Values | None = None

    def sums(self) -> Values:
        """The sum of each group."""
        return np.add.reduceat(self.values, self.starts)

    def squares(self) -> Values:
        """The sum of the squared distances from the mean of each group."""
        means = self.sums() / self.counts
        return np.add.reduceat((self.values - np.repeat(means, self.counts)) ** 2, self.starts)

    def sorted(self) -> Values:
        """The values, ascending within each group."""
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
        """How far a counter has come in each group: the sum of its steps; where it falls it began at 0 again."""
        first = self.values[0] if self.before is None else self.before[1]
        step = np.diff(self.values, prepend=first)
        step = np.where(step < 0, self.values, step)
        return np.add.reduceat(step, self.starts)

    def time_weighted(self) -> Values:
        """The mean over time of the line through the samples, within each bucket."""
        return time_weighted(self.times, self.values, self.starts, self.begins, self.bucket, self.before, self.after)


def _sample_variance(groups: Groups) -> Values:
    return groups.squares() / np.maximum(groups.counts - 1, 1)


FUNCTIONS: Final[dict[str, Callable[[Groups], Any]]] = {
    "avg": lambda groups: groups.sums() / groups.counts,
    "sum": Groups.sums,
    "min": lambda groups: np.minimum.reduceat(groups.values, groups.starts),
    "max": lambda groups: np.maximum.reduceat(groups.values, groups.starts),
    "range": lambda groups: (
        np.maximum.reduceat(groups.values, groups.starts) - np.minimum.reduceat(groups.values, groups.starts)
    ),
    "count": lambda groups: groups.counts.astype(np.float64),
    "first": lambda groups: groups.values[groups.starts],
    "last": lambda groups: groups.values[groups.ends - 1],
    "std.p": lambda groups: np.sqrt(groups.squares() / groups.counts),
    "std.s": lambda groups: np.sqrt(_sample_variance(groups)),
    "var.p": lambda groups: groups.squares() / groups.counts,
    "var.s": _sample_variance,
    "twa": Groups.time_weighted,
    # Ours, not RedisTimeSeries':
    "median": lambda groups: groups.quantile(0.5),
    "p50": lambda groups: groups.quantile(0.5),
    "p90": lambda groups: groups.quantile(0.9),
    "p95": lambda groups: groups.quantile(0.95),
    "p99": lambda groups: groups.quantile(0.99),
    "increase": Groups.steps,
    "rate": lambda groups: groups.steps() / groups.bucket * 1000,  # a second, of times in ms
}
# These look at the samples without a value too.
COUNTS: Final = ("countNaN", "countAll")
NAMES: Final = (*FUNCTIONS, *COUNTS)
IF_EMPTY: Final = {"sum": 0.0, "count": 0.0, "increase": 0.0, "rate": 0.0, "countNaN": 0.0, "countAll": 0.0}


def bucket_starts(times: Times, bucket: int, align: int) -> Times:
    """For each time when its bucket begins."""
    return times - (times - align) % bucket


def downsample(
    times: Times,
    values: Values,
    functions: Sequence[str],
    bucket: int,
    *,
    align: int = 0,
    filling: Filling | None = None,
    before: Sample | None = None,
    after: Sample | None = None,
) -> tuple[Times, list[Values]]:
    """When the buckets begin that have samples, and a column of values for each function.

    ``times`` ascend. With ``filling`` buckets that have none are given too. ``before`` and ``after`` are the samples
    next to those given, which twa and rate look at. O(n), quantiles O(n log n). Raises TooManyBuckets where the
    filling has no room for them.
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
    groups = Groups(times, values, found, begins[with_value], bucket, before, after)
    columns = []
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
    if filling is not None:
        return with_empty(begins, columns, functions, bucket, filling, groups)
    return begins, columns


def bucket_count(first: int, last: int, bucket: int) -> int:
    """How many buckets there are from one to another, both included, that begin at these times."""
    return (last - first) // bucket + 1


def with_empty(
    begins: Times,
    columns: list[Values],
    functions: Sequence[str],
    bucket: int,
    filling: Filling,
    groups: Groups | None = None,
) -> tuple[Times, list[Values]]:
    """Put the buckets between the first and the last one in that have no samples; only those that are shown are made.

    ``last`` repeats what was last, ``twa`` (which needs the groups) is where the line through the neighbours is in
    the middle of the bucket. Raises TooManyBuckets.
    """
    if not len(begins):
        return begins, columns
    first = int(begins[0])
    total = bucket_count(first, int(begins[-1]), bucket)
    count = total if filling.most is None else min(total, filling.most)
    filling.room.take(count, len(functions))
    skipped = total - count if filling.from_end else 0
    # Two times may be further apart than 63 bits tell: their difference is one of 64 bits without a sign.
    places = ((begins - begins[0]).view(np.uint64) // np.uint64(bucket)).astype(np.int64) - skipped
    shown = (places >= 0) & (places < count)
    every = first + skipped * bucket + bucket * np.arange(count, dtype=np.int64)
    full = []
    for name, column in zip(functions, columns, strict=True):
        if name == "last":
            latest = np.zeros(count, dtype=np.intp)
            latest[:1] = np.searchsorted(places, 0, side="right") - 1
            latest[places[shown]] = np.flatnonzero(shown)
            full.append(column[np.maximum.accumulate(latest)])
            continue
        filled = np.full(count, IF_EMPTY.get(name, np.nan))
        if name == "twa" and groups is not None and len(groups.times):
            filled = np.interp(every + bucket / 2, groups.times, groups.values)
        filled[places[shown]] = column[shown]
        full.append(filled)
    return every, full

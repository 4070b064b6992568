"""Series of samples: int64 times in ms and float64 values, in time order, one sample a time.

    chunks    in time order; each holds up to ``capacity`` samples and is never empty
    starts    the first time of each chunk, for bisection

A chunk is *open* (two ``array``s, cheap to append to and to insert into) or *sealed* (bytes, packed where the
series is compressed; see chunks.py). The last two chunks stay open, which takes in what arrives a little late;
an older one is opened again for a late sample, and sealed again when the next chunk begins.

Rules write the buckets of a series, as they close, to other series of the keyspace.
"""

from __future__ import annotations

import math
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Final

from .chunks import Chunk, Sample, Times, Values
from .downsampling import bucket_starts, downsample
from .errors import DuplicateSample, SampleTooOld
from .keyspace import Keyspace
from .lazily import lazily
from .scans import read_columns

if TYPE_CHECKING:
    import numpy as np
else:
    np = lazily("numpy")

MOST_SAMPLES: Final = 4096  # a chunk
DEFAULT_CHUNK_BYTES: Final = 4096
MOST_TIME: Final = (1 << 63) - 1

_OPEN_CHUNKS = 2

Policy = Callable[[float, float], float]
# Duplicate policy -> the value for the time of an old sample. "block" refuses.
POLICIES: Final[dict[str, Policy | None]] = {
    "block": None,
    "first": lambda old, new: old,
    "last": lambda old, new: new,
    "min": lambda old, new: new if new < old or old != old else old,
    "max": lambda old, new: new if new > old or old != old else old,
    "sum": lambda old, new: old + new if old == old else new,
}


class Rule:
    """What a series writes to another one: one value a bucket, when the bucket is over.

    ``since`` is the last time before the rule was made, whose samples and older ones it does not see. ``begin`` is
    when the bucket began that is not over; None before the first sample.
    """

    __slots__ = ("align", "begin", "bucket", "function", "since")

    def __init__(self, function: str, bucket: int, align: int, since: int | None, begin: int | None = None) -> None:
        self.function = function
        self.bucket = bucket
        self.align = align
        self.since = since
        self.begin = begin

    def start_of(self, time: int) -> int:
        """When the bucket of a time begins."""
        return time - (time - self.align) % self.bucket

    def open(self, begin: int) -> None:
        """Go on with the bucket that begins there; what the rule does not see may be behind it then."""
        self.begin = begin
        if self.since is not None and self.since < begin:
            self.since = None


class SampleSeries:
    """Samples with the settings of their series. Writing methods that take a keyspace and a key report to its feed."""

    kind: ClassVar[str] = "TSDB-TYPE"
    is_series: ClassVar[bool] = True
    __slots__ = (
        "capacity",
        "chunk_bytes",
        "chunks",
        "compressed",
        "count",
        "ignore_ms",
        "ignore_value",
        "labels",
        "last_time",
        "last_value",
        "policy",
        "reopened",
        "retention_ms",
        "rules",
        "source",
        "starts",
    )

    def __init__(
        self,
        *,
        retention_ms: int = 0,
        chunk_bytes: int = DEFAULT_CHUNK_BYTES,
        compressed: bool = True,
        policy: str | None = None,
        ignore_ms: int = 0,
        ignore_value: float = 0.0,
        labels: dict[bytes, bytes] | None = None,
    ) -> None:
        self.retention_ms = retention_ms
        self.compressed = compressed
        self.policy = policy
        self.ignore_ms = ignore_ms
        self.ignore_value = ignore_value
        self.labels: dict[bytes, bytes] = {} if labels is None else labels
        self.chunks: list[Chunk] = []
        self.starts: list[int] = []
        self.reopened: list[Chunk] = []  # older ones that were opened for late samples
        self.count = 0
        self.last_time = -1
        self.last_value = math.nan
        self.rules: dict[bytes, Rule] = {}  # by the key of the series that they write to
        self.source: bytes | None = None  # the key of the series whose rule writes here
        self.chunk_bytes = chunk_bytes
        self.capacity = 0
        self.set_chunk_bytes(chunk_bytes)

    def __len__(self) -> int:
        return self.count

    def set_chunk_bytes(self, size: int) -> None:
        """Let chunks that begin from now on take about so many bytes: 2 a sample packed, 16 as they are."""
        self.chunk_bytes = size
        self.capacity = min(MOST_SAMPLES, max(8, size // (2 if self.compressed else 16)))

    # ------------------------------------------------------------ looking

    @property
    def oldest_time(self) -> int:
        """Samples before this time are older than the retention."""
        return max(0, self.last_time - self.retention_ms) if self.retention_ms else 0

    def ends(self) -> tuple[int | None, int | None]:
        """The first and the last time; None and None for a series without samples."""
        return (self.chunks[0].first, self.last_time) if self.chunks else (None, None)

    def between(self, low: int, high: int) -> tuple[Times, Values]:
        """The samples from one time to another, both included, that are not older than the retention. O(log n + m)."""
        low = max(low, self.oldest_time)
        chunks = self.chunks_between(low, high)
        if not chunks:
            return np.empty(0, np.int64), np.empty(0, np.float64)
        times, values = read_columns(chunks)
        start, stop = np.searchsorted(times, low, "left"), np.searchsorted(times, high, "right")
        return times[start:stop], values[start:stop]

    def chunks_between(self, low: int, high: int) -> list[Chunk]:
        """The chunks that may have samples from one time to another, both included. O(log n)."""
        if not self.chunks or low > high or high < self.starts[0]:
            return []
        return self.chunks[max(0, bisect_right(self.starts, low) - 1) : bisect_right(self.starts, high)]

    def last_before(self, time: int) -> Sample | None:
        """The last sample before a time, None if there is none."""
        at = bisect_left(self.starts, time) - 1
        if at < 0:
            return None
        times, values = self.chunks[at].columns()
        found = int(np.searchsorted(times, time, "left")) - 1
        sample = int(times[found]), float(values[found])
        return sample if sample[0] >= self.oldest_time else None

    def first_after(self, time: int) -> Sample | None:
        """The first sample after a time, None if there is none."""
        at = max(0, bisect_right(self.starts, time) - 1)
        for chunk in self.chunks[at : at + 2]:
            if chunk.last > time:
                times, values = chunk.columns()
                found = int(np.searchsorted(times, time, "right"))
                return int(times[found]), float(values[found])
        return None

    def bucket(self, rule: Rule, begin: int, *, whole: bool) -> Sample | None:
        """The value of one bucket of a rule; None where it has no samples. ``whole`` sees those before the rule too."""
        low = begin if whole or rule.since is None else max(begin, rule.since + 1)
        high = min(begin + rule.bucket - 1, MOST_TIME)
        times, values = self.between(max(low, 0), high)
        if not len(times):
            return None
        before = self.last_before(begin) if rule.function in _NEIGHBOURS else None
        after = self.first_after(high) if rule.function in _NEIGHBOURS else None
        starts, (column,) = downsample(
            times, values, [rule.function], rule.bucket, align=rule.align, before=before, after=after
        )
        return max(0, int(starts[0])), float(column[0])

    # ------------------------------------------------------------ samples, without a report

    def append(self, time: int, value: float) -> None:
        """Add a sample behind the last one."""
        chunks = self.chunks
        chunk = chunks[-1] if chunks else None
        if chunk is None or chunk.count >= self.capacity:
            chunks.append(Chunk(array("q", (time,)), array("d", (value,))))
            self.starts.append(time)
            self._seal_old()
        else:
            times, values = chunk.open()
            times.append(time)
            values.append(value)
            chunk.count += 1
            chunk.last = time
        self.count += 1
        self.last_time, self.last_value = time, value

    def insert(self, time: int, value: float, policy: str) -> float:
        """Put a sample in its place, which is not behind the last one; give the value that is there now.

        Raises DuplicateSample where there is one at this time and the policy is "block".
        """
        at = max(0, bisect_right(self.starts, time) - 1)
        chunk = self.chunks[at]
        if chunk.open_times is None and at < len(self.chunks) - _OPEN_CHUNKS:
            self.reopened.append(chunk)
        times, values = chunk.open()
        place = bisect_left(times, time)
        if place < len(times) and times[place] == time:
            merge = POLICIES[policy]
            if merge is None:
                raise DuplicateSample
            values[place] = value = merge(values[place], value)
            if time == self.last_time:
                self.last_value = value
            return value
        times.insert(place, time)
        values.insert(place, value)
        chunk.measure()
        self.starts[at] = chunk.first
        self.count += 1
        if chunk.count > self.capacity:
            self._split(at)
        return value

    def extend(self, times: Sequence[int], values: Sequence[float]) -> None:
        """Add samples whose times ascend strictly and lie behind the last one, by columns."""
        done = 0
        while done < len(times):
            chunk = self.chunks[-1] if self.chunks else None
            room = 0 if chunk is None else self.capacity - chunk.count
            if room <= 0:
                part = slice(done, done + self.capacity)
                self.chunks.append(Chunk(array("q", times[part]), array("d", values[part])))
                self.starts.append(times[done])
                self._seal_old()
                done += self.chunks[-1].count
                continue
            assert chunk is not None
            open_times, open_values = chunk.open()
            open_times.extend(times[done : done + room])
            open_values.extend(values[done : done + room])
            done += len(open_times) - chunk.count
            chunk.measure()
        if len(times):
            self.count += len(times)
            self.last_time, self.last_value = int(times[-1]), float(values[-1])

    def cut(self, low: int, high: int) -> int:
        """Remove the samples from one time to another, both included; give how many there were.

        What is older than the retention goes first: it must not come back when the last sample is removed.
        """
        if self.retention_ms:
            self._cut(-MOST_TIME, self.oldest_time - 1)
        return self._cut(low, high)

    def _cut(self, low: int, high: int) -> int:
        if low > high:
            return 0
        first = max(0, bisect_right(self.starts, low) - 1)
        last = bisect_right(self.starts, high)
        kept: list[Chunk] = []
        removed = 0
        for chunk in self.chunks[first:last]:
            if low <= chunk.first and chunk.last <= high:
                removed += chunk.count
                continue
            if chunk.last >= low and chunk.first <= high:
                times, values = chunk.open()
                start, stop = bisect_left(times, low), bisect_right(times, high)
                removed += stop - start
                del times[start:stop], values[start:stop]
                chunk.measure()
                self.reopened.append(chunk)
            kept.append(chunk)
        if removed:
            self.chunks[first:last] = kept
            self.starts[first:last] = [chunk.first for chunk in kept]
            self.count -= removed
            self._note_last()
        return removed

    def drop_old(self) -> None:
        """Give up chunks whose samples are all older than the retention."""
        if self.retention_ms and self.chunks and self.chunks[0].last < self.oldest_time:
            oldest, gone = self.oldest_time, 0
            while self.chunks[gone].last < oldest:
                self.count -= self.chunks[gone].count
                gone += 1
            del self.chunks[:gone], self.starts[:gone]

    def _note_last(self) -> None:
        if not self.chunks:
            self.last_time, self.last_value = -1, math.nan
            return
        times, values = self.chunks[-1].columns()
        self.last_time, self.last_value = int(times[-1]), float(values[-1])

    def _split(self, at: int) -> None:
        chunk = self.chunks[at]
        times, values = chunk.open()
        half = len(times) // 2
        upper = Chunk(times[half:], values[half:])
        del times[half:], values[half:]
        chunk.measure()
        self.chunks.insert(at + 1, upper)
        self.starts.insert(at + 1, upper.first)
        self.reopened.append(upper)

    def _seal_old(self) -> None:
        """Seal what need not be open any more, now that a chunk has begun."""
        if len(self.chunks) > _OPEN_CHUNKS:
            if self.chunks[-1 - _OPEN_CHUNKS].open_times is not None:
                self.chunks[-1 - _OPEN_CHUNKS].seal(self.compressed)
            for chunk in self.reopened:
                if chunk.open_times is not None and chunk.last < self.chunks[-_OPEN_CHUNKS].first:
                    chunk.seal(self.compressed)
            self.reopened.clear()

    # ------------------------------------------------------------ samples, reported

    def add(self, keyspace: Keyspace, key: bytes, time: int, value: float, policy: str | None = None) -> int:
        """Add one sample and what follows from it for the rules; give its time, or the last one if it is ignored.

        Raises SampleTooOld, and DuplicateSample where the policy is "block".
        """
        if time > self.last_time or not self.chunks:
            if self._ignores(time, value, policy):
                return self.last_time
            self.append(time, value)
            self.drop_old()
        else:
            if time < self.oldest_time:
                raise SampleTooOld
            if self._ignores(time, value, policy):
                return self.last_time
            value = self.insert(time, value, policy or self.policy or "block")
        keyspace.changed("ts.add", key, ("samples.put", (time,), (value,)))
        if self.rules:
            self._follow(keyspace, key, (time,))
        return time

    def _ignores(self, time: int, value: float, policy: str | None) -> bool:
        """Whether a sample is so close to the last one that the series' IGNORE thresholds drop it."""
        return bool(
            (self.ignore_ms or self.ignore_value)
            and (policy or self.policy) == "last"
            and self.chunks
            and time >= self.last_time
            and time - self.last_time <= self.ignore_ms
            and abs(value - self.last_value) <= self.ignore_value
        )

    def add_many(self, keyspace: Keyspace, key: bytes, times: Sequence[int], values: Sequence[float]) -> None:
        """Add samples of any order, the last one of equal times counting; by columns where they are all newer."""
        if not len(times):
            return
        if any(a >= b for a, b in pairwise(times)):
            newest = dict(sorted(dict(zip(times, values, strict=True)).items()))
            times, values = list(newest), list(newest.values())
        first = times[0]
        if first > self.last_time or not self.chunks:
            self.extend(times, values)
        else:
            old_times, old_values = self.between(first, MOST_TIME)
            merged = dict(zip(old_times.tolist(), old_values.tolist(), strict=True)) | dict(
                zip(times, values, strict=True)
            )
            self.cut(first, MOST_TIME)
            ordered = sorted(merged)
            self.extend(ordered, [merged[time] for time in ordered])
        self.drop_old()
        keyspace.changed("ts.add", key, ("samples.put", tuple(times), tuple(values)))
        if self.rules:
            self._follow(keyspace, key, times)

    def remove(self, keyspace: Keyspace, key: bytes, low: int, high: int) -> int:
        """Remove the samples from one time to another, both included; give how many there were.

        The buckets of rules that lose samples are computed anew, or removed.
        """
        removed = self.cut(low, high)
        if removed:
            keyspace.changed("ts.del", key, ("samples.cut", low, high))
            for target, rule, series in self._targets(keyspace, key):
                self._recompute(keyspace, rule, target, series, rule.start_of(max(low, 0)), high)
        return removed

    # ------------------------------------------------------------ rules

    def _targets(self, keyspace: Keyspace, key: bytes) -> Iterator[tuple[bytes, Rule, SampleSeries]]:
        """The rules whose series is there; a save of one series alone may have brought back others."""
        for target, rule in list(self.rules.items()):
            series = keyspace.get(target)
            if isinstance(series, SampleSeries) and series.source == key:
                yield target, rule, series

    def _follow(self, keyspace: Keyspace, key: bytes, times: Sequence[int]) -> None:
        """Write the buckets that are over or have changed, now that samples with ``times``, ascending, were added."""
        for target, rule, series in self._targets(keyspace, key):
            newest = rule.start_of(self.last_time)
            if rule.begin is None:
                rule.open(rule.start_of(times[0]))
            elif rule.start_of(times[0]) < rule.begin:  # late: those buckets are written already, or were empty
                touched = np.unique(bucket_starts(np.array(times, dtype=np.int64), rule.bucket, rule.align))
                for begin in touched[touched < rule.begin].tolist():
                    self._write(keyspace, target, series, self.bucket(rule, begin, whole=True))
            assert rule.begin is not None
            if newest > rule.begin:
                self._close(keyspace, rule, target, series, newest)
                rule.open(newest)

    def _close(self, keyspace: Keyspace, rule: Rule, target: bytes, series: SampleSeries, newest: int) -> None:
        """Write all buckets from the open one up to, and without, the newest."""
        assert rule.begin is not None
        low = rule.begin if rule.since is None else max(rule.begin, rule.since + 1)
        times, _ = self.between(max(low, 0), newest - 1)
        for begin in np.unique(bucket_starts(times, rule.bucket, rule.align)).tolist():
            self._write(keyspace, target, series, self.bucket(rule, begin, whole=False))

    def _write(self, keyspace: Keyspace, target: bytes, series: SampleSeries, sample: Sample | None) -> None:
        if sample is not None:
            try:
                series.add(keyspace, target, *sample, "last")
            except SampleTooOld:
                return  # its series keeps less than this one: nothing to correct there

    def _recompute(
        self, keyspace: Keyspace, rule: Rule, target: bytes, series: SampleSeries, low: int, high: int
    ) -> None:
        """Bring the closed buckets of a range from which samples were removed up to date."""
        if rule.begin is None:
            return
        written, _ = series.between(max(low, 0), min(high, rule.begin - 1))
        for begin in written.tolist():
            sample = self.bucket(rule, rule.start_of(begin), whole=True)
            if sample is None:
                series.remove(keyspace, target, begin, begin)
            else:
                self._write(keyspace, target, series, sample)

    def newest_bucket(self, keyspace: Keyspace, key: bytes) -> Sample | None:
        """For a series that a rule writes to: the value so far of the bucket that is not over."""
        source = None if self.source is None else keyspace.get(self.source)
        if not isinstance(source, SampleSeries) or key not in source.rules:
            return None
        rule = source.rules[key]
        return None if rule.begin is None else source.bucket(rule, rule.begin, whole=False)

    def renamed(self, keyspace: Keyspace, old: bytes, new: bytes) -> None:
        """Tell the series at the other ends of rules that this one has another name."""
        for target in self.rules:
            series = keyspace.get(target)
            if isinstance(series, SampleSeries) and series.source == old:
                series.source = new
        source = None if self.source is None else keyspace.get(self.source)
        if isinstance(source, SampleSeries) and old in source.rules:
            source.rules[new] = source.rules.pop(old)

    def unlink(self, keyspace: Keyspace, key: bytes, successor: SampleSeries | None = None) -> None:
        """End the rules from and to this series, which is no longer under its key, but those that its successor has too."""
        for target in self.rules:
            series = keyspace.data.get(target)
            if isinstance(series, SampleSeries) and series.source == key:
                if successor is None or target not in successor.rules:
                    series.source = None
        source = None if self.source is None else keyspace.data.get(self.source)
        if isinstance(source, SampleSeries) and (successor is None or successor.source != self.source):
            source.rules.pop(key, None)
        self.rules, self.source = {}, None

    # ------------------------------------------------------------ as a value

    def to_json(self) -> Any:
        """The series as JSON: times and values."""
        times, values = self.between(0, MOST_TIME)
        return {"t": times.tolist(), "v": values.tolist()}

    def encoding(self, config: object) -> str:
        """What OBJECT ENCODING says of a module's type."""
        return "raw"

    @property
    def size_bytes(self) -> int:
        """Memory that the series takes, nearly: samples, labels and what holds them."""
        chunks = sum(chunk.size_bytes for chunk in self.chunks) + 250 * len(self.chunks)
        return 400 + chunks + sum(map(sys.getsizeof, (*self.labels, *self.labels.values())))

    def copy(self) -> SampleSeries:
        """An independent series with the same samples and settings; it takes no part in rules."""
        state = self.to_state()
        return SampleSeries.from_state((*state[:-2], {}, None))

    def to_state(self) -> tuple[Any, ...]:
        """Settings, columns as bytes, rules and source: all that makes the series."""
        times, values = self.between(-MOST_TIME, MOST_TIME)
        rules = {
            target: (rule.function, rule.bucket, rule.align, rule.since, rule.begin)
            for target, rule in self.rules.items()
        }
        settings = (self.retention_ms, self.chunk_bytes, self.compressed, self.policy, self.ignore_ms)
        return (*settings, self.ignore_value, dict(self.labels), times.tobytes(), values.tobytes(), rules, self.source)

    @classmethod
    def from_state(cls, state: tuple[Any, ...]) -> SampleSeries:
        """The series of a state."""
        retention_ms, chunk_bytes, compressed, policy, ignore_ms, ignore_value, labels, times, values, rules, source = (
            state
        )
        series = cls(
            retention_ms=retention_ms,
            chunk_bytes=chunk_bytes,
            compressed=compressed,
            policy=policy,
            ignore_ms=ignore_ms,
            ignore_value=ignore_value,
            labels=dict(labels),
        )
        series.extend(array("q", times), array("d", values))
        series.rules = {target: Rule(*each) for target, each in rules.items()}
        series.source = source
        return series

    def check(self) -> None:
        """Assert what the class promises; for tests."""
        assert [chunk.first for chunk in self.chunks] == self.starts
        assert self.count == sum(chunk.count for chunk in self.chunks)
        times = [chunk.columns()[0] for chunk in self.chunks]
        for chunk, column in zip(self.chunks, times, strict=True):
            assert 0 < chunk.count <= MOST_SAMPLES
            assert chunk.count == len(column) == len(chunk.columns()[1])
            assert (chunk.first, chunk.last) == (column[0], column[-1])
        if times:
            whole = np.concatenate(times)
            assert (np.diff(whole) > 0).all()
            assert self.last_time == whole[-1]
        else:
            assert self.last_time == -1


# Functions that look at the samples next to a bucket.
_NEIGHBOURS: Final = frozenset({"twa", "rate", "increase"})


# ---------------------------------------------------------------- effects


def _put(keyspace: Keyspace, key: bytes, times: Sequence[int], values: Sequence[float]) -> None:
    series = keyspace.data[key]
    assert isinstance(series, SampleSeries)
    if times[0] > series.last_time or not series.chunks:
        series.extend(times, values)
        series.drop_old()
    else:
        for time, value in zip(times, values, strict=True):
            if time > series.last_time:
                series.append(time, value)
            else:
                series.insert(time, value, "last")
    for _, rule, _ in series._targets(
        keyspace, key
    ):  # which bucket is open; what closing the others wrote is logged by itself
        begin = rule.start_of(times[0]) if rule.begin is None else rule.begin
        rule.open(max(begin, rule.start_of(series.last_time)))


def _cut(keyspace: Keyspace, key: bytes, low: int, high: int) -> None:
    series = keyspace.data[key]
    assert isinstance(series, SampleSeries)
    series.cut(low, high)


# How a log does a reported change again. What rules wrote is reported as changes of its own.
EFFECTS: dict[str, Callable[..., object]] = {"samples.put": _put, "samples.cut": _cut}

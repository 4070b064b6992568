"""Series of samples: int64 times in ms and float64 values, in time order, one sample per time.

    chunks    in time order; each holds up to ``capacity`` samples and is never empty
    starts    the first time of each chunk, for bisection

A chunk is *open* (two ``array``s, cheap to append to and to insert into) or *sealed* (bytes, packed where the
series is compressed; see chunks.py). Only the last one is open, and small: when it is full, the sealed one before it takes its
samples while it has room. An older chunk is reopened for a late sample, and sealed again when the next one begins.

Rules write the buckets of a series, as they close, to other series of the keyspace. Samples that an open bucket needs
stay stored past the retention, but are no longer visible.
"""

from __future__ import annotations

import math
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Final

from .chunks import MOST_TIME, Chunk, Sample, Times, Values
from .downsampling import Surroundings, bucket_starts, downsample
from .errors import BehindLastSample, DuplicateSample, SampleTooOld
from .keyspace import Keyspace
from .lazily import lazily
from .scans import absorb, append_run, memory_bytes, read_columns, seal

if TYPE_CHECKING:
    import numpy as np
else:
    np = lazily("numpy")

MOST_SAMPLES: Final = 4096  # of a chunk
SERIES_BYTES: Final = 700  # without samples and labels: the object, its lists and dictionaries
RULE_BYTES: Final = 250
DEFAULT_CHUNK_BYTES: Final = 4096

# Samples of an open chunk take 16 bytes each plus spare room; the chunk before it takes this many at a time.
_MOST_OPEN = 256

# A change of a closed bucket, of which clients are not notified.
CORRECTED: Final = "ts.corrected"

# Functions that use the samples next to a bucket.
NEIGHBOURS: Final = frozenset({"twa", "rate", "increase"})

Policy = Callable[[float, float], float]
# Duplicate policy -> the value for a time that already has a sample. "block" raises.
POLICIES: Final[dict[str, Policy | None]] = {
    "block": None,
    "first": lambda old, new: old,
    "last": lambda old, new: new,
    "min": lambda old, new: new if new < old or old != old else old,
    "max": lambda old, new: new if new > old or old != old else old,
    "sum": lambda old, new: old + new if old == old else new,
}


class Rule:
    """A compaction rule: a series writes one value per bucket to another one when the bucket closes.

    ``begin`` is the begin of the open bucket; None before the first sample that the rule sees. Of that bucket the rule
    sees samples newer than ``since``: the last sample before the rule was made, or the limit of the retention when the
    bucket was last recomputed. None: all of it.
    """

    __slots__ = ("align", "begin", "bucket", "function", "since")

    def __init__(self, function: str, bucket: int, align: int, since: int | None, begin: int | None = None) -> None:
        self.function = function
        self.bucket = bucket
        self.align = align
        self.since = since
        self.begin = begin

    def start_of(self, time: int) -> int:
        """The begin of a time's bucket; may be below 0."""
        return time - (time - self.align) % self.bucket

    def end_of(self, begin: int) -> int:
        """The last time of a bucket."""
        return min(begin + self.bucket - 1, MOST_TIME)

    def open(self, begin: int, since: int | None) -> None:
        """Continue with the bucket that begins there."""
        self.begin, self.since = begin, since


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
        "reported_last",
        "retention_ms",
        "room",
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
        self.reopened: list[Chunk] = []  # older ones reopened for late samples
        self.count = 0
        self.last_time = -1
        self.last_value = math.nan
        self.rules: dict[bytes, Rule] = {}  # by the key of the series that they write to
        self.source: bytes | None = None  # the key of the series whose rule writes here
        self.chunk_bytes = chunk_bytes
        # As in RedisTimeSeries, which reports a corrected bucket past the last one when the next one comes.
        self.reported_last: Sample | None = None
        self.capacity = self.room = 0
        self.set_chunk_bytes(chunk_bytes)

    def __len__(self) -> int:
        return self.count

    def set_chunk_bytes(self, size: int) -> None:
        """Let new chunks take about this many bytes: 2 per sample packed, 16 unpacked."""
        self.chunk_bytes = size
        self.capacity = min(MOST_SAMPLES, max(8, size // (2 if self.compressed else 16)))
        self.room = min(_MOST_OPEN, self.capacity)

    # ------------------------------------------------------------ looking

    @property
    def oldest_time(self) -> int:
        """Samples before this time are older than the retention."""
        return max(0, self.last_time - self.retention_ms) if self.retention_ms else 0

    def last(self) -> Sample | None:
        """The last sample as TS.GET returns it, None if there is none."""
        return self.reported_last or ((self.last_time, self.last_value) if self.chunks else None)

    def ends(self) -> tuple[int | None, int | None]:
        """The first and the last time; None for both if there are no samples."""
        return (self.chunks[0].first, self.last_time) if self.chunks else (None, None)

    def between(self, low: int, high: int) -> tuple[Times, Values]:
        """The samples from one time to another, both included, within the retention. O(log n + m)."""
        return self._stored(max(low, self.oldest_time), high)

    def _stored(self, low: int, high: int) -> tuple[Times, Values]:
        """The samples from one time to another, both included, even if older than the retention."""
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

    def shown(self) -> tuple[int, int]:
        """How many samples are within the retention, and the time of the first of them; 0 if there is none."""
        oldest = self.oldest_time
        hidden = 0
        for chunk in self.chunks:
            if chunk.first >= oldest:
                return self.count - hidden, chunk.first
            if chunk.last >= oldest:
                times, _ = chunk.columns()
                place = int(np.searchsorted(times, oldest, "left"))
                return self.count - hidden - place, int(times[place])
            hidden += chunk.count
        return 0, 0

    def last_before(self, time: int) -> Sample | None:
        """The last sample before a time within the retention, None if there is none."""
        sample = self._stored_before(time)
        return None if sample is None or sample[0] < self.oldest_time else sample

    def _stored_before(self, time: int) -> Sample | None:
        """The last sample before a time, None if there is none."""
        at = bisect_left(self.starts, time) - 1
        if at < 0:
            return None
        times, values = self.chunks[at].columns()
        found = int(np.searchsorted(times, time, "left")) - 1
        return int(times[found]), float(values[found])

    def first_after(self, time: int) -> Sample | None:
        """The first sample after a time within the retention, None if there is none."""
        time = max(time, self.oldest_time - 1)
        at = max(0, bisect_right(self.starts, time) - 1)
        for chunk in self.chunks[at : at + 2]:
            if chunk.last > time:
                times, values = chunk.columns()
                found = int(np.searchsorted(times, time, "right"))
                return int(times[found]), float(values[found])
        return None

    # ------------------------------------------------------------ samples, without a report

    def append(self, time: int, value: float) -> None:
        """Append a sample."""
        chunks = self.chunks
        chunk = chunks[-1] if chunks else None
        if chunk is None or chunk.open_times is None or chunk.count >= self.room:
            self._begin(array("q", (time,)), array("d", (value,)))
        else:
            times, values = chunk.open()
            times.append(time)
            values.append(value)
            chunk.count += 1
            chunk.last = time
        self.count += 1
        self.last_time, self.last_value = time, value

    def insert(self, time: int, value: float, policy: str) -> float:
        """Insert a sample that is not behind the last one; return the value now stored for its time.

        Raises DuplicateSample if there is one at this time and the policy is "block".
        """
        at = max(0, bisect_right(self.starts, time) - 1)
        chunk = self.chunks[at]
        if chunk.open_times is None:
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
        """Append columns of samples whose times ascend strictly."""
        done = 0
        while done < len(times):
            chunk = self.chunks[-1] if self.chunks else None
            room = 0 if chunk is None or chunk.open_times is None else self.room - chunk.count
            if room <= 0:
                if chunk is not None:
                    self.last_time = chunk.last
                size = self.capacity if len(times) - done > self.room else self.room
                part = slice(done, done + size)
                self._begin(array("q", times[part]), array("d", values[part]))
                done += self.chunks[-1].count
                continue
            assert chunk is not None
            open_times, open_values = chunk.open()
            open_times.extend(times[done : done + room])
            open_values.extend(values[done : done + room])
            done += len(open_times) - chunk.count
            chunk.measure()
        if self.chunks and self.chunks[-1].count > self.room and self.chunks[-1].open_times is not None:
            seal(self.chunks[-1], self.compressed)
        if len(times):
            self.count += len(times)
            self.last_time, self.last_value = int(times[-1]), float(values[-1])

    def cut(self, low: int, high: int) -> int:
        """Remove the samples from one time to another, both included; return how many.

        Samples past the retention that are still stored count, and become visible again when the newest are removed.
        """
        if low > high:
            return 0
        if self.reported_last is not None and low <= self.reported_last[0] <= high:
            self.reported_last = None
        first = max(0, bisect_right(self.starts, low) - 1)
        last = bisect_right(self.starts, high)
        kept: list[Chunk] = []
        removed = 0
        for chunk in self.chunks[first:last]:
            if low <= chunk.first and chunk.last <= high:
                removed += chunk.count
                continue
            if chunk.last >= low and chunk.first <= high:
                if chunk.open_times is None:
                    self.reopened.append(chunk)
                times, values = chunk.open()
                start, stop = bisect_left(times, low), bisect_right(times, high)
                removed += stop - start
                del times[start:stop], values[start:stop]
                chunk.measure()
            kept.append(chunk)
        if removed:
            self.chunks[first:last] = kept
            self.starts[first:last] = [chunk.first for chunk in kept]
            self.count -= removed
            self._note_last()
        return removed

    def drop_old(self) -> None:
        """Drop chunks whose samples are all older than the retention, and not needed for an open bucket.

        This is done when a new chunk begins, as in RedisTimeSeries: until then TS.DEL of the newest samples makes older
        ones visible again.
        """
        if self.retention_ms and self.chunks and self.chunks[0].last < self.oldest_time:
            oldest, gone = self._needed_from(), 0
            while self.chunks[gone].last < oldest:
                self.count -= self.chunks[gone].count
                gone += 1
            del self.chunks[:gone], self.starts[:gone]

    def _needed_from(self) -> int:
        """Samples before this time are older than the retention, and no open bucket needs them."""
        oldest = self.oldest_time
        for rule in self.rules.values():
            if rule.begin is not None and rule.begin < oldest:
                before = self._stored_before(rule.begin) if rule.function in NEIGHBOURS else None
                oldest = min(oldest, max(rule.begin, 0) if before is None else before[0])
        return oldest

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

    def _begin(self, times: array[int], values: array[float]) -> None:
        """Begin a new last chunk, and seal those that no longer need to be open."""
        self.drop_old()
        chunks = self.chunks
        for chunk in self.reopened:
            if chunk.open_times is not None and (not chunks or chunk is not chunks[-1]):
                seal(chunk, self.compressed)
        self.reopened.clear()
        last = chunks[-1] if chunks else None
        before = chunks[-2] if len(chunks) > 1 else None
        if last is not None and before is not None and before.count + last.count <= self.capacity:
            absorb(before, last, self.compressed)
            del chunks[-1], self.starts[-1]
        elif last is not None and last.open_times is not None:
            seal(last, self.compressed)
        chunks.append(Chunk(times, values))
        self.starts.append(times[0])

    # ------------------------------------------------------------ samples, reported

    def add(
        self,
        keyspace: Keyspace,
        key: bytes,
        time: int,
        value: float,
        policy: str | None = None,
        event: str = "ts.add",
    ) -> int:
        """Add one sample and update the rules; return its time, or the last one's if it is ignored.

        Raises SampleTooOld, and DuplicateSample if the policy is "block".
        """
        if time > self.last_time or not self.chunks:
            if self._ignores(time, value, policy):
                return self.last_time
            self.append(time, value)
            if self.rules:
                self._follow(keyspace, key, (time,), writing=True)
            self.reported_last = None
        else:
            if time < self.oldest_time:
                raise SampleTooOld
            if self._ignores(time, value, policy):
                return self.last_time
            value = self.insert(time, value, policy or self.policy or "block")
            if self.reported_last is not None and self.reported_last[0] == time:
                self.reported_last = time, value
            if self.rules:
                self._correct(keyspace, key, (time,), self.last_time, writing=True)
        keyspace.changed(event, key, ("samples.put", (time,), (value,)))
        return time

    def increment(self, keyspace: Keyspace, key: bytes, time: int, step: float, event: str) -> int:
        """Add a sample whose value is the last one's (or 0) plus a step; returns as ``add``. Raises BehindLastSample."""
        if self.chunks and time < self.last_time:
            raise BehindLastSample
        value = self.last_value if self.chunks else 0.0
        return self.add(keyspace, key, time, value + step, "last", event)

    def correct(self, keyspace: Keyspace, key: bytes, time: int, value: float) -> None:
        """Store the value of a rule's bucket, and update the rules of this series."""
        told = self.reported_last or (self.last_time, self.last_value)
        behind = bool(self.chunks) and time > told[0]
        if self.add(keyspace, key, time, value, "last", CORRECTED) == time and behind:
            self.reported_last = told
            keyspace.changed(CORRECTED, key, ("samples.told", *told))

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
        """Add samples in any order, the last of equal times counting; by columns if they are all newer."""
        if not len(times):
            return
        if any(a >= b for a, b in pairwise(times)):
            newest = dict(sorted(dict(zip(times, values, strict=True)).items()))
            times, values = list(newest), list(newest.values())
        first, last = times[0], self.last_time
        if first > last or not self.chunks:
            self._add_behind(keyspace, key, tuple(times), tuple(values))
            return
        old_times, old_values = self._stored(first, MOST_TIME)
        merged = dict(zip(old_times.tolist(), old_values.tolist(), strict=True)) | dict(zip(times, values, strict=True))
        self.cut(first, MOST_TIME)
        ordered = sorted(merged)
        self.extend(ordered, [merged[time] for time in ordered])
        late = bisect_right(times, last)
        self._correct(keyspace, key, times[:late], last, writing=True)
        self._follow(keyspace, key, times[late:], writing=True)
        self.reported_last = None
        keyspace.changed("ts.add", key, ("samples.put", tuple(times), tuple(values)))

    def add_run(self, keyspace: Keyspace, key: bytes, times: tuple[int, ...], values: tuple[float, ...]) -> int:
        """Add samples one after the other, as ``add`` does with the policy "last"; by columns if each is the newest.

        Returns how many are left out because they are older than the retention.
        """
        if times and not self.ignore_ms and not self.ignore_value and self._all_newer(times):
            self._add_behind(keyspace, key, times, values)
            return 0
        too_old = 0
        for time, value in zip(times, values, strict=True):
            try:
                self.add(keyspace, key, time, value, "last")
            except SampleTooOld:
                too_old += 1
        return too_old

    def _all_newer(self, times: tuple[int, ...]) -> bool:
        """Whether the times ascend strictly, and the first one is after the last sample."""
        last = self.last_time  # -1 if there is none
        for time in times:
            if time <= last:
                return False
            last = time
        return True

    def _add_behind(self, keyspace: Keyspace, key: bytes, times: tuple[int, ...], values: tuple[float, ...]) -> None:
        """Append samples whose times ascend strictly."""
        chunk = self.chunks[-1] if self.chunks else None
        if chunk is not None and chunk.open_times is not None and chunk.count + len(times) <= self.room:
            append_run(chunk, times, values)
            self.count += len(times)
            self.last_time, self.last_value = times[-1], values[-1]
        else:
            self.extend(times, values)
        if self.rules:
            self._follow(keyspace, key, times, writing=True)
        self.reported_last = None
        keyspace.changed("ts.add", key, ("samples.put", times, values))

    def remove(self, keyspace: Keyspace, key: bytes, low: int, high: int, event: str = "ts.del") -> int:
        """Remove the samples from one time to another, both included; return how many.

        Buckets of rules that lose samples are recomputed, or removed.
        """
        last = self.last_time
        removed = self.cut(low, high)
        if self.rules and low <= high:
            self._cut_buckets(keyspace, key, low, high, last, writing=True)
        if removed:
            keyspace.changed(event, key, ("samples.cut", low, high))
        return removed

    def alter(self, keyspace: Keyspace, key: bytes, settings: dict[str, Any]) -> None:
        """Change settings: ``retention_ms``, ``chunk_bytes``, ``policy``, ``ignore_ms``, ``ignore_value``, ``labels``."""
        self.set(keyspace, key, settings)
        if "labels" in settings:
            settings = settings | {"labels": list(settings["labels"].items())}
        keyspace.changed("ts.alter", key, ("samples.alter", settings))

    def set(self, keyspace: Keyspace, key: bytes, settings: dict[str, Any]) -> None:
        """Change settings without a report."""
        for name, value in settings.items():
            if name == "chunk_bytes":
                self.set_chunk_bytes(value)
            elif name == "labels":
                keyspace.labels.discard(key, self.labels)
                self.labels = dict(value)
                keyspace.labels.add(key, self.labels)
            else:
                setattr(self, name, value)

    # ------------------------------------------------------------ rules

    def add_rule(self, keyspace: Keyspace, key: bytes, target: bytes, function: str, bucket: int, align: int) -> None:
        """Let this series write its buckets to another one from now on; existing samples are not included."""
        rule = Rule(function, bucket, align, self.last_time if self.chunks else None)
        series = keyspace.data[target]
        assert isinstance(series, SampleSeries)
        self.rules[target] = rule
        series.source = key
        keyspace.changed("ts.createrule:src", key, ("samples.rule", target, function, bucket, align, rule.since))
        keyspace.changed("ts.createrule:dest", target, ("samples.source", key))

    def end_rule(self, keyspace: Keyspace, key: bytes, target: bytes) -> None:
        """Stop writing to another series."""
        series = keyspace.data[target]
        assert isinstance(series, SampleSeries)
        del self.rules[target]
        series.source = None
        keyspace.changed("ts.deleterule:src", key, ("samples.unrule", target))
        keyspace.changed("ts.deleterule:dest", target, ("samples.source", None))

    def _targets(self, keyspace: Keyspace, key: bytes) -> Iterator[tuple[bytes, Rule, SampleSeries]]:
        """The rules whose target exists; restoring this series alone may have brought back others."""
        for target, rule in list(self.rules.items()):
            series = keyspace.get(target)
            if isinstance(series, SampleSeries) and series.source == key:
                yield target, rule, series

    def _follow(self, keyspace: Keyspace, key: bytes, times: Sequence[int], *, writing: bool) -> None:
        """Update the rules after samples with ascending ``times`` were appended.

        ``writing``: write the closed buckets. The log has these as changes of the other series.
        """
        if not self.rules or not len(times):
            return
        for target, rule, series in self._targets(keyspace, key):
            begins = [rule.start_of(times[0])]
            if len(times) > 1:
                begins = np.unique(bucket_starts(np.array(times, dtype=np.int64), rule.bucket, rule.align)).tolist()
            for begin in begins:
                if rule.begin is None:
                    rule.begin = begin
                    if rule.since is not None and rule.since < begin and rule.function not in NEIGHBOURS:
                        rule.since = None  # it hides no sample of this bucket, and no line leads into it
                elif begin > rule.begin:
                    if writing:
                        sample = self._bucket(rule, rule.begin, rule.since, hidden=True)
                        if sample is not None and sample[0] >= series.oldest_time:
                            series.add(keyspace, target, *sample, "last", "ts.add:dest")
                    rule.open(begin, None)

    def _correct(self, keyspace: Keyspace, key: bytes, times: Sequence[int], last: int, *, writing: bool) -> None:
        """Update the rules after samples with ascending ``times`` were inserted before the last one."""
        if not self.rules or not len(times):
            return
        for target, rule, series in self._targets(keyspace, key):
            newest = rule.start_of(last)
            for begin in sorted({rule.start_of(time) for time in times}):
                if begin >= newest:
                    rule.since = self._hidden_of(begin)
                elif writing:
                    self._write(keyspace, target, series, self._bucket(rule, begin, None))

    def _hidden_of(self, begin: int) -> int | None:
        """The last time of a bucket's part that is older than the retention; None if none of it is."""
        oldest = self.oldest_time
        return oldest - 1 if oldest > max(begin, 0) else None

    def _bucket(self, rule: Rule, begin: int, since: int | None, *, hidden: bool = False) -> Sample | None:
        """The value of one bucket of a rule; None if it has no samples.

        It is computed from samples newer than ``since``, with ``hidden`` also from those older than the retention.
        """
        high = rule.end_of(begin)
        low = max(begin, 0) if since is None else max(begin, since + 1, 0)
        times, values = self._stored(low, high) if hidden else self.between(low, high)
        if not len(times):
            return None
        around = Surroundings(low=max(begin, 0))
        if rule.function in NEIGHBOURS:
            if since is None:
                around.before = self._stored_before(begin) if hidden else self.last_before(begin)
            around.after = self.first_after(high)
        _, (column,) = downsample(times, values, [rule.function], rule.bucket, align=rule.align, around=around)
        return max(0, begin), float(column[0])

    def _write(self, keyspace: Keyspace, target: bytes, series: SampleSeries, sample: Sample | None) -> None:
        """Correct a bucket in another series. If that has a shorter retention, there may be nothing to correct."""
        if sample is not None and sample[0] >= series.oldest_time:
            series.correct(keyspace, target, *sample)

    def _cut_buckets(self, keyspace: Keyspace, key: bytes, low: int, high: int, last: int, *, writing: bool) -> None:
        """Update the rules after the samples of a range were removed; ``last`` was the last time before."""
        for target, rule, series in self._targets(keyspace, key):
            newest = rule.start_of(last)
            if writing and low < max(newest, 0):
                first, end = rule.start_of(low), rule.start_of(high)
                gone_from, gone_to = max(first, 0), max(end, 0)
                sample = self._bucket(rule, first, None)
                if sample is not None:
                    gone_from = first + rule.bucket
                    self._write(keyspace, target, series, sample)
                sample = None if high >= max(newest, 0) else self._bucket(rule, end, None)
                if sample is not None:
                    self._write(keyspace, target, series, sample)
                if sample is not None or high >= max(newest, 0):
                    # A bucket that begins before 0 is stored at 0.
                    gone_to = max(end - rule.bucket, 0) if end > first else -1
                series.remove(keyspace, target, gone_from, gone_to, CORRECTED)
            if rule.begin is None or high < max(newest, 0):
                continue
            begin = rule.start_of(self.last_time) if self.chunks else None
            if begin is None:
                rule.begin = rule.since = None
            elif begin == rule.begin:
                rule.since = self._hidden_of(begin)
            elif begin < rule.begin:  # the whole open bucket is gone: the one before it is open again
                rule.open(begin, self._hidden_of(begin))
                if writing:
                    series.remove(keyspace, target, max(begin, 0), max(begin, 0), CORRECTED)

    def newest_bucket(self, keyspace: Keyspace, key: bytes) -> Sample | None:
        """For a series that a rule writes to: the value so far of the open bucket."""
        source = None if self.source is None else keyspace.get(self.source)
        if not isinstance(source, SampleSeries) or key not in source.rules:
            return None
        rule = source.rules[key]
        return None if rule.begin is None else source._bucket(rule, rule.begin, rule.since, hidden=True)

    def renamed(self, keyspace: Keyspace, old: bytes, new: bytes) -> None:
        """Tell the series at the other ends of rules this one's new name."""
        for target in self.rules:
            series = keyspace.get(target)
            if isinstance(series, SampleSeries) and series.source == old:
                series.source = new
        source = None if self.source is None else keyspace.get(self.source)
        if isinstance(source, SampleSeries) and old in source.rules:
            source.rules = {new if target == old else target: rule for target, rule in source.rules.items()}

    def unlink(self, keyspace: Keyspace, key: bytes, successor: SampleSeries | None = None) -> None:
        """End the rules from and to this series, which is no longer under its key, except those that its successor has too."""
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
        """OBJECT ENCODING, as for a module's type."""
        return "raw"

    @property
    def size_bytes(self) -> int:
        """Memory that the series takes: chunks with their spare room, labels and rules."""
        labels = sum(map(sys.getsizeof, (*self.labels, *self.labels.values())))
        return (
            SERIES_BYTES
            + memory_bytes(self.chunks)
            + labels
            + sys.getsizeof(self.labels)
            + RULE_BYTES * len(self.rules)
        )

    def copy(self) -> SampleSeries:
        """An independent series with the same samples and settings; it takes no part in rules."""
        state = self.to_state()
        return SampleSeries.from_state((*state[:9], {}, None))

    def to_state(self) -> tuple[Any, ...]:
        """Settings, columns as bytes, rules and source: everything that makes up the series."""
        times, values = self._stored(-MOST_TIME, MOST_TIME)
        rules = {
            target: (rule.function, rule.bucket, rule.align, rule.since, rule.begin)
            for target, rule in self.rules.items()
        }
        settings = (self.retention_ms, self.chunk_bytes, self.compressed, self.policy, self.ignore_ms)
        state = (*settings, self.ignore_value, dict(self.labels), times.tobytes(), values.tobytes(), rules, self.source)
        return state if self.reported_last is None else (*state, self.reported_last)

    @classmethod
    def from_state(cls, state: tuple[Any, ...]) -> SampleSeries:
        """The series from its state."""
        retention_ms, chunk_bytes, compressed, policy, ignore_ms, ignore_value, labels, times, values, rules, source = (
            state[:11]
        )
        series = cls(
            chunk_bytes=chunk_bytes,
            compressed=compressed,
            policy=policy,
            ignore_ms=ignore_ms,
            ignore_value=ignore_value,
            labels=dict(labels),
        )
        series.extend(array("q", times), array("d", values))
        series.retention_ms = retention_ms
        series.rules = {target: Rule(*each) for target, each in rules.items()}
        series.source = source
        series.reported_last = tuple(state[11]) if len(state) > 11 else None
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


# ---------------------------------------------------------------- replay


def _series(keyspace: Keyspace, key: bytes) -> SampleSeries:
    series = keyspace.data[key]
    assert isinstance(series, SampleSeries)
    return series


def _put(keyspace: Keyspace, key: bytes, times: Sequence[int], values: Sequence[float]) -> None:
    series = _series(keyspace, key)
    if times[0] > series.last_time or not series.chunks:
        series.extend(times, values)
        series._follow(keyspace, key, times, writing=False)
        series.reported_last = None
    else:
        for time, value in zip(times, values, strict=True):
            if time > series.last_time:
                series.append(time, value)
                series._follow(keyspace, key, (time,), writing=False)
                series.reported_last = None
            else:
                series.insert(time, value, "last")
                if series.reported_last is not None and series.reported_last[0] == time:
                    series.reported_last = time, value
                series._correct(keyspace, key, (time,), series.last_time, writing=False)


def _cut(keyspace: Keyspace, key: bytes, low: int, high: int) -> None:
    series = _series(keyspace, key)
    last = series.last_time
    series.cut(low, high)
    series._cut_buckets(keyspace, key, low, high, last, writing=False)


def _alter(keyspace: Keyspace, key: bytes, settings: dict[str, Any]) -> None:
    _series(keyspace, key).set(keyspace, key, settings)


def _rule(
    keyspace: Keyspace, key: bytes, target: bytes, function: str, bucket: int, align: int, since: int | None
) -> None:
    _series(keyspace, key).rules[target] = Rule(function, bucket, align, since)


def _unrule(keyspace: Keyspace, key: bytes, target: bytes) -> None:
    _series(keyspace, key).rules.pop(target, None)


def _source(keyspace: Keyspace, key: bytes, source: bytes | None) -> None:
    _series(keyspace, key).source = source


def _told(keyspace: Keyspace, key: bytes, time: int, value: float) -> None:
    _series(keyspace, key).reported_last = time, value


# How the log replays a reported change. Writes of rules are reported as changes of their own.
EFFECTS: dict[str, Callable[..., object]] = {
    "samples.put": _put,
    "samples.cut": _cut,
    "samples.alter": _alter,
    "samples.rule": _rule,
    "samples.unrule": _unrule,
    "samples.source": _source,
    "samples.told": _told,
}

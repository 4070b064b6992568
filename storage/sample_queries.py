"""Queries over a series of samples: one pipeline with a fixed order.

time range -> values -> named times -> downsampling -> reverse -> count
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .chunks import MOST_TIME, Chunk, Sample, Times, Values
from .downsampling import Filling, Room, Surroundings, bucket_count, downsample, with_empty
from .lazily import lazily
from .samples import NEIGHBOURS, SampleSeries
from .scans import aggregate

if TYPE_CHECKING:
    import numpy as np
else:
    np = lazily("numpy")


@dataclass(slots=True)
class Aggregation:
    """Functions and buckets of a query. ``stamp``: the share of its length added to a bucket's begin, 0, 0.5 or 1.

    ``room``, set when empty buckets are asked for, is shared by all series of the query.
    """

    functions: list[str]
    bucket: int
    align: int = 0
    stamp: float = 0.0
    room: Room | None = None


@dataclass(slots=True)
class Selection:
    """Which samples of a series a query selects, and how it combines them. Times are in ms, ends are included.

    ``latest``: include the open bucket of the rule that writes the series, if there is one.
    """

    low: int
    high: int
    by_times: list[int] | None = None
    by_value: tuple[float, float] | None = None
    aggregation: Aggregation | None = None
    count: int | None = None
    reverse: bool = False
    latest: bool = False


@dataclass(slots=True)
class Rows:
    """Times with one value per column."""

    times: Times
    columns: list[Values]

    def __len__(self) -> int:
        return len(self.times)

    def cut(self, *, reverse: bool, count: int | None) -> Rows:
        """The rows, reversed if wanted, up to the count."""
        if not reverse and count is None:
            return self
        step = slice(None, None, -1) if reverse else slice(None)
        return Rows(self.times[step][:count], [column[step][:count] for column in self.columns])

    def lists(self) -> tuple[list[int], list[list[float]]]:
        """Times and columns as Python lists."""
        return self.times.tolist(), [column.tolist() for column in self.columns]


def select(series: SampleSeries, wanted: Selection, newest: Sample | None = None) -> Rows:
    """The rows of one series. ``newest`` is the value of an open bucket, which is not in the series yet.

    O(log n + m) with m samples in the time range. Raises TooManyBuckets.
    """
    if newest is None and wanted.by_value is None and wanted.by_times is None and wanted.aggregation is not None:
        rows = _straight(series, wanted, wanted.aggregation)
        if rows is not None:
            return rows.cut(reverse=wanted.reverse, count=wanted.count)
    times, values = series.between(wanted.low, wanted.high)
    if newest is not None and wanted.low <= newest[0] <= wanted.high and newest[0] > series.last_time:
        times, values = np.append(times, newest[0]), np.append(values, newest[1])
    if wanted.by_value is not None:
        least, most = wanted.by_value
        kept = (values >= least) & (values <= most)
        times, values = times[kept], values[kept]
    if wanted.by_times is not None:
        kept = np.isin(times, np.array(wanted.by_times, dtype=np.int64))
        times, values = times[kept], values[kept]
    rows = Rows(times, [values])
    if wanted.aggregation is not None:
        rows = _aggregated(series, wanted, times, values)
    return rows.cut(reverse=wanted.reverse, count=wanted.count)


def first_samples(series: SampleSeries, low: int, high: int, most: int) -> tuple[list[int], list[float]]:
    """The first ``most`` samples from one time to another, both included, within the retention.

    O(log n + m), plus up to a chunk.
    """
    low = max(low, series.oldest_time)
    times: list[int] = []
    values: list[float] = []
    for chunk in series.chunks_between(low, high):
        left = most - len(times)
        if chunk.open_times is not None and chunk.open_values is not None:
            start, stop = bisect_left(chunk.open_times, low), bisect_right(chunk.open_times, high)
            stop = min(stop, start + left)
            times += chunk.open_times[start:stop].tolist()
            values += chunk.open_values[start:stop].tolist()
        else:
            chunk_times, chunk_values = chunk.columns()
            start = int(np.searchsorted(chunk_times, low, "left"))
            stop = min(int(np.searchsorted(chunk_times, high, "right")), start + left)
            times += chunk_times[start:stop].tolist()
            values += chunk_values[start:stop].tolist()
        if len(times) >= most:
            break
    return times, values


def check_room(chosen: Iterable[SampleSeries], wanted: Selection) -> None:
    """Reject a query before any work if empty buckets make more rows than a reply may have. Raises TooManyBuckets.

    What filters leave of a series is not known in advance; its rows are counted when they are made.
    """
    aggregation = wanted.aggregation
    if aggregation is None or aggregation.room is None or wanted.by_times is not None or wanted.by_value is not None:
        return
    queried = list(chosen)
    if _rows_at_most(queried, wanted, aggregation, _chunk_ends) * len(aggregation.functions) > aggregation.room.left:
        rows = _rows_at_most(queried, wanted, aggregation, _sample_ends)
        Room().take(rows, len(aggregation.functions))


def _rows_at_most(
    chosen: list[SampleSeries],
    wanted: Selection,
    aggregation: Aggregation,
    ends: Callable[[list[Chunk], int, int], tuple[int, int] | None],
) -> int:
    """How many rows the series have, empty ones included, judging by their ``ends`` in the time range."""
    bucket, align, rows = aggregation.bucket, aggregation.align, 0
    for series in chosen:
        low = max(wanted.low, series.oldest_time)
        found = ends(series.chunks_between(low, wanted.high), low, wanted.high)
        if found is not None:
            first, last = (time - (time - align) % bucket for time in found)
            count = max(0, bucket_count(first, last, bucket))
            rows += count if wanted.count is None else min(count, wanted.count)
    return rows


def _chunk_ends(chunks: list[Chunk], low: int, high: int) -> tuple[int, int] | None:
    """The times between which the samples of a time range lie, judging by their chunks."""
    return (max(low, chunks[0].first), min(high, chunks[-1].last)) if chunks else None


def _sample_ends(chunks: list[Chunk], low: int, high: int) -> tuple[int, int] | None:
    """The first and the last time of the samples in a time range; None if there are none."""
    outer = np.concatenate([chunk.columns()[0] for chunk in (*chunks[:2], *chunks[2:][-2:])] or [np.empty(0, np.int64)])
    found = outer[(outer >= low) & (outer <= high)]
    return (int(found[0]), int(found[-1])) if len(found) else None


def _straight(series: SampleSeries, wanted: Selection, aggregation: Aggregation) -> Rows | None:
    """Buckets computed from the chunks without decoding all their samples to columns; None if that is not possible."""
    low = max(wanted.low, series.oldest_time)
    chunks = series.chunks_between(low, wanted.high)
    made = aggregate(
        chunks, low, wanted.high, aggregation.functions, aggregation.bucket, aggregation.align, wanted.reverse
    )
    return None if made is None else _with_empty(*made, wanted, aggregation, None)


def _with_empty(
    begins: Times,
    columns: list[Values],
    wanted: Selection,
    aggregation: Aggregation,
    line: tuple[Times, Values] | None,
) -> Rows:
    """The rows of buckets, empty ones too if asked for, under the buckets' time stamps."""
    if aggregation.room is not None:
        filling = Filling(
            aggregation.room, wanted.count, wanted.reverse, aggregation.align, line, wanted.low, wanted.high
        )
        begins, columns = with_empty(begins, columns, aggregation.functions, aggregation.bucket, filling)
    if len(begins) and begins[0] < 0:
        begins = np.maximum(begins, 0)
    if aggregation.stamp:
        shift = aggregation.bucket if aggregation.stamp == 1 else aggregation.bucket // 2
        begins = np.minimum(begins, MOST_TIME - shift) + shift
    return Rows(begins, columns)


def _aggregated(series: SampleSeries, wanted: Selection, times: Times, values: Values) -> Rows:
    aggregation = wanted.aggregation
    assert aggregation is not None
    around, line = Surroundings(low=max(wanted.low, 0), high=wanted.high), None
    if not NEIGHBOURS.isdisjoint(aggregation.functions):
        # The line goes through all samples of the series, including those that the query filters out.
        if len(times):
            around.before = series.last_before(int(times[0]))
            around.after = series.first_after(int(times[-1]))
        if aggregation.room is not None and "twa" in aggregation.functions:
            line = _line(series, wanted.low, wanted.high)
    starts, columns = downsample(
        times,
        values,
        aggregation.functions,
        aggregation.bucket,
        align=aggregation.align,
        around=around,
        reverse=wanted.reverse,
    )
    return _with_empty(starts, columns, wanted, aggregation, line)


def _line(series: SampleSeries, low: int, high: int) -> tuple[Times, Values]:
    """The samples of a time range that have a value, with the one before and the one after it."""
    times, values = series.between(low, high)
    before, after = series.last_before(low), series.first_after(high)
    if before is not None:
        times, values = np.insert(times, 0, before[0]), np.insert(values, 0, before[1])
    if after is not None:
        times, values = np.append(times, after[0]), np.append(values, after[1])
    real = ~np.isnan(values)
    return times[real], values[real]

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
    """Functions and buckets of a query. ``stamp``: what is added to when a bucket begins, 0, 0.5 or 1 of its length.

    ``room``, which is there when empty buckets are asked for, is what all series of the query share.
    """

    functions: list[str]
    bucket: int
    align: int = 0
    stamp: float = 0.0
    room: Room | None = None


@dataclass(slots=True)
class Selection:
    """Which samples of a series a query is about, and what it makes of them. Times are in ms, ends are included.

    ``latest``: with the bucket that is not over, where a rule writes the series.
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
    """Times with one value a column."""

    times: Times
    columns: list[Values]

    def __len__(self) -> int:
        return len(self.times)

    def cut(self, *, reverse: bool, count: int | None) -> Rows:
        """The rows from the other end if wanted, and the first of them."""
        if not reverse and count is None:
            return self
        step = slice(None, None, -1) if reverse else slice(None)
        return Rows(self.times[step][:count], [column[step][:count] for column in self.columns])

    def lists(self) -> tuple[list[int], list[list[float]]]:
        """Times and columns as Python lists."""
        return self.times.tolist(), [column.tolist() for column in self.columns]


def select(series: SampleSeries, wanted: Selection, newest: Sample | None = None) -> Rows:
    """The rows of one series. ``newest`` is the value of a bucket that is not over and not in the series yet.

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
    """The first samples, up to ``most``, from one time to another, both included, that are not older than the retention.

    O(log n + m), and a chunk more than asked for.
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
    """Refuse a query before any work where empty buckets make more rows than a reply may have. Raises TooManyBuckets.

    What filters leave of a series is not known before; its rows are counted when they are made.
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
    """How many rows the series have, empty ones too, as far as their ``ends`` in the time range tell."""
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
    """Between which times the samples of a time range lie, as far as their chunks tell."""
    return (max(low, chunks[0].first), min(high, chunks[-1].last)) if chunks else None


def _sample_ends(chunks: list[Chunk], low: int, high: int) -> tuple[int, int] | None:
    """The first and the last time of the samples of a time range; None where there are none."""
    outer = np.concatenate([chunk.columns()[0] for chunk in (*chunks[:2], *chunks[2:][-2:])] or [np.empty(0, np.int64)])
    found = outer[(outer >= low) & (outer <= high)]
    return (int(found[0]), int(found[-1])) if len(found) else None


def _straight(series: SampleSeries, wanted: Selection, aggregation: Aggregation) -> Rows | None:
    """Buckets made from the chunks without columns of all their samples; None where that is not possible."""
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
    """The rows of buckets, empty ones too where they are asked for, with the times that stand for the buckets."""
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
        # The line through the samples is that of the whole series, whatever is filtered out of the query.
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
    """The samples of a time range that have a value, with the one before it and the one behind it."""
    times, values = series.between(low, high)
    before, after = series.last_before(low), series.first_after(high)
    if before is not None:
        times, values = np.insert(times, 0, before[0]), np.insert(values, 0, before[1])
    if after is not None:
        times, values = np.append(times, after[0]), np.append(values, after[1])
    real = ~np.isnan(values)
    return times[real], values[real]

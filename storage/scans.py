"""Loops over the samples of chunks. The compiled twin (``scans.pyx``) goes over packed bytes; this one uses numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .chunks import Chunk, Sample, Times, Values
from .lazily import lazily

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    np = lazily("numpy")


def read_columns(chunks: Sequence[Chunk]) -> tuple[Times, Values]:
    """Times and values of some chunks, as arrays that are not changed by later writes."""
    columns = [chunk.columns() for chunk in chunks]
    if len(columns) == 1:
        return columns[0]
    return np.concatenate([times for times, _ in columns]), np.concatenate([values for _, values in columns])


def aggregate(
    chunks: Sequence[Chunk], low: int, high: int, functions: Sequence[str], bucket: int, align: int, reverse: bool
) -> tuple[Times, list[Values]] | None:
    """What ``downsample`` gives for the samples from one time to another, both included.

    None where it takes their columns to find out: here always, in the compiled twin for functions that look at
    more than sums, extremes, ends and squares.
    """
    return None


def split(times: Times, bucket: int, align: int) -> tuple[npt.NDArray[np.intp], Times]:
    """Where among ascending times, at least one, those of another bucket begin, and when their buckets begin."""
    of_sample = times - (times - align) % bucket
    found = np.flatnonzero(np.concatenate(([True], of_sample[1:] != of_sample[:-1])))
    return found, of_sample[found]


def time_weighted(
    times: Times,
    values: Values,
    starts: npt.NDArray[np.intp],
    begins: Times,
    bucket: int,
    before: Sample | None,
    after: Sample | None,
    low: int,
    high: int,
    reverse: bool,
) -> Values:
    """The mean over time of the line through the samples, within each bucket and between two times.

    Bucket g begins at ``begins[g]`` and has the samples from ``starts[g]`` on. The line reaches to the neighbours
    in other buckets, ``before`` and ``after`` for the outer ones; where there is none it ends at the sample.
    ``reverse``: the areas below the line are added from the newest on.
    """
    count = len(starts)
    ends = np.append(starts[1:], len(times))
    group = np.repeat(np.arange(count), ends - starts)
    first_time, first_value, last_time, last_value = times[starts], values[starts], times[ends - 1], values[ends - 1]
    begin = np.maximum(begins, low)
    end = np.minimum(np.minimum(begins, np.iinfo(np.int64).max - bucket) + bucket, high)
    # The samples next to each group; where there is none the group itself is, and its edge is the sample.
    near_times, near_values = np.roll(last_time, 1), np.roll(last_value, 1)
    near_times[0], near_values[0] = (first_time[0], first_value[0]) if before is None else before
    if before is None:
        begin[0] = first_time[0]
    heads = _edge(first_time, first_value, near_times, near_values, begin)
    near_times, near_values = np.roll(first_time, -1), np.roll(first_value, -1)
    near_times[-1], near_values[-1] = (last_time[-1], last_value[-1]) if after is None else after
    if after is None:
        end[-1] = last_time[-1]
    tails = _edge(last_time, last_value, near_times, near_values, end)
    inner = group[1:] == group[:-1]
    areas = ((values[:-1] + values[1:]) * (times[1:] - times[:-1]) / 2)[inner]
    owners = group[1:][inner]
    every = np.arange(count)
    parts = [(every, heads), (owners, areas), (every, tails)]
    if reverse:
        parts = [(every, tails), (owners[::-1], areas[::-1]), (every, heads)]
    # bincount adds in the order of what it is given.
    area = np.bincount(np.concatenate([g for g, _ in parts]), np.concatenate([a for _, a in parts]), count)
    length = np.abs((end - begin).astype(np.float64))
    means: Values = np.divide(area, length, out=(first_value if reverse else last_value).copy(), where=length > 0)
    return means


def _edge(times: Times, values: Values, near_times: Times, near_values: Values, edges: Times) -> Values:
    """The areas between samples and the edges of their buckets, below the lines to the samples near them."""
    older = near_times < times
    t0, v0 = np.where(older, near_times, times), np.where(older, near_values, values)
    t1, v1 = np.where(older, times, near_times), np.where(older, values, near_values)
    span = (t1 - t0).astype(np.float64)
    rise = np.divide((edges - t0) * (v1 - v0), span, out=np.zeros_like(span), where=span != 0)
    area: Values = (v0 + rise + values) * np.abs(edges - times) / 2
    area[span == 0] = 0.0
    return area

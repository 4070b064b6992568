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
    chunks: Sequence[Chunk], low: int, high: int, functions: Sequence[str], bucket: int, align: int
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
) -> Values:
    """The mean over time of the line through the samples, within each bucket.

    Bucket g begins at ``begins[g]`` and has the samples from ``starts[g]`` on. The line reaches to the neighbours
    in other buckets, ``before`` and ``after`` for the outer ones; where there is none it ends at the sample.
    """
    count = len(starts)
    group = np.repeat(np.arange(count), np.diff(np.append(starts, len(times))))
    alone = values[starts]
    if before is not None:
        times, values = np.insert(times, 0, before[0]), np.insert(values, 0, before[1])
        group = np.insert(group, 0, -1)
    if after is not None:
        times, values = np.append(times, after[0]), np.append(values, after[1])
        group = np.append(group, -1)
    area, length = np.zeros(count), np.zeros(count)
    t0, t1, v0, v1 = times[:-1], times[1:], values[:-1], values[1:]
    g0, g1 = group[:-1], group[1:]
    same = (g0 == g1) & (g0 >= 0)
    span = (t1 - t0).astype(np.float64)
    slope = np.divide(v1 - v0, span, out=np.zeros_like(span), where=span > 0)

    def add(which: npt.NDArray[np.bool_], to: npt.NDArray[np.intp], mean: Values, width: Values) -> None:
        nonlocal area, length
        area += np.bincount(to[which], (mean * width)[which], count)
        length += np.bincount(to[which], width[which], count)

    add(same, g0, (v0 + v1) / 2, span)
    leaving = ~same & (g0 >= 0)
    width = np.where(leaving, begins[g0] + bucket - t0, 0).astype(np.float64)
    add(leaving, g0, v0 + slope * width / 2, width)
    entering = ~same & (g1 >= 0)
    width = np.where(entering, t1 - begins[g1], 0).astype(np.float64)
    add(entering, g1, v1 - slope * width / 2, width)
    return np.divide(area, length, out=alone.copy(), where=length > 0)

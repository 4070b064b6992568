"""Loops over the samples of chunks. The compiled implementation (``scans.pyx``) goes over packed bytes; this one uses numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .chunks import EVEN, INTEGERS, SCALES, WHOLE, Chunk, Sample, Times, Values
from .lazily import lazily

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
else:
    np = lazily("numpy")


def read_columns(chunks: Sequence[Chunk]) -> tuple[Times, Values]:
    """Times and values of some chunks, as arrays that later writes do not change."""
    columns = [chunk.columns() for chunk in chunks]
    if len(columns) == 1:
        return columns[0]
    return np.concatenate([times for times, _ in columns]), np.concatenate([values for _, values in columns])


def seal(chunk: Chunk, compressed: bool) -> None:
    """Seal a chunk: give its samples the form that takes less memory and cannot be written to."""
    _pack(chunk, *chunk.columns(), compressed)


def absorb(chunk: Chunk, younger: Chunk, compressed: bool) -> None:
    """Move samples into a chunk from the one behind it, and seal both."""
    times, values = read_columns((chunk, younger))
    chunk.count += younger.count
    chunk.last = younger.last
    _pack(chunk, times, values, compressed)


def append_run(chunk: Chunk, times: tuple[int, ...], values: tuple[float, ...]) -> None:
    """Append samples, at least one, to an open chunk."""
    open_times, open_values = chunk.open()
    open_times.extend(times)
    open_values.extend(values)
    chunk.measure()


def memory_bytes(chunks: Sequence[Chunk]) -> int:
    """Memory that chunks take: the sum of ``Chunk.memory_bytes``."""
    return sum(chunk.memory_bytes for chunk in chunks)


def _pack(chunk: Chunk, times: Times, values: Values, compressed: bool) -> None:
    chunk.open_times = chunk.open_values = None
    chunk.times_form, chunk.values_form, chunk.scale = WHOLE, 8, 1.0
    if not compressed or chunk.count == 1:
        chunk.packed_times, chunk.packed_values = times.tobytes(), values.tobytes()
        return
    steps = np.diff(times)
    if (steps == steps[0]).all():
        chunk.times_form, chunk.packed_times = EVEN, int(steps[0]).to_bytes(8, "little", signed=True)
    else:
        chunk.times_form, chunk.packed_times = _narrow(steps)
    chunk.values_form, chunk.packed_values, chunk.scale = _pack_values(values)


def _narrow(numbers: Any) -> tuple[int, bytes]:
    """Integers in the narrowest form that holds them all: its width in bytes, and the bytes."""
    low, high = int(numbers.min()), int(numbers.max())
    for width, kind in INTEGERS.items():
        info = np.iinfo(kind)
        if info.min <= low and high <= info.max:
            return width, numbers.astype(kind).tobytes()
    raise AssertionError("int64 holds them")


def _pack_values(values: Values) -> tuple[int, bytes, float]:
    """Values as narrow integers with their scale, or minus the least, or as they are: width in bytes, the bytes, scale."""
    if np.isfinite(values).all() and np.abs(values).max() < 2**31 - 1:
        for scale in SCALES:
            scaled = np.rint(values * scale)
            if np.abs(scaled).max() >= 2**31 - 1:
                break
            numbers = scaled.astype(np.int64)  # which has no -0
            if np.array_equal((numbers / scale).view(np.int64), values.view(np.int64)):
                return *_narrow(numbers), scale
    octets = values.view(np.uint64)
    least = octets.min()
    width = max(5, (int(octets.max() - least).bit_length() + 7) // 8)
    if width == 8:
        return 8, values.tobytes(), 1.0
    packed = (octets - least).view(np.uint8).reshape(len(values), 8)[:, :width]
    return width, packed.tobytes() + least.tobytes(), 1.0


def aggregate(
    chunks: Sequence[Chunk], low: int, high: int, functions: Sequence[str], bucket: int, align: int, reverse: bool
) -> tuple[Times, list[Values]] | None:
    """The result of ``downsample`` for the samples from one time to another, both included.

    None if that needs their columns: always here, in the compiled implementation for functions of more than sums, extremes,
    ends and squares.
    """
    return None


def split(times: Times, bucket: int, align: int) -> tuple[npt.NDArray[np.intp], Times]:
    """The indexes among ascending times, at least one, at which a new bucket begins, and the begins of these buckets."""
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
    """The time-weighted mean of the line through the samples, within each bucket and between two times.

    Bucket g begins at ``begins[g]`` and has the samples from ``starts[g]`` on. The line reaches to the neighbours
    in other buckets, ``before`` and ``after`` for the outer ones; without a neighbour it ends at the sample.
    ``reverse``: the areas below the line are added from the newest on.
    """
    count = len(starts)
    ends = np.append(starts[1:], len(times))
    group = np.repeat(np.arange(count), ends - starts)
    first_time, first_value, last_time, last_value = times[starts], values[starts], times[ends - 1], values[ends - 1]
    begin = np.maximum(begins, low)
    end = np.minimum(np.minimum(begins, np.iinfo(np.int64).max - bucket) + bucket, high)
    # The samples next to each group; without one the group's own sample stands in, and is its edge.
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
    # bincount adds in the order of its input.
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

"""Loops over packed samples give what columns of them give."""

from __future__ import annotations

import math
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from januskv.storage.chunks import MOST_TIME
from januskv.storage.downsampling import NAMES, downsample
from januskv.storage.sample_queries import Aggregation, Selection, select
from januskv.storage.samples import SampleSeries
from januskv.storage.scans import read_columns

tenths = st.integers(-50_000, 50_000).map(lambda number: number / 10)
whole = st.integers(-100, 100).map(float)
odd = st.floats(-1e9, 1e9) | st.just(math.nan)
fractions = st.floats(0.01, 1)
values_of_a_kind = st.sampled_from((tenths, whole, odd, fractions)).flatmap(
    lambda kind: st.lists(kind, min_size=1, max_size=120)
)
steps_of_a_kind = st.sampled_from((st.just(7), st.integers(1, 100), st.integers(1, 40_000), st.integers(1, 2**40)))


@st.composite
def filled_series(draw: st.DrawFn) -> SampleSeries:
    """A series of small chunks, sealed and open, whose columns are packed in different ways."""
    series = SampleSeries(compressed=draw(st.booleans()))
    series.capacity = series.room = draw(st.sampled_from((8, 24, 64)))
    time = draw(st.integers(0, 1000) | st.just(MOST_TIME - 200 * 2**40))
    for values in draw(st.lists(values_of_a_kind, max_size=3)):
        steps = draw(steps_of_a_kind)
        times = array("q")
        for _ in values:
            time = min(time + draw(steps), MOST_TIME - 1)
            if times and time <= times[-1]:
                break
            times.append(time)
        if times[0] > series.last_time:
            series.extend(times, array("d", values[: len(times)]))
    return series


@given(filled_series())
def test_columns_of_chunks_are_the_columns_of_each(series: SampleSeries) -> None:
    if series.chunks:
        times, values = read_columns(series.chunks)
        each = [chunk.columns() for chunk in series.chunks]
        assert times.tolist() == [time for column, _ in each for time in column.tolist()]
        assert values.tobytes() == b"".join(column.tobytes() for _, column in each)


@given(filled_series(), st.data())
def test_buckets_from_chunks_are_those_from_columns(series: SampleSeries, data: st.DataObject) -> None:
    first, last = (0, 100) if not series.chunks else (series.chunks[0].first, series.last_time)
    moments = st.integers(max(0, first - 5), min(last + 5, MOST_TIME))
    low, high = data.draw(moments), data.draw(moments)
    bucket = data.draw(st.integers(1, 200) | st.integers(1, 2**41) | st.just(MOST_TIME))
    align = data.draw(st.just(0) | st.integers(0, 1000))
    names = data.draw(st.lists(st.sampled_from([name for name in NAMES if name not in ("twa", "rate", "increase")])))
    reverse = data.draw(st.booleans())
    rows = select(series, Selection(low, high, aggregation=Aggregation(names, bucket, align), reverse=reverse))
    rows = rows.cut(reverse=reverse, count=None)
    begins, columns = downsample(*series.between(low, high), names, bucket, align=align, reverse=reverse)
    assert rows.times.tolist() == np.maximum(begins, 0).tolist()
    for name, got, expected in zip(names, rows.columns, columns, strict=True):
        assert got.tolist() == pytest.approx(expected.tolist(), rel=1e-9, abs=1e-3, nan_ok=True), name

"""Loops over packed samples give what columns of them give."""

from __future__ import annotations

import math
import struct
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from januskv.storage.chunks import MOST_TIME
from januskv.storage.downsampling import NAMES, downsample
from januskv.storage.sample_queries import Aggregation, Selection, select
from januskv.storage.samples import SampleSeries
from januskv.storage.scans import read_columns, seal

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


def series_of(values: list[float]) -> SampleSeries:
    """A series with a value every 10 ms."""
    series = SampleSeries()
    series.extend(range(0, 10 * len(values), 10), values)
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


@given(filled_series(), st.data())
def test_a_sum_is_the_same_on_every_path(series: SampleSeries, data: st.DataObject) -> None:
    """From packed chunks, from columns, filtered, beside other functions, and bucket by bucket: the last digit too.

    Sums are added one by one in the order in which the samples are read, so only reading from the newest on rounds otherwise.
    """
    bucket = data.draw(st.integers(1, 200) | st.integers(1, 2**41))
    reverse = data.draw(st.booleans())
    low, high = 0, MOST_TIME

    def sums(functions: list[str], wanted: Selection) -> dict[int, float]:
        wanted.aggregation = Aggregation(functions, bucket)
        rows = select(series, wanted)
        return dict(zip(rows.times.tolist(), rows.columns[functions.index("sum")].tolist(), strict=True))

    whole = sums(["sum"], Selection(low, high, reverse=reverse))
    begins, (column,) = downsample(*series.between(low, high), ["sum"], bucket, reverse=reverse)
    assert dict(zip(begins.tolist(), column.tolist(), strict=True)) == whole
    for functions in (["max", "sum"], ["std.p", "sum"], ["median", "sum"], ["sum", "avg"]):
        assert sums(functions, Selection(low, high, reverse=reverse)) == whole, functions
    times, values = series.between(low, high)
    if not np.isnan(values).any():
        filtered = Selection(low, high, by_value=(-math.inf, math.inf), reverse=reverse)
        assert sums(["sum"], filtered) == whole
    for begin, total in data.draw(st.permutations(list(whole.items())))[:5]:
        alone = Selection(begin, min(begin + bucket - 1, high), reverse=reverse)
        assert sums(["sum"], alone) == {begin: total}
        inside = values[(times >= begin) & (times <= begin + bucket - 1) & ~np.isnan(values)].tolist()
        one_by_one = 0.0
        for value in reversed(inside) if reverse else inside:
            one_by_one += value
        assert total == one_by_one


# twa, rate and increase look at the samples around a bucket too, so a bucket alone gives something else.
BY_THEMSELVES = [name for name in NAMES if name not in ("twa", "rate", "increase")]
equal_or_near = st.integers(0, 3).flatmap(
    lambda digits: st.lists(st.integers(0, 9).map(lambda last: 1e6 + last * 10.0**-digits), min_size=1, max_size=60)
)


@given(filled_series() | equal_or_near.map(series_of), st.sampled_from(BY_THEMSELVES), st.data())
def test_a_function_gives_the_same_number_on_every_path(series: SampleSeries, name: str, data: st.DataObject) -> None:
    """From packed chunks, from columns, beside other functions, and bucket by bucket: the last digit too."""
    bucket = data.draw(st.integers(1, 200) | st.integers(1, 2**41))
    reverse = data.draw(st.booleans())

    def found(functions: list[str], low: int = 0, high: int = MOST_TIME) -> dict[int, bytes]:
        wanted = Selection(low, high, aggregation=Aggregation(functions, bucket), reverse=reverse)
        rows = select(series, wanted)
        return dict(zip(rows.times.tolist(), map(bits, rows.columns[functions.index(name)].tolist()), strict=True))

    whole = found([name])
    begins, (column,) = downsample(*series.between(0, MOST_TIME), [name], bucket, reverse=reverse)
    assert dict(zip(begins.tolist(), map(bits, column.tolist()), strict=True)) == whole
    for functions in (["max", name], ["median", name], [name, "sum"], [name, "std.p"]):
        if functions.count(name) == 1:
            assert found(functions) == whole, functions
    for begin, number in data.draw(st.permutations(list(whole.items())))[:5]:
        assert found([name], begin, min(begin + bucket - 1, MOST_TIME)) == {begin: number}


def bits(number: float) -> bytes:
    """A double to the last digit; all that are not a number are the same."""
    return struct.pack("d", math.nan if math.isnan(number) else number)


@pytest.mark.parametrize(
    ("values", "form"),
    [
        pytest.param([1.0, 2.0, -3.0], 1, id="whole numbers"),
        pytest.param([0.25, 300.0, -17.5], 2, id="quarters as hundredths"),
        pytest.param([1000 + n / 7 for n in range(50)], 6, id="near each other"),
        pytest.param([0.01 + n / 7 for n in range(50)], 7, id="of about the same size"),
        pytest.param([-math.pi, -math.e], 7, id="both negative"),
        pytest.param([math.pi, -math.e], 8, id="of both signs"),
        pytest.param([0.0, -0.0], 8, id="a zero with a sign keeps it"),
        pytest.param([math.pi, math.nan, math.inf], 8, id="without a value, without an end"),
        pytest.param([2.0**31, 2.0**30], 7, id="too big for integers"),
        pytest.param([5e-324, 1e-323], 5, id="as small as can be"),
    ],
)
def test_values_come_back_from_their_form(values: list[float], form: int) -> None:
    series = SampleSeries()
    series.extend(range(len(values)), values)
    seal(series.chunks[0], True)
    assert series.chunks[0].values_form == form
    packed = array("d", values).tobytes()
    assert read_columns(series.chunks)[1].tobytes() == packed
    assert series.chunks[0].columns()[1].tobytes() == packed


@given(
    st.lists(
        st.lists(st.floats(-1e6, 1e6) | st.just(math.nan), min_size=1, max_size=90)
        | st.lists(st.integers(-(10**6), 10**6).map(lambda number: number / 100), min_size=1, max_size=90)
        | st.lists(st.integers(-9, 9).map(float), min_size=1, max_size=90),
        min_size=1,
        max_size=8,
    ),
    st.integers(1, 300),
    st.booleans(),
)
def test_sums_are_added_in_the_order_of_the_samples(parts: list[list[float]], bucket: int, reverse: bool) -> None:
    series = SampleSeries()
    series.capacity = series.room = 40
    for part in parts:
        series.extend(range(series.last_time + 1, series.last_time + 1 + len(part)), part)
    values = [value for part in parts for value in part]
    expected = []
    for at in range(0, len(values), bucket):
        total = 0.0
        for value in values[at : at + bucket][:: -1 if reverse else 1]:
            total += 0.0 if math.isnan(value) else value
        expected.append(total)
    aggregation = Aggregation(["sum"], bucket)
    rows = select(series, Selection(0, MOST_TIME, aggregation=aggregation, reverse=reverse))
    assert rows.cut(reverse=reverse, count=None).columns[0].tolist() == expected


def test_the_sum_of_many_buckets_over_many_chunks_is_that_of_each() -> None:
    series = SampleSeries()
    values = [n % 977 / 10 + (n % 5) / 3 for n in range(60_000)]
    series.extend(range(60_000), values)
    for bucket in (7, 1000, 50_000):
        rows = select(series, Selection(0, MOST_TIME, aggregation=Aggregation(["sum"], bucket)))
        expected = []
        for at in range(0, len(values), bucket):
            total = 0.0
            for value in values[at : at + bucket]:
                total += value
            expected.append(total)
        assert rows.columns[0].tolist() == expected

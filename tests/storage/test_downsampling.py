"""Downsampling against the plain definition of each function."""

from __future__ import annotations

import math
import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from januskv.storage import downsampling
from januskv.storage.chunks import MOST_TIME
from januskv.storage.downsampling import NAMES, Filling, Surroundings, downsample, with_empty
from januskv.storage.errors import TooManyBuckets


def run(
    times: list[int], values: list[float], names: list[str], bucket: int, filling: Filling | None = None, **how: Any
) -> tuple[Any, ...]:
    samples = np.array(times, dtype=np.int64), np.array(values)
    starts, columns = downsample(*samples, names, bucket, **how)
    if filling is not None:
        starts, columns = with_empty(starts, columns, names, bucket, filling)
    return starts.tolist(), *(column.tolist() for column in columns)


def plain(name: str, values: list[float]) -> float:
    """One function over the values of a bucket, none of them NaN."""
    values = [value for value in values if value == value]
    if name in ("sum", "count"):
        return math.fsum(values) if name == "sum" else len(values)
    if not values:
        return math.nan
    quantiles = {"median": 0.5, "p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
    if name in quantiles:
        ordered, at = sorted(values), quantiles[name] * (len(values) - 1)
        low = math.floor(at)
        high = min(low + 1, len(values) - 1)
        return ordered[low] + (ordered[high] - ordered[low]) * (at - low)
    return {
        "avg": lambda: math.fsum(values) / len(values),
        "min": lambda: min(values),
        "max": lambda: max(values),
        "range": lambda: max(values) - min(values),
        "first": lambda: values[0],
        "last": lambda: values[-1],
        "std.p": lambda: statistics.pstdev(values),
        "var.p": lambda: statistics.pvariance(values),
        "std.s": lambda: statistics.stdev(values) if len(values) > 1 else 0.0,
        "var.s": lambda: statistics.variance(values) if len(values) > 1 else 0.0,
    }[name]()


SIMPLE = [name for name in NAMES if name not in ("twa", "rate", "increase", "countNaN", "countAll")]
numbers = st.one_of(st.integers(-1000, 1000).map(float), st.floats(-1e6, 1e6), st.just(math.nan))


@given(st.dictionaries(st.integers(0, 300), numbers, min_size=1), st.integers(1, 100), st.integers(0, 50))
def test_every_function_is_what_it_says(samples: dict[int, float], bucket: int, align: int) -> None:
    times = sorted(samples)
    values = [samples[time] for time in times]
    groups: dict[int, list[float]] = {}
    for time, value in zip(times, values, strict=True):
        groups.setdefault(time - (time - align) % bucket, []).append(value)
    starts, *columns = run(times, values, SIMPLE, bucket, align=align)
    assert starts == sorted(groups)
    for name, column in zip(SIMPLE, columns, strict=True):
        expected = [plain(name, groups[start]) for start in starts]
        assert column == pytest.approx(expected, rel=1e-6, abs=1e-4, nan_ok=True), name


@pytest.mark.parametrize(
    ("samples", "bucket", "how", "expected"),
    [
        pytest.param({0: 1, 4: 3}, 10, {}, [2.0], id="between its samples where there are no neighbours"),
        pytest.param({5: 7}, 10, {}, [7.0], id="one sample is its own mean"),
        pytest.param({0: 0, 10: 10, 20: 20}, 10, {}, [5.0, 15.0, 20.0], id="up to the border of the bucket"),
        pytest.param(
            {10: 10}, 10, {"around": Surroundings((0, 0.0), (20, 20.0))}, [15.0], id="neighbours outside count"
        ),
        pytest.param(
            {20: 2, 30: 3},
            20,
            {"around": Surroundings((10, 1.0), (40, 4.0), 15, 35)},
            [2.75],
            id="within the ends of the query",
        ),
        pytest.param({0: 1, 4: 3}, 10, {"reverse": True}, [2.0], id="read backwards"),
    ],
)
def test_time_weighted_average(samples: Any, bucket: int, how: Any, expected: list[float]) -> None:
    _, column = run(list(samples), [float(v) for v in samples.values()], ["twa"], bucket, **how)
    assert column == pytest.approx(expected)


@pytest.mark.parametrize("reverse", [False, True])
def test_empty_buckets_lie_on_the_line(reverse: bool) -> None:
    line = np.array([2, 35]), np.array([2.0, 35.0])
    filling = Filling(reverse=reverse, line=line, high=50)
    assert run([2, 35], [2.0, 35.0], ["twa"], 10, filling) == ([0, 10, 20, 30], [6.0, 15.0, 25.0, 32.5])


@pytest.mark.parametrize("reverse", [False, True])
def test_a_line_through_the_whole_query_fills_it(reverse: bool) -> None:
    """There are no samples in the range, but on both sides of it."""
    line = np.array([0, 100]), np.array([0.0, 100.0])
    filling = Filling(reverse=reverse, line=line, low=15, high=38)
    assert run([], [], ["twa"], 10, filling) == ([10, 20, 30], [17.5, 25.0, 34.0])


def test_big_numbers_have_an_average() -> None:
    values = [1.5e308, 1.7e308, 1e308]
    (_, column) = run([1, 2, 3], values, ["avg"], 10)
    assert column == [pytest.approx(1.4e308)]
    assert run([1, 2], [1e308, math.inf], ["avg"], 10)[1] == [math.inf]


def test_variances_of_big_numbers_keep_their_digits() -> None:
    assert run([1, 2, 3], [1e9 + 1, 1e9 + 2, 1e9 + 3], ["var.p"], 10)[1] == [pytest.approx(2 / 3)]


def test_read_backwards_first_and_last_change_places() -> None:
    found = run([1, 2, 11], [1.0, 2.0, 3.0], ["first", "last", "sum"], 10, reverse=True)
    assert found == ([0, 10], [2.0, 3.0], [1.0, 3.0], [3.0, 3.0])


def test_a_counter_that_begins_again_counts_from_zero() -> None:
    starts, increase, rate = run([0, 10, 20, 30], [5.0, 9.0, 2.0, 3.0], ["increase", "rate"], 20)
    assert (starts, increase, rate) == ([0, 20], [4.0, 3.0], [200.0, 150.0])


def test_the_step_into_a_bucket_belongs_to_it() -> None:
    assert run([20], [7.0], ["increase"], 20, around=Surroundings((10, 4.0))) == ([20], [3.0])


def test_samples_without_a_value_are_counted_apart() -> None:
    found = run([1, 2, 11, 12], [1.0, math.nan, math.nan, math.nan], ["countAll", "countNaN", "count", "sum"], 10)
    assert found == ([0, 10], [2.0, 2.0], [1.0, 2.0], [1.0, 0.0], [1.0, 0.0])


def test_empty_buckets() -> None:
    starts, total, count, last, low = run([5, 35], [2.0, 3.0], ["sum", "count", "last", "min"], 10, filling=Filling())
    assert (starts, total, count) == ([0, 10, 20, 30], [2.0, 0.0, 0.0, 3.0], [1.0, 0.0, 0.0, 1.0])
    assert last == [2.0, 2.0, 2.0, 3.0]
    assert low == pytest.approx([2.0, math.nan, math.nan, 3.0], nan_ok=True)


def test_too_many_empty_buckets_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downsampling, "MOST_VALUES", 10)
    filling = Filling()
    assert run([0, 40], [1.0, 1.0], ["sum", "avg"], 10, filling=filling)[0] == [0, 10, 20, 30, 40]
    with pytest.raises(TooManyBuckets):
        run([0], [1.0], ["sum"], 10, filling=filling)
    with pytest.raises(TooManyBuckets):
        run([0, 1000], [1.0, 1.0], ["sum"], 10, filling=Filling())


TIMES = st.one_of(st.integers(0, 60), st.integers(0, MOST_TIME))


@given(
    st.sets(TIMES, min_size=1),
    st.one_of(st.integers(1, 20), st.integers(1, MOST_TIME)),
    TIMES,
    st.integers(0, 9),
    st.data(),
)
def test_only_so_many_empty_buckets_are_made_as_are_shown(
    times: set[int], bucket: int, align: int, most: int, data: Any
) -> None:
    """With a limit those from one end, whatever the number of all."""
    ordered = sorted(times)
    values = [float(at) for at in range(len(ordered))]
    reverse = data.draw(st.booleans())
    names = ["sum", "last", "count"]
    filling = Filling(most=most, reverse=reverse)
    found = run(ordered, values, names, bucket, filling, align=align, reverse=reverse)
    held: dict[int, list[float]] = {}
    for time, value in zip(ordered, values, strict=True):
        held.setdefault(time - (time - align) % bucket, []).append(value)
    first, last = min(held), max(held)
    count = min(most, (last - first) // bucket + 1)
    starts = (
        [last - n * bucket for n in reversed(range(count))] if reverse else [first + n * bucket for n in range(count)]
    )
    latest = [held[max(begin for begin in held if begin <= start)][-1] for start in starts]
    if reverse:
        latest = [held[min(begin for begin in held if begin >= start)][0] for start in starts]
    expected = (starts, [sum(held.get(s, [])) for s in starts], latest, [len(held.get(s, [])) for s in starts])
    assert found == expected


def test_no_samples_give_no_buckets() -> None:
    assert run([], [], ["avg", "max"], 10) == ([], [], [])

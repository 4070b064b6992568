"""Tallies of buckets: every column against a dictionary, in whichever order and form the samples come."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from januskv.storage.chunks import Chunk
from januskv.storage.errors import TooManyBuckets, TooManyValues
from januskv.storage.samples import SampleSeries
from januskv.storage.tallies import (
    FIRSTS,
    GREATEST,
    LASTS,
    LEAST,
    PRODUCT,
    SQUARES,
    SUMS,
    VALUES,
    Rate,
    Tally,
)

ALL = SUMS | SQUARES | LEAST | GREATEST | PRODUCT | FIRSTS | LASTS | VALUES
MOST = 1 << 40
LAST_TIME = (1 << 63) - 1

Samples = list[tuple[int, float]]


def chunks_of(samples: Samples, *, chunk_bytes: int = 4096, compressed: bool = True) -> list[Chunk]:
    series = SampleSeries(chunk_bytes=chunk_bytes, compressed=compressed)
    series.extend([time for time, _ in samples], [value for _, value in samples])
    return series.chunks


def settled(tally: Tally, units: int = 1000) -> Tally:
    while tally.settle(units):
        pass
    return tally


def tallied(
    every: Sequence[Samples], bucket: int, *, needs: int = ALL, expected: bool = True, units: int = 1000
) -> Tally:
    """The tally of some series, taken from chunks."""
    tally = Tally(needs, bucket, 1 << 20, most_values=1 << 20)
    times = [time for samples in every for time, _ in samples]
    if expected and times:
        tally.expect(min(times), max(times), len(times), series=len(every))
    for samples in every:
        tally.begin_series()
        chunks = chunks_of(samples, chunk_bytes=64)
        at = 0
        while at < len(chunks):
            at += tally.take(chunks[at:], 0, LAST_TIME, units)
    return settled(tally, units)


def model(every: Sequence[Samples], bucket: int) -> dict[int, Samples]:
    """The samples of each bucket as they come."""
    rows: dict[int, Samples] = {}
    for samples in every:
        for time, value in samples:
            rows.setdefault(time - time % bucket, []).append((time, value))
    return dict(sorted(rows.items()))


def check(tally: Tally, rows: dict[int, Samples]) -> None:
    count = len(tally)
    assert tally.begins(0, count).tolist() == list(rows)
    assert tally.counts(0, count).tolist() == [len(row) for row in rows.values()]
    values = [[value for _, value in row] for row in rows.values()]
    has_nan = [any(map(math.isnan, row)) for row in values]
    for need, expected in (
        (SUMS, [sum(row) for row in values]),
        (SQUARES, [sum(value * value for value in row) for row in values]),
        (LEAST, [math.nan if nan else min(row) for row, nan in zip(values, has_nan, strict=True)]),
        (GREATEST, [math.nan if nan else max(row) for row, nan in zip(values, has_nan, strict=True)]),
        (PRODUCT, [math.prod(row) for row in values]),
        (FIRSTS, [min(row, key=lambda sample: sample[0])[1] for row in rows.values()]),
        (LASTS, [max(reversed(row), key=lambda sample: sample[0])[1] for row in rows.values()]),
        (VALUES, None),
    ):
        found = tally.values(0, count) if expected is None else tally.column(need, 0, count)
        wanted = [value for row in values for value in row] if expected is None else expected
        assert np.array_equal(found, np.array(wanted, float), equal_nan=True), need
    assert tally.begins(count, count).tolist() == []
    if count > 2:
        assert tally.begins(1, count - 1).tolist() == list(rows)[1:-1]
        middle = [value for row in values[1:-1] for value in row]
        assert np.array_equal(tally.values(1, count - 1), np.array(middle, float), equal_nan=True)


@st.composite
def several(draw: st.DrawFn) -> tuple[list[Samples], int]:
    """Series whose sums are exact, and the length of buckets."""
    start = draw(st.sampled_from([0, 1, 10**12, LAST_TIME - 10**6]))
    scale = draw(st.sampled_from([1, 10, 1000]))
    some = st.one_of(st.sampled_from([math.nan, math.inf, 0.5]), st.integers(-100, 100).map(float))
    every: list[Samples] = []
    for _ in range(draw(st.integers(0, 5))):
        regular = st.builds(range, st.integers(0, 20), st.integers(0, 900), st.integers(1, 40))
        places = draw(st.one_of(regular, st.frozensets(st.integers(0, 900), max_size=40)))
        values = draw(st.lists(some, min_size=1, max_size=5))
        every.append([(start + place * scale, values[at % len(values)]) for at, place in enumerate(sorted(places))])
    return every, draw(st.sampled_from([1, 2, 7, 1000, 10**5, 1 << 62]))


@settings(max_examples=300)
@given(several(), st.booleans(), st.sampled_from([1, 10, 10**6]))
def test_columns_are_those_of_the_samples(made: tuple[list[Samples], int], expected: bool, units: int) -> None:
    every, bucket = made
    tally = tallied(every, bucket, expected=expected, units=units)
    with np.errstate(all="ignore"):
        check(tally, model(every, bucket))
    while tally.release():
        pass


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize(
    "values",
    [
        pytest.param([at % 100 for at in range(5000)], id="bytes"),
        pytest.param([at % 10_000 / 10 for at in range(5000)], id="tenths"),
        pytest.param([at * 1_000_003 % 2_000_000 for at in range(5000)], id="32 bits"),
        pytest.param([1.0 + at * 2.0**-30 for at in range(5000)], id="less the least"),
        pytest.param([random.Random(at).random() for at in range(5000)], id="as they are"),
    ],
)
@pytest.mark.parametrize("irregular", [False, True])
def test_all_forms_of_chunks(values: list[float], compressed: bool, irregular: bool) -> None:
    samples = [(at * 1000 + (at * at % 7 if irregular else 0), float(value)) for at, value in enumerate(values)]
    chunks = chunks_of(samples, compressed=compressed)
    assert len(chunks) > 1
    tally = Tally(SUMS | LEAST | FIRSTS | LASTS, 60_000, MOST)
    tally.begin_series()
    low, high = 12_345, 4_900_001
    assert tally.take(chunks, low, high, MOST) == len(chunks)
    settled(tally)
    rows = model([[(time, value) for time, value in samples if low <= time <= high]], 60_000)
    count = len(tally)
    assert tally.begins(0, count).tolist() == list(rows)
    by_row = [[value for _, value in row] for row in rows.values()]
    assert tally.column(SUMS, 0, count).tolist() == pytest.approx([sum(row) for row in by_row])
    assert tally.column(LEAST, 0, count).tolist() == [min(row) for row in by_row]
    assert tally.column(FIRSTS, 0, count).tolist() == [row[0] for row in by_row]
    assert tally.column(LASTS, 0, count).tolist() == [row[-1] for row in by_row]


def test_columns_instead_of_chunks() -> None:
    times, values = np.array([5, 15, 25, 26], np.int64), np.array([1.0, 2.0, 3.0, 4.0])
    tally = Tally(ALL, 10, MOST, most_values=MOST)
    for _ in range(2):
        tally.begin_series()
        tally.take_columns(times, values)
        tally.take_columns(times[:0], values[:0])
    assert tally.spent() >= 8
    assert tally.spent() == 0
    check(settled(tally), model([[*zip(times.tolist(), values.tolist(), strict=True)]] * 2, 10))


def test_many_rows_that_come_in_any_order() -> None:
    drawn = random.Random(5)
    every = [[(time, 1.0) for time in sorted(drawn.sample(range(10**12), 3000))] for _ in range(7)]
    for expected in (True, False):
        tally = tallied(every, 1000, needs=SUMS, expected=expected, units=500)
        rows = model(every, 1000)
        assert tally.begins(0, len(tally)).tolist() == list(rows)
        assert tally.column(SUMS, 0, len(tally)).tolist() == [float(len(row)) for row in rows.values()]


def test_a_sum_does_not_depend_on_chunks_or_on_what_is_expected() -> None:
    drawn = random.Random(3)
    every = [[(at * 10, drawn.gauss(0, 1)) for at in range(3000)] for _ in range(5)]
    sums = []
    for size, expected in ((64, True), (64, False), (4096, True)):
        tally = Tally(SUMS, 7000, MOST)
        if expected:
            tally.expect(0, 30_000, 15_000, series=5)
        for samples in every:
            tally.begin_series()
            tally.take(chunks_of(samples, chunk_bytes=size), 0, 30_000, MOST)
        sums.append(settled(tally).column(SUMS, 0, 100).tolist())
    assert sums[0] == sums[1] == sums[2]
    assert len(sums[0]) == 5


def test_what_was_not_expected_is_taken_or_left_out() -> None:
    tally = Tally(SUMS, 10, MOST)
    tally.expect(100, 199, 1000, series=1)
    tally.begin_series()
    tally.take(chunks_of([(time, 1.0) for time in range(0, 1000, 5)]), 0, 1000, MOST)
    settled(tally)
    found = dict(zip(tally.begins(0, 200).tolist(), tally.column(SUMS, 0, 200).tolist(), strict=True))
    assert {begin: found[begin] for begin in range(100, 200, 10)} == dict.fromkeys(range(100, 200, 10), 2.0)
    assert len(found) in (10, 100)


def test_an_expectation_of_nothing() -> None:
    tally = Tally(ALL, 10, MOST, most_values=1)
    tally.expect(5, 4, 0, series=0)
    assert len(settled(tally)) == 0
    assert tally.begins(0, 10).tolist() == tally.values(0, 10).tolist() == tally.counts(0, 10).tolist() == []
    assert tally.column(SUMS, 0, 10).tolist() == []
    assert not tally.release()


def test_chunks_are_taken_until_enough_is_done() -> None:
    chunks = chunks_of([(time, 1.0) for time in range(1000)], chunk_bytes=64)
    tally = Tally(SUMS, 100, MOST)
    tally.begin_series()
    first = tally.take(chunks, 0, 1000, 1)
    assert first == 1
    assert tally.spent() >= chunks[0].count
    assert tally.take(chunks[1:], 0, 1000, MOST) == len(chunks) - 1
    assert settled(tally).column(SUMS, 0, 10).tolist() == [100.0] * 10


@pytest.mark.parametrize("series", [1, 3])
def test_too_many_rows(series: int) -> None:
    tally = Tally(SUMS, 1, 10)
    with pytest.raises(TooManyBuckets):
        for number in range(series):
            tally.begin_series()
            tally.take(chunks_of([(time * 10**9 + number, 1.0) for time in range(11)]), 0, LAST_TIME, MOST)
        settled(tally)
    tally = Tally(SUMS, 1, 10)
    tally.take(chunks_of([(time * 10**9, 1.0) for time in range(10)]), 0, LAST_TIME, MOST)
    assert len(settled(tally)) == 10


def test_too_many_values() -> None:
    chunks = chunks_of([(time, 1.0) for time in range(11)])
    tally = Tally(VALUES, 100, MOST, most_values=11)
    tally.take(chunks, 0, LAST_TIME, MOST)
    assert settled(tally).values(0, 1).tolist() == [1.0] * 11
    tally = Tally(VALUES, 100, MOST, most_values=10)
    with pytest.raises(TooManyValues):
        tally.take(chunks, 0, LAST_TIME, MOST)
        settled(tally)


def test_rates_go_on_from_chunk_to_chunk_but_not_from_series_to_series() -> None:
    samples = [(time * 10, float(time * time)) for time in range(100)]
    tally = Tally(FIRSTS, 1, MOST, rate=Rate(10))
    for _ in range(2):
        tally.begin_series()
        for chunk in chunks_of(samples, chunk_bytes=64):
            tally.take([chunk], 100, 900, MOST)
    settled(tally)
    assert tally.begins(0, 100).tolist() == [time * 10 for time in range(11, 91)]
    assert tally.column(FIRSTS, 0, 100).tolist() == [float(2 * time - 1) for time in range(11, 91)]
    assert set(tally.counts(0, 100).tolist()) == {2}


def test_rates_of_columns() -> None:
    times = np.arange(0, 100_000, 10, dtype=np.int64)
    values = (times * 2 % 1000).astype(float)
    found = []
    for reset_value in (0.0, 3000.0, 1000.0):
        tally = Tally(SUMS, 1 << 40, MOST, rate=Rate(1000, counter=True, counter_max=1020, reset_value=reset_value))
        tally.begin_series()
        tally.take_columns(times[:7], values[:7])
        tally.take_columns(times[7:], values[7:])
        found.append(settled(tally).column(SUMS, 0, 1).tolist())
    steps, fallen = len(times) - 1, int((np.diff(values) < 0).sum())
    # Each step is one of 20 in 10 ms; where the counter begins again, of 1020 - 980.
    assert found == [[(steps - fallen) * 2000.0 + fallen * 4000.0], [(steps - fallen) * 2000.0], [0.0]]


def test_columns_that_were_not_asked_for() -> None:
    tally = Tally(SUMS, 10, MOST)
    tally.take(chunks_of([(1, 1.0)]), 0, 10, MOST)
    settled(tally)
    with pytest.raises(KeyError):
        tally.column(LEAST, 0, 1)


def test_the_array_of_an_open_chunk_is_not_changed_by_rates() -> None:
    chunk = Chunk(array("q", [0, 10, 20]), array("d", [1.0, 2.0, 4.0]))
    tally = Tally(SUMS, 100, MOST, rate=Rate(10))
    tally.begin_series()
    tally.take([chunk], 0, 100, MOST)
    assert settled(tally).column(SUMS, 0, 1).tolist() == [3.0]
    assert chunk.columns()[1].tolist() == [1.0, 2.0, 4.0]

"""Series of samples against a plain dict, and the rules between them."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from januskv.storage.chunks import MOST_TIME
from januskv.storage.clock import ManualClock
from januskv.storage.errors import DuplicateSample, SampleTooOld
from januskv.storage.feed import Feed
from januskv.storage.keyspace import Keyspace
from januskv.storage.samples import EFFECTS, POLICIES, Rule, SampleSeries

KEY, TARGET = b"s", b"t"


@pytest.fixture
def keyspace() -> Keyspace:
    return Keyspace(0, ManualClock(), Feed())


def new(keyspace: Keyspace, key: bytes = KEY, **how: Any) -> SampleSeries:
    series = SampleSeries(**how)
    keyspace.put_series(key, series, "ts.create")
    return series


def rows(series: SampleSeries, low: int = 0, high: int = MOST_TIME) -> list[tuple[int, float]]:
    times, values = series.between(low, high)
    return list(zip(times.tolist(), values.tolist(), strict=True))


times = st.integers(0, 400)
values = st.one_of(st.integers(-50, 50).map(lambda n: n / 10), st.floats(allow_nan=False, allow_infinity=False))
steps = st.one_of(
    st.tuples(st.just("add"), times, values, st.sampled_from(list(POLICIES))),
    st.tuples(st.just("many"), st.lists(st.tuples(times, values), min_size=1, max_size=30)),
    st.tuples(st.just("remove"), times, times),
    st.tuples(st.just("read"), times, times),
)


@settings(max_examples=300)
@given(st.lists(steps, max_size=60), st.sampled_from([48, 128, 4096]), st.booleans(), st.sampled_from([0, 100]))
def test_a_series_is_an_ordered_dict(program: list[Any], size: int, compressed: bool, retention: int) -> None:
    keyspace = Keyspace(0, ManualClock(), Feed())
    effects: list[tuple[object, ...]] = []
    series = new(keyspace, chunk_bytes=size, compressed=compressed, retention_ms=retention)
    keyspace.feed.subscribe(lambda _, event, key, detail: effects.append(detail))
    model: dict[int, float] = {}
    newest = -1
    for verb, *operands in program:
        oldest = max(0, newest - retention) if retention else 0
        stored = dict(model)
        if verb == "add":
            time, value, policy = operands
            if time < oldest and model:
                with pytest.raises(SampleTooOld):
                    series.add(keyspace, KEY, time, value, policy)
            elif time in model and POLICIES[policy] is None:
                with pytest.raises(DuplicateSample):
                    series.add(keyspace, KEY, time, value, policy)
            else:
                series.add(keyspace, KEY, time, value, policy)
                merge = POLICIES[policy]
                model[time] = merge(model[time], value) if time in model and merge is not None else value
        elif verb == "many":
            if retention:
                continue
            series.add_many(keyspace, KEY, *zip(*operands[0], strict=True))
            model.update(operands[0])
        elif verb == "remove":
            low, high = operands
            series.remove(keyspace, KEY, low, high)
            model = {time: value for time, value in model.items() if not low <= time <= high}
        else:
            low, high = operands
            assert rows(series, low, high) == sorted(
                (t, v) for t, v in model.items() if low <= t <= high and t >= oldest
            )
        newest = max(model, default=-1)
        series.check()
        if retention:  # chunks that are older may be gone, but only when one begins
            held = {time for chunk in series.chunks for time in chunk.columns()[0].tolist()}
            assert all(time in held for time in model if time >= newest - retention)
            assert all(time in held for time in model) or max(model) > max(stored, default=-1)
            model = {time: value for time, value in model.items() if time in held}
        shown = {time: value for time, value in model.items() if not retention or time >= newest - retention}
        assert rows(series) == sorted(shown.items())
        assert series.shown() == (len(shown), min(shown, default=0))
    assert series.ends()[1] == (newest if model else None)
    again = SampleSeries.from_state(series.to_state())
    again.check()
    assert again.to_state() == series.copy().to_state() == series.to_state()
    other = Keyspace(0, ManualClock(), Feed())
    replayed = new(other, chunk_bytes=size, compressed=compressed, retention_ms=retention)
    for name, *each in effects:
        EFFECTS[str(name)](other, KEY, *each)
    assert rows(replayed) == rows(series)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([float(n % 100) for n in range(3000)], id="integers"),
        pytest.param([n / 100 for n in range(3000)], id="decimals"),
        pytest.param([math.sin(n) for n in range(3000)], id="doubles"),
        pytest.param([-0.0, math.nan, math.inf] * 1000, id="no ordinary numbers"),
        pytest.param([2.0**40 + n for n in range(3000)], id="beyond 32 bits"),
    ],
)
def test_packing_gives_the_same_doubles_back(keyspace: Keyspace, values: list[float]) -> None:
    series = new(keyspace)
    series.add_many(keyspace, KEY, list(range(0, 3_000_000, 1000)), values)
    for extra in range(3):
        series.add_many(keyspace, KEY, list(range(10**7 * (extra + 1), 10**7 * (extra + 1) + 3000)), values)
    series.check()
    assert any(chunk.open_times is None for chunk in series.chunks)
    assert [v.hex() for _, v in rows(series)] == [v.hex() for v in values * 4]


def test_decimals_at_even_times_take_few_bytes(keyspace: Keyspace) -> None:
    series = new(keyspace)
    series.add_many(keyspace, KEY, list(range(0, 10**8, 1000)), [20 + n % 50 / 10 for n in range(100_000)])
    assert series.size_bytes < 100_000 * 5


class TestIgnore:
    def test_drops_what_is_close_to_the_last_sample(self, keyspace: Keyspace) -> None:
        series = new(keyspace, policy="last", ignore_ms=10, ignore_value=1.0)
        assert series.add(keyspace, KEY, 100, 5.0) == 100
        assert series.add(keyspace, KEY, 105, 5.5) == 100
        assert series.add(keyspace, KEY, 106, 7.0) == 106
        assert series.add(keyspace, KEY, 200, 7.0) == 200
        assert rows(series) == [(100, 5.0), (106, 7.0), (200, 7.0)]

    def test_only_where_the_last_one_wins(self, keyspace: Keyspace) -> None:
        series = new(keyspace, policy="max", ignore_ms=10, ignore_value=1.0)
        series.add(keyspace, KEY, 100, 5.0)
        assert series.add(keyspace, KEY, 105, 5.0) == 105


class TestRules:
    @pytest.fixture
    def pair(self, keyspace: Keyspace) -> tuple[SampleSeries, SampleSeries]:
        source, target = new(keyspace), new(keyspace, TARGET)
        source.rules[TARGET] = Rule("sum", 10, 0, None)
        target.source = KEY
        return source, target

    def test_a_bucket_is_written_when_it_is_over(self, keyspace: Keyspace, pair: Any) -> None:
        source, target = pair
        for time in (1, 5, 9):
            source.add(keyspace, KEY, time, 1.0)
        assert rows(target) == []
        assert target.newest_bucket(keyspace, TARGET) == (0, 3.0)
        source.add(keyspace, KEY, 25, 1.0)
        assert rows(target) == [(0, 3.0)]

    def test_a_late_sample_corrects_its_bucket(self, keyspace: Keyspace, pair: Any) -> None:
        source, target = pair
        source.add_many(keyspace, KEY, [1, 15, 25], [1.0, 1.0, 1.0])
        source.add(keyspace, KEY, 3, 5.0)
        assert rows(target) == [(0, 6.0), (10, 1.0)]

    def test_many_at_once_write_all_that_is_over(self, keyspace: Keyspace, pair: Any) -> None:
        source, target = pair
        source.add_many(keyspace, KEY, list(range(0, 45, 5)), [1.0] * 9)
        assert rows(target) == [(0, 2.0), (10, 2.0), (20, 2.0), (30, 2.0)]

    def test_late_ones_together_correct_all_their_buckets(self, keyspace: Keyspace, pair: Any) -> None:
        source, target = pair
        source.add_many(keyspace, KEY, [0, 12, 24, 36], [1.0] * 4)
        source.add_many(keyspace, KEY, [5, 15, 25], [1.0] * 3)
        assert rows(target) == [(0, 2.0), (10, 2.0), (20, 2.0)]

    def test_removed_samples_are_taken_out_of_their_buckets(self, keyspace: Keyspace, pair: Any) -> None:
        source, target = pair
        source.add_many(keyspace, KEY, [1, 2, 11, 12, 25], [1.0] * 5)
        source.remove(keyspace, KEY, 2, 12)
        assert rows(target) == [(0, 1.0)]

    def test_what_was_there_before_is_not_counted(self, keyspace: Keyspace) -> None:
        source, target = new(keyspace), new(keyspace, TARGET)
        source.add(keyspace, KEY, 1, 100.0)
        source.rules[TARGET] = Rule("sum", 10, 0, 1)
        target.source = KEY
        source.add_many(keyspace, KEY, [5, 15], [1.0, 1.0])
        assert rows(target) == [(0, 1.0)]

    def test_follow_their_series_to_another_name(self, keyspace: Keyspace, pair: Any) -> None:
        source, target = pair
        keyspace.rename(KEY, b"s2")
        keyspace.rename(TARGET, b"t2")
        source.add_many(keyspace, b"s2", [1, 15], [1.0, 1.0])
        assert rows(target) == [(0, 1.0)]
        keyspace.check()

    def test_end_with_their_series(self, keyspace: Keyspace, pair: Any) -> None:
        source, _ = pair
        keyspace.delete(TARGET)
        source.add_many(keyspace, KEY, [1, 15], [1.0, 1.0])
        assert not source.rules


class TestLabels:
    def test_the_index_follows_every_change(self, keyspace: Keyspace) -> None:
        new(keyspace, b"a", labels={b"host": b"1"})
        new(keyspace, b"b", labels={b"host": b"2"})
        keyspace.check()
        keyspace.rename(b"a", b"c")
        keyspace.check()
        keyspace.put(b"b", b"a string now")
        keyspace.check()
        keyspace.expire_at(b"c", keyspace.clock.now_ms + 5)
        keyspace.clock.advance(10)  # type: ignore[attr-defined]
        assert keyspace.get(b"c") is None
        keyspace.check()
        new(keyspace, b"d", labels={b"host": b"1"})
        other = Keyspace(1, keyspace.clock, keyspace.feed)
        keyspace.swap(other)
        keyspace.check()
        other.check()
        other.clear()
        other.check()


rule_steps = st.one_of(
    st.tuples(st.just("add"), st.lists(st.tuples(st.integers(0, 200), st.integers(-9, 9)), min_size=1, max_size=8)),
    st.tuples(st.just("one"), st.integers(0, 200), st.integers(-9, 9)),
    st.tuples(st.just("remove"), st.integers(0, 200), st.integers(0, 200)),
)


@example([("add", [(0, 0), (1, 0)]), ("remove", 0, 1)], 2, 1, "sum")  # a bucket that begins before 0
@given(
    st.lists(rule_steps, max_size=25), st.integers(1, 60), st.integers(0, 20), st.sampled_from(["sum", "count", "max"])
)
def test_a_rule_writes_what_a_query_over_all_samples_would_say(
    program: list[Any], bucket: int, align: int, function: str
) -> None:
    keyspace = Keyspace(0, ManualClock(), Feed())
    source, target = new(keyspace, chunk_bytes=48), new(keyspace, TARGET)
    rule = source.rules[TARGET] = Rule(function, bucket, align, None)
    target.source = KEY
    meant = {"sum": sum, "count": len, "max": max}[function]
    for verb, *operands in program:
        if verb == "add":
            source.add_many(keyspace, KEY, *zip(*operands[0], strict=True))
        elif verb == "one":
            source.add(keyspace, KEY, *operands, policy="last")
        else:
            source.remove(keyspace, KEY, *operands)
        groups: dict[int, list[float]] = {}
        for time, value in rows(source):
            groups.setdefault(rule.start_of(time), []).append(value)
        closed = {max(0, at): float(meant(group)) for at, group in groups.items() if at < (rule.begin or 0)}
        assert rows(target) == sorted(closed.items())
        target.check()


ascending = st.lists(st.tuples(st.integers(1, 5), values), min_size=1, max_size=12)


@given(
    st.lists(st.one_of(st.lists(st.tuples(times, values), min_size=1, max_size=12), ascending), max_size=12),
    st.sampled_from(
        [{}, {"retention_ms": 50}, {"ignore_ms": 3, "ignore_value": 1.0, "policy": "last"}, {"chunk_bytes": 48}]
    ),
    st.booleans(),
)
def test_a_run_is_as_its_samples_one_by_one(program: list[Any], settings: dict[str, Any], rule: bool) -> None:
    """Samples that are added as a run, and those added one by one: same samples, same buckets, same number left out."""
    ours, model = [Keyspace(0, ManualClock(), Feed()) for _ in range(2)]
    series = [new(each, **settings) for each in (ours, model)]
    targets = [new(each, TARGET) for each in (ours, model)]
    if rule:
        for keyspace, one in zip((ours, model), series, strict=True):
            one.add_rule(keyspace, KEY, TARGET, "sum", 20, 0)
    for number, run in enumerate(program):
        run = [(time + 6 * number, value) for time, value in run]
        too_old = 0
        for time, value in run:
            try:
                series[1].add(model, KEY, time, value, "last")
            except SampleTooOld:
                too_old += 1
        columns = tuple(time for time, _ in run), tuple(value for _, value in run)
        assert series[0].add_run(ours, KEY, *columns) == too_old
        series[0].check()
        for one, other in (series, targets):
            assert rows(one) == rows(other)

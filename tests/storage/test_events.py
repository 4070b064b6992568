"""Series of events against a plain list, with and without indexes, in blocks of a few events."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from januskv.storage import event_blocks
from januskv.storage.clock import ManualClock
from januskv.storage.errors import IndexExists, NoSuchIndex, NotIndexed
from januskv.storage.event_blocks import blocks_of, place_of
from januskv.storage.event_conditions import Between, order_of
from januskv.storage.event_shapes import MOST_MEMBERS, MOST_SHAPES, WHOLE
from januskv.storage.events import (
    EFFECTS,
    EventSeries,
    add_events,
    drop_event_index,
    event_series,
    index_events,
    is_behind,
    merged_steps,
    put_events,
    remove_event_rows,
    remove_events,
    runs_of,
)
from januskv.storage.feed import Feed
from januskv.storage.keyspace import Keyspace

KEY = b"s"
BIG = 1 << 70  # no integer of 64 bits


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few events, so that small series have many."""
    monkeypatch.setattr(event_blocks, "MOST_ROWS", 4)


json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 2.0]), st.sampled_from(["", "a", "b"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("kl"), inner, max_size=2)),
    max_leaves=3,
)
events = st.dictionaries(st.sampled_from("xy"), json_values)
times = st.one_of(st.integers(-20, 20), st.sampled_from([-BIG, BIG]))
batches = st.lists(st.tuples(times, events, st.sampled_from([0, 0, 5, 10])), min_size=1, max_size=40)
bounds = st.one_of(st.none(), st.integers(-25, 25), st.sampled_from([-BIG, BIG]))
conditions = st.one_of(
    json_values.map(lambda v: Between(order_of(v), order_of(v))),
    json_values.map(lambda v: Between(low=order_of(v), with_low=False)),
    json_values.map(lambda v: Between(high=order_of(v), with_high=False)),
    json_values.map(lambda v: Between(low=order_of(v))),
)
steps = st.one_of(
    st.tuples(st.just("add"), batches),
    st.tuples(st.just("put"), batches),
    st.tuples(st.just("remove"), bounds, bounds),
    st.tuples(st.just("expire"), st.integers(1, 12)),
    st.tuples(st.just("view"), st.integers(0, 12)),
    st.tuples(st.just("copy")),
    st.tuples(st.just("query"), bounds, bounds, st.dictionaries(st.sampled_from("xy"), conditions)),
)


Row = tuple[int, Any, int]


def rows_of(series: EventSeries) -> list[Row]:
    """All that a series holds."""
    return list(zip(*series.columns(), strict=True))


def inside(model: list[Row], low: int | None, high: int | None) -> list[Row]:
    return [row for row in model if (low is None or row[0] >= low) and (high is None or row[0] <= high)]


@settings(max_examples=300)
@given(st.lists(steps, max_size=12), st.booleans())
def test_a_series_is_a_sorted_list(program: list[Any], indexed: bool) -> None:
    series, model = EventSeries(), list[Row]()
    kept: list[tuple[Any, list[Any]]] = []  # what readers and other series hold, and what must be in it
    for path in (("x",), ("y",), ("x", "k")) if indexed else ():
        series.create_index(path)
    for verb, *operands in program:
        if verb == "add":
            times, events, deadlines = (list(column) for column in zip(*operands[0], strict=True))
            series.add(times, events, deadlines)
            model = sorted(model + operands[0], key=lambda row: row[0])
        elif verb == "put":
            last = {row[0]: row for row in operands[0]}
            columns = [list(column) for column in zip(*last.values(), strict=True)]
            EFFECTS["events.put"](
                _keyspace_of(series), KEY, *event_blocks.pack_blocks(EventSeries().blocks_of(*columns))
            )
            model = sorted([row for row in model if row[0] not in last] + list(last.values()), key=lambda row: row[0])
        elif verb == "expire":
            series.remove_parts(series.parts_expired(operands[0], 1000))
            series.settle()
            model = [row for row in model if not row[2] or row[2] >= operands[0]]
        elif verb == "view":
            visible = [row[:2] for row in model if not row[2] or row[2] >= operands[0]]
            kept.append((series.view(operands[0]), visible))
        elif verb == "copy":
            kept.append((series.copy(), list(model)))
        else:
            low, high = operands[:2]
            some = inside(model, low, high)
            if verb == "remove":
                assert series.remove(low, high) == len(some)
                series.settle()
                model = [row for row in model if row not in some]
            elif indexed:
                where = operands[2]
                meant = [
                    (time, event)
                    for time, event, _ in some
                    if all(m in event and condition.holds(order_of(event[m])) for m, condition in where.items())
                ]
                assert list(zip(*series.range(low, high, where), strict=True)) == meant
                assert list(zip(*series.range(low, high, where, 2), strict=True)) == meant[:2]
            else:
                assert list(zip(*series.range(low, high), strict=True)) == [row[:2] for row in some]
        series.check()
        assert rows_of(series) == model
    again = EventSeries.from_state(series.to_state())
    again.check()
    assert rows_of(again) == model
    assert list(again.indexes) == list(series.indexes)
    for holder, rows in kept:
        if isinstance(holder, EventSeries):
            holder.check()
            assert rows_of(holder) == rows
        else:
            found = [
                pair
                for batch in holder.between(None, None)
                for pair in zip(batch.times(), batch.documents(), strict=True)
            ]
            assert found == rows


def _keyspace_of(series: EventSeries, clock: ManualClock | None = None) -> Keyspace:
    """A keyspace that holds a series."""
    keyspace = Keyspace(0, clock or ManualClock(), Feed())
    keyspace.put_series(KEY, series, "ts.create")
    return keyspace


def test_redoing_the_effects_gives_the_same_series() -> None:
    clock = ManualClock(0)
    keyspace, other = (_keyspace_of(EventSeries(), clock) for _ in range(2))
    done: list[tuple[Any, ...]] = []
    keyspace.feed.subscribe(lambda _, event, key, detail: done.append(detail))
    clock.advance(1000)
    add_events(keyspace, KEY, [5, 1, 3], [{"a": 1}, {"a": 2}, {}])
    add_events(keyspace, KEY, [7, 8], [{"a": 1}, {"b": 2}], [2000, 0])
    for path in (("a",), ("b", "c")):
        for _ in index_events(keyspace, KEY, path):
            pass
    put_events(keyspace, KEY, EventSeries().blocks_of([5, 6], [{"a": 9, "b": 1}, {"c": {}}], [0, 1500]))
    assert remove_events(keyspace, KEY, 2, 4) == 1
    assert remove_events(keyspace, KEY, 100, None) == 0
    series = event_series(keyspace, KEY)
    assert series is not None
    assert remove_event_rows(keyspace, KEY, series.parts_at([(8, -1), (9, -1)])) == 1
    drop_event_index(keyspace, KEY, ("b", "c"))
    clock.advance(600)
    assert len(event_series(keyspace, KEY) or ()) == 3
    for name, *operands in done:
        EFFECTS[name](other, KEY, *operands)
    assert len(done) == 9
    assert other.data[KEY].to_state() == keyspace.data[KEY].to_state()  # type: ignore[attr-defined]
    for each in (keyspace, other):
        each.check()


def test_events_expire_by_and_by() -> None:
    clock = ManualClock(0)
    keyspace = _keyspace_of(EventSeries(), clock)
    clock.advance(1000)
    series = keyspace.data[KEY]
    assert isinstance(series, EventSeries)
    add_events(keyspace, KEY, range(10), [{"n": n} for n in range(10)], [1500 + n for n in range(9)] + [0])
    keyspace.check()
    clock.advance(504)
    visible = [time for batch in series.view(clock.now_ms).between(None, None) for time in batch.times()]
    assert visible == [4, 5, 6, 7, 8, 9]
    assert len(series) == 10
    keyspace.run_cron(10)
    assert len(series) == 6
    clock.advance(9000)
    while keyspace.run_cron(10):
        pass
    assert rows_of(series) == [(9, {"n": 9}, 0)]
    assert KEY in keyspace
    keyspace.check()


@settings(max_examples=200)
@given(
    st.lists(st.integers(0, 300), max_size=120), st.lists(st.integers(0, 300), min_size=1, max_size=120), st.booleans()
)
def test_changes_that_are_prepared(held: list[int], new: list[int], indexed: bool) -> None:
    series = EventSeries()
    series.add(sorted(held), [{"x": time % 7} for time in sorted(held)])
    if indexed:
        series.create_index(("x",))
    kept = series.copy()
    places = sorted(set(new))
    blocks = series.blocks_of(places, [{"x": "new"}] * len(places))
    entered = list(series.indexes.values())
    for _ in series.entries_steps(blocks, entered):
        pass
    series.check()
    view = series.view(0)
    if is_behind(series, blocks):
        series.add_blocks(blocks, entered)
    else:
        series.apply([change for change in merged_steps(view, blocks) if change is not None], blocks, entered)
    series.check()
    wanted = [(time, {"x": time % 7}) for time in held if time not in places] + [
        (time, {"x": "new"}) for time in places
    ]
    assert list(zip(*series.range(), strict=True)) == sorted(wanted, key=lambda row: row[0])
    if indexed:
        at = order_of("new")
        assert series.range(None, None, {"x": Between(at, at)})[0] == places
    kept.check()
    assert kept.range()[0] == sorted(held)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=60), st.sets(st.integers(0, 59)), st.integers(1, 9))
def test_rows_are_named_however_blocks_are_divided(times: list[int], gone: set[int], size: int) -> None:
    series, other = EventSeries(), EventSeries()
    series.add(sorted(times), [{"n": number} for number in range(len(times))])
    event_blocks.MOST_ROWS, before = size, event_blocks.MOST_ROWS  # type: ignore[misc]
    try:
        other.add(sorted(times), [{"n": number} for number in range(len(times))])
    finally:
        event_blocks.MOST_ROWS = before  # type: ignore[misc]
    rows = sorted(row for row in gone if row < len(times))
    ranges = [[row, runs_of([0])] for row in rows]
    parts = series.parts_of_ranges(ranges)
    assert other.remove_parts(other.parts_of_ranges(series.ranges_of(parts))) == len(rows)
    assert series.remove_parts(parts) == len(rows)
    for each in (series, other):
        each.check()
        assert [event["n"] for event in each.range()[1]] == [n for n in range(len(times)) if n not in gone]


def test_many_removed_events_stay_in_the_indexes_for_a_while() -> None:
    series = EventSeries()
    series.add(range(10_000), [{"x": number % 10} for number in range(10_000)])
    series.create_index(("x",))
    assert series.remove(0, 4999) == 5000
    assert series.indexes[("x",)].stale == 5000
    series.check()
    at = order_of(3)
    assert len(series.range(None, None, {"x": Between(at, at)})[0]) == 500
    assert series.remove(None, None) == 5000
    assert series.indexes[("x",)].is_exact
    series.check()


def test_an_index_that_is_being_made() -> None:
    series = EventSeries()
    series.add(range(50), [{"x": number % 10} for number in range(50)])
    steps = series.index_steps(("x",))
    next(steps)
    with pytest.raises(NotIndexed):
        series.range(None, None, {"x": Between()})
    with pytest.raises(IndexExists):
        series.create_index(("x",))
    series.remove(10, 19)
    series.add([100, 5], [{"x": 3}, {"x": 3}])
    assert list(steps)
    series.check()
    at = order_of(3)
    assert series.range(None, None, {"x": Between(at, at)})[0] == [3, 5, 23, 33, 43, 100]


def test_an_index_that_nobody_waits_for_any_more() -> None:
    series = EventSeries()
    series.add(range(50), [{"x": number % 10} for number in range(50)])
    steps = series.index_steps(("x",))
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert not series.indexes
    series.create_index(("x",))
    series.check()


def test_leap_seconds_stand_behind_their_second() -> None:
    series = EventSeries()
    time = 1_483_228_799_999_999_999
    leap = series.shapes.of(("a",), True)
    plain = series.shapes.of(("a",))
    rows = [
        (time, plain, b"1", 0),
        (time, leap, b"5\0002", 0),
        (time, leap, b"900\0003", 0),
        (time + 1, plain, b"4", 0),
    ]
    for row in (rows[3], rows[1], rows[0], rows[2]):
        series.add_blocks(blocks_of([row]))
    series.check()
    assert [place_of(row) for block in series.blocks for row in block.rows()] == [
        (time, -1),
        (time, 5),
        (time, 900),
        (time + 1, -1),
    ]
    assert [event["a"] for event in series.range()[1]] == [1, 2, 3, 4]
    lines = b"".join(batch.lines() for batch in series.view(0).between(None, None)).decode().splitlines()
    assert lines[1] == '{"item":{"_time":"2016-12-31T23:59:60.000000005Z","value":{"a":2}}}'
    assert series.remove_parts(series.parts_at([(time, 5)])) == 1
    assert [event["a"] for event in series.range()[1]] == [1, 3, 4]
    series.check()


def test_documents_with_names_of_their_own_are_kept_whole() -> None:
    series = EventSeries()
    events = [{f"name {number}": number, "x": 1} for number in range(MOST_SHAPES + 5)]
    wide = {f"n{number}": number for number in range(MOST_MEMBERS + 1)}
    series.add(range(len(events) + 1), [*events, wide])
    series.create_index(("x",))
    series.check()
    assert [block.shapes[-1] for block in series.blocks][-1] is WHOLE
    assert series.range()[1] == [*events, wide]
    assert len(series.range(None, None, {"x": Between()})[0]) == len(events)
    again = EventSeries.from_state(series.to_state())
    assert again.range() == series.range()
    other = EventSeries()
    other.add([1], [{"z": 0}])
    EFFECTS["events.append"](_keyspace_of(other), KEY, *event_blocks.pack_blocks(series.blocks))
    other.check()
    assert sorted(map(str, other.range()[1])) == sorted(map(str, [{"z": 0}, *events, wide]))


def test_refusals() -> None:
    series = EventSeries()
    series.add([1], [{"a": 1}])
    series.create_index(("a",))
    with pytest.raises(IndexExists):
        series.create_index(("a",))
    with pytest.raises(NoSuchIndex):
        series.drop_index(("a", "b"))
    with pytest.raises(NotIndexed):
        series.range(None, None, {"b": Between()})
    assert series.range(2, None, {"b": Between()}) == ([], [])


def test_the_order_across_kinds() -> None:
    ordered = [None, False, True, -1, 0.5, 1, "", "a", "ä", [], [1], [1, 0], ["a"], {}, {"a": 1}, {"a": 2}, {"b": 0}]
    jumbled = ordered[::-1]
    assert sorted(jumbled, key=order_of) == ordered
    assert order_of(2) == order_of(2.0)

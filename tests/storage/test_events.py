"""Series of events against a plain list, with and without indexes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from januskv.storage.clock import ManualClock
from januskv.storage.errors import IndexExists, NotIndexed
from januskv.storage.events import (
    EFFECTS,
    Between,
    EventSeries,
    add_events,
    index_events,
    order_of,
    remove_events,
)
from januskv.storage.feed import Feed
from januskv.storage.keyspace import Keyspace

KEY = b"s"

json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 2.0]), st.sampled_from(["", "a", "b"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("kl"), inner, max_size=2)),
    max_leaves=3,
)
events = st.dictionaries(st.sampled_from("xy"), json_values)
batches = st.lists(st.tuples(st.integers(-20, 20), events), min_size=1, max_size=40)
bounds = st.one_of(st.none(), st.integers(-25, 25))
conditions = st.one_of(
    json_values.map(lambda v: Between(order_of(v), order_of(v))),
    json_values.map(lambda v: Between(low=order_of(v), with_low=False)),
    json_values.map(lambda v: Between(high=order_of(v), with_high=False)),
    json_values.map(lambda v: Between(low=order_of(v))),
)
steps = st.one_of(
    st.tuples(st.just("add"), batches),
    st.tuples(st.just("remove"), bounds, bounds),
    st.tuples(st.just("query"), bounds, bounds, st.dictionaries(st.sampled_from("xy"), conditions)),
)


@settings(max_examples=200)
@given(st.lists(steps, max_size=12))
def test_a_series_is_a_sorted_list(program: list[Any]) -> None:
    series, model = EventSeries(), list[tuple[int, Any]]()
    for member in "xy":
        series.create_index(member)
    for verb, *operands in program:
        if verb == "add":
            series.add([time for time, _ in operands[0]], [event for _, event in operands[0]])
            model = sorted(model + operands[0], key=lambda row: row[0])
        else:
            low, high = operands[:2]
            inside = [row for row in model if (low is None or row[0] >= low) and (high is None or row[0] <= high)]
            if verb == "remove":
                assert series.remove(low, high) == len(inside)
                model = [row for row in model if row not in inside] if inside else model
            else:
                where = operands[2]
                meant = [
                    (time, event)
                    for time, event in inside
                    if all(m in event and condition.holds(order_of(event[m])) for m, condition in where.items())
                ]
                found = series.range(low, high, where)
                assert list(zip(*found, strict=True)) == meant
        series.check()
        assert list(zip(series.times, series.events, strict=True)) == model
    again = EventSeries.from_state(series.to_state())
    again.check()
    assert again.to_state() == series.to_state()


def test_redoing_the_effects_gives_the_same_series() -> None:
    keyspace, other = (Keyspace(0, ManualClock(), Feed()) for _ in range(2))
    done: list[tuple[Any, ...]] = []
    for each in (keyspace, other):
        each.put_series(KEY, EventSeries(), "ts.create")
    keyspace.feed.subscribe(lambda _, event, key, detail: done.append(detail))
    add_events(keyspace, KEY, [5, 1, 3], [{"a": 1}, {"a": 2}, {}])
    index_events(keyspace, KEY, "a")
    assert remove_events(keyspace, KEY, 2, 4) == 1
    assert remove_events(keyspace, KEY, 100, None) == 0
    for name, *operands in done:
        EFFECTS[name](other, KEY, *operands)
    assert len(done) == 3
    assert other.data[KEY].to_state() == keyspace.data[KEY].to_state()  # type: ignore[attr-defined]


def test_refusals() -> None:
    series = EventSeries()
    series.add([1], [{"a": 1}])
    series.create_index("a")
    with pytest.raises(IndexExists):
        series.create_index("a")
    with pytest.raises(NotIndexed):
        series.range(None, None, {"b": Between()})
    assert series.range(2, None, {"b": Between()}) == ([], [])


def test_the_order_across_kinds() -> None:
    ordered = [None, False, True, -1, 0.5, 1, "", "a", "ä", [], [1], [1, 0], ["a"], {}, {"a": 1}, {"a": 2}, {"b": 0}]
    jumbled = ordered[::-1]
    assert sorted(jumbled, key=order_of) == ordered
    assert order_of(2) == order_of(2.0)

"""Queries over the series of a keyspace: choosing, grouping, reducing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from januskv.storage.clock import ManualClock
from januskv.storage.keyspace import Keyspace
from januskv.storage.labels import Filter
from januskv.storage.sample_queries import Aggregation, Selection
from januskv.storage.samples import SampleSeries
from januskv.storage.series_queries import choose_series, latest_sample, query_each, query_groups
from januskv.storage.store import Store

ALL = Selection(0, 100)


@pytest.fixture
def keyspace() -> Keyspace:
    """Two series of one room, one of another, one without a room; and a key that is not a series."""
    keyspace = Store(clock=ManualClock()).databases[0]
    for name, labels, samples in (
        (b"a", {b"room": b"1"}, {10: 1.0, 20: 2.0}),
        (b"b", {b"room": b"1"}, {20: 5.0, 30: 3.0}),
        (b"c", {b"room": b"0"}, {10: 7.0}),
        (b"d", {b"kind": b"x"}, {10: 8.0}),
    ):
        series = SampleSeries(labels=labels)
        keyspace.put_series(name, series, "ts.create")
        series.add_many(keyspace, name, list(samples), list(samples.values()))
    keyspace.put(b"text", b"room")
    return keyspace


def rows_of(
    keyspace: Keyspace, wanted: Selection, reducer: str
) -> list[tuple[bytes, list[bytes], list[tuple[float, ...]]]]:
    chosen = choose_series(keyspace, ())
    groups = query_groups(keyspace, chosen, wanted, b"room", reducer)
    return [
        (group.value, group.names, [*zip(group.rows.times.tolist(), group.rows.columns[0].tolist(), strict=True)])
        for group in groups
    ]


def test_series_are_chosen_in_order_of_their_keys(keyspace: Keyspace) -> None:
    assert [name for name, _ in choose_series(keyspace, ())] == [b"a", b"b", b"c", b"d"]
    assert [name for name, _ in choose_series(keyspace, [Filter(b"room", [b"1"])])] == [b"a", b"b"]
    assert choose_series(keyspace, [Filter(b"nobody", [b"1"])]) == []


def test_rows_of_each(keyspace: Keyspace) -> None:
    found = query_each(keyspace, choose_series(keyspace, [Filter(b"room", [b"1"])]), replace(ALL, reverse=True))
    assert [rows.lists() for rows in found] == [([20, 10], [[2.0, 1.0]]), ([30, 20], [[3.0, 5.0]])]


def test_groups_come_in_order_of_their_values(keyspace: Keyspace) -> None:
    assert rows_of(keyspace, ALL, "max") == [
        (b"0", [b"c"], [(10, 7.0)]),
        (b"1", [b"a", b"b"], [(10, 1.0), (20, 5.0), (30, 3.0)]),
    ]


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [
        pytest.param(replace(ALL, count=2), [(10, 1.0), (20, 7.0)], id="count holds behind the reducer"),
        pytest.param(replace(ALL, reverse=True, count=2), [(30, 3.0), (20, 7.0)], id="the newest first"),
        pytest.param(replace(ALL, aggregation=Aggregation(["sum"], 20)), [(0, 1.0), (20, 10.0)], id="buckets"),
        pytest.param(replace(ALL, low=15), [(20, 7.0), (30, 3.0)], id="part of the time"),
    ],
)
def test_order_of_the_steps(keyspace: Keyspace, wanted: Selection, rows: list[tuple[int, float]]) -> None:
    before = replace(wanted)
    assert rows_of(keyspace, wanted, "sum")[1][2] == rows
    assert wanted == before, "a query can be asked again"
    assert rows_of(keyspace, wanted, "sum")[1][2] == rows


def test_the_latest_sample(keyspace: Keyspace) -> None:
    [(name, series), *_] = choose_series(keyspace, ())
    assert latest_sample(keyspace, name, series) == (20, 2.0)
    assert latest_sample(keyspace, b"empty", SampleSeries()) is None

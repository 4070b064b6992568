"""Names of metrics, keys and values of tags: what is there, in order, and what has grown too old."""

from __future__ import annotations

import random
from collections.abc import Generator, Mapping
from typing import Any

import pytest

from januskv.storage.age_off import AgeOff
from januskv.storage.clock import ManualClock
from januskv.storage.keyspace import Keyspace
from januskv.storage.labels import NAME_LABEL, VISIBILITY_LABEL, Filter
from januskv.storage.metric_names import (
    Sight,
    all_metrics,
    metric_names,
    metric_names_steps,
    tag_keys,
    tag_pairs,
    tag_values,
    tag_values_steps,
)
from januskv.storage.metrics import series_for
from januskv.storage.samples import SampleSeries
from januskv.storage.series_queries import choose_series
from januskv.storage.store import Store

NOW = 1_700_000_000_000
DAY = 86_400_000


def put(
    keyspace: Keyspace, metric: bytes, tags: Mapping[bytes, bytes], time: int = NOW, visibility: bytes = b""
) -> bytes:
    key, series = series_for(keyspace, metric, tags, visibility)
    series.add(keyspace, key, time, 1.0)
    return key


def checked(keyspace: Keyspace) -> None:
    keyspace.labels.check({key: value for key, value in keyspace.data.items() if hasattr(value, "labels")})


@pytest.fixture
def keyspace() -> Keyspace:
    keyspace = Store(clock=ManualClock(NOW)).databases[0]
    put(keyspace, b"disk.used", {b"host": b"db7", b"mnt": b"data"})
    put(keyspace, b"disk.used", {b"host": b"db1", b"mnt": b"data"})
    put(keyspace, b"disk.free", {b"host": b"db9"}, visibility=b"A")
    put(keyspace, b"cpu", {b"core": b"0"})
    put(keyspace, b"up", {})
    series = SampleSeries(labels={b"host": b"no metric"})
    keyspace.put_series(b"plain", series, "ts.create")
    return keyspace


def test_names_of_metrics(keyspace: Keyspace) -> None:
    assert metric_names(keyspace) == [b"cpu", b"disk.free", b"disk.used", b"up"]
    assert metric_names(keyspace, prefix=b"disk.") == [b"disk.free", b"disk.used"]
    assert metric_names(keyspace, containing=b"u") == [b"cpu", b"disk.used", b"up"]
    assert metric_names(keyspace, prefix=b"disk", containing=b"used") == [b"disk.used"]
    assert metric_names(keyspace, prefix=b"x") == []


@pytest.mark.parametrize(("most", "count"), [(0, 0), (1, 1), (3, 3), (4, 4), (9, 4), (-1, 4), (-7, 4)])
def test_the_first_names(keyspace: Keyspace, most: int, count: int) -> None:
    assert metric_names(keyspace, most=most) == [b"cpu", b"disk.free", b"disk.used", b"up"][:count]
    assert metric_names(keyspace, containing=b"u", most=most) == [b"cpu", b"disk.used", b"up"][: min(count, 3)]


def test_tags(keyspace: Keyspace) -> None:
    assert tag_keys(keyspace, b"disk.used") == [b"host", b"mnt"]
    assert tag_keys(keyspace, b"up") == tag_keys(keyspace, b"nothing") == []
    assert tag_values(keyspace, b"disk.used", b"host") == [b"db1", b"db7"]
    assert tag_values(keyspace, b"disk.used", b"host", most=1) == [b"db1"]
    assert tag_values(keyspace, b"disk.used", b"core") == tag_values(keyspace, b"nothing", b"host") == []
    assert tag_pairs(keyspace, b"disk.used") == [(b"host", b"db1"), (b"host", b"db7"), (b"mnt", b"data")]


def test_tags_of_all_metrics(keyspace: Keyspace) -> None:
    assert tag_keys(keyspace, None) == [b"core", b"host", b"mnt"]
    assert tag_keys(keyspace, None, most=2) == [b"core", b"host"]
    assert tag_values(keyspace, None, b"host") == [b"db1", b"db7", b"db9"]  # not those of a series that is no metric


def test_visibilities_and_names_are_no_tags(keyspace: Keyspace) -> None:
    assert tag_pairs(keyspace, b"disk.free") == [(b"host", b"db9")]
    for metric in (b"disk.free", None):
        assert tag_values(keyspace, metric, VISIBILITY_LABEL) == tag_values(keyspace, metric, NAME_LABEL) == []


def test_all_metrics(keyspace: Keyspace) -> None:
    assert all_metrics(keyspace, 1) == [
        (b"cpu", [(b"core", b"0")]),
        (b"disk.free", [(b"host", b"db9")]),
        (b"disk.used", [(b"host", b"db1"), (b"mnt", b"data")]),
        (b"up", []),
    ]
    assert all_metrics(keyspace, 100)[2] == (b"disk.used", tag_pairs(keyspace, b"disk.used"))


def test_what_is_removed_is_no_longer_named(keyspace: Keyspace) -> None:
    tag_values(keyspace, b"disk.used", b"host")  # the order is known before the changes
    keyspace.delete(b"disk.used{host=db7,mnt=data}")
    assert tag_pairs(keyspace, b"disk.used") == [(b"host", b"db1"), (b"mnt", b"data")]
    keyspace.delete(b"disk.used{host=db1,mnt=data}")
    assert metric_names(keyspace) == [b"cpu", b"disk.free", b"up"]
    assert tag_keys(keyspace, None) == [b"core", b"host"]
    put(keyspace, b"disk.used", {b"host": b"db0"})
    assert metric_names(keyspace) == [b"cpu", b"disk.free", b"disk.used", b"up"]
    assert tag_values(keyspace, None, b"host") == [b"db0", b"db9"]
    keyspace.clear()
    assert metric_names(keyspace) == tag_keys(keyspace, None) == []


def test_the_catalogue_follows_random_changes() -> None:
    drawn = random.Random(2)
    store = Store(clock=ManualClock(NOW))
    keyspace, other = store.databases[0], store.databases[1]
    for step in range(600):
        keys = list(keyspace.data)
        tags = {key: drawn.choice([b"x", b"y", b"z"]) for key in (b"a", b"b") if drawn.random() < 0.7}
        match drawn.randrange(8):
            case 0 if keys:
                keyspace.delete(drawn.choice(keys))
            case 1 if keys:
                keyspace.rename(drawn.choice(keys), b"renamed%d" % step)
            case 2 if keys:
                series = keyspace.data[drawn.choice(keys)]
                if isinstance(series, SampleSeries):
                    key = next(key for key, value in keyspace.data.items() if value is series)
                    name = drawn.choice([{}, {NAME_LABEL: b"altered"}])
                    series.alter(keyspace, key, {"labels": {**tags, **name}})
            case 3 if keys:
                key = drawn.choice(keys)
                keyspace.put(key, b"text")
                checked(keyspace)
                keyspace.delete(key)
            case 4 if keys:
                keyspace.copy_to(drawn.choice(keys), other, b"copy%d" % step, True)
            case _:
                put(keyspace, drawn.choice([b"m", b"n", b"o"]), tags, visibility=drawn.choice([b"", b"A"]))
        for each in (keyspace, other):
            metric_names(each)
            tag_values(each, None, b"a")
            tag_values(each, b"m", b"a")
            checked(each)
    assert {b"m", b"n", b"o"} <= set(metric_names(keyspace))


def test_series_are_chosen_by_one_value_or_several(keyspace: Keyspace) -> None:
    def chosen(*filters: Filter) -> list[bytes]:
        return [key for key, _ in choose_series(keyspace, filters)]

    name = Filter(NAME_LABEL, [b"disk.used"])
    both = [b"disk.used{host=db1,mnt=data}", b"disk.used{host=db7,mnt=data}"]
    assert chosen(name) == both
    assert chosen(name, Filter(b"host", [b"db1", b"db9"])) == both[:1]
    assert chosen(Filter(b"host", [b"db1", b"db9"]), name) == both[:1]
    assert chosen(name, Filter(b"host", [b"db1"], needs_label=False)) == both[1:]
    assert chosen(Filter(NAME_LABEL, [b"disk.used"], needs_label=False), Filter(b"host", any_value=True)) == [
        b"disk.free{host=db9,viz=A}",
        b"plain",
    ]
    checked(keyspace)


# ---------------------------------------------------------------- age-off


@pytest.fixture
def aging(keyspace: Keyspace) -> Keyspace:
    """With a metric and a host that are two days old."""
    put(keyspace, b"old", {b"host": b"db1"}, NOW - 2 * DAY)
    put(keyspace, b"disk.used", {b"host": b"db0", b"disk": b"sda"}, NOW - 2 * DAY)
    put(keyspace, b"future", {b"host": b"db2"}, NOW + 100 * DAY)
    return keyspace


def test_what_is_too_old_is_not_named(aging: Keyspace) -> None:
    day = AgeOff(DAY)
    assert metric_names(aging, sight=Sight(day)) == [b"cpu", b"disk.free", b"disk.used", b"future", b"up"]
    assert metric_names(aging, prefix=b"o", sight=Sight(day)) == []
    assert metric_names(aging) == [b"cpu", b"disk.free", b"disk.used", b"future", b"old", b"up"]
    assert tag_keys(aging, b"disk.used", sight=Sight(day)) == [b"host", b"mnt"]
    assert tag_values(aging, b"disk.used", b"host", sight=Sight(day)) == [b"db1", b"db7"]
    assert tag_keys(aging, None, sight=Sight(day)) == [b"core", b"host", b"mnt"]
    assert tag_values(aging, None, b"host", sight=Sight(day)) == [b"db1", b"db2", b"db7", b"db9"]
    assert tag_pairs(aging, b"old", sight=Sight(day)) == []
    assert tag_pairs(aging, b"old", sight=Sight(AgeOff(3 * DAY))) == [(b"host", b"db1")]
    assert tag_pairs(aging, b"old", sight=Sight(AgeOff(DAY, {b"old": 0}))) == [(b"host", b"db1")]
    assert [name for name, _ in all_metrics(aging, 9, sight=Sight(day))] == metric_names(aging, sight=Sight(day))


def test_names_go_with_the_clock(aging: Keyspace) -> None:
    clock: Any = aging.clock
    clock.advance(DAY)
    assert b"cpu" in metric_names(aging, sight=Sight(AgeOff(DAY)))
    clock.advance(1)
    assert metric_names(aging, sight=Sight(AgeOff(DAY))) == [b"future"]


def test_a_series_without_samples_is_named(aging: Keyspace) -> None:
    series_for(aging, b"empty", {b"host": b"new"})
    assert tag_pairs(aging, b"empty", sight=Sight(AgeOff(1))) == [(b"host", b"new")]


def swept(keyspace: Keyspace, age_off: AgeOff) -> tuple[int, int]:
    """How many series were removed, and in how many steps."""
    steps, count = age_off.sweep(keyspace), 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value, count
        count += 1


def test_a_sweep_removes_series_that_are_too_old(aging: Keyspace) -> None:
    assert swept(aging, AgeOff(0)) == (0, 0)
    assert swept(aging, AgeOff(3 * DAY))[0] == 0
    assert swept(aging, AgeOff(DAY, {b"old": 3 * DAY}))[0] == 1
    assert b"old{host=db1}" in aging.data
    assert swept(aging, AgeOff(0, {b"old": DAY}))[0] == 1
    assert metric_names(aging) == [b"cpu", b"disk.free", b"disk.used", b"future", b"up"]
    assert tag_keys(aging, b"disk.used") == [b"host", b"mnt"]
    assert b"plain" in aging.data
    checked(aging)


def test_a_sweep_leaves_what_is_no_series_any_more(aging: Keyspace) -> None:
    for number in range(2500):
        put(aging, b"many", {b"n": b"%d" % number}, NOW - 2 * DAY)
    steps = AgeOff(0, {b"many": DAY}).sweep(aging)
    next(steps)
    assert b"many{n=999}" not in aging.data
    aging.put(b"many{n=2000}", b"text")
    aging.delete(b"many{n=2001}")
    key = put(aging, b"many", {b"n": b"2002"})
    with pytest.raises(StopIteration) as end:
        for _ in range(5):
            next(steps)
    assert end.value.value == 2497
    assert aging.data[b"many{n=2000}"] == b"text"
    assert key in aging.data
    checked(aging)


def test_series_that_go_are_reported_as_expired(aging: Keyspace) -> None:
    told: list[tuple[str, bytes]] = []
    aging.feed.subscribe(lambda keyspace, event, key, detail: told.append((event, key)))
    swept(aging, AgeOff(0, {b"old": DAY}))
    assert told == [("expired", b"old{host=db1}")]


# ---------------------------------------------------------------- giving way


def count_steps(steps: Generator[None, None, Any]) -> int:
    return sum(1 for _ in steps)


def test_long_lists_are_made_in_steps() -> None:
    keyspace = Store(clock=ManualClock(NOW)).databases[0]
    for number in range(25_000):
        series_for(keyspace, b"m%05d" % number, {b"host": b"%05d" % number})
    assert count_steps(metric_names_steps(keyspace)) == 2
    assert count_steps(metric_names_steps(keyspace, sight=Sight(AgeOff(1)))) == 50
    assert count_steps(tag_values_steps(keyspace, None, b"host")) == 2
    steps = tag_values_steps(keyspace, None, b"host")
    next(steps)
    keyspace.clear()
    assert count_steps(steps) == 1


# ---------------------------------------------------------------- what may be read


def test_names_of_series_that_may_not_be_read() -> None:
    keyspace = Store(clock=ManualClock(NOW)).databases[0]
    for metric, tags in ((b"a", {b"host": b"x"}), (b"a", {b"host": b"y", b"rack": b"r"}), (b"b", {b"host": b"z"})):
        series_for(keyspace, metric, tags)
    sight = Sight(may_read=lambda key: key.startswith(b"a{host=x"))
    assert metric_names(keyspace, sight=sight) == [b"a"]
    assert tag_keys(keyspace, b"a", sight=sight) == [b"host"]
    assert tag_keys(keyspace, None, sight=sight) == [b"host"]
    assert tag_values(keyspace, None, b"host", sight=sight) == [b"x"]
    assert tag_pairs(keyspace, b"b", sight=sight) == []
    assert all_metrics(keyspace, 9, sight=sight) == [(b"a", [(b"host", b"x")])]


def test_many_series_that_may_not_be_read_are_examined_in_steps() -> None:
    keyspace = Store(clock=ManualClock(NOW)).databases[0]
    for number in range(5000):
        series_for(keyspace, b"m", {b"host": b"%04d" % number})
    steps = metric_names_steps(keyspace, sight=Sight(may_read=lambda key: False))
    assert count_steps(steps) == 9
    steps = metric_names_steps(keyspace, sight=Sight(may_read=lambda key: False))
    next(steps)
    keyspace.clear()
    assert count_steps(steps) == 8
    assert metric_names(keyspace) == []

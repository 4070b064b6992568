"""Queries over metrics: the worked example of Timely, each rule by itself, and all together against a slow model."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from januskv.storage import metric_queries
from januskv.storage.age_off import AgeOff
from januskv.storage.clock import ManualClock
from januskv.storage.errors import NoMatchingTags, TooManyBuckets, TooManyFilters, TooManyValues, UnknownFunction
from januskv.storage.keyspace import Keyspace
from januskv.storage.labels import NAME_LABEL
from januskv.storage.metric_queries import (
    AGGREGATORS,
    Downsample,
    MetricGroup,
    MetricQuery,
    Rate,
    TagFilter,
    query_steps,
)
from januskv.storage.metrics import series_for, series_key
from januskv.storage.samples import SampleSeries
from januskv.storage.store import Store

T = 1_893_456_000_000
MINUTE = 60_000
END = T + 3_600_000
NAN = math.nan


def is_public(visibility: bytes) -> bool:
    return not visibility


def ask(
    keyspace: Keyspace,
    query: MetricQuery,
    may_see: Callable[[bytes], bool] = is_public,
    age_off: AgeOff | None = None,
) -> list[MetricGroup]:
    """The groups of a query; it may give way as often as it likes."""
    steps = query_steps(keyspace, query, may_see, age_off=age_off)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            groups: list[MetricGroup] = end.value
            return groups


def rows(groups: list[MetricGroup], *, offset: int = T) -> list[tuple[dict[bytes, bytes], dict[int, float]]]:
    """Tags and rows of groups, times in seconds from an offset on."""
    for group in groups:
        assert (group.times.dtype, group.values.dtype) == ("int64", "float64")
    return [
        (
            group.tags,
            dict(
                zip(
                    ((group.times - offset) / 1000).tolist(),
                    group.values.tolist(),
                    strict=True,
                )
            ),
        )
        for group in groups
    ]


def tagged(text: str) -> dict[bytes, bytes]:
    return dict(part.encode().split(b"=") for part in text.split(",") if part)  # type: ignore[misc]


def put(keyspace: Keyspace, metric: bytes, tags: str, samples: Mapping[int, float], visibility: bytes = b"") -> bytes:
    """Put samples at seconds from T on; the key of their series."""
    key, series = series_for(keyspace, metric, tagged(tags), visibility)
    series.add_many(keyspace, key, [T + at * 1000 for at in samples], list(samples.values()))
    return key


@pytest.fixture
def keyspace() -> Keyspace:
    """The metric g of the worked example, and one with the same tags."""
    keyspace = Store(clock=ManualClock()).databases[0]
    put(keyspace, b"g", "host=web01,rack=r1", {0: 10, 15: 20, 30: 30, 60: 50, 75: 70})
    put(keyspace, b"g", "host=web02,rack=r1", {0: 100, 30: 300, 60: 500})
    put(keyspace, b"g", "host=db01,rack=r2", {0: 1, 45: 4, 90: 9})
    put(keyspace, b"other", "host=web01,rack=r1", {0: 1e9})
    return keyspace


def query(*filters: TagFilter, function: str | None = "avg", **more: Any) -> MetricQuery:
    downsample = None if function is None else Downsample(MINUTE, function)
    given = {"metric": b"g", "start_ms": T, "end_ms": END, "filters": filters, "downsample": downsample} | more
    return MetricQuery(**given)


def is_any(value: bytes) -> bool:
    return True


HOST = TagFilter(b"host", matches=is_any)
RACK = TagFilter(b"rack", matches=is_any)
WEB01 = TagFilter(b"host", (b"web01",))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(query(WEB01), [("host=web01", {0: 20, 60: 60})], id="one host"),
        pytest.param(
            query(WEB01, function="dev"), [("host=web01", {0: math.sqrt(700), 60: math.sqrt(7400)})], id="deviation"
        ),
        pytest.param(
            query(HOST, function="sum"),
            [("host=db01", {0: 5, 60: 9}), ("host=web01", {0: 60, 60: 120}), ("host=web02", {0: 400, 60: 500})],
            id="grouped by host",
        ),
        pytest.param(
            query(RACK, function="sum"), [("rack=r1", {0: 460, 60: 620}), ("rack=r2", {0: 5, 60: 9})], id="by rack"
        ),
        pytest.param(query(), [("", {0: 465 / 7, 60: 629 / 4})], id="without tags"),
        pytest.param(query(HOST, aggregator="sum"), [("", {0: 222.5, 60: 569})], id="outer aggregator"),
        pytest.param(
            query(WEB01, function="sum", end_ms=T + 30_000), [("host=web01", {0: 60})], id="until 30 s, included"
        ),
        pytest.param(
            query(WEB01, function="sum", start_ms=T + 20_000), [("host=web01", {0: 60, 60: 120})], id="start floored"
        ),
    ],
)
def test_the_worked_example(keyspace: Keyspace, asked: MetricQuery, expected: list[tuple[str, Any]]) -> None:
    found = rows(ask(keyspace, asked))
    assert [tags for tags, _ in found] == [tagged(tags) for tags, _ in expected]
    for (_, values), (_, wanted) in zip(found, expected, strict=True):
        assert values == pytest.approx(wanted, rel=1e-12)


# ---------------------------------------------------------------- aggregators by group


def by_group(keyspace: Keyspace, **more: Any) -> list[tuple[dict[bytes, bytes], dict[int, float]]]:
    """The averages of minutes of metric g, aggregated in each rack."""
    query = MetricQuery(
        b"g",
        T,
        END,
        (TagFilter(b"rack"),),
        **{"downsample": Downsample(MINUTE, "avg"), "aggregator": "sum", "by_group": True, **more},
    )
    return rows(ask(keyspace, query))


@pytest.fixture
def racks() -> Keyspace:
    keyspace = Store(1, ManualClock()).databases[0]
    put(keyspace, b"g", "host=a,rack=r1", {0: 1, 30: 3, 60: 5, 180: 9})
    put(keyspace, b"g", "host=b,rack=r1", {0: 10, 120: 40})
    put(keyspace, b"g", "host=c,rack=r2", {0: 7})
    return keyspace


def test_series_are_downsampled_one_by_one_and_have_values_on_lines(racks: Keyspace) -> None:
    # a: 2, 5, (7), 9; b: 10, (25), 40
    assert by_group(racks) == [({b"rack": b"r1"}, {0: 12, 60: 30, 120: 47, 180: 9}), ({b"rack": b"r2"}, {0: 7})]
    found = ask(racks, MetricQuery(b"g", T, END, (TagFilter(b"rack"),), aggregator="max", by_group=True))
    assert [group.aggregated_tags for group in found] == [[b"host"], []]


def test_aggregators_by_group_without_lines(racks: Keyspace) -> None:
    assert by_group(racks, aggregator="zimsum")[0][1] == {0: 12, 60: 5, 120: 40, 180: 9}
    assert by_group(racks, aggregator="count")[0][1] == {0: 2, 60: 1, 120: 1, 180: 1}


def test_without_an_aggregator_groups_are_merged_as_ever(racks: Keyspace) -> None:
    assert by_group(racks, aggregator="none")[0][1] == {0: 14 / 3, 60: 5, 120: 40, 180: 9}


def test_filling_by_group(racks: Keyspace) -> None:
    query = MetricQuery(
        b"g",
        T,
        T + 4 * MINUTE,
        (TagFilter(b"rack"),),
        Downsample(MINUTE, "avg", "zero"),
        aggregator="sum",
        by_group=True,
    )
    assert rows(ask(racks, query)) == [
        ({b"rack": b"r1"}, {0: 12, 60: 5, 120: 40, 180: 9, 240: 0}),
        ({b"rack": b"r2"}, {0: 7, 60: 0, 120: 0, 180: 0, 240: 0}),
    ]


def test_a_group_without_samples_in_the_range(racks: Keyspace) -> None:
    query = MetricQuery(b"g", T + MINUTE, END, (TagFilter(b"rack"),), aggregator="sum", by_group=True)
    assert [tags for tags, _ in rows(ask(racks, query))] == [{b"rack": b"r1"}]


# ---------------------------------------------------------------- choosing and grouping


def tags_found(keyspace: Keyspace, *filters: TagFilter, **more: Any) -> list[str]:
    """The tags of the groups, as text."""
    found = ask(keyspace, query(*filters, **more))
    return [",".join(f"{key.decode()}={value.decode()}" for key, value in group.tags.items()) for group in found]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        pytest.param([HOST, RACK], ["host=db01,rack=r2", "host=web01,rack=r1", "host=web02,rack=r1"], id="two tags"),
        pytest.param([RACK, HOST], ["rack=r1,host=web01", "rack=r1,host=web02", "rack=r2,host=db01"], id="in order"),
        pytest.param([TagFilter(b"host", (b"web01", b"db01"))], ["host=db01", "host=web01"], id="two literals"),
        pytest.param([TagFilter(b"host", (b"db01", b"nobody"))], ["host=db01"], id="one of two exists"),
        pytest.param([TagFilter(b"host")], ["host=db01", "host=web01", "host=web02"], id="any value"),
        pytest.param(
            [TagFilter(b"host", matches=re.compile(b"web.*").fullmatch)],  # type: ignore[arg-type]
            ["host=web01", "host=web02"],
            id="a pattern",
        ),
        pytest.param([TagFilter(b"host", (b"web01",), negated=True)], ["host=db01", "host=web02"], id="not a literal"),
        pytest.param(
            [TagFilter(b"host", matches=lambda value: b"web" in value, negated=True)], ["host=db01"], id="no match"
        ),
        pytest.param([WEB01, TagFilter(b"rack", (b"r2",))], [], id="nothing has both"),
        pytest.param(
            [HOST, TagFilter(b"rack", (b"r1",), grouped=False)], ["host=web01", "host=web02"], id="not grouped"
        ),
        pytest.param(
            [TagFilter(b"host", (b"web01", b"db01")), TagFilter(b"host", (b"db01",))], ["host=db01"], id="twice"
        ),
        pytest.param([WEB01, TagFilter(b"nokey", matches=is_any)], [], id="a further tag that there is not"),
        pytest.param([TagFilter(b"rack", negated=True)], [], id="without a tag that all have"),
        pytest.param([TagFilter(b"nokey", negated=True)], [""], id="without a tag that none has"),
        pytest.param([], [""], id="without filters"),
    ],
)
def test_series_are_chosen_by_tags(keyspace: Keyspace, filters: list[TagFilter], expected: list[str]) -> None:
    assert tags_found(keyspace, *filters) == expected


@pytest.mark.parametrize(
    "filters",
    [
        pytest.param([TagFilter(b"host", (b"nobody",))], id="a value that there is not"),
        pytest.param([TagFilter(b"nokey", (b"x",))], id="a key that there is not"),
        pytest.param([TagFilter(b"nokey", matches=is_any)], id="a pattern for a key that there is not"),
        pytest.param([TagFilter(b"nokey")], id="any value of a key that there is not"),
        pytest.param([HOST, TagFilter(b"rack", (b"r9",))], id="literals lead, wherever they stand"),
        pytest.param([WEB01, TagFilter(b"rack", (b"r9",))], id="the tag with fewer values leads"),
        pytest.param([TagFilter(b"host", matches=lambda value: False), RACK], id="of patterns the first"),
    ],
)
def test_the_leading_tag_must_be_there(keyspace: Keyspace, filters: list[TagFilter]) -> None:
    with pytest.raises(NoMatchingTags):
        ask(keyspace, query(*filters))
    assert ask(keyspace, query(*filters, start_ms=T + MINUTE, end_ms=T + MINUTE)) == []


def test_what_a_further_tag_does_not_find_is_no_error(keyspace: Keyspace) -> None:
    assert ask(keyspace, query(TagFilter(b"rack", (b"r1",)), TagFilter(b"host", (b"nobody",)))) == []
    assert ask(keyspace, query(HOST, TagFilter(b"rack", matches=lambda value: False))) == []


def test_a_metric_that_does_not_exist(keyspace: Keyspace) -> None:
    with pytest.raises(NoMatchingTags):
        ask(keyspace, query(metric=b"nothing"))
    assert ask(keyspace, query(metric=b"nothing", start_ms=END, end_ms=T)) == []


def test_a_match_is_asked_for_once_a_value(keyspace: Keyspace) -> None:
    for number in range(50):
        put(keyspace, b"g", f"host=web01,disk={number}", {0: 1})
    asked: list[bytes] = []

    def matches(value: bytes) -> bool:
        asked.append(value)
        return True

    ask(keyspace, query(TagFilter(b"host", matches=matches)))
    assert sorted(asked) == [b"db01", b"web01", b"web02"]


def test_series_without_the_tag_are_left_out(keyspace: Keyspace) -> None:
    put(keyspace, b"g", "host=web01", {0: 1000})
    put(keyspace, b"g", "", {0: 5000})
    assert rows(ask(keyspace, query(RACK, function="max")))[0] == ({b"rack": b"r1"}, {0: 300, 60: 500})
    assert rows(ask(keyspace, query(TagFilter(b"rack", negated=True), function="max"))) == [({}, {0: 5000})]
    assert rows(ask(keyspace, query(function="max")))[0][1][0] == 5000


def test_explicit_tags_are_all_that_a_series_has(keyspace: Keyspace) -> None:
    put(keyspace, b"g", "host=web01", {0: 1000})
    assert rows(ask(keyspace, query(WEB01, function="max", explicit_tags=True))) == [({b"host": b"web01"}, {0: 1000})]
    assert len(tags_found(keyspace, HOST, RACK, explicit_tags=True)) == 3


def test_tags_that_differ_in_a_group(keyspace: Keyspace) -> None:
    put(keyspace, b"g", "host=db01,rack=r2,only=here", {0: 1})
    assert [group.aggregated_tags for group in ask(keyspace, query(RACK))] == [[b"host"], []]
    assert [group.aggregated_tags for group in ask(keyspace, query())] == [[b"host", b"rack"]]
    assert [group.aggregated_tags for group in ask(keyspace, query(HOST))] == [[], [], []]
    assert [group.aggregated_tags for group in ask(keyspace, query(HOST, aggregator="sum"))] == [[b"host", b"rack"]]


def test_who_may_see_what(keyspace: Keyspace) -> None:
    put(keyspace, b"g", "host=web01,rack=r1", {0: 1000}, b"A&B")
    asked: list[bytes] = []

    def may_see(visibility: bytes) -> bool:
        asked.append(visibility)
        return True

    seen = query(WEB01, function="max")
    assert rows(ask(keyspace, seen)) == [({b"host": b"web01"}, {0: 30, 60: 70})]
    assert rows(ask(keyspace, seen, may_see)) == [({b"host": b"web01"}, {0: 1000, 60: 70})]
    assert rows(ask(keyspace, seen, lambda visibility: visibility == b"A&B")) == [({b"host": b"web01"}, {0: 1000})]
    assert sorted(asked) == [b"", b"A&B"]
    assert ask(keyspace, seen, lambda visibility: False) == []


def test_keys_that_hold_something_else_or_have_expired(keyspace: Keyspace) -> None:
    key = put(keyspace, b"g", "host=web09,rack=r9", {0: 1})
    keyspace.expire_at(key, keyspace.clock.now_ms + 1000)
    assert len(tags_found(keyspace, HOST)) == 4
    keyspace.clock.advance(10_000)  # type: ignore[attr-defined]
    assert len(tags_found(keyspace, HOST)) == 3
    other = put(keyspace, b"g", "host=web09,rack=r9", {0: 1})
    keyspace.put(other, b"text")
    assert len(tags_found(keyspace, HOST)) == 3
    keyspace.labels.check({key: value for key, value in keyspace.data.items() if hasattr(value, "labels")})


def test_series_that_commands_have_made_are_metrics_too(keyspace: Keyspace) -> None:
    series = SampleSeries(labels={NAME_LABEL: b"g", b"host": b"ts"}, retention_ms=10_000)
    keyspace.put_series(b"any:key", series, "ts.create")
    assert tags_found(keyspace, TagFilter(b"host", (b"ts",))) == []
    series.add_many(keyspace, b"any:key", [T, T + 30_000, T + 35_000], [1.0, 2.0, 4.0])
    found = ask(keyspace, query(TagFilter(b"host", (b"ts",)), function="sum"))
    assert rows(found) == [({b"host": b"ts"}, {0: 6})]  # the first one is older than the retention


# ---------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param({"start_ms": T, "end_ms": T}, [], id="an empty range"),
        pytest.param({"start_ms": T + 1, "end_ms": T + 1}, [{0: 10}], id="floored it is not empty"),
        pytest.param({"start_ms": T, "end_ms": T + 60_000}, [{0: 60, 60: 50}], id="the end is included"),
        pytest.param({"start_ms": T, "end_ms": T + 59_999}, [{0: 60}], id="what is behind it is not"),
        pytest.param({"start_ms": END, "end_ms": T}, [], id="the wrong way round"),
        pytest.param({"start_ms": -(1 << 70), "end_ms": 1 << 70}, [{0: 60, 60: 120}], id="beyond all integers"),
        pytest.param({"start_ms": 0, "end_ms": (1 << 63) - 1}, [{0: 60, 60: 120}], id="all there is"),
        pytest.param({"start_ms": 1 << 63, "end_ms": 1 << 64}, [], id="behind all there is"),
        pytest.param({"start_ms": -5, "end_ms": -1}, [], id="before all there is"),
        pytest.param({"start_ms": -(1 << 80), "end_ms": -(1 << 79)}, [], id="long before"),
    ],
)
def test_time_ranges(keyspace: Keyspace, more: dict[str, int], expected: list[dict[int, float]]) -> None:
    assert [values for _, values in rows(ask(keyspace, query(WEB01, function="sum", **more)))] == expected


def test_points_of_one_millisecond_are_averaged_without_downsampling(keyspace: Keyspace) -> None:
    found = rows(ask(keyspace, query(RACK, function=None, end_ms=T + 15_000)))
    assert found == [({b"rack": b"r1"}, {0: 55, 15: 20}), ({b"rack": b"r2"}, {0: 1})]
    assert rows(ask(keyspace, query(RACK, function="none", end_ms=T + 15_000))) == found


@pytest.mark.parametrize("bucket", [(1 << 63) - 1, 1 << 62, 1 << 80])
def test_one_bucket_for_all_times(keyspace: Keyspace, bucket: int) -> None:
    put(keyspace, b"g", "host=end", {})
    series = keyspace.data[b"g{host=end}"]
    assert isinstance(series, SampleSeries)
    series.add_many(keyspace, b"g{host=end}", [0, (1 << 62) - 1], [1.0, 2.0])
    downsample = Downsample(bucket, "sum")
    found = ask(keyspace, query(TagFilter(b"host", (b"end",)), start_ms=0, end_ms=1 << 63, downsample=downsample))
    assert rows(found, offset=0) == [({b"host": b"end"}, {0: 3})]


def test_the_last_times_there_are() -> None:
    keyspace = Store(clock=ManualClock()).databases[0]
    last = (1 << 63) - 1
    for tags in ("host=a", "host=b"):
        key, series = series_for(keyspace, b"g", tagged(tags))
        series.add_many(keyspace, key, [last - 10, last - 5, last], [1.0, 2.0, 4.0])
    for function, expected in (("sum", [2, 4, 8]), ("count", [2, 2, 2])):
        groups = ask(keyspace, query(start_ms=last - 10, end_ms=1 << 64, downsample=Downsample(5, function)))
        assert groups[0].times.tolist() == [last - 12, last - 7, last - 2]
        assert groups[0].values.tolist() == expected


# ---------------------------------------------------------------- rates


def rated(keyspace: Keyspace, samples: dict[int, float], rate: Rate, function: str | None = None) -> dict[int, float]:
    put(keyspace, b"c", "host=x", samples)
    [(_, values)] = rows(ask(keyspace, query(metric=b"c", function=function, rate=rate)))
    return values


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        pytest.param(Rate(1), {10: 0.002, 20: -0.0015, 40: 0.00025}, id="per ms"),
        pytest.param(Rate(1000), {10: 2, 20: -1.5, 40: 0.25}, id="per second"),
        pytest.param(Rate(MINUTE), {10: 120, 20: -90, 40: 15}, id="per minute"),
        pytest.param(Rate(1000, counter=True), {10: 2, 20: 0.5, 40: 0.25}, id="a counter whose end is not known"),
        pytest.param(Rate(1000, counter=True, counter_max=100), {10: 2, 20: 8.5, 40: 0.25}, id="one that ends at 100"),
        pytest.param(Rate(1000, counter=True, reset_value=1), {10: 0, 20: 0.5, 40: 0.25}, id="rates that are too high"),
        pytest.param(Rate(1000, reset_value=1), {10: 2, 20: -1.5, 40: 0.25}, id="no counter, no reset"),
        pytest.param(Rate(1000, counter=True, drop_resets=True), {10: 2, 40: 0.25}, id="resets dropped"),
        pytest.param(Rate(1000, drop_resets=True), {10: 2, 20: -1.5, 40: 0.25}, id="dropped of counters only"),
    ],
)
def test_rates(keyspace: Keyspace, rate: Rate, expected: dict[int, float]) -> None:
    assert rated(keyspace, {0: 0, 10: 20, 20: 5, 40: 10}, rate) == pytest.approx(expected)


def test_rates_are_made_of_each_series_before_downsampling(keyspace: Keyspace) -> None:
    per_second = Rate(1000)
    found = rows(ask(keyspace, query(RACK, function="sum", rate=per_second)))
    web01 = [10 / 15, 10 / 15], [20 / 30, 20 / 15]
    web02 = [200 / 30], [200 / 30]
    assert found[0] == (
        {b"rack": b"r1"},
        pytest.approx({0: sum(web01[0]) + sum(web02[0]), 60: sum(web01[1]) + sum(web02[1])}),
    )
    assert found[1] == ({b"rack": b"r2"}, pytest.approx({0: 3 / 45, 60: 5 / 45}))


def test_rates_begin_behind_the_first_sample_of_the_range(keyspace: Keyspace) -> None:
    found = rows(ask(keyspace, query(WEB01, function=None, rate=Rate(1000), start_ms=T + 15_000, end_ms=T + 60_000)))
    assert found == [({b"host": b"web01"}, pytest.approx({30: 10 / 15, 60: 20 / 30}))]


def test_a_single_sample_has_no_rate(keyspace: Keyspace) -> None:
    put(keyspace, b"g", "host=alone,rack=r3", {0: 5})
    assert tags_found(keyspace, RACK, rate=Rate(1000)) == ["rack=r1", "rack=r2"]


def test_rates_do_not_depend_on_chunks(keyspace: Keyspace) -> None:
    for metric, size in ((b"small", 64), (b"big", 4096)):
        series = SampleSeries(labels={NAME_LABEL: metric}, chunk_bytes=size)
        keyspace.put_series(metric, series, "ts.create")
        times = [T + 1000 * at + at * at % 7 for at in range(5000)]
        series.add_many(keyspace, metric, times, [at * 7919 % 1000 / 8 for at in range(5000)])
    asked = query(rate=Rate(1000, counter=True), function="sum", end_ms=T + 10_000_000)
    small, big = (rows(ask(keyspace, replace(asked, metric=metric))) for metric in (b"small", b"big"))
    assert small == big
    assert len(small[0][1]) == 84


# ---------------------------------------------------------------- functions, filling, outer aggregators


def test_names_of_aggregators() -> None:
    assert AGGREGATORS[:7] == ("avg", "dev", "max", "min", "sum", "count", "none")
    assert {"zimsum", "mimmin", "mimmax", "first", "last", "mult", "diff", "median", "p999", "ep50r3", "ep999r7"} <= {
        *AGGREGATORS
    }
    assert len(set(AGGREGATORS)) == len(AGGREGATORS) == 7 + 8 + 6 + 12


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        pytest.param("first", 10, id="first"),
        pytest.param("last", 30, id="last"),
        pytest.param("diff", 20, id="difference of last and first"),
        pytest.param("mult", 6000, id="product"),
        pytest.param("zimsum", 60, id="zimsum"),
        pytest.param("mimmin", 10, id="mimmin"),
        pytest.param("mimmax", 30, id="mimmax"),
        pytest.param("median", 20, id="median"),
        pytest.param("p50", 20, id="p50"),
        pytest.param("p75", 30, id="p75"),
        pytest.param("p999", 30, id="p999"),
        pytest.param("ep50r3", 20, id="ep50r3"),
        pytest.param("ep75r3", 20, id="ep75r3"),
        pytest.param("ep75r7", 25, id="ep75r7"),
        pytest.param("count", 3, id="count"),
    ],
)
def test_functions_of_a_bucket(keyspace: Keyspace, function: str, expected: float) -> None:
    [(_, values)] = rows(ask(keyspace, query(WEB01, function=function)))
    assert values[0] == pytest.approx(expected)


@pytest.mark.parametrize("function", ["first", "last", "diff"])
def test_the_first_and_the_last_of_a_group_go_by_time(keyspace: Keyspace, function: str) -> None:
    put(keyspace, b"o", "host=a", {20: 1, 40: 2})
    put(keyspace, b"o", "host=b", {10: 3, 50: 4})
    put(keyspace, b"o", "host=c", {30: 5})
    [(_, values)] = rows(ask(keyspace, query(metric=b"o", function=function)))
    assert values == {0: {"first": 3, "last": 4, "diff": 1}[function]}


def test_functions_that_do_not_exist(keyspace: Keyspace) -> None:
    with pytest.raises(UnknownFunction) as error:
        ask(keyspace, query(function="mean"))
    assert error.value.name == "mean"
    assert ask(keyspace, query(HOST, aggregator="mean"))[0].tags == {b"host": b"db01"}  # as none


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        pytest.param("none", {0: 1, 180: 2}, id="none"),
        pytest.param("nan", {0: 1, 60: NAN, 120: NAN, 180: 2, 240: NAN}, id="nan"),
        pytest.param("null", {0: 1, 60: NAN, 120: NAN, 180: 2, 240: NAN}, id="null"),
        pytest.param("zero", {0: 1, 60: 0, 120: 0, 180: 2, 240: 0}, id="zero"),
    ],
)
def test_empty_buckets_are_filled(keyspace: Keyspace, fill: str, expected: dict[int, float]) -> None:
    put(keyspace, b"f", "host=a", {5: 1, 185: 2})
    asked = query(metric=b"f", downsample=Downsample(MINUTE, "sum", fill), start_ms=T + 1, end_ms=T + 299_999)
    assert rows(ask(keyspace, asked)) == [({}, pytest.approx(expected, nan_ok=True))]


def test_an_outer_aggregator_has_the_rows_that_are_filled(keyspace: Keyspace) -> None:
    put(keyspace, b"f", "host=a", {5: 2})
    put(keyspace, b"f", "host=b", {5: 4, 65: 6})
    asked = query(HOST, metric=b"f", aggregator="avg", end_ms=T + 179_999)
    for fill, expected in (
        ("none", {0: 3, 60: 6}),
        ("zero", {0: 3, 60: 3, 120: 0}),
        ("nan", {0: 3, 60: 6, 120: NAN}),
    ):
        filled = replace(asked, downsample=Downsample(MINUTE, "sum", fill))
        assert rows(ask(keyspace, filled)) == [({}, pytest.approx(expected, nan_ok=True))]


@pytest.mark.parametrize(
    ("aggregator", "expected"),
    [
        pytest.param("sum", {0: 2, 60: 10, 120: 4, 180: 40}, id="Timely's own do not interpolate"),
        pytest.param("count", {0: 1, 60: 1, 120: 1, 180: 1}, id="count"),
        pytest.param("zimsum", {0: 2, 60: 10, 120: 4, 180: 40}, id="what is missing is 0"),
        pytest.param("mimmin", {0: 2, 60: 10, 120: 4, 180: 40}, id="what is missing is not the least"),
        pytest.param("median", {0: 2, 60: 6.5, 120: 14.5, 180: 40}, id="on the line"),
        pytest.param("mult", {0: 2, 60: 30, 120: 100, 180: 40}, id="products on the line"),
        pytest.param("first", {0: 2, 60: 3, 120: 4, 180: 40}, id="the first group"),
        pytest.param("last", {0: 2, 60: 10, 120: 25, 180: 40}, id="the last group"),
        pytest.param("diff", {0: 0, 60: 7, 120: 21, 180: 0}, id="last less first"),
    ],
)
def test_groups_that_do_not_line_up(keyspace: Keyspace, aggregator: str, expected: dict[int, float]) -> None:
    put(keyspace, b"l", "host=a", {0: 2, 120: 4})
    put(keyspace, b"l", "host=b", {60: 10, 180: 40})
    found = rows(ask(keyspace, query(HOST, metric=b"l", aggregator=aggregator)))
    assert found == [({}, pytest.approx(expected))]


@pytest.mark.parametrize(
    ("function", "expected"),
    [("sum", NAN), ("avg", NAN), ("dev", NAN), ("min", NAN), ("max", NAN), ("count", 3), ("last", 2), ("p50", 2)],
)
def test_nan_is_a_value_like_others(keyspace: Keyspace, function: str, expected: float) -> None:
    put(keyspace, b"n", "host=a", {0: 1, 10: NAN, 20: 2})
    [(_, values)] = rows(ask(keyspace, query(metric=b"n", function=function)))
    assert values == {0: pytest.approx(expected, nan_ok=True)}


def test_infinite_values_and_sums_that_are_too_big(keyspace: Keyspace) -> None:
    put(keyspace, b"i", "host=a", {0: 1e308, 10: 1e308, 60: -math.inf, 70: 1, 120: math.inf, 130: -math.inf})
    for function, expected in (
        ("avg", {0: math.inf, 60: -math.inf, 120: NAN}),
        ("dev", {0: math.inf, 60: math.inf, 120: math.inf}),
        ("max", {0: 1e308, 60: 1, 120: math.inf}),
    ):
        [(_, values)] = rows(ask(keyspace, query(metric=b"i", function=function)))
        assert values == pytest.approx(expected, nan_ok=True)


# ---------------------------------------------------------------- age-off


def test_old_samples_are_not_seen(keyspace: Keyspace) -> None:
    day = 86_400_000
    clock = keyspace.clock
    assert isinstance(clock, ManualClock)
    clock.advance(T + day + 20_000 - clock.now_ms)
    asked = query(WEB01, function="sum")
    assert rows(ask(keyspace, asked, age_off=AgeOff(day)))[0][1] == {0: 30, 60: 120}
    assert rows(ask(keyspace, asked, age_off=AgeOff(day, {b"g": 0})))[0][1] == {0: 60, 60: 120}
    assert rows(ask(keyspace, asked, age_off=AgeOff(0, {b"g": day - 45_000})))[0][1] == {60: 70}
    clock.advance(10_000)
    assert rows(ask(keyspace, asked, age_off=AgeOff(day)))[0][1] == {0: 30, 60: 120}
    clock.advance(1)
    assert rows(ask(keyspace, asked, age_off=AgeOff(day)))[0][1] == {60: 120}
    clock.advance(day)
    assert ask(keyspace, asked, age_off=AgeOff(day)) == []


def test_samples_of_the_future_do_not_grow_old(keyspace: Keyspace) -> None:
    assert keyspace.clock.now_ms < T
    assert len(ask(keyspace, query(HOST), age_off=AgeOff(1))) == 3


# ---------------------------------------------------------------- limits, and giving way


def test_too_many_rows(keyspace: Keyspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_queries, "MOST_VALUES", 10)
    put(keyspace, b"m", "host=a", dict.fromkeys(range(0, 600, 60), 1.0))
    put(keyspace, b"m", "host=b", dict.fromkeys(range(30, 630, 60), 1.0))
    assert len(rows(ask(keyspace, query(metric=b"m")))[0][1]) == 10
    for asked in (query(TagFilter(b"host"), metric=b"m"), query(metric=b"m", function=None)):
        with pytest.raises(TooManyBuckets):
            ask(keyspace, asked)
    assert len(ask(keyspace, query(TagFilter(b"host"), metric=b"m", aggregator="sum"))[0].times) == 10


def test_filling_that_makes_too_many_rows_is_refused_before_any_work(keyspace: Keyspace) -> None:
    ten_years = 10 * 365 * 86_400_000
    for filters, aggregator, start_ms in ((), "none", T - ten_years), ((HOST,), "sum", 0), ((), "none", -(1 << 63)):
        asked = query(*filters, downsample=Downsample(1, "avg", "zero"), start_ms=start_ms, aggregator=aggregator)
        with pytest.raises(TooManyBuckets):
            next(query_steps(keyspace, asked, is_public))


def test_buckets_of_a_millisecond_over_ten_years(keyspace: Keyspace) -> None:
    ten_years = 10 * 365 * 86_400_000
    found = ask(keyspace, query(downsample=Downsample(1, "sum"), start_ms=T - ten_years, end_ms=T + ten_years))
    assert rows(found) == [({}, {0: 111, 15: 20, 30: 330, 45: 4, 60: 550, 75: 70, 90: 9})]


def test_many_filters(keyspace: Keyspace) -> None:
    with pytest.raises(TooManyFilters):
        ask(keyspace, query(*[TagFilter(b"host", (b"web01",))] * 100_000))
    assert len(tags_found(keyspace, *[HOST] * metric_queries.MOST_FILTERS)) == 3
    every = tuple(b"%d" % number for number in range(100_000))
    assert tags_found(keyspace, TagFilter(b"host", (*every, b"web01"))) == ["host=web01"]


@pytest.mark.parametrize("asked", [query(function="p99"), query(HOST, aggregator="p99", function=None)])
def test_too_many_values_for_a_quantile(
    keyspace: Keyspace, monkeypatch: pytest.MonkeyPatch, asked: MetricQuery
) -> None:
    monkeypatch.setattr(metric_queries, "MOST_KEPT", 8)
    with pytest.raises(TooManyValues):
        ask(keyspace, asked)


@pytest.mark.parametrize("more", [{}, {"by_group": True, "filters": ()}])
def test_too_many_rows_that_wait_to_be_aggregated(
    keyspace: Keyspace, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    asked = query(HOST, aggregator="sum", **more)
    monkeypatch.setattr(metric_queries, "MOST_KEPT", 6)
    assert len(ask(keyspace, asked)) == 1
    monkeypatch.setattr(metric_queries, "MOST_KEPT", 5)
    with pytest.raises(TooManyValues):
        ask(keyspace, asked)


def test_rows_of_one_group_do_not_count_for_the_next(keyspace: Keyspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metric_queries, "MOST_KEPT", 4)
    assert len(ask(keyspace, query(RACK, aggregator="sum", by_group=True))) == 2


def many(keyspace: Keyspace, series: int, samples: int) -> None:
    times = [T + at * 1000 for at in range(samples)]
    for number in range(series):
        _, found = series_for(keyspace, b"big", {b"host": b"%d" % number, b"rack": b"%d" % (number % 3)})
        found.extend(times, [float(at % 100) for at in range(samples)])


def test_a_long_query_gives_way_and_sees_what_is_written_meanwhile() -> None:
    keyspace = Store(clock=ManualClock()).databases[0]
    many(keyspace, 20, 50_000)
    end_ms = T + 50_000_000 - 1
    asked = query(metric=b"big", function="count", end_ms=end_ms)
    steps = query_steps(keyspace, asked, is_public)
    turns = 0
    try:
        while True:
            next(steps)
            turns += 1
            if turns == 1:
                keyspace.delete(b"big{host=19,rack=1}")
                series = keyspace.data[b"big{host=18,rack=0}"]
                assert isinstance(series, SampleSeries)
                series.remove(keyspace, b"big{host=18,rack=0}", 0, T + 59_999)
                put(keyspace, b"big", "host=new,rack=1", {0: 1})
    except StopIteration as end:
        [group] = end.value
    assert turns >= 4
    assert group.values[:2].tolist() == [18 * 60, 19 * 60]
    assert float(group.values.sum()) == 19 * 50_000 - 60


def test_writes_between_steps_that_join_and_split_chunks() -> None:
    keyspace = Store(clock=ManualClock()).databases[0]
    key, series = series_for(keyspace, b"w", {})
    series.set_chunk_bytes(4096)
    series.extend([T + at * 1000 for at in range(400_000)], [1.0] * 400_000)
    steps = query_steps(keyspace, query(metric=b"w", function="count", end_ms=1 << 63), is_public)
    written, last = 0, T + 400_000_000
    try:
        while True:
            next(steps)
            for at in range(300):
                series.add(keyspace, key, last + (written + at) * 1000, 1.0)
                series.add(keyspace, key, T + (written + at) * 1000 + 500, 1.0)
            written += 300
            series.check()
    except StopIteration as end:
        [group] = end.value
    assert written
    # All that was there is counted once; of what came meanwhile, some.
    inside = group.values[: 400_000 // 60]
    assert (inside >= 60).all()
    assert 400_000 <= group.values.sum() <= 400_000 + 2 * written


def test_a_flush_between_steps() -> None:
    keyspace = Store(clock=ManualClock()).databases[0]
    many(keyspace, 20, 50_000)
    steps = query_steps(keyspace, query(metric=b"big", function="count", end_ms=1 << 63), is_public)
    next(steps)
    keyspace.clear()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            [group] = end.value
            break
    assert 0 < group.values.sum() < 20 * 50_000


# ---------------------------------------------------------------- against a slow model

Sampled = tuple[dict[bytes, bytes], bytes, dict[int, float]]  # tags, visibility, samples
VISIBLE = frozenset({b"", b"A"})


def quantile(values: list[float], name: str) -> float:
    ordered = sorted(values, key=lambda value: (math.isnan(value), value))
    count = len(ordered)
    digits = re.sub(r"r\d$", "", name).lstrip("ep") if name != "median" else "50"
    share = float("0." + digits)
    place = share * (count + 1)
    if name.endswith("r3"):
        place = round(share * count)
    elif name.endswith("r7"):
        place = 1 + share * (count - 1)
    place = min(max(place, 1), count)
    lower = math.floor(place)
    part = place - lower
    low = ordered[lower - 1]
    return low + part * (ordered[min(lower, count - 1)] - low) if part > 0 else low


def of_values(values: list[float], name: str) -> float:
    """What a function makes of values in order of time."""
    count = len(values)
    if name in ("min", "mimmin", "max", "mimmax"):
        return NAN if any(map(math.isnan, values)) else (min if "min" in name else max)(values)
    match name:
        case "sum" | "zimsum":
            return sum(values)
        case "avg":
            return sum(values) / count
        case "count":
            return count
        case "dev":
            return math.sqrt(sum(value * value for value in values) / (count - 1)) if count > 1 else abs(values[0])
        case "mult":
            return math.prod(values)
        case "first":
            return values[0]
        case "last":
            return values[-1]
        case "diff":
            return values[-1] - values[0]
    return quantile(values, name)


def rates_of(samples: list[tuple[int, float]], rate: Rate) -> list[tuple[int, float]]:
    made = []
    for (time1, value1), (time2, value2) in itertools.pairwise(samples):
        fallen = rate.counter and value2 < value1
        if fallen and rate.drop_resets:
            continue
        if fallen:
            value2 += rate.counter_max if rate.counter_max > 0 else value1
        found = (value2 - value1) / (time2 - time1) * rate.interval_ms
        made.append((time2, 0.0 if rate.counter and rate.reset_value > 0 and found > rate.reset_value else found))
    return made


def passes(tags: dict[bytes, bytes], each: TagFilter) -> bool:
    if not each.values and each.matches is None:
        return (each.key in tags) != each.negated
    if each.key not in tags:
        return False
    value = tags[each.key]
    return (each.matches(value) if each.matches is not None else value in each.values) != each.negated


def model(stored: list[Sampled], asked: MetricQuery) -> list[tuple[dict[bytes, bytes], dict[int, float]]] | None:
    """The answer to a query, sample by sample; None for one that has no matching tags."""
    downsample = asked.downsample if asked.downsample and asked.downsample.function != "none" else Downsample(1, "avg")
    bucket, function = downsample.interval_ms, downsample.function
    first = asked.start_ms - asked.start_ms % bucket
    if first >= asked.end_ms:
        return []
    if not stored:
        return None
    literals = [each for each in asked.filters if each.values and not each.negated]
    values = {each.key: {tags[each.key] for tags, _, _ in stored if each.key in tags} for each in asked.filters}
    leading = min(literals, key=lambda each: len(values[each.key]), default=None)
    present = [each for each in asked.filters if each.values or each.matches or not each.negated]
    if leading is None and present and present[0] is asked.filters[0]:
        leading = present[0]
    if leading is not None and not any(passes(tags, leading) for tags, _, _ in stored):
        return None
    keys = list(dict.fromkeys(each.key for each in present if each.grouped))
    groups: dict[tuple[bytes, ...], list[list[tuple[int, float]]]] = {}
    for tags, visibility, samples in sorted(stored, key=lambda each: series_key(b"g", each[0], each[1])):
        if visibility not in VISIBLE or not all(passes(tags, each) for each in asked.filters):
            continue
        if asked.explicit_tags and not tags.keys() <= {each.key for each in asked.filters}:
            continue
        found = [(time, value) for time, value in sorted(samples.items()) if first <= time <= asked.end_ms]
        rated = found if asked.rate is None else rates_of(found, asked.rate)
        groups.setdefault(tuple(tags[key] for key in keys), []).append(rated)
    outer = asked.aggregator if asked.aggregator in AGGREGATORS and asked.aggregator != "none" else None
    fill = {"none": None, "zero": 0.0}.get(downsample.fill, NAN)
    every = range(max(0, first), asked.end_ms - asked.end_ms % bucket + 1, bucket)

    def filled(rows: dict[int, float]) -> dict[int, float]:
        return rows if fill is None or not rows else {begin: rows.get(begin, fill) for begin in every}

    def reduced(series: list[list[tuple[int, float]]]) -> dict[int, float]:
        buckets: dict[int, list[tuple[int, float]]] = {}
        for samples in series:
            for time, value in samples:
                buckets.setdefault(time - time % bucket, []).append((time, value))
        return {
            begin: of_values([value for _, value in sorted(buckets[begin], key=lambda sample: sample[0])], function)
            for begin in sorted(buckets)
        }

    def aggregated(lines: list[dict[int, float]]) -> dict[int, float]:
        assert outer is not None
        lines = [filled(line) if fill == 0 else line for line in lines if line]
        if fill is None and outer in (
            INTERPOLATING | {"sum", "avg", "min", "max", "dev"} if asked.by_group else INTERPOLATING
        ):
            lines = [on_line(line, lines) for line in lines]
        return filled(
            {
                begin: of_values([line[begin] for line in lines if begin in line], outer)
                for begin in sorted({begin for line in lines for begin in line})
            }
        )

    if outer is not None and not asked.by_group:
        lines = [reduced(groups[name]) for name in sorted(groups)]
        return [({}, aggregated(lines))] if any(lines) else []
    result = []
    for name in sorted(groups):
        series = groups[name]
        rows = filled(reduced(series)) if outer is None else aggregated([reduced([each]) for each in series])
        if rows:
            result.append((dict(zip(keys, name, strict=True)), rows))
    return result


INTERPOLATING = set(AGGREGATORS[7:]) - {"zimsum", "mimmin", "mimmax"}


def on_line(group: dict[int, float], groups: Iterable[dict[int, float]]) -> dict[int, float]:
    times = sorted(group)
    found = dict(group)
    for time in {time for other in groups for time in other}:
        if times[0] < time < times[-1] and time not in group:
            before = max(each for each in times if each < time)
            after = min(each for each in times if each > time)
            rise = (group[after] - group[before]) / (after - before)
            found[time] = group[before] + rise * (time - before)
    return found


PLAIN = ["avg", "dev", "max", "min", "sum", "count", "zimsum", "mimmin", "mimmax"]
PRODUCTS = ["mult", "count"]
QUANTILES = ["median", "p50", "p75", "p999", "ep90r3", "ep90r7"]
ORDERED = ["first", "last", "diff"]


def drawn_filter(drawn: random.Random) -> TagFilter:
    some = frozenset(drawn.sample([b"x", b"y", b"z", b"q"], drawn.randint(1, 4)))
    kind = drawn.choice(["literal", "match", "any"])
    return TagFilter(
        drawn.choice([b"a", b"a", b"b", b"b", b"c", b"d"]),
        tuple(some) if kind == "literal" else (),
        some.__contains__ if kind == "match" else None,
        drawn.random() < 0.2,
        drawn.random() < 0.8,
    )


def drawn_question(drawn: random.Random) -> tuple[list[Sampled], list[Sampled], MetricQuery]:
    """Series of a metric and of another one, and a query."""
    scale = drawn.choice([1, 7, 1000, 90_000])
    start = drawn.choice([0, 5, T])
    functions = drawn.choice([PLAIN, PLAIN, QUANTILES, ORDERED, PRODUCTS])
    shifted = drawn.random() < 0.5
    odd = [NAN, math.inf, -math.inf] if drawn.random() < 0.3 else [0.1]

    def series(most: int) -> list[Sampled]:
        made: dict[Any, Sampled] = {}
        for number in range(drawn.randint(0, most)):
            tags = {key: drawn.choice([b"x", b"y", b"z"]) for key in (b"a", b"b", b"c") if drawn.random() < 0.8}
            visibility = drawn.choice([b"", b"", b"A", b"B"])
            places: Iterable[int] = drawn.sample(range(300), drawn.randint(0, 25))
            if drawn.random() < 0.5:
                places = range(drawn.randint(0, 10), drawn.randint(11, 200), drawn.randint(1, 4))
            values = [drawn.choice([drawn.randint(-200, 200) / 4, 12345.678, *odd]) for _ in range(6)]
            if functions is PRODUCTS:  # which stay within what a double is, in any order
                values = [drawn.choice([1.0, -1.0, 1.25]) for _ in range(6)]
            shift = number / 8 if shifted else 0
            times = [start + int((place + shift) * scale * 8) for place in sorted(places)]
            samples = {time: values[at % 6] for at, time in enumerate(times)}
            made[frozenset(tags.items()), visibility] = tags, visibility, samples
        return list(made.values())

    bucket = drawn.randint(1, 50) if scale == 1 else drawn.choice([1, 10, 1000, MINUTE, 3_600_000])
    low = start + drawn.choice([0, 0, -5, 17, 100, 1000]) * scale
    high = low + drawn.choice([2500, 2500, 1000, 200, 0]) * scale
    fill = "none" if (high - low) // bucket > 5000 else drawn.choice(["none", "none", "nan", "zero"])
    downsample = Downsample(bucket, drawn.choice([*functions, "none"]), fill)
    rate = Rate(
        drawn.choice([1, 1000, MINUTE]),
        drawn.random() < 0.5,
        drawn.choice([0.0, 100.0]),
        drawn.choice([0.0, 0.5]),
        drawn.random() < 0.3,
    )
    asked = MetricQuery(
        b"g",
        low,
        high,
        tuple(drawn_filter(drawn) for _ in range(drawn.choice([0, 1, 1, 2, 3]))),
        downsample if drawn.random() < 0.8 else None,
        rate if drawn.random() < 0.4 and functions is not PRODUCTS else None,
        drawn.choice(["none", "nothing", drawn.choice(functions)]),
        drawn.random() < 0.1,
        drawn.random() < 0.4,
    )
    return series(9), series(2), asked


def stored_as(metric: bytes, made: list[Sampled], keyspace: Keyspace) -> None:
    for tags, visibility, samples in made:
        key, series = series_for(keyspace, metric, tags, visibility)
        series.set_chunk_bytes(16)
        times = sorted(samples)
        series.extend(times[: len(times) // 2], [samples[time] for time in times[: len(times) // 2]])
        for time in times[len(times) // 2 :]:  # some of them in chunks that are open
            series.add(keyspace, key, time, samples[time])


@settings(max_examples=500)
@given(st.randoms(use_true_random=True).map(drawn_question))
def test_answers_are_those_of_a_slow_model(made: tuple[list[Sampled], list[Sampled], MetricQuery]) -> None:
    stored, others, asked = made
    keyspace = Store(clock=ManualClock()).databases[0]
    stored_as(b"g", stored, keyspace)
    stored_as(b"h", others, keyspace)
    expected = model(stored, asked)
    if expected is None:
        with pytest.raises(NoMatchingTags):
            ask(keyspace, asked, VISIBLE.__contains__)
        return
    found = ask(keyspace, asked, VISIBLE.__contains__)
    assert [group.tags for group in found] == [tags for tags, _ in expected]
    for group, (_, wanted) in zip(found, expected, strict=True):
        assert group.times.tolist() == list(wanted)
        assert group.values.tolist() == pytest.approx(list(wanted.values()), rel=1e-9, abs=1e-9, nan_ok=True)


# ---------------------------------------------------------------- what may be read


def test_series_that_may_not_be_read_are_as_if_they_were_not_there() -> None:
    keyspace = Store(clock=ManualClock(T)).databases[0]
    for host in (b"a", b"b"):
        key, series = series_for(keyspace, b"m", {b"host": host})
        series.add(keyspace, key, T, 1.0)

    def hosts(metric: bytes, pattern: bytes, may_read: Callable[[bytes], bool] | None) -> list[dict[bytes, bytes]]:
        wanted = TagFilter(b"host", (pattern,) if pattern else (), grouped=True)
        steps = query_steps(keyspace, MetricQuery(metric, T, END, (wanted,)), is_public, may_read=may_read)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return [group.tags for group in end.value]

    def only_a(key: bytes) -> bool:
        return key == b"m{host=a}"

    assert hosts(b"m", b"", None) == [{b"host": b"a"}, {b"host": b"b"}]
    assert hosts(b"m", b"", only_a) == [{b"host": b"a"}]
    for metric, pattern in ((b"m", b"b"), (b"m", b"nosuch"), (b"nosuch", b"")):
        with pytest.raises(NoMatchingTags):
            hosts(metric, pattern, only_a)

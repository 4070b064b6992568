"""Points of JSON documents in all their forms, and what is told of those that cannot be stored."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conftest import House

from januskv.compat.timely.points import Point, PutFault, read_points

T = 1893456000000
READ = [
    pytest.param(
        {
            "metric": "m",
            "timestamp": T,
            "value": 41.5,
            "tags": [{"key": "host", "value": "db7"}, {"key": "a", "value": "b"}],
        },
        Point(b"m", T, 41.5, {b"host": b"db7", b"a": b"b"}),
        id="the form of 0.0.2",
    ),
    pytest.param(
        {"name": "m", "timestamp": T, "measure": 41.5, "tags": [{"host": "db7"}, {"a": "b"}]},
        Point(b"m", T, 41.5, {b"host": b"db7", b"a": b"b"}),
        id="the form of 0.0.3",
    ),
    pytest.param(
        {"metric": "m", "timestamp": 1893456000, "value": 1, "tags": {"host": "db7"}},
        Point(b"m", T, 1.0, {b"host": b"db7"}),
        id="OpenTSDB's, in seconds",
    ),
    pytest.param(
        {"metric": "m", "timestamp": T, "value": 1, "tags": {"host": "db7"}},
        Point(b"m", T, 1.0, {b"host": b"db7"}),
        id="OpenTSDB's, in milliseconds",
    ),
    pytest.param(
        {"metric": "m", "timestamp": 5, "value": 1, "tags": [{"a": "b"}]},
        Point(b"m", 5, 1.0, {b"a": b"b"}),
        id="small times are milliseconds in Timely's forms",
    ),
    pytest.param(
        {"metric": "m", "timestamp": "5", "value": "2.5e3", "tags": [{"a": 1}, {"b": True}], "other": None},
        Point(b"m", 5, 2500.0, {b"a": b"1", b"b": b"true"}),
        id="texts for numbers and numbers for texts",
    ),
    pytest.param(
        {"metric": "m", "timestamp": 5.0, "value": "-Infinity", "tags": [{"viz": "A&B"}]},
        Point(b"m", 5, float("-inf"), {}, b"A&B"),
        id="a visibility",
    ),
    pytest.param({"metric": "m", "timestamp": 5, "value": 1}, Point(b"m", 5, 1.0, {}), id="no tags"),
    pytest.param(
        {"metric": "m", "timestamp": 5, "value": 1, "tags": [{"value": "x"}, {"key": "y"}]},
        Point(b"m", 5, 1.0, {b"value": b"x", b"key": b"y"}),
        id="tags that are called key and value",
    ),
]


@pytest.mark.parametrize(("document", "point"), READ)
def test_read(document: dict[str, Any], point: Point) -> None:
    assert read_points(document) == [point]
    assert read_points([document, document]) == [point, point]


REFUSED: list[Any] = [
    5,
    None,
    "x",
    {},
    {"timestamp": 1, "value": 1},
    {"metric": None, "timestamp": 1, "value": 1},
    {"metric": ["m"], "timestamp": 1, "value": 1},
    {"metric": "m", "value": 1},
    {"metric": "m", "timestamp": "x", "value": 1},
    {"metric": "m", "timestamp": 1.5, "value": 1},
    {"metric": "m", "timestamp": True, "value": 1},
    {"metric": "m", "timestamp": 2**63, "value": 1},
    {"metric": "m", "timestamp": float("nan"), "value": 1},
    {"metric": "m", "timestamp": 1},
    {"metric": "m", "timestamp": 1, "value": "x"},
    {"metric": "m", "timestamp": 1, "value": False},
    {"metric": "m", "timestamp": 1, "value": 10**400},
    {"metric": "m", "timestamp": 1, "value": 1, "tags": None},
    {"metric": "m", "timestamp": 1, "value": 1, "tags": "a=b"},
    {"metric": "m", "timestamp": 1, "value": 1, "tags": ["a=b"]},
    {"metric": "m", "timestamp": 1, "value": 1, "tags": [{}]},
    {"metric": "m", "timestamp": 1, "value": 1, "tags": [{"a": "b", "c": "d"}]},
    {"metric": "m", "timestamp": 1, "value": 1, "tags": [{"a": None}]},
    {"metric": "m", "timestamp": 1, "value": 1, "tags": [{"a": "\ud800"}]},
]


@pytest.mark.parametrize("document", REFUSED, ids=repr)
def test_no_points(document: Any) -> None:
    (found,) = read_points(document)
    assert isinstance(found, PutFault)
    good = {"metric": "m", "timestamp": 1, "value": 1}
    assert [type(each) for each in read_points([good, document, good])] == [Point, PutFault, Point]


def test_strictly_as_timely() -> None:
    timely, opentsdb = READ[0].values[0], READ[2].values[0]
    assert read_points(timely, strict=True) == [READ[0].values[1]]
    assert isinstance(read_points(opentsdb, strict=True)[0], PutFault)
    assert isinstance(read_points([timely], strict=True)[0], PutFault)


def test_put_tells_of_each_point(house: House, samples: Any) -> None:
    house.store.databases[0].put(b"taken{}", b"text")
    told = house.ingest.put(
        [
            Point(b"m", 1, 1.0, {b"a": b"b"}),
            PutFault("no point"),
            Point(b"m", -1, 1.0, {}),
            Point(b"m", 1, 1.0, {}, b"A&B|C"),
            Point(b"taken", 1, 1.0, {}),
            Point(b"", 1, 1.0, {}),
            Point(b"m", 1, 2.0, {b"a": b"b"}),
        ]
    )
    assert [fault is None for fault in told] == [True, False, False, False, False, False, True]
    assert [fault is not None and fault.about_visibility for fault in told] == [
        False,
        False,
        False,
        True,
        False,
        False,
        False,
    ]
    stats = house.server.accounts.stats
    assert (stats.timely_points_received, stats.timely_lines_refused) == (2, 5)
    house.store.databases[0].delete(b"taken{}")
    assert samples(house) == {b"m{a=b}": [(1, 2.0)]}

"""Native time-series commands beyond the conformance cases: refusals in detail, and our extensions."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def boiler(call: Any) -> Any:
    call("TS_CREATE", name="boiler", type="Ordered")
    call("TS_CREATE_INDEX", ts="boiler", key="temp")
    call("TS_ADD_EVT", ts="boiler", t=[0, 30, 60, 90], evt=[{"temp": 10}, {"temp": 20.5}, {"note": "x"}, {"temp": 40}])
    return call


def test_open_ends_and_limits(boiler: Any) -> None:
    assert boiler("TS_GET", ts="boiler", rng=[60, None])["t"] == [60, 90]
    assert boiler("TS_GET", ts="boiler", rng=[None, 30])["t"] == [0, 30]
    assert boiler("TS_GET", ts="boiler", rng=[], limit=3)["t"] == [0, 30, 60]
    assert boiler("TS_GET", ts="boiler", rng=[], limit=0)["t"] == []
    assert boiler("TS_GET", ts="boiler", rng=[], limit=1, where={"temp": {">": 10}})["t"] == [30]


def test_downsampling_a_member(boiler: Any) -> None:
    agg = {"member": "temp", "fn": ["avg", "max", "count"], "bucket": 60}
    found = boiler("TS_GET", ts="boiler", rng=[], agg=agg)
    assert found == {
        "ts": "boiler",
        "st": 1,
        "t": [0, 60],
        "agg": {"avg": [15.25, 40.0], "max": [20.5, 40.0], "count": [2.0, 1.0]},
    }
    found = boiler("TS_GET", ts="boiler", rng=[], where={"temp": {">": 15}}, agg={**agg, "fn": "sum"}, limit=1)
    assert (found["t"], found["agg"]) == ([0], {"sum": [20.5]})


@pytest.mark.parametrize(
    ("agg", "status"),
    [
        pytest.param({"fn": ["avg"], "bucket": 60}, 7, id="no member"),
        pytest.param({"member": "temp", "fn": ["avg"], "bucket": "60"}, 8, id="a bucket that is not an integer"),
        pytest.param({"member": "temp", "fn": ["avg"], "bucket": 0}, 9, id="a bucket of nothing"),
        pytest.param({"member": "temp", "fn": ["mode"], "bucket": 1}, 9, id="an unknown function"),
        pytest.param({"member": "temp", "fn": [], "bucket": 1}, 9, id="no function"),
    ],
)
def test_refused_aggregations(boiler: Any, agg: Any, status: int) -> None:
    assert boiler("TS_GET", ts="boiler", rng=[], agg=agg)["st"] == status


def test_late_events_are_put_in_their_place(boiler: Any) -> None:
    boiler("TS_ADD_EVT", ts="boiler", t=[45, 15], evt=[{"temp": 1}, {"temp": 2}])
    assert boiler("TS_GET", ts="boiler", rng=[])["t"] == [0, 15, 30, 45, 60, 90]
    assert boiler("TS_GET", ts="boiler", rng=[], where={"temp": {"<": 10}})["t"] == [15, 45]


def test_lists_and_descriptions(boiler: Any) -> None:
    assert boiler("TS_LIST") == {"st": 1, "series": [{"ts": "boiler", "type": "Ordered", "cnt": 4}]}
    info = boiler("TS_INFO", ts="boiler")
    assert info == {"st": 1, "ts": "boiler", "type": "Ordered", "cnt": 4, "first": 0, "last": 90, "idx": ["temp"]}
    assert boiler("TS_INFO", ts="nope") == {"ts": "nope", "st": 20}


def test_deleting_a_range(boiler: Any) -> None:
    assert boiler("TS_DEL_EVT", ts="boiler", rng=[30, 60]) == {"ts": "boiler", "st": 1, "cnt": 2}
    assert boiler("TS_GET", ts="boiler", rng=[])["t"] == [0, 90]
    assert boiler("TS_GET", ts="boiler", rng=[], where={"temp": {">": 15}})["t"] == [90]


def test_in_a_session(call: Any) -> None:
    token = call("SH_NEW", name="s")["tkn"]
    assert call("TS_CREATE", name="in", type="Ordered", tkn=token) == {"name": "in", "st": 1, "tkn": token}
    assert call("TS_GET", ts="in", rng=[])["st"] == 20
    assert call("TS_GET", ts="in", rng=[], tkn=token)["st"] == 1
    assert call("TS_GET_MULTI", **{"in": {"rng": []}, "tkn": token})["in"]["st"] == 1


def test_a_name_that_is_taken(call: Any, wire: Any) -> None:
    wire("SET", "k", "v")
    assert call("TS_CREATE", name="k", type="Ordered")["st"] == 21
    assert call("TS_GET", ts="k", rng=[])["st"] == 20
    call("TS_CREATE", name="s", type="Ordered")
    assert call("KV_SET", keys={"s": 1, "other": 2})["st"] == 27
    assert call("KV_COUNT")["cnt"] == 1


def test_deleting_makes_room_for_a_string(call: Any, wire: Any, house: Any) -> None:
    call("TS_CREATE", name="s", type="Ordered")
    wire("SET", "s", "v")
    assert call("TS_DELETE", name="s") == {"st": 20, "name": "s"}
    house.store.databases[0].check()


def test_samples_are_read_and_written_as_events(call: Any, wire: Any) -> None:
    wire.line("TS.ADD s 40 4 LABELS host a")
    wire.line("TS.ADD s 50 5")
    assert call("TS_GET", ts="s", rng=[50, None]) == {"ts": "s", "st": 1, "t": [50], "evt": [{"value": 5.0}]}
    assert call("TS_ADD_EVT", ts="s", t=[60, 45], evt=[{"value": 6}, {"value": 4.5}]) == {"ts": "s", "st": 1}
    assert [row[0] for row in wire.line("TS.RANGE s - +")] == [40, 45, 50, 60]
    assert call("TS_ADD_EVT", ts="s", t=[70], evt=[{"value": "x"}])["st"] == 8
    assert call("TS_ADD_EVT", ts="s", t=[-1], evt=[{"value": 1}])["st"] == 9
    assert call("TS_INFO", ts="s")["labels"] == {"host": "a"}
    assert call("TS_GET", ts="s", rng=[], where={"value": {">": 1}})["st"] == 41
    assert call("TS_GET", ts="s", rng=[], agg={"member": "value", "fn": "max", "bucket": 100})["agg"] == {"max": [6.0]}
    assert call("TS_DEL_EVT", ts="s", rng=[45, 50])["cnt"] == 2
    assert call("KV_COUNT")["cnt"] == 0


def test_filters(boiler: Any) -> None:
    boiler("TS_ADD_EVT", ts="boiler", t=[100, 110], evt=[{"site": {"name": "north"}}, {"site": {"name": "south"}}])
    for _ in range(2):
        assert boiler("TS_GET", ts="boiler", rng=[], filter="temp > 10 && temp < 40")["t"] == [30]
        assert boiler("TS_GET", ts="boiler", rng=[0, 60], filter="temp == null")["t"] == [60]
        found = boiler("TS_GET", ts="boiler", rng=[], filter="site.name == $args.name", args={"name": "south"})
        assert (found["t"], found["evt"]) == ([110], [{"site": {"name": "south"}}])
        assert boiler("TS_CREATE_INDEX", ts="boiler", key=["site", "name"])["st"] in (1, 40)
    assert boiler("TS_INFO", ts="boiler")["idx"] == ["temp", ["site", "name"]]
    agg = {"member": "temp", "fn": "sum", "bucket": 1000}
    assert boiler("TS_GET", ts="boiler", rng=[], filter="temp >= 20", agg=agg)["agg"] == {"sum": [60.5]}
    found = boiler("TS_GET_MULTI", boiler={"rng": [], "filter": "note == 'x'", "limit": 1})
    assert found["boiler"]["t"] == [60]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"filter": "temp ="}, 9),
        ({"filter": "$args.a"}, 9),
        ({"filter": 5}, 8),
        ({"args": {}}, 9),
        ({"filter": "temp", "where": {"temp": {"==": 1}}}, 9),
        ({"filters": "temp"}, 9),
    ],
)
def test_refused_filters(boiler: Any, more: Any, status: int) -> None:
    assert boiler("TS_GET", ts="boiler", rng=[], **more)["st"] == status


def test_events_that_expire(boiler: Any, house: Any) -> None:
    now_ms = house.store.clock.now_ms
    added = boiler("TS_ADD_EVT", ts="boiler", t=[1, 2, 3], evt=[{}, {"temp": 3}, {}], exp=[now_ms, now_ms + 5, None])
    assert added == {"ts": "boiler", "st": 1}
    assert boiler("TS_INFO", ts="boiler")["cnt"] == 7
    house.store.clock.advance(1)
    assert boiler("TS_GET", ts="boiler", rng=[0, 20])["t"] == [0, 2, 3]
    assert boiler("TS_GET", ts="boiler", rng=[], where={"temp": {"==": 3}})["t"] == [2]
    house.store.clock.advance(5)
    assert boiler("TS_GET", ts="boiler", rng=[], where={"temp": {"==": 3}})["t"] == []
    assert boiler("TS_INFO", ts="boiler")["cnt"] == 5


@pytest.mark.parametrize(
    ("exp", "status"), [([1], 9), ([1, "2"], 8), ([1, 0], 9), ([1, 1 << 63], 9), ([True, 1], 8), (5, 8)]
)
def test_refused_expiries(boiler: Any, exp: Any, status: int) -> None:
    assert boiler("TS_ADD_EVT", ts="boiler", t=[1, 2], evt=[{}, {}], exp=exp)["st"] == status
    assert boiler("TS_INFO", ts="boiler")["cnt"] == 4


@pytest.mark.parametrize("key", [5, [], ["a", 1], None])
def test_refused_indexes(boiler: Any, key: Any) -> None:
    assert boiler("TS_CREATE_INDEX", ts="boiler", key=key)["st"] == 8


def test_samples_by_a_filter(call: Any, wire: Any) -> None:
    for n in range(5):
        wire("TS.ADD", "s", n + 1, n)
    assert call("TS_GET", ts="s", rng=[], filter="value >= 3")["t"] == [4, 5]
    agg = {"member": "value", "fn": "sum", "bucket": 10}
    assert call("TS_GET", ts="s", rng=[], filter="value != 2", agg=agg)["agg"] == {"sum": [8.0]}

"""LATENCY and MEMORY."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conftest import encoded

from januskv.commands.histogram import Histogram, longest_at, place_of
from januskv.resp.replies import ErrorReply, Simple


@pytest.fixture
def slow(house: Any, wire: Any) -> Any:
    """A server that has noted events of two kinds, over some seconds."""
    events = house.server.accounts.latency
    for second, ms in ((100, 5), (100, 9), (100, 2), (101, 30), (103, 7)):
        events.add("command", second, ms)
    events.add("fast-command", 50, 11)
    return wire


def test_latest(slow: Any) -> None:
    assert slow("LATENCY", "LATEST") == [[b"command", 103, 7, 30], [b"fast-command", 50, 11, 11]]


def test_of_one_second_the_longest_is_kept(slow: Any) -> None:
    assert slow("LATENCY", "HISTORY", "command") == [[100, 9], [101, 30], [103, 7]]
    assert slow("LATENCY", "HISTORY", "nosuch") == []


def test_reset(slow: Any) -> None:
    assert slow("LATENCY", "RESET", "command", "nosuch") == 1
    assert slow("LATENCY", "LATEST") == [[b"fast-command", 50, 11, 11]]
    assert slow("LATENCY", "RESET") == 1
    assert slow("LATENCY", "RESET") == 0


def test_graph(slow: Any) -> None:
    lines = slow("LATENCY", "GRAPH", "command").decode().splitlines()
    assert lines[0] == "command - high 30 ms, low 7 ms (all time high 30 ms)"
    assert lines[2:6] == [" #", " #", " #", "###"]
    assert slow("LATENCY", "GRAPH", "nosuch") == ErrorReply("ERR No samples available for event 'nosuch'")


def test_doctor(make_house: Any) -> None:
    assert b"latency-monitor-threshold" in make_house().connect()("LATENCY", "DOCTOR")
    house = make_house(latency_monitor_threshold=5)
    wire = house.connect()
    assert wire("LATENCY", "DOCTOR") == b"No event has taken 5 ms or more."
    house.server.accounts.latency.add("command", 100, 7)
    assert wire("LATENCY", "DOCTOR").startswith(b"command: 1 noted, longest 7 ms.")


def test_slow_commands_are_events(make_house: Any) -> None:
    house = make_house(latency_monitor_threshold=1, enable_debug_command="yes")
    wire = house.connect()
    wire("DEBUG", "SLEEP", "0.002")
    ((kind, second, ms, longest),) = wire("LATENCY", "LATEST")
    assert (kind, second, ms) == (b"command", house.clock.now_ms // 1000, longest)
    assert ms >= 2


def test_histograms(house: Any, wire: Any) -> None:
    wire.line("SET a 1")
    wire.line("SET b 1")
    command = house.server.table.commands[b"SET"]
    command.times = None
    for us in (1, 2, 3, 30, 31, 5000):
        command.took(us * 1000, 1)
    command.took(8000, 8)  # eight at a microsecond each
    wire.line("CLIENT ID")
    table = [1, 9, 2, 10, 4, 11, 33, 13, 8454, 14]
    assert wire.line("LATENCY HISTOGRAM SET nosuch") == [b"set", [b"calls", 2, b"histogram_usec", table]]
    assert wire.line("LATENCY HISTOGRAM client")[::2] == [b"client|id"]
    assert set(wire.line("LATENCY HISTOGRAM")[::2]) == {b"set", b"client|id", b"latency|histogram"}


def test_each_time_has_a_counter() -> None:
    times = Histogram()
    for ns in (0, 1, 255, 256, 511, 512, 10**9, 10**12, -5):
        times.note(ns, 1)
    assert dict(times.counted()) == {0: 2, 1: 1, 255: 1, 257: 1, 511: 1, 515: 1, longest_at(place_of(10**9)): 2}
    edges = [longest_at(place) for place in range(place_of(10**9))]
    assert edges == sorted(set(edges))
    assert all(place_of(edge) == place != place_of(edge + 1) for place, edge in enumerate(edges))


def test_percentiles(house: Any, wire: Any) -> None:
    wire.line("SET a 1")
    command = house.server.table.commands[b"SET"]
    command.times = None
    for us in range(1, 1001):
        command.took(us * 1000, 1)
    assert b"latency_percentiles_usec_set:p50=501.759,p99=991.231,p99.9=999.423" in wire.line("INFO latencystats")
    wire.line('CONFIG SET latency-tracking-info-percentiles "100 0 99.99"')
    assert b"latency_percentiles_usec_set:p100=1003.519,p0=1.000,p99.99=1003.519" in wire.line("INFO latencystats")
    for bad in ("x", "101", "-1"):
        assert "percentiles" in wire("CONFIG", "SET", "latency-tracking-info-percentiles", bad).text.decode()
    wire.line("CONFIG SET latency-tracking no")
    before = command.times.total
    wire.line("SET a 2")
    assert command.times.total == before
    wire.line("CONFIG RESETSTAT")
    wire.line("CONFIG SET latency-tracking yes")
    wire.line("GET a")
    assert b"_set:" not in wire.line("INFO latencystats")


def test_a_batch_shares_its_time(house: Any, wire: Any) -> None:
    wire.send(encoded("SET", "a", "1") * 7 + encoded("GET", "a") * 3)
    times = {name: house.server.table.commands[name].times for name in (b"SET", b"GET")}
    assert {name: each.total for name, each in times.items()} == {b"SET": 7, b"GET": 3}


@pytest.mark.parametrize(
    ("bigger", "smaller"),
    [
        pytest.param("x" * 1000, "x", id="a longer string"),
        pytest.param({"a": "x" * 1000}, {"a": "x"}, id="a longer member"),
        pytest.param([1] * 1000, [1], id="more elements"),
        pytest.param({"a": {"b": ["x" * 1000]}}, {"a": {"b": ["x"]}}, id="nested deeper"),
    ],
)
def test_usage_grows_with_the_value(house: Any, wire: Any, bigger: Any, smaller: Any) -> None:
    from januskv.storage.values import from_json

    house.store.databases[0].put(b"b", from_json(bigger))
    house.store.databases[0].put(b"s", from_json(smaller))
    assert wire("MEMORY", "USAGE", "b") > wire("MEMORY", "USAGE", "s") + 900
    assert wire.line("MEMORY USAGE b SAMPLES 0") > 900


def test_samples_are_extrapolated(house: Any, wire: Any) -> None:
    house.store.databases[0].put(b"l", [b"x" * 100] * 1000)
    exact, estimated = wire.line("MEMORY USAGE l SAMPLES 0"), wire.line("MEMORY USAGE l SAMPLES 5")
    assert exact == estimated


@pytest.mark.parametrize(
    "line",
    [
        "XADD k 1-1 f v",
        "XGROUP CREATE k g $ MKSTREAM",
        "ZADD k 1 a",
        "SADD k a",
        "HSET k f v",
        "RPUSH k a",
        "SETRANGE k 5000 a",
        "INCR k",
        "PFADD k a",
        "TS.ADD k 1 1",
        '{"KV_SET":{"keys":{"k":{"a":[1,{"b":null}]}}}}',
        '{"TS_CREATE":{"name":"k","type":"Ordered"}}',
    ],
)
def test_usage_of_every_kind(wire: Any, line: str) -> None:
    if line.startswith("{"):
        wire(line)
    else:
        wire.line(line)
    assert [wire.line(f"MEMORY USAGE k{more}") > 20 for more in ("", " SAMPLES 0", " SAMPLES 1")] == [True] * 3


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("MEMORY USAGE nosuch", None),
        ("MEMORY USAGE k SAMPLES", ErrorReply("ERR syntax error")),
        ("MEMORY USAGE k SAMPLES -1", ErrorReply("ERR syntax error")),
        ("MEMORY USAGE k FOO 1", ErrorReply("ERR syntax error")),
        ("MEMORY USAGE k SAMPLES x", ErrorReply("ERR value is not an integer or out of range")),
        ("MEMORY PURGE", Simple(b"OK")),
    ],
)
def test_memory_answers(wire: Any, line: str, reply: Any) -> None:
    assert wire.line(line) == reply


def test_stats_and_doctor(wire: Any) -> None:
    wire("SET", "a", 1)
    wire("HELLO", 3)
    stats = dict(wire("MEMORY", "STATS"))
    assert stats[b"keys.count"] == 1
    assert stats[b"total.allocated"] <= stats[b"peak.allocated"]
    assert b"db.0" in stats
    assert b"are used" in wire("MEMORY", "DOCTOR").text

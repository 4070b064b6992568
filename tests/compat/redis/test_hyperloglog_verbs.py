"""The bytes of HyperLogLogs, which are those of Redis: where the estimate is kept, and when it is stale."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.resp.replies import NULL_ARRAY, OK

FRESH, STALE = bytes(8), bytes(7) + b"\x80"


def header(wire: Any, name: str = "h") -> bytes:
    return wire("GETRANGE", name, 8, 15)  # type: ignore[no-any-return]


def test_the_estimate_is_kept(wire: Any) -> None:
    wire("PFADD", "h")
    assert header(wire) == STALE
    assert wire("PFCOUNT", "h") == 0
    assert header(wire) == FRESH
    wire("PFADD", "h", "a", "b", "c")
    assert header(wire) == STALE
    assert wire("PFCOUNT", "h") == 3
    assert header(wire) == b"\x03" + bytes(7)
    wire("PFADD", "h", "a")
    assert header(wire) == b"\x03" + bytes(7)
    wire("PFADD", "h", "d")
    assert header(wire) == b"\x03" + bytes(6) + b"\x80"
    wire("PFMERGE", "other", "h")
    assert header(wire, "other") == STALE
    assert wire("PFCOUNT", "h", "other") == 4
    assert header(wire) == b"\x03" + bytes(6) + b"\x80"


@pytest.mark.parametrize("count", [3, 20_000])
def test_keeping_it_is_a_change(house: Any, wire: Any, count: int) -> None:
    events: list[str] = []
    wire("PFADD", "h", *range(count))
    house.store.feed.subscribe(lambda keyspace, event, key, detail: events.append(event))
    other = house.connect()
    other.line("WATCH h")
    other.line("MULTI")
    wire("PFCOUNT", "h")
    wire("PFCOUNT", "h")
    assert other.line("EXEC") == NULL_ARRAY
    assert events == ["pfcount"]


def test_nothing_is_kept_where_writes_are_refused(house: Any, wire: Any) -> None:
    wire("PFADD", "h", "a")
    house.server.state.set_write_fault("the disk is full")
    assert wire("PFCOUNT", "h") == 1
    assert header(wire) == STALE


def test_runs_of_one_value_are_joined(wire: Any) -> None:
    wire("PFADD", "h", *range(300, 900))
    text = wire("PFDEBUG", "DECODE", "h").split()
    assert any(run.startswith(b"v:") and not run.endswith(b",1") for run in text)
    before = wire("GET", "h")
    assert wire("PFMERGE", "h") == OK
    assert wire("GET", "h")[16:] == before[16:]

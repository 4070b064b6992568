"""SV_EXPORT and SH_RESTORE. What the entries of an export say, and that it comes in again: tests/tools/."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.storage.sessions import shared_token


def test_an_overview_of_all_places(call: Any, token: int) -> None:
    call("KV_SET", keys={"a": 1, "b": 2}, tkn=token)
    found = call("SV_EXPORT")
    assert found["databases"] == [0] * 16
    session = {"type": "session", "session": token, "name": "test", "shared": False, "duration": 0}
    assert found["sessions"] == [{**session, "deleteSession": False, "keys": 2}]


def test_keys_come_in_parts_and_each_once(call: Any, wire: Any) -> None:
    for number in range(25):
        wire("SET", f"k{number}", number, "PXAT", 9_999_999_999_999)
    found: list[Any] = []
    cursor, rounds = 0, 0
    while rounds == 0 or cursor:
        part = call("SV_EXPORT", **{"from": 0, "cursor": cursor, "cnt": 10})
        found += part["entries"]
        cursor, rounds = part["cursor"], rounds + 1
    assert rounds == 3
    assert {entry["key"] for entry in found} == {f"k{number}" for number in range(25)}
    entry = {"type": "string", "key": "k0", "database": 0, "value": "0", "expiry": 9_999_999_999_999}
    assert found[0] == entry


def test_keys_of_a_session_name_it(call: Any, token: int) -> None:
    call("KV_SET", keys={"a": 1}, tkn=token)
    entry = {"type": "string", "key": "a", "session": token, "value": 1, "expiry": None}
    assert call("SV_EXPORT", **{"from": token}) == {"st": 1, "cursor": 0, "entries": [entry]}


def test_keys_that_are_over_do_not_come(call: Any, wire: Any, house: Any) -> None:
    wire("SET", "a", 1, "PX", 10)
    house.clock.advance(20)
    assert call("SV_EXPORT", **{"from": 0})["entries"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"from": 99}, 100, id="no such database"),
        pytest.param({"from": 1 << 40}, 100, id="no such session"),
        pytest.param({"from": "0"}, 41, id="no number"),
        pytest.param({"from": 0, "cursor": -1}, 41, id="a negative cursor"),
    ],
)
def test_no_export(call: Any, body: dict[str, Any], status: int) -> None:
    assert call("SV_EXPORT", **body)["st"] == status


def test_a_session_is_there_again_with_its_token(call: Any) -> None:
    body = {"name": "kiosk", "shared": False, "expiry": {"duration": 10, "deleteSession": True}}
    assert call("SH_RESTORE", tkn=1 << 40, **body) == {"tkn": 1 << 40, "st": 1, "new": True}
    assert call("SH_INFO", tkn=1 << 40)["expiry"] == {"duration": 10, "remaining": 10, "deleteSession": True}
    call("KV_SET", keys={"a": 1}, tkn=1 << 40)
    assert call("SH_RESTORE", tkn=1 << 40, name="other") == {"tkn": 1 << 40, "st": 1, "new": False}
    assert call("KV_COUNT", tkn=1 << 40)["cnt"] == 1


def test_a_shared_session_is_found_by_its_name_again(call: Any) -> None:
    assert call("SH_RESTORE", tkn=shared_token("board"), name="board", shared=True)["new"]
    assert call("SH_OPEN", name="board")["tkn"] == shared_token("board")
    old = shared_token("market", bits=64)
    assert call("SH_RESTORE", tkn=old, name="market", shared=True)["new"]
    assert call("SH_OPEN", name="market")["tkn"] == old


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"name": "a"}, 26, id="no token"),
        pytest.param({"tkn": 1 << 40}, 26, id="no name"),
        pytest.param({"tkn": 1 << 40, "name": ""}, 42, id="an empty name"),
        pytest.param({"tkn": 7, "name": "a"}, 101, id="a token that a database could have"),
        pytest.param({"tkn": 1 << 40, "name": "open", "shared": True}, 103, id="the name of another shared one"),
        pytest.param({"tkn": 1 << 40, "name": "a", "expiry": {}}, 26, id="an empty expiry"),
    ],
)
def test_no_session(call: Any, body: dict[str, Any], status: int) -> None:
    call("SH_NEW", name="open", shared=True)
    assert call("SH_RESTORE", **body)["st"] == status

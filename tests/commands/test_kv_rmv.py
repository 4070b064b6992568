"""KV_RMV and KV_CLEAR."""

from __future__ import annotations

from typing import Any

import pytest


def test_missing_keys_and_other_items_are_passed_over(call: Any) -> None:
    call("KV_SET", keys={"a": 1, "b": 2, "1": 3})
    assert call("KV_RMV", keys=["a", "x", 1, None, "a"]) == {"st": 1}
    assert call("KV_KEYS")["keys"] == ["b", "1"]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        pytest.param({}, 26, "Missing parameter", id="no keys"),
        pytest.param({"keys": {}}, 41, "Param type incorrect", id="an object"),
        pytest.param({"keys": []}, 42, "Keys empty", id="no names"),
    ],
)
def test_refused(call: Any, body: dict[str, Any], status: int, text: str) -> None:
    assert call("KV_RMV", **body) == {"st": status, "tkn": None, "m": text} | (
        {"param": "keys"} if status in (26, 41) else {}
    )


def test_clear_counts_what_it_removes(call: Any) -> None:
    call("KV_SET", keys={"a": 1, "b": 2})
    assert call("KV_CLEAR") == {"st": 1, "cnt": 2}
    assert call("KV_CLEAR") == {"st": 1, "cnt": 0}


def test_removals_are_changes(call: Any, house: Any) -> None:
    call("KV_SET", keys={"a": 1, "b": 2, "c": 3})
    before = house.store.feed.changes
    call("KV_RMV", keys=["a", "x"])
    assert house.store.feed.changes - before == 1
    call("KV_CLEAR")
    assert house.store.feed.changes - before == 3


def test_series_stay(call: Any, wire: Any, hold_series: Any) -> None:
    hold_series(b"held")
    call("KV_SET", keys={"a": 1, "b": 2})
    assert call("KV_RMV", keys=["held", "a"]) == {"st": 1}
    assert call("KV_CLEAR") == {"st": 1, "cnt": 1}
    assert wire("DBSIZE") == 1


def test_clear_leaves_other_databases_and_sessions_alone(call: Any, wire: Any, token: int) -> None:
    wire("SELECT", "1")
    call("KV_SET", keys={"a": 1})
    call("KV_SET", keys={"b": 1}, tkn=token)
    wire("SELECT", "0")
    call("KV_CLEAR")
    wire("SELECT", "1")
    assert call("KV_COUNT")["cnt"] == 1
    assert call("KV_COUNT", tkn=token)["cnt"] == 1

"""KV_GET, KV_CONTAINS, KV_KEYS, KV_COUNT."""

from __future__ import annotations

import base64
from typing import Any

import pytest


def test_missing_keys_are_left_out(call: Any) -> None:
    call("KV_SET", keys={"a": 1})
    assert call("KV_GET", keys=["a", "b"]) == {"st": 1, "keys": {"a": 1}}
    assert call("KV_GET", keys=["b"]) == {"st": 1, "keys": {}}
    assert call("KV_GET", keys=[]) == {"st": 1, "keys": {}}


def test_members_come_in_the_order_asked_for(call: Any) -> None:
    call("KV_SET", keys={"a": 1, "b": 2})
    assert list(call("KV_GET", keys=["b", "a", "b"])["keys"]) == ["b", "a"]


@pytest.mark.parametrize("command", ["KV_GET", "KV_CONTAINS"])
def test_items_that_are_no_strings_are_passed_over(call: Any, command: str) -> None:
    call("KV_SET", keys={"1": 1, "null": 2})
    found = call(command, keys=[1, None, ["1"], {"1": 1}, True])
    assert found in ({"st": 1, "keys": {}}, {"st": 1, "contains": []})


def test_contains_keeps_order_and_repeats(call: Any) -> None:
    call("KV_SET", keys={"a": 1, "b": None})
    assert call("KV_CONTAINS", keys=["b", "x", "a", "b"]) == {"st": 1, "contains": ["b", "a", "b"]}


def test_keys_come_in_the_order_in_which_they_were_set(call: Any) -> None:
    call("KV_SET", keys={"b": 1, "a": 2})
    call("KV_SET", keys={"c": 3, "b": 4})
    assert call("KV_KEYS") == {"st": 1, "keys": ["b", "a", "c"]}
    assert call("KV_COUNT") == {"st": 1, "cnt": 3}


def test_nothing_there(call: Any) -> None:
    assert call("KV_KEYS") == {"st": 1, "keys": []}
    assert call("KV_COUNT") == {"st": 1, "cnt": 0}


@pytest.mark.parametrize("command", ["KV_GET", "KV_CONTAINS"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({}, 26, id="no keys"),
        pytest.param({"keys": {"a": 1}}, 41, id="an object"),
        pytest.param({"keys": "a"}, 41, id="a string"),
    ],
)
def test_refused(call: Any, command: str, body: dict[str, Any], status: int) -> None:
    assert call(command, **body)["st"] == status


def test_an_expired_key_is_gone(call: Any, wire: Any, house: Any) -> None:
    wire("SET", "k", "v", "PX", "10")
    house.clock.advance(11)
    assert call("KV_GET", keys=["k"])["keys"] == {}
    assert call("KV_CONTAINS", keys=["k"])["contains"] == []
    wire("SET", "k", "v", "PX", "10")
    house.clock.advance(11)
    assert call("KV_KEYS")["keys"] == []


def test_what_redis_verbs_wrote_is_text(call: Any, wire: Any) -> None:
    wire("SET", "k", "14")
    wire("INCR", "n")
    assert call("KV_GET", keys=["k", "n"])["keys"] == {"k": "14", "n": 1}


def test_bytes_that_are_no_text_come_in_base64(call: Any, wire: Any) -> None:
    wire("SET", "k", b"\xff\x00")
    assert call("KV_GET", keys=["k"])["keys"] == {"k": {"$base64": base64.b64encode(b"\xff\x00").decode()}}


def test_names_that_are_no_text_are_listed_with_replacement_characters(call: Any, wire: Any) -> None:
    wire("SET", b"\xff", "v")
    assert call("KV_KEYS")["keys"] == ["\ufffd"]


def test_hits_and_misses_are_counted(call: Any, house: Any) -> None:
    call("KV_SET", keys={"a": 1})
    call("KV_GET", keys=["a", "b", "c"])
    keyspace = house.store.databases[0]
    assert (keyspace.hits, keyspace.misses) == (1, 2)


def test_series_are_no_key_values(call: Any, hold_series: Any) -> None:
    hold_series(b"held")
    call("KV_SET", keys={"a": 1})
    assert call("KV_GET", keys=["held", "a"])["keys"] == {"a": 1}
    assert call("KV_CONTAINS", keys=["held", "a"])["contains"] == ["a"]
    assert call("KV_KEYS")["keys"] == ["a"]
    assert call("KV_COUNT")["cnt"] == 1

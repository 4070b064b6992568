"""KV_SET, KV_SETQ, KV_ADD, KV_ADDQ, KV_CLEAR_SET."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.resp.replies import NULL_ARRAY, Simple

VALUES = {
    "text": "Bergen",
    "empty": "",
    "unicode": "bøye \u0000 🛥",
    "int": 14,
    "least": -(1 << 63),
    "most": (1 << 64) - 1,
    "float": 0.25,
    "whole float": 1.0,
    "true": True,
    "null": None,
    "array": ["A", 1, None, ["nested", {"deep": None}]],
    "object": {"lead": "Ida", "n": None, "list": [], "": {}},
}


@pytest.mark.parametrize("command", ["KV_SET", "KV_ADD", "KV_CLEAR_SET"])
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_every_json_value_comes_back_as_it_was(call: Any, command: str, value: object) -> None:
    call(command, keys={"": value, "k": value})
    found = call("KV_GET", keys=["", "k"])["keys"]
    assert found == {"": value, "k": value}
    assert type(found["k"]) is type(value)


def test_set_overwrites_whole_values(call: Any) -> None:
    call("KV_SET", keys={"k": {"a": 1}})
    assert call("KV_SET", keys={"k": {"b": 2}}) == {"st": 1}
    assert call("KV_GET", keys=["k"])["keys"] == {"k": {"b": 2}}


def test_set_takes_the_time_to_live_away(call: Any, wire: Any) -> None:
    wire("SET", "k", "v", "EX", "10")
    call("KV_SET", keys={"k": 1})
    assert wire("TTL", "k") == -1


def test_many_keys_take_the_times_to_live_away(call: Any, wire: Any) -> None:
    wire("SET", "k1", "v", "EX", "10")
    call("KV_SET", keys={f"k{i}": i for i in range(100)})
    assert wire("TTL", "k1") == -1
    assert call("KV_COUNT")["cnt"] == 100


def test_every_key_that_is_set_is_a_change(call: Any, house: Any) -> None:
    before = house.store.feed.changes
    call("KV_SET", keys={"a": 1, "b": 2})
    assert house.store.feed.changes - before == 2


@pytest.mark.parametrize("command", ["KV_SET", "KV_ADD"])
def test_a_watched_key_that_is_set_breaks_the_transaction(call: Any, house: Any, command: str) -> None:
    other = house.connect()
    other("WATCH", "k")
    other("MULTI")
    call(command, keys={"a": 1, "k": 1})
    assert other("EXEC") is NULL_ARRAY


def test_add_keeps_what_is_there(call: Any) -> None:
    call("KV_SET", keys={"k": 1})
    assert call("KV_ADD", keys={"k": 2, "new": None}) == {"st": 1}
    assert call("KV_ADD", keys={"new": 3}) == {"st": 1}
    assert call("KV_GET", keys=["k", "new"])["keys"] == {"k": 1, "new": None}


def test_add_takes_an_expired_key_for_absent(call: Any, wire: Any, house: Any) -> None:
    wire("SET", "k", "old", "PX", "10")
    house.clock.advance(11)
    call("KV_ADD", keys={"k": "new"})
    assert call("KV_GET", keys=["k"])["keys"] == {"k": "new"}
    assert wire("TTL", "k") == -1


@pytest.mark.parametrize("command", ["KV_SETQ", "KV_ADDQ"])
def test_quiet_ones_answer_nothing(call: Any, command: str) -> None:
    assert call(command, keys={"k": 1}) is None
    assert call("KV_GET", keys=["k"])["keys"] == {"k": 1}


def test_clear_set_replaces_everything(call: Any) -> None:
    call("KV_SET", keys={"a": 1, "b": 2})
    assert call("KV_CLEAR_SET", keys={"b": 3, "c": 4}) == {"st": 1, "cnt": 2}
    assert call("KV_KEYS")["keys"] == ["b", "c"]


def test_clear_set_of_nothing_clears(call: Any) -> None:
    call("KV_SET", keys={"a": 1})
    assert call("KV_CLEAR_SET", keys={}) == {"st": 1, "cnt": 1}
    assert call("KV_COUNT")["cnt"] == 0


@pytest.mark.parametrize(
    ("command", "status"),
    [("KV_SET", 42), ("KV_SETQ", 42), ("KV_ADDQ", 42), ("KV_ADD", 1), ("KV_CLEAR_SET", 1)],
    ids=lambda value: str(value),
)
def test_empty_keys(call: Any, command: str, status: int) -> None:
    assert call(command, keys={})["st"] == status


@pytest.mark.parametrize("command", ["KV_SET", "KV_SETQ", "KV_ADD", "KV_ADDQ", "KV_CLEAR_SET"])
@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        pytest.param({}, 26, "Missing parameter", id="no keys"),
        pytest.param({"keys": ["a"]}, 41, "Param type incorrect", id="an array"),
        pytest.param({"keys": None}, 41, "Param type incorrect", id="null"),
        pytest.param({"Keys": {"a": 1}}, 26, "Missing parameter", id="names are case-sensitive"),
    ],
)
def test_refused(call: Any, command: str, body: dict[str, Any], status: int, text: str) -> None:
    call("KV_SET", keys={"kept": 1})
    assert call(command, **body) == {"st": status, "tkn": None, "m": text} | (
        {"param": "keys"} if status in (26, 41) else {}
    )
    assert call("KV_KEYS")["keys"] == ["kept"]


# ---------------------------------------------------------------- series


@pytest.mark.parametrize("command", ["KV_SET", "KV_SETQ", "KV_CLEAR_SET"])
def test_a_name_held_by_a_series_refuses_the_whole_request(call: Any, hold_series: Any, command: str) -> None:
    hold_series(b"held")
    call("KV_SET", keys={"kept": 1})
    assert call(command, keys={"a": 1, "held": 2})["st"] == 27
    assert call("KV_KEYS")["keys"] == ["kept"]


@pytest.mark.parametrize("command", ["KV_ADD", "KV_ADDQ"])
def test_adding_passes_over_a_series(call: Any, house: Any, hold_series: Any, command: str) -> None:
    series = hold_series(b"held")
    call(command, keys={"a": 1, "held": 2})
    assert call("KV_KEYS")["keys"] == ["a"]
    assert house.store.databases[0].data[b"held"] is series


def test_clear_set_leaves_series_alone(call: Any, wire: Any, hold_series: Any) -> None:
    hold_series(b"held")
    call("KV_SET", keys={"a": 1})
    assert call("KV_CLEAR_SET", keys={"b": 1}) == {"st": 1, "cnt": 1}
    assert wire("EXISTS", "held", "a", "b") == 2


# ---------------------------------------------------------------- the other face


@pytest.mark.parametrize(
    ("value", "text"),
    [("v", b"v"), (26, b"26"), (0.5, b"0.5"), (True, b"true"), (None, b"null"), (-0.0, b"-0.0")],
    ids=str,
)
def test_redis_verbs_see_scalars_as_strings(call: Any, wire: Any, value: object, text: bytes) -> None:
    call("KV_SET", keys={"k": value})
    assert wire("TYPE", "k") == Simple(b"string")
    assert wire("GET", "k") == text


@pytest.mark.parametrize(("value", "kind"), [({"a": 1}, b"hash"), ({}, b"hash"), ([1], b"list")], ids=str)
def test_redis_verbs_see_objects_and_arrays_as_hashes_and_lists(
    call: Any, wire: Any, value: object, kind: bytes
) -> None:
    call("KV_SET", keys={"k": value})
    assert wire("TYPE", "k") == Simple(kind)


# ---------------------------------------------------------------- byte strings


@pytest.mark.parametrize(
    ("value", "held"),
    [
        pytest.param({"$base64": "/wA="}, b"\xff\x00", id="bytes"),
        pytest.param({"$base64": ""}, b"", id="none"),
        pytest.param({"$base64": "aGk="}, b"hi", id="bytes that are text"),
        pytest.param([{"$base64": "/w=="}, 1], [b"\xff", 1], id="in an array"),
    ],
)
def test_bytes_are_written_as_they_are_read(call: Any, house: Any, value: object, held: object) -> None:
    assert call("KV_SET", keys={"k": value}) == {"st": 1}
    assert house.store.databases[0].get(b"k") == held
    assert call("KV_ADD", keys={"other": value}) == {"st": 1}
    assert call("KV_GET", keys=["other"])["keys"]["other"] == call("KV_GET", keys=["k"])["keys"]["k"]


def test_bytes_in_an_object(call: Any, wire: Any) -> None:
    value = {"photo": {"$base64": "/wA="}, "size": 2}
    call("KV_SET", keys={"k": value})
    assert wire("HGET", "k", "photo") == b"\xff\x00"
    assert call("KV_GET", keys=["k"])["keys"] == {"k": value}
    call("KV_UPDATE", key="k", path="$.size", value={"$base64": "/g=="})
    assert wire("HGET", "k", "size") == b"\xfe"
    call("KV_SET", keys={"l": []})
    call("KV_ARR_APPEND", key="l", items=[{"$base64": "/w=="}])
    assert wire("LRANGE", "l", 0, -1) == [b"\xff"]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"$base64": "/w"}, id="no padding"),
        pytest.param({"$base64": "?"}, id="a character that is none of base64's"),
        pytest.param({"$base64": "\u00e4"}, id="no ASCII"),
        pytest.param({"$base64": 5}, id="a number"),
        pytest.param({"$base64": "/w==", "more": 1}, id="another member"),
        pytest.param({"a": {"b": {"$base64": "/w=="}}}, id="deeper than a member"),
    ],
)
def test_what_only_looks_like_bytes_is_an_object(call: Any, wire: Any, value: object) -> None:
    call("KV_SET", keys={"k": value})
    assert call("KV_GET", keys=["k"])["keys"] == {"k": value}
    assert wire("TYPE", "k").text == b"hash"

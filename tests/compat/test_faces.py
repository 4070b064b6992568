"""One meaning across faces: what is written through one is read through every other, and keeps its JSON types (DESIGN, section 4)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from januskv.resp.replies import ErrorReply, Simple


def native(wire: Any, command: str, body: dict[str, Any]) -> Any:
    """The reply to a JSON line, without its envelope."""
    return orjson.loads(wire.send(orjson.dumps({command: body}) + b"\n"))[f"{command}_RSP"]


def kv(value: Any) -> tuple[str, Any]:
    """Write the key k as a JSON client does."""
    return "KV_SET", {"keys": {"k": value}}


WRONG = "WRONGTYPE Operation against a key holding the wrong kind of value"

# How it is written -> TYPE, what a JSON client reads, and command lines with their replies.
VALUES: list[tuple[str, Any, str, Any, dict[str, Any]]] = [
    (
        "a JSON integer",
        kv(26),
        "string",
        26,
        {"GET k": b"26", "STRLEN k": 2, "GETRANGE k 0 0": b"2", "HGET k f": WRONG},
    ),
    ("a JSON float", kv(0.5), "string", 0.5, {"GET k": b"0.5", "GETBIT k 2": 1}),
    ("a JSON boolean", kv(True), "string", True, {"GET k": b"true"}),
    ("a JSON null", kv(None), "string", None, {"GET k": b"null", "EXISTS k": 1}),
    ("a JSON string", kv("ä"), "string", "ä", {"GET k": "ä".encode(), "BITCOUNT k": 7, "LLEN k": WRONG}),
    ("2^64-1", kv(18446744073709551615), "string", 18446744073709551615, {"GET k": b"18446744073709551615"}),
    (
        "a JSON object",
        kv({"n": 1, "t": "x", "o": {"a": [1]}, "z": None}),
        "hash",
        {"n": 1, "t": "x", "o": {"a": [1]}, "z": None},
        {
            "HGET k n": b"1",
            "HGET k o": b'{"a":[1]}',
            "HGET k z": b"null",
            "HLEN k": 4,
            "HKEYS k": [b"n", b"t", b"o", b"z"],
            "GET k": WRONG,
        },
    ),
    (
        "a JSON array",
        kv([1, "x", [2], None, False]),
        "list",
        [1, "x", [2], None, False],
        {"LRANGE k 0 -1": [b"1", b"x", b"[2]", b"null", b"false"], "LLEN k": 5, "LPOS k x": 1, "SMEMBERS k": WRONG},
    ),
    ("SET", "SET k text", "string", "text", {"GET k": b"text"}),
    ("SET of what is not text", ("SET", b"k", b"\xff"), "string", {"$base64": "/w=="}, {"STRLEN k": 1}),
    ("INCR of nothing", "INCR k", "string", 1, {"GET k": b"1"}),
    ("HSET", "HSET k a 1 b x", "hash", {"a": "1", "b": "x"}, {"HGET k a": b"1", "LLEN k": WRONG}),
    ("HINCRBY of nothing", "HINCRBY k a 5", "hash", {"a": 5}, {"HGET k a": b"5"}),
    ("RPUSH", "RPUSH k 1 x", "list", ["1", "x"], {"LINDEX k 0": b"1"}),
    ("SADD", "SADD k x", "set", ["x"], {"SISMEMBER k x": 1, "GET k": WRONG}),
    ("ZADD", "ZADD k 2 b 1 a", "zset", {"a": 1.0, "b": 2.0}, {"ZRANK k b": 1, "GET k": WRONG}),
    ("GEOADD", "GEOADD k 0 0 a", "zset", {"a": 3377699720527872.0}, {"GEOHASH k a": [b"s0000000000"]}),
    ("XADD", "XADD k 1-1 f v", "stream", [["1-1", {"f": "v"}]], {"XLEN k": 1, "GET k": WRONG}),
    ("SETBIT", "SETBIT k 1 1", "string", "@", {"GET k": b"@"}),
]


def write(wire: Any, how: Any) -> None:
    if isinstance(how, str):
        assert not isinstance(wire.line(how), ErrorReply)
    elif how[0] == "KV_SET":
        assert native(wire, *how) == {"st": 1}
    else:
        wire(*how)


@pytest.mark.parametrize(
    ("how", "kind", "json", "lines"), [each[1:] for each in VALUES], ids=[each[0] for each in VALUES]
)
def test_what_every_face_reads(wire: Any, how: Any, kind: str, json: Any, lines: dict[str, Any]) -> None:
    write(wire, how)
    assert wire.line("TYPE k") == Simple(kind.encode())
    assert native(wire, "KV_GET", {"keys": ["k"]})["keys"] == {"k": json}
    assert native(wire, "KV_CONTAINS", {"keys": ["k"]})["contains"] == ["k"]
    assert native(wire, "KV_KEYS", {})["keys"] == ["k"]
    assert native(wire, "KV_COUNT", {})["cnt"] == 1
    assert wire.line("KEYS *") == [b"k"]
    assert wire.line("DBSIZE") == 1
    for line, expected in lines.items():
        reply = wire.line(line)
        assert reply == (ErrorReply(WRONG) if expected == WRONG else expected), line
    # Reading has changed nothing.
    assert native(wire, "KV_GET", {"keys": ["k"]})["keys"] == {"k": json}
    assert native(wire, "KV_RMV", {"keys": ["k"]})["st"] == 1
    assert wire.line("EXISTS k") == 0


# Written as JSON, changed by a Redis verb -> what a JSON client reads then.
CHANGES = [
    (26, "INCR k", 27),
    (26, "INCRBY k -6", 20),
    (26, "APPEND k 0", "260"),
    ("x", "APPEND k y", "xy"),
    ({"n": 1, "t": "x", "l": [1]}, "HINCRBY k n 2", {"n": 3, "t": "x", "l": [1]}),
    ({"n": 1, "t": "x"}, "HSET k t 5", {"n": 1, "t": "5"}),
    ({"n": 1, "b": True}, "HDEL k n", {"b": True}),
    ({"n": 1}, "HSETNX k m v", {"n": 1, "m": "v"}),
    ([1, None, {"a": 2}], "RPUSH k x", [1, None, {"a": 2}, "x"]),
    ([1, None, {"a": 2}], "LPOP k", [None, {"a": 2}]),
    ([1, 2, 3], "LSET k 1 x", [1, "x", 3]),
    ([1, 2, 3], "LINSERT k BEFORE 2 x", [1, "x", 2, 3]),
    ([1, 2, 1], "LREM k 0 1", [2]),
    ([1, 2, 3], "LTRIM k 1 -1", [2, 3]),
    ([3, 1, 2], "SORT k STORE k", ["1", "2", "3"]),
]


@pytest.mark.parametrize(("value", "line", "after"), CHANGES, ids=[f"{line} on {value}" for value, line, _ in CHANGES])
def test_verbs_keep_the_types_that_they_do_not_touch(wire: Any, value: Any, line: str, after: Any) -> None:
    write(wire, kv(value))
    assert not isinstance(wire.line(line), ErrorReply)
    assert native(wire, "KV_GET", {"keys": ["k"]})["keys"] == {"k": after}


def test_json_paths_see_what_verbs_wrote(wire: Any) -> None:
    wire.line("HSET ida name Ida city Oslo")
    wire.line("HSET bo name Bo city Bergen")
    wire.line("RPUSH queue a b")
    wire.line("ZADD board 3 Ida")
    assert native(wire, "KV_FIND", {"path": "$[?@ == 'Oslo']", "rsp": "keys"})["keys"] == ["ida"]
    assert native(wire, "KV_FIND", {"path": "$.name", "rsp": "kv"})["keys"] == {
        "ida": {"name": "Ida", "city": "Oslo"},
        "bo": {"name": "Bo", "city": "Bergen"},
    }
    assert native(wire, "KV_FIND", {"path": "$[1]", "rsp": "keys", "keys": ["queue"]})["keys"] == ["queue"]
    assert native(wire, "KV_FIND", {"path": "$.Ida", "rsp": "keys"})["keys"] == ["board"]
    assert native(wire, "KV_UPDATE", {"key": "ida", "path": "$.city", "value": "Rome"})["st"] == 1
    assert wire.line("HGET ida city") == b"Rome"


@pytest.mark.parametrize("line", ["SADD k x", "ZADD k 1 x", "XADD k 1-1 f v"])
def test_what_json_only_reads_is_not_patched(wire: Any, line: str) -> None:
    wire.line(line)
    kind = wire.line("TYPE k")
    before = native(wire, "KV_GET", {"keys": ["k"]})
    for path in ("$", "$[0]", "$.x", "$..*"):
        assert native(wire, "KV_UPDATE", {"key": "k", "path": path, "value": 5})["st"] == 41
    assert native(wire, "KV_ARR_APPEND", {"key": "k", "items": [1]})["st"] == 1000
    assert wire.line("TYPE k") == kind
    assert native(wire, "KV_GET", {"keys": ["k"]}) == before


def test_patches_of_long_lists_and_hashes_with_deadlines(wire: Any) -> None:
    wire("RPUSH", "l", *range(3000), b"\xff")
    wire.line("RPUSH l tail")
    assert native(wire, "KV_UPDATE", {"key": "l", "path": "$[5]", "value": {"a": 1}}) == {"st": 1, "cnt": 1}
    assert [wire.line(f"LINDEX l {at}") for at in (4, 5, 6, 3000, -1)] == [b"4", b'{"a":1}', b"6", b"\xff", b"tail"]
    assert native(wire, "KV_ARR_APPEND", {"key": "l", "items": [7]})["st"] == 1
    assert wire.line("LLEN l") == 3003
    wire.line("HSET h a 1 b 2")
    wire.line("HEXPIRE h 100 FIELDS 2 a b")
    assert native(wire, "KV_UPDATE", {"key": "h", "path": "$.a", "value": 5}) == {"st": 1, "cnt": 1}
    assert wire.line("HTTL h FIELDS 2 a b") == [-1, 100]
    assert native(wire, "KV_GET", {"keys": ["h"]})["keys"] == {"h": {"a": 5, "b": "2"}}


SERIES = ["TS.ADD k 1 2.5", ("TS_CREATE", b'{"name":"k","type":"Ordered"}')]


@pytest.mark.parametrize("how", SERIES, ids=["samples", "events"])
def test_series_are_no_key_values(wire: Any, how: Any) -> None:
    write(wire, how)
    assert native(wire, "KV_KEYS", {})["keys"] == []
    assert native(wire, "KV_COUNT", {})["cnt"] == 0
    assert native(wire, "KV_GET", {"keys": ["k"]})["keys"] in ({}, {"k": None})
    assert native(wire, "KV_CONTAINS", {"keys": ["k"]})["contains"] == []
    assert native(wire, "KV_SET", {"keys": {"other": 1, "k": 1}})["st"] == 27
    assert wire.line("EXISTS k other") == 1
    assert native(wire, "KV_CLEAR", {})["cnt"] == 0
    assert wire.line("EXISTS k") == 1
    for line in ("GET k", "HGETALL k", "LRANGE k 0 -1", "SMEMBERS k", "ZCARD k", "XLEN k"):
        assert wire.line(line) == ErrorReply(WRONG), line
    assert wire.line("DEL k") == 1

"""Set commands beyond what the transcripts compare: other faces, encodings, cursors."""

from __future__ import annotations

from typing import Any

import orjson
import pytest


def native(wire: Any, request: dict[str, Any]) -> Any:
    return orjson.loads(wire.send(orjson.dumps(request) + b"\n"))


def test_a_set_is_an_array_to_json(wire: Any) -> None:
    wire.line("SADD s b")
    assert native(wire, {"KV_GET": {"keys": ["s"]}})["KV_GET_RSP"]["keys"] == {"s": ["b"]}
    assert native(wire, {"KV_KEYS": {}})["KV_KEYS_RSP"]["keys"] == ["s"]
    native(wire, {"KV_SET": {"keys": {"s": ["x", "y"]}}})
    assert wire.line("TYPE s").text == b"list"


@pytest.mark.parametrize(
    ("members", "encoding"),
    [
        (["1", "2"], b"intset"),
        (["1", "a"], b"listpack"),
        (["x" * 64], b"listpack"),
        (["x" * 65], b"hashtable"),
        ([f"m{n}" for n in range(128)], b"listpack"),
        ([f"m{n}" for n in range(129)], b"hashtable"),
        ([str(n) for n in range(512)], b"intset"),
        ([str(n) for n in range(513)], b"hashtable"),
        (["01"], b"listpack"),
    ],
)
def test_encodings_by_the_thresholds_of_redis_7_4(wire: Any, members: list[str], encoding: bytes) -> None:
    wire("SADD", "s", *members)
    assert wire.line("OBJECT ENCODING s") == encoding


def test_members_that_stay_are_scanned_while_others_come_and_go(wire: Any) -> None:
    stay = {b"stay%d" % n for n in range(2000)}
    wire("SADD", "s", *stay, *[f"go{n}" for n in range(2000)])
    cursor, found, turn = b"0", set(), 0
    while True:
        cursor, page = wire("SSCAN", "s", cursor, "COUNT", "100")
        found |= set(page)
        turn += 1
        wire("SREM", "s", *[f"go{n}" for n in range(turn * 40, turn * 40 + 40)])
        wire("SADD", "s", *[f"new{turn}-{n}" for n in range(50)])
        if cursor == b"0":
            break
    assert stay <= found


def test_memory_usage_counts_members(wire: Any) -> None:
    wire("SADD", "s", *range(1000))
    small = wire.line("MEMORY USAGE s")
    wire("SADD", "s", *range(1000, 10_000))
    assert wire.line("MEMORY USAGE s SAMPLES 0") > 5 * small


def test_more_repeated_members_than_a_reply_may_have_are_refused(wire: Any) -> None:
    wire.line("SADD s a")
    assert wire.line("SRANDMEMBER s -1000000000000").text == b"ERR value is out of range"
    assert wire.line("SRANDMEMBER s -3") == [b"a"] * 3

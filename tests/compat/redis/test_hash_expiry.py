"""Deadlines of fields: codes, conditions, what clears them, and that an overdue field is never seen."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from januskv.resp.replies import ErrorReply

from .test_pubsub import got


@pytest.fixture
def hash_(wire: Any) -> Any:
    wire.line("HSET h a 1 b 2 c 3")
    return wire


ANSWERS = [
    ("HEXPIRE h 100 FIELDS 2 a nofield", [1, -2]),
    ("HPEXPIRE h 100 FIELDS 1 a", [1]),
    ("HEXPIRE nokey 100 FIELDS 2 a b", [-2, -2]),
    ("HEXPIRE h 0 FIELDS 1 a", [2]),
    ("HEXPIREAT h 1 FIELDS 2 a b", [2, 2]),
    ("HEXPIRE h 100 NX FIELDS 1 a", [1]),
    ("HEXPIRE h 100 XX FIELDS 1 a", [0]),
    ("HEXPIRE h 100 GT FIELDS 1 a", [0]),
    ("HEXPIRE h 100 LT FIELDS 1 a", [1]),
    ("HEXPIRE h 100 FIELDS 2 a a", [1, 1]),
    ("HTTL h FIELDS 2 a nofield", [-1, -2]),
    ("HPTTL nokey FIELDS 1 a", [-2]),
    ("HEXPIRETIME h FIELDS 1 a", [-1]),
    ("HPERSIST h FIELDS 2 a nofield", [-1, -2]),
    ("HPERSIST nokey FIELDS 1 a", [-2]),
]


@pytest.mark.parametrize(("line", "answer"), ANSWERS, ids=[line for line, _ in ANSWERS])
def test_answers(hash_: Any, line: str, answer: Any) -> None:
    assert hash_.line(line) == answer


REFUSALS = [
    ("HEXPIRE h x FIELDS 1 a", "ERR value is not an integer or out of range"),
    ("HEXPIRE h -1 FIELDS 1 a", "ERR invalid expire time, must be >= 0"),
    ("HEXPIRE h 99999999999999 FIELDS 1 a", "ERR invalid expire time in 'hexpire' command"),
    ("HPEXPIREAT h 99999999999999999 FIELDS 1 a", "ERR invalid expire time in 'hpexpireat' command"),
    ("HEXPIRE h 100 FOO 1 a", "ERR wrong number of arguments for 'hexpire' command"),
    ("HEXPIRE h 100 FOO 1 a b", "ERR Mandatory argument FIELDS is missing or not at the right position"),
    ("HEXPIRE h 100 FIELDS 0 a", "ERR Parameter `numFields` should be greater than 0"),
    ("HEXPIRE h 100 FIELDS x a", "ERR Parameter `numFields` should be greater than 0"),
    ("HEXPIRE h 100 FIELDS 2 a", "ERR The `numfields` parameter must match the number of arguments"),
    ("HEXPIRE h 100 FIELDS 1 a b", "ERR The `numfields` parameter must match the number of arguments"),
    ("HTTL h FOO 1 a", "ERR Mandatory argument FIELDS is missing or not at the right position"),
    ("HTTL s FIELDS 1 a", "WRONGTYPE Operation against a key holding the wrong kind of value"),
    ("HEXPIRE s 1 FIELDS 1 a", "WRONGTYPE Operation against a key holding the wrong kind of value"),
]


@pytest.mark.parametrize(("line", "text"), REFUSALS, ids=[line for line, _ in REFUSALS])
def test_refusals(hash_: Any, line: str, text: str) -> None:
    hash_.line("SET s x")
    if line == "HEXPIRE h 100 FOO 1 a":
        text = "ERR Mandatory argument FIELDS is missing or not at the right position"
    assert hash_.line(line) == ErrorReply(text)
    assert hash_.line("HTTL h FIELDS 3 a b c") == [-1, -1, -1]


def test_conditions_with_a_deadline(hash_: Any) -> None:
    hash_.line("HEXPIRE h 100 FIELDS 1 a")
    assert hash_.line("HEXPIRE h 50 NX FIELDS 1 a") == [0]
    assert hash_.line("HEXPIRE h 50 GT FIELDS 1 a") == [0]
    assert hash_.line("HEXPIRE h 200 LT FIELDS 1 a") == [0]
    assert hash_.line("HEXPIRE h 200 GT FIELDS 1 a") == [1]
    assert hash_.line("HTTL h FIELDS 1 a") == [200]
    assert hash_.line("HPERSIST h FIELDS 1 a") == [1]
    assert hash_.line("HPTTL h FIELDS 1 a") == [-1]


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("HSET h a 9", -1),
        ("HMSET h a 9", -1),
        ("HINCRBY h a 5", 100),
        ("HINCRBYFLOAT h a 0.5", 100),
        ("HSETNX h a 1", 100),
    ],
)
def test_what_clears_a_deadline(hash_: Any, line: str, left: int) -> None:
    hash_.line("HEXPIRE h 100 FIELDS 1 a")
    hash_.line(line)
    assert hash_.line("HTTL h FIELDS 1 a") == [left]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("HGET h a", None),
        ("HLEN h", 2),
        ("HKEYS h", [b"b", b"c"]),
        ("HGETALL h", [b"b", b"2", b"c", b"3"]),
        ("HEXISTS h a", 0),
        ("HSCAN h 0", [b"0", [b"b", b"2", b"c", b"3"]]),
        ("HMGET h a b", [None, b"2"]),
        ("HDEL h a", 0),
        ("HSETNX h a 5", 1),
        ("HINCRBY h a 5", 5),
        ("HTTL h FIELDS 1 a", [-2]),
    ],
)
def test_an_overdue_field_is_not_seen(house: Any, hash_: Any, line: str, answer: Any) -> None:
    hash_.line("HPEXPIRE h 10 FIELDS 1 a")
    house.clock.advance(11)
    assert hash_.line(line) == answer


def test_json_sees_the_same_hash(house: Any, hash_: Any) -> None:
    hash_.line("HPEXPIRE h 10 FIELDS 1 a")
    request = b'{"KV_GET":{"keys":["h"]}}\n'
    assert orjson.loads(hash_.send(request))["KV_GET_RSP"]["keys"]["h"] == {"a": "1", "b": "2", "c": "3"}
    house.clock.advance(11)
    assert orjson.loads(hash_.send(request))["KV_GET_RSP"]["keys"]["h"] == {"b": "2", "c": "3"}


def test_fields_expire_by_themselves_and_the_key_with_the_last(house: Any, hash_: Any) -> None:
    listener = house.connect()
    hash_.line("CONFIG SET notify-keyspace-events KA")
    hash_.line("HPEXPIRE h 10 FIELDS 1 a")
    hash_.line("HPEXPIRE h 500 FIELDS 2 b c")
    listener.line("PSUBSCRIBE *")
    got(listener)
    house.advance(100)
    assert [message[3] for message in got(listener)] == [b"hexpired"]
    hash_.line("RENAME h g")
    house.advance(500)
    assert [message[3] for message in got(listener)] == [b"rename_from", b"rename_to", b"hexpired", b"del"]
    assert hash_.line("DBSIZE") == 0


def test_copies_keep_deadlines(hash_: Any) -> None:
    hash_.line("HEXPIRE h 100 FIELDS 1 a")
    hash_.line("COPY h g")
    hash_.line("HPERSIST h FIELDS 1 a")
    assert hash_.line("HTTL g FIELDS 1 a") == [100]
    assert hash_.line("OBJECT ENCODING g") == b"listpackex"
    assert hash_.line("TYPE g").text == b"hash"

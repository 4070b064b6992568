"""OBJECT ENCODING of sets and sorted sets that shrink: once they were more than integers, or many, they stay what they were."""

from __future__ import annotations

from typing import Any

import pytest


def words(numbers: range) -> str:
    return " ".join(map(str, numbers))


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        (["SADD s 1 2 a", "SREM s a"], b"listpack"),
        (["SADD s 1 2 a b", "SREM s a", "SREM s b"], b"listpack"),
        (["SADD s 1 2", "SREM s 1"], b"intset"),
        ([f"SADD s {words(range(513))}", f"SREM s {words(range(500))}"], b"hashtable"),
        ([f"SADD s {words(range(512))}", f"SREM s {words(range(500))}"], b"intset"),
        ([f"SADD s a {words(range(128))}", "SREM s 5"], b"hashtable"),
        ([f"SADD s a {words(range(128))}", "SREM s a"], b"hashtable"),
        ([f"SADD s a {words(range(127))}", "SREM s 5"], b"listpack"),
        ([f"SADD s 1 2 {'x' * 65}", f"SREM s {'x' * 65}"], b"hashtable"),
        (["SADD s 1 2 a", "SREM s a", "COPY s t", "DEL s", "RENAME t s"], b"listpack"),
        (["SADD s 1 2 a", "SREM s a", "SUNIONSTORE t s", "RENAME t s"], b"intset"),
        (["SADD s 1 2 a", "SMOVE s t a"], b"listpack"),
        (["SADD s 1 2 a", "SREM s a", "DEL s", "SADD s 1"], b"intset"),
        (["SADD s 1 2 a", "SREM s a 1 2", "SADD s 1"], b"intset"),
    ],
)
def test_encodings(wire: Any, lines: list[str], shown: bytes) -> None:
    for line in lines:
        wire.line(line)
    assert wire.line("OBJECT ENCODING s") == shown


def test_popping(wire: Any) -> None:
    wire.line(f"SADD s {words(range(600))}")
    wire.line("SPOP s 590")
    wire.line("SPOP s")
    assert wire.line("OBJECT ENCODING s") == b"hashtable"


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        (["ZREM z x0"], b"skiplist"),
        (["ZREMRANGEBYRANK z 0 100"], b"skiplist"),
        (["ZPOPMIN z 120", "COPY z y", "DEL z", "RENAME y z"], b"skiplist"),
        (["ZREMRANGEBYSCORE z 0 100", "ZUNIONSTORE z 1 z"], b"listpack"),
        (["DEL z", "ZADD z 1 a"], b"listpack"),
        (["DEL z", f"ZADD z 1 a 2 {'x' * 65}", "ZPOPMAX z"], b"skiplist"),
        (["DEL z", "ZADD z 1 a 2 b", "ZREM z a"], b"listpack"),
    ],
)
def test_sorted_sets(wire: Any, lines: list[str], shown: bytes) -> None:
    wire.line("ZADD z " + " ".join(f"{number} x{number}" for number in range(129)))
    for line in lines:
        wire.line(line)
    assert wire.line("OBJECT ENCODING z") == shown


def test_nothing_is_kept_of_sets_that_are_gone(house: Any, wire: Any) -> None:
    keyspace = house.store.databases[0]
    ways = [
        "DEL",
        "UNLINK",
        "SET {} v",
        "SREM {} 1 2",
        "EXPIRE {} -1",
        "RENAME other",
        "SUNIONSTORE {} none",
        "MOVE {} 1",
    ]
    for number, way in enumerate(ways):
        name = f"s{number}"
        wire.line(f"SADD {name} 1 2 a")
        wire.line(f"SREM {name} a")
        assert keyspace.marks == {name.encode(): 1}
        wire.line("SADD other 1")
        wire.line(
            "RENAME other " + name if way.startswith("RENAME") else way.format(name) if "{" in way else f"{way} {name}"
        )
        assert keyspace.marks is None, way
        keyspace.check()
    wire.line("FLUSHALL")
    assert all(each.marks is None for each in house.store.databases)


@pytest.mark.parametrize("lines", [["MOVE s 1"], ["SWAPDB 0 1"], ["COPY s s DB 1"], ["RENAME s t", "COPY t s DB 1"]])
def test_the_encoding_goes_with_the_set(wire: Any, lines: list[str]) -> None:
    for line in ("SADD s 1 2 a", "SREM s a", *lines, "SELECT 1"):
        wire.line(line)
    assert wire.line("OBJECT ENCODING s") == b"listpack"

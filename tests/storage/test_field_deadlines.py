"""What is kept of the deadlines of fields: one entry a hash, and none of hashes that are gone."""

from __future__ import annotations

from typing import Any

import pytest


def entries(house: Any, database: int = 0) -> int:
    """So many hashes are filed, and nothing besides."""
    keyspace = house.store.databases[database]
    keyspace.check()
    due = keyspace.field_due
    if due is None:
        return 0
    assert len(due.due) + len(due.overdue) <= len(due.deadlines)
    assert len(due.slots) <= 2 * len(due.due) + 17
    return len(due.deadlines)


def timed(wire: Any, key: str = "h", count: int = 1) -> None:
    wire.line(f"HSET {key} f v g w")
    for number in range(count):
        assert wire.line(f"HPEXPIRE {key} {100_000 + number} FIELDS 1 f") == [1]


def test_a_field_again_and_again(house: Any, wire: Any) -> None:
    timed(wire, count=500)
    assert entries(house) == 1


@pytest.mark.parametrize(
    "line",
    [
        "DEL h",
        "UNLINK h",
        "FLUSHALL",
        "FLUSHDB",
        "SET h v",
        "MSET h v a b",
        "HPERSIST h FIELDS 1 f",
        "HDEL h f",
        "HSET h f new",
        "RENAME other h",
        "COPY other h REPLACE",
        "SUNIONSTORE h set",
        "SORT list STORE h",
        "EXPIRE h 0",
        "MOVE h 1",
        'KV_SET \'{"keys": {"h": {"f": "x"}}}\'',
        'KV_RMV \'{"keys": ["h"]}\'',
        "KV_CLEAR {}",
    ],
)
def test_what_ends_it(house: Any, wire: Any, line: str) -> None:
    for _ in range(3):
        wire.line("FLUSHALL")
        wire.line("SET other o")
        wire.line("SADD set m")
        wire.line("RPUSH list 1")
        timed(wire, count=3)
        assert entries(house) == 1
        wire.line(line)
        assert entries(house) == 0


def test_many_hashes_that_are_deleted(house: Any, wire: Any) -> None:
    for number in range(300):
        timed(wire, f"h{number}")
    assert entries(house) == 300
    for number in range(300):
        wire.line(f"DEL h{number}")
    assert entries(house) == 0


@pytest.mark.parametrize(
    ("line", "key", "database"),
    [("RENAME h i", "i", 0), ("COPY h i", "i", 0), ("MOVE h 1", "h", 1), ("SWAPDB 0 1", "h", 1)],
)
def test_what_takes_it_along(house: Any, wire: Any, line: str, key: str, database: int) -> None:
    timed(wire)
    wire.line(line)
    assert entries(house, database) == 1 + (line == "COPY h i")
    house.advance(100_001)
    wire.line(f"SELECT {database}")
    assert wire.line(f"HLEN {key}") == 1
    assert entries(house, database) == 0


def test_fields_that_expire_one_after_the_other(house: Any, wire: Any) -> None:
    wire.line("HSET h a 1 b 2 c 3 d 4")
    for number, field in enumerate("abc"):
        wire.line(f"HPEXPIRE h {100 * (number + 1)} FIELDS 1 {field}")
    for left in (3, 2, 1):
        assert entries(house) == 1
        house.advance(101)
        assert len(house.store.databases[0].data[b"h"]) == left
    assert entries(house) == 0


def test_deadlines_of_many_fields_cost_no_more_than_their_number(house: Any, wire: Any) -> None:
    """They were compared with each other once a field."""
    count = 30_000
    fields = " ".join(f"f{number}" for number in range(count))
    wire.line("HSET h " + fields.replace(" ", " v ") + " v keep v")
    for line in (f"HPEXPIRE h 5000 FIELDS {count} {fields}", f"HPERSIST h FIELDS {count} {fields}"):
        assert wire.line(line) == [1] * count
        house.store.databases[0].data[b"h"].check()
    wire.line(f"HPEXPIRE h 5000 FIELDS {count} {fields}")
    assert wire.line(f"HDEL h {fields}") == count
    assert entries(house) == 0

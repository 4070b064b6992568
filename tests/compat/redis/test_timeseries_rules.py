"""Rules of TS.CREATERULE as RedisTimeSeries 1.12.9 has them: what is written when, and what deletions do to it."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.resp.decoder import ReplyReader
from januskv.resp.replies import ErrorReply, Simple


def rows(*pairs: tuple[int, str]) -> list[Any]:
    return [[time, Simple(value.encode())] for time, value in pairs]


@pytest.fixture
def ruled(wire: Any) -> Any:
    """Makes a series s with a rule to d."""

    def make(function: str = "sum", bucket: int = 10, options: str = "") -> Any:
        wire.line(f"TS.CREATE s {options}")
        wire.line("TS.CREATE d")
        assert wire.line(f"TS.CREATERULE s d AGGREGATION {function} {bucket}") == Simple(b"OK")
        return wire

    return make


@pytest.mark.parametrize("line", ["TS.MADD s 5 1 s 15 2 s 35 3 s 65 4", "TS.ADD s 5 1|TS.ADD s 15 2|TS.ADD s 35 3|TS.ADD s 65 4"])  # fmt: skip
def test_the_retention_of_the_source_loses_no_bucket(ruled: Any, line: str) -> None:
    wire = ruled(options="RETENTION 20")
    for each in line.split("|"):
        wire.line(each)
    assert wire.line("TS.RANGE d - +") == rows((0, "1"), (10, "2"), (30, "3"))


def test_a_bucket_may_be_longer_than_the_retention(ruled: Any) -> None:
    wire = ruled(bucket=10_000, options="RETENTION 5 CHUNK_SIZE 48 ENCODING UNCOMPRESSED")
    for time in range(500):
        wire("TS.ADD", "s", time, 1)
    assert len(wire.line("TS.RANGE s - +")) == 6
    wire.line("TS.ADD s 10000 1")
    assert wire.line("TS.RANGE d - +") == rows((0, "500"))
    for time in range(10_001, 10_100):
        wire("TS.ADD", "s", time, 1)
    info = wire.line("TS.INFO s")
    assert info[info.index(Simple(b"chunkCount")) + 1] < 20


def test_deleting_the_open_bucket_takes_the_one_before_back(ruled: Any) -> None:
    wire = ruled()
    wire.line("TS.MADD s 1 1 s 12 2 s 15 3 s 31 4")
    assert wire.line("TS.RANGE d - + LATEST") == rows((0, "1"), (10, "5"), (30, "4"))
    assert wire.line("TS.DEL s 30 39") == 1
    assert wire.line("TS.RANGE d - +") == rows((0, "1"))
    assert wire.line("TS.GET d LATEST") == [10, Simple(b"5")]
    wire.line("TS.MADD s 18 1 s 20 9")
    assert wire.line("TS.RANGE d - +") == rows((0, "1"), (10, "6"))


def test_deletions_remove_and_correct_buckets(ruled: Any) -> None:
    wire = ruled()
    wire.line("TS.MADD s 1 1 s 5 2 s 12 3 s 25 4 s 28 5 s 31 6")
    assert wire.line("TS.DEL s 4 25") == 3
    assert wire.line("TS.RANGE d - +") == rows((0, "1"), (20, "5"))
    wire.line("TS.DEL s - +")
    assert wire.line("TS.RANGE d - + LATEST") == []
    info = wire.line("TS.INFO d")
    assert info[info.index(Simple(b"sourceKey")) + 1] == b"s"
    wire.line("TS.MADD s 3 7 s 14 1")
    assert wire.line("TS.RANGE d - +") == rows((0, "7"))


def test_what_buckets_were_made_from_cannot_be_deleted_beyond_the_retention(ruled: Any) -> None:
    wire = ruled(options="RETENTION 20")
    wire.line("TS.MADD s 5 1 s 15 2 s 35 3")
    refused = ErrorReply(
        "ERR TSDB: When a series has compactions, deleting samples or compaction buckets beyond the series retention "
        "period is not possible"
    )
    assert wire.line("TS.DEL s 15 35") == refused  # its bucket begins at 10
    assert wire.line("TS.DEL s 20 35") == 1
    wire.line("TS.DELETERULE s d")
    assert wire.line("TS.DEL s 0 15") == 2


def test_renaming_keeps_the_order_of_rules(wire: Any) -> None:
    for name in ("s", "a", "b", "c"):
        wire.line(f"TS.CREATE {name}")
    for name in ("a", "b", "c"):
        wire.line(f"TS.CREATERULE s {name} AGGREGATION sum 10")
    wire.line("RENAME a z")
    info = wire.line("TS.INFO s")
    assert [rule[0] for rule in info[info.index(Simple(b"rules")) + 1]] == [b"z", b"b", b"c"]


@pytest.mark.parametrize("function", ["std.p", "std.s", "var.p", "var.s", "avg", "sum", "twa"])
def test_a_rule_writes_what_a_query_shows(ruled: Any, function: str) -> None:
    wire = ruled(function)
    for time in range(0, 95, 3):
        wire("TS.ADD", "s", time, time % 7 / 10)
    written = wire.line("TS.RANGE d - +")
    assert len(written) == 9
    assert written == wire.line(f"TS.RANGE s 0 1000 AGGREGATION {function} 10")[:9]


def test_late_samples_correct_their_bucket(ruled: Any) -> None:
    wire = ruled("max")
    wire.line("TS.MADD s 1 1 s 12 3 s 25 4")
    wire.line("TS.ADD s 4 9")
    assert wire.line("TS.RANGE d - + LATEST") == rows((0, "9"), (10, "3"), (20, "4"))
    wire.line("TS.ADD s 21 8")
    assert wire.line("TS.GET d LATEST") == [20, Simple(b"8")]


def test_samples_before_the_rule_count_when_their_bucket_is_computed_again(wire: Any) -> None:
    for line in ("TS.ADD s 1 1", "TS.CREATE d", "TS.CREATERULE s d AGGREGATION sum 10", "TS.ADD s 3 5"):
        wire.line(line)
    assert wire.line("TS.GET d LATEST") == [0, Simple(b"5")]
    wire.line("TS.ADD s 2 2")
    assert wire.line("TS.GET d LATEST") == [0, Simple(b"8")]


def test_a_bucket_corrected_behind_the_last_one_is_told_later(wire: Any) -> None:
    """TS.RANGE shows it; TS.GET shows the one that was written last, until the next is."""
    wire.line("TS.MADD s 1 1 CREATE")
    wire.line("TS.MADD s 11 2 s 21 3 s 31 4")
    wire.line("TS.CREATE d")
    wire.line("TS.CREATERULE s d AGGREGATION sum 10")
    wire.line("TS.ADD s 2 1")
    wire.line("TS.ADD s 12 1")
    assert wire.line("TS.RANGE d - +") == rows((0, "2"), (10, "3"))
    assert wire.line("TS.GET d") == [0, Simple(b"2")]
    wire.line("TS.MADD s 35 1 s 41 1")
    assert wire.line("TS.GET d") == [30, Simple(b"1")]


EVENTS = [
    ("TS.CREATE n", ["ts.create n"]),
    ("TS.ADD n 1 1", ["ts.add n"]),
    ("TS.INCRBY n 1 TIMESTAMP 5", ["ts.incrby n"]),
    ("TS.DECRBY s 1 TIMESTAMP 5", ["ts.decrby s"]),
    ("TS.ADD s 15 1", ["ts.add:dest d", "ts.add s"]),
    ("TS.INCRBY s 1 TIMESTAMP 15", ["ts.add:dest d", "ts.incrby s"]),
    ("TS.ADD s 2 1", ["ts.add s"]),
    ("TS.DEL s 3 3", ["ts.del s"]),
    ("TS.ALTER s RETENTION 5", ["ts.alter s"]),
    ("TS.DELETERULE s d", ["ts.deleterule:src s", "ts.deleterule:dest d"]),
]


@pytest.mark.parametrize(("line", "events"), EVENTS)
def test_events(ruled: Any, house: Any, line: str, events: list[str]) -> None:
    wire = ruled()
    wire.line("TS.ADD s 3 1")
    wire.line("CONFIG SET notify-keyspace-events EA")
    listener = house.connect()
    listener.line("PSUBSCRIBE __keyevent@0__:*")
    listener.transport.written = b""
    wire.line(line)
    reader = ReplyReader()
    reader.feed(listener.transport.written)
    found = []
    while (message := reader.gets()) is not None:
        _, _, channel, key = message[1]
        found.append(f"{channel.decode().partition('__:')[2]} {key.decode()}")
    assert found == events

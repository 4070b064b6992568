"""Rules between series end when one of the two is no longer under its key, in memory as in the log."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from januskv.resp.replies import Simple
from januskv.storage.durability.journal import open_journal
from januskv.storage.store import Store


class Server:
    """A server without sockets over a data directory; ``again`` is one that has loaded what it logged."""

    def __init__(self, make_house: Any, folder: Path, now_ms: int = 0) -> None:
        self.make_house, self.folder = make_house, folder
        self.house = make_house(appendonly=True, enable_debug_command="yes", dir=str(folder))
        now_ms = now_ms or self.house.clock.now_ms
        journal = open_journal(str(folder), self.house.store, cut_torn_tail=True)
        self.house.clock.now_ms = now_ms  # loading puts the clock to 0, and this one does not go on by itself
        self.persistence = self.house.server.keep(journal)
        self.wire = self.house.connect()

    def __call__(self, lines: str) -> list[Any]:
        return [self.wire.line(line) for line in lines.split("|")]

    def again(self) -> Server:
        self.persistence.close()
        self.house.server.keep_no_more()
        return Server(self.make_house, self.folder, self.house.clock.now_ms)


@pytest.fixture
def server(make_house: Any, tmp_path: Path) -> Any:
    made = Server(make_house, tmp_path)
    made("TS.CREATE s LABELS a b|TS.CREATE d|TS.CREATE e|TS.CREATERULE s d AGGREGATION sum 10|TS.ADD s 1 1")
    made("SELECT 1|TS.CREATE s|TS.CREATE d|SELECT 0")
    return made


def links(store: Store) -> dict[Any, Any]:
    """The rules and the source of every series."""
    return {
        (space.index, key): (
            {k: (r.function, r.bucket, r.since, r.begin) for k, r in value.rules.items()},
            value.source,
        )  # type: ignore[attr-defined]
        for space in store.databases
        for key, value in space.data.items()
        if getattr(value, "kind", "") == "TSDB-TYPE"
    }


ENDS = [
    pytest.param("SET d x", id="the destination becomes a string"),
    pytest.param("MSET d x", id="with others"),
    pytest.param("DEL d", id="it is deleted"),
    pytest.param("UNLINK s", id="the source is"),
    pytest.param("SET s x", id="the source becomes a string"),
    pytest.param("RENAME e d", id="another series takes its name"),
    pytest.param("RENAME d s", id="it takes the name of its source"),
    pytest.param("RENAME s d", id="the source takes its name"),
    pytest.param("COPY e d REPLACE", id="a copy takes its place"),
    pytest.param("COPY d s REPLACE", id="a copy of it takes the place of its source"),
    pytest.param("MOVE d 2", id="it moves away"),
    pytest.param("MOVE s 2", id="the source moves away"),
    pytest.param("PEXPIRE d 0", id="it expires"),
    pytest.param("HSET h a 1|RENAME h d", id="a hash takes its name"),
    pytest.param("SUNIONSTORE d nosuch", id="an empty result takes its place"),
    pytest.param("TS.DELETERULE s d", id="the rule is deleted"),
]


@pytest.mark.parametrize("ends", ENDS)
def test_a_rule_ends_at_both_ends(server: Server, ends: str) -> None:
    server(ends)
    assert all(rules == {} and source is None for rules, source in links(server.house.store).values())
    again = server.again()
    assert all(rules == {} and source is None for rules, source in links(again.house.store).values())
    again.again()


@pytest.mark.parametrize("ends", ENDS)
def test_nothing_brings_it_back(server: Server, ends: str) -> None:
    server(ends)
    server("DEL s|DEL d|TS.CREATE s|TS.CREATE d|TS.ADD s 1 1|TS.ADD s 21 1")
    before = server("TS.RANGE d - +|DEBUG DIGEST")
    assert before[0] == []
    assert server.again()("TS.RANGE d - +|DEBUG DIGEST") == before


def test_moved_away_and_back_it_gets_no_more_samples(server: Server) -> None:
    server("MOVE d 2|TS.ADD s 2 1|SELECT 2|MOVE d 0|SELECT 0|TS.ADD s 21 1")
    assert server("TS.RANGE d - +") == [[]]
    digest = server("DEBUG DIGEST")
    again = server.again()
    assert again("DEBUG DIGEST") == digest
    assert again("TS.ADD s 41 1|TS.RANGE d - +")[1] == []


@pytest.mark.parametrize(
    "line",
    [
        "TS.ALTER s LABELS a c",
        "TS.ALTER s RETENTION 5000",
        "TS.ALTER s CHUNK_SIZE 128",
        "TS.ALTER s DUPLICATE_POLICY LAST",
        "TS.ALTER s IGNORE 5 0.5",
        "TS.DELETERULE s d",
        "TS.CREATERULE s e AGGREGATION sum 10",
        "TS.ADD s 12 1",
    ],
)
def test_the_digest_sees_settings_labels_and_rules(server: Server, line: str) -> None:
    before = server("DEBUG DIGEST|DEBUG DIGEST-VALUE s")
    server(line)
    whole, one = server("DEBUG DIGEST|DEBUG DIGEST-VALUE s")
    assert whole != before[0]
    assert one != before[1]
    assert server.again()("DEBUG DIGEST|DEBUG DIGEST-VALUE s") == [whole, one]


def test_the_digest_of_a_destination_sees_its_source(server: Server) -> None:
    (before,) = server("DEBUG DIGEST-VALUE d")
    server("TS.DELETERULE s d")
    assert server("DEBUG DIGEST-VALUE d") != [before]


def test_settings_of_either_end_may_change(server: Server) -> None:
    server("TS.ALTER s LABELS x y|TS.ALTER d LABELS x z|TS.ADD s 21 5")
    assert server("TS.RANGE d - +") == [[[0, Simple(b"1")]]]
    again = server.again()
    assert links(again.house.store) == links(server.house.store)
    assert again("TS.ADD s 41 1|TS.RANGE d - +")[1] == [[0, Simple(b"1")], [20, Simple(b"5")]]


def test_settings_and_rules_are_logged_without_the_samples(server: Server) -> None:
    server.wire("TS.MADD", *(word for time in range(100, 5000) for word in ("s", time, time / 7)))
    journal = server.persistence.journal
    before = journal.log_bytes
    server("TS.ALTER s RETENTION 100000 LABELS c d DUPLICATE_POLICY LAST IGNORE 1 0.5 CHUNK_SIZE 128")
    server("TS.DELETERULE s d|TS.CREATERULE s d AGGREGATION max 20 5|TS.CREATERULE s e AGGREGATION twa 30")
    assert 0 < journal.log_bytes - before < 1500
    digest = server("DEBUG DIGEST")
    again = server.again()
    assert again("DEBUG DIGEST") == digest
    assert again("TS.QUERYINDEX c=d") == [[b"s"]]


# "{n}" is a time or a value, "{m}" a database.
STEPS = [
    "TS.CREATE {a} LABELS x {n}",
    "TS.ADD {a} {n} {n}",
    "TS.CREATERULE {a} {b} AGGREGATION {f} 10",
    "TS.DELETERULE {a} {b}",
    "DEL {a}",
    "RENAME {a} {b}",
    "COPY {a} {b} REPLACE",
    "COPY {a} {b} DB {m}",
    "MOVE {a} {m}",
    "SWAPDB 0 {m}",
    "SELECT {m}",
    "SET {a} x",
    "TS.ALTER {a} LABELS y {n}",
    "TS.ALTER {a} RETENTION {n} DUPLICATE_POLICY LAST CHUNK_SIZE 48",
    "TS.INCRBY {a} 1 TIMESTAMP {n}",
    "TS.DEL {a} {n} 1000",
    "TS.DEL {a} 0 {n}",
    "PEXPIRE {a} {n}",
    "PERSIST {a}",
    "PEXPIRE {a} 0",
    "TS.MADD {a} {n} 1 {b} {n} 2",
    'KV_SET {{"keys":{{"{a}":1}}}}',
    "GETDEL {a}",
]


@pytest.mark.parametrize("seed", range(6))
def test_random_programs_leave_the_rules_that_are_loaded_again(make_house: Any, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    server = Server(make_house, tmp_path)
    for life in range(4):
        ruled = 0
        for _ in range(400):
            step = chance.choice(STEPS if chance.random() < 0.5 else STEPS[:3])
            a, b = chance.sample("pqrstu", 2)
            if step.startswith(("SELECT", "SWAPDB")) and chance.random() < 0.9:
                continue
            function = chance.choice(["sum", "last", "twa"])
            line = step.format(a=a, b=b, n=chance.randrange(1, 90), m=chance.randrange(3), f=function)
            server.wire(*line.split(" "))
            ruled += any(rules for rules, _ in links(server.house.store).values())
        server.house.advance(100)  # what has expired is gone
        assert ruled > 50
        digest, found = server("DEBUG DIGEST"), links(server.house.store)
        server = server.again()
        assert links(server.house.store) == found
        assert server("DEBUG DIGEST") == digest
        if life == 1:
            server("SAVE")

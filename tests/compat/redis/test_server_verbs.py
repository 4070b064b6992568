"""TIME, ROLE, SHUTDOWN, MODULE, and what is refused until it is built."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.compat.server.dispatch import _NOT_BUILT_TEXTS
from januskv.resp.replies import ErrorReply, Simple

SYNTAX = ErrorReply("ERR syntax error")
NOTHING_KEPT = "ERR this server was started to keep nothing (save no): there is no directory to save to"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("SAVE", NOTHING_KEPT),
        ("BGSAVE", NOTHING_KEPT),
        ("BGSAVE SCHEDULE", NOTHING_KEPT),
        ("BGSAVE x", "ERR syntax error"),
        ("BGREWRITEAOF", NOTHING_KEPT),
        ("REPLICAOF 10.0.0.1 6379", "ERR replication is not supported by this server"),
        ("SLAVEOF 10.0.0.1 6379", "ERR replication is not supported by this server"),
        ("LOLWUT VERSION x", "ERR value is not an integer or out of range"),
        ("SHUTDOWN x", "ERR syntax error"),
        ("SHUTDOWN SAVE NOSAVE", "ERR syntax error"),
        ("SHUTDOWN ABORT", "ERR No shutdown in progress."),
        ("SHUTDOWN ABORT NOW", "ERR syntax error"),
        ("SHUTDOWN SAVE", NOTHING_KEPT),
    ],
)
def test_refused(house: Any, wire: Any, line: str, text: str) -> None:
    house.server.process.stop = lambda: pytest.fail("stopped")
    assert wire.line(line) == ErrorReply(text)


@pytest.mark.parametrize("line", ["SHUTDOWN", "SHUTDOWN NOSAVE", "SHUTDOWN nosave now force"])
def test_shutdown_stops_without_an_answer(house: Any, wire: Any, line: str) -> None:
    stopped: list[str] = []
    house.server.process.stop = lambda: stopped.append("stopped")
    assert wire.send(f"{line}\r\n".encode()) == b""
    assert stopped == ["stopped"]


def test_shutdown_is_not_queued(house: Any, wire: Any) -> None:
    house.server.process.stop = lambda: pytest.fail("stopped")
    wire("MULTI")
    assert wire("SHUTDOWN") == ErrorReply("ERR Command not allowed inside a transaction")
    assert wire("EXEC").text.startswith(b"EXECABORT")


def test_modules(wire: Any) -> None:
    assert wire("MODULE", "LIST") == [[b"name", b"timeseries", b"ver", 11209, b"path", b"", b"args", []]]
    assert b"module:name=timeseries,ver=11209," in wire("INFO", "modules")
    for line in ("MODULE LOAD /x.so", "MODULE LOADEX /x.so", "MODULE UNLOAD x"):
        assert wire.line(line).text.startswith(b"ERR MODULE command not allowed.")


def test_what_is_always_the_same(wire: Any) -> None:
    assert wire("ROLE") == [b"master", 0, []]
    assert wire.line("REPLICAOF NO ONE") == Simple(b"OK")
    for line in ("LOLWUT", "LOLWUT VERSION 5", "LOLWUT VERSION 5 1 1 1", "LOLWUT 5 1 1 1", "LOLWUT version"):
        assert wire.line(line).endswith(b"(Redis ver. 7.4.0)\n")


def test_time_is_the_servers(house: Any, wire: Any) -> None:
    house.clock.advance(1_234)
    assert wire("TIME") == [b"1700000001", b"234000"]


@pytest.mark.parametrize("line", ["REPLCONF", "REPLCONF capa eof", "PSYNC ? -1", "SYNC", "REPLICAOF localhost 6379"])
def test_replication_is_refused_with_its_reason(wire: Any, line: str) -> None:
    assert wire.line(line) == ErrorReply("ERR replication is not supported by this server")
    assert wire.line("PING") == Simple(b"PONG")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        pytest.param("DUMP k", "ERR DUMP, RESTORE and MIGRATE are not built yet", id="a dump"),
        pytest.param("dump k", "ERR DUMP, RESTORE and MIGRATE are not built yet", id="in lower case"),
    ],
)
def test_what_is_not_built_says_so(wire: Any, line: str, text: str) -> None:
    assert wire.line(line) == ErrorReply(text)


def test_nothing_that_is_built_is_called_not_built(house: Any) -> None:
    assert not set(_NOT_BUILT_TEXTS) & set(house.server.table.commands)


@pytest.mark.parametrize("words", ["INFO", "MYID", "SLOTS", "NODES", "SHARDS", "KEYSLOT k"])
def test_there_is_no_cluster(wire: Any, words: str) -> None:
    assert wire.line(f"CLUSTER {words}") == ErrorReply("ERR This instance has cluster support disabled")
    name = words.partition(" ")[0].lower()
    wrong = ErrorReply(f"ERR wrong number of arguments for 'cluster|{name}' command")
    assert wire.line(f"CLUSTER {words} more") == wrong

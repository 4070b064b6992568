"""Calls, their times and their failures are counted alike, whichever way a command comes."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.commands.table import Command

COUNT = {
    "a RESP command": b"KV_COUNT {}\r\n",
    "a document": b'*1\r\n$15\r\n{"KV_COUNT":{}}\r\n',
    "a JSON line": b'{"KV_COUNT":{}}\n',
    "a transaction": b"MULTI\r\nKV_COUNT {}\r\nEXEC\r\n",
}


def timed(command: Command) -> int:
    """How many calls there are times of."""
    return 0 if command.times is None else sum(count for _, count in command.times.counted())


@pytest.mark.parametrize("way", COUNT)
def test_a_call_counts_once_with_its_time(house: Any, wire: Any, way: str) -> None:
    wire.send(COUNT[way])
    command = house.server.table.native["KV_COUNT"]
    assert (command.calls, timed(command), command.failed) == (1, 1, 0)


@pytest.mark.parametrize("transaction", [False, True])
def test_a_failure_counts_once(house: Any, wire: Any, transaction: bool) -> None:
    wire("SET", "text", "x")
    lines = b"INCR text\r\n"
    wire.send(b"MULTI\r\n" + lines + b"EXEC\r\n" if transaction else lines)
    command = house.server.table.commands[b"INCR"]
    assert (command.calls, command.failed, house.server.accounts.stats.errors) == (1, 1, {"ERR": 1})


def test_parts_that_fail_are_one_failure(house: Any, wire: Any) -> None:
    wire("TS.CREATE", "s")
    wire("MULTI")
    wire.line("TS.MADD s 1 1 nope 1 1 s x 1")
    wire("EXEC")
    command = house.server.table.commands[b"TS.MADD"]
    assert (command.calls, command.failed, house.server.accounts.stats.total_error_replies) == (1, 1, 2)


def test_the_time_of_a_call_that_waits_counts_when_it_is_answered(house: Any, wire: Any) -> None:
    command = house.server.table.commands[b"BLPOP"]
    wire.send(b"BLPOP list 0\r\n")
    assert (command.calls, timed(command)) == (1, 0)
    house.connect()("RPUSH", "list", "a")
    assert (command.calls, timed(command)) == (1, 1)


@pytest.mark.parametrize("request_", [b"KV_KEYS {}\r\n", b'{"KV_KEYS":{}}\n'])
def test_a_call_that_is_done_in_steps_has_one_time(house: Any, wire: Any, request_: bytes) -> None:
    wire("MSET", *[word for number in range(50_000) for word in (f"k{number}", "v")])
    house.run_timers()
    command = house.server.table.native["KV_KEYS"]
    wire.send(request_)
    assert command.calls == 1
    house.run_timers()
    assert (command.calls, timed(command)) == (1, 1)

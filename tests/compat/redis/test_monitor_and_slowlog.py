"""MONITOR and the slow log: what they show, and what they never show."""

from __future__ import annotations

import re
from typing import Any

import pytest

from januskv.resp.replies import ErrorReply, Simple

SECRET = "p4ssw0rd"


def shown(monitor: Any) -> list[str]:
    """The command lines that a monitor has been shown since the last look, without times."""
    lines = monitor.transport.written.decode().splitlines()
    monitor.transport.written = b""
    found = [re.fullmatch(r"\+\d+\.\d{6} \[(\S+) \S+\] (.*)", line) for line in lines]
    return [f"{match[1]} {match[2]}" for match in found if match is not None]


@pytest.fixture
def monitor(house: Any) -> Any:
    connected = house.connect()
    connected("MONITOR")
    connected.transport.written = b""
    return connected


def test_every_listener_is_shown(house: Any, wire: Any, monitor: Any) -> None:
    wire("set", "a", b'x\n"\x01')
    wire("SELECT", 3)
    wire("get", "a")
    wire.send(b'{"KV_COUNT":{}}\n')
    wire("KV_COUNT", "{}")
    wire('{"KV_COUNT":{}}')
    assert shown(monitor) == [
        r'0 "set" "a" "x\n\"\x01"',
        '3 "SELECT" "3"',
        '3 "get" "a"',
        '3 "KV_COUNT" "{}"',
        '3 "KV_COUNT" "{}"',
        '3 "KV_COUNT" "{}"',
    ]


def test_a_transaction_is_shown_when_it_runs(wire: Any, monitor: Any) -> None:
    for line in ("MULTI", "SET a 1", "GET a", "EXEC"):
        wire.line(line)
    assert shown(monitor) == ['0 "MULTI"', '0 "SET" "a" "1"', '0 "GET" "a"', '0 "EXEC"']


def test_administration_and_refusals_are_not_shown(wire: Any, monitor: Any) -> None:
    wire.line("CONFIG GET maxclients")
    wire.line("CLIENT LIST")
    wire.line("NOSUCH")
    wire.line("GET")
    assert shown(monitor) == []


LOGINS = [
    pytest.param(f"AUTH {SECRET}", '"AUTH" "(redacted)"', id="AUTH password"),
    pytest.param(f"AUTH default {SECRET}", '"AUTH" "(redacted)" "(redacted)"', id="AUTH user password"),
    pytest.param(
        f"HELLO 2 AUTH default {SECRET} SETNAME me",
        '"HELLO" "2" "AUTH" "(redacted)" "(redacted)" "SETNAME" "me"',
        id="HELLO",
    ),
    pytest.param(f'SV_AUTH \'{{"password":"{SECRET}"}}\'', '"SV_AUTH" "(redacted)"', id="SV_AUTH"),
    pytest.param(f'\'{{"SV_AUTH":{{"password":"{SECRET}"}}}}\'', '"SV_AUTH" "(redacted)"', id="a JSON object"),
]


@pytest.mark.parametrize(("line", "expected"), LOGINS)
def test_monitors_see_no_password(wire: Any, monitor: Any, line: str, expected: str) -> None:
    wire.line(line)
    assert shown(monitor) == [f"0 {expected}"]


@pytest.mark.parametrize("logged_in_before", [True, False])
@pytest.mark.parametrize(("line", "expected"), LOGINS)
def test_the_slow_log_holds_no_password(make_house: Any, line: str, expected: str, logged_in_before: bool) -> None:
    house = make_house(requirepass=SECRET, slowlog_log_slower_than=0)
    wire = house.connect()
    if logged_in_before:
        wire("AUTH", SECRET)
    house.server.accounts.slowlog.entries.clear()
    wire.line(line)
    entry = house.server.accounts.slowlog.entries[0]
    assert " ".join(f'"{word.decode()}"' for word in entry.argv) == expected
    assert len(house.server.accounts.slowlog.entries) == 1


def test_config_set_hides_secrets_only(make_house: Any) -> None:
    house = make_house(slowlog_log_slower_than=0)
    house.connect().line(f"CONFIG SET maxclients 7 requirepass {SECRET}")
    assert house.server.accounts.slowlog.entries[0].argv == [
        b"CONFIG",
        b"SET",
        b"maxclients",
        b"7",
        b"requirepass",
        b"(redacted)",
    ]


def test_slow_log_entries(make_house: Any) -> None:
    house = make_house(slowlog_log_slower_than=0)
    wire = house.connect()
    wire("CLIENT", "SETNAME", "me")
    wire("SET", "k", "v" * 200)
    wire("MSET", *range(40))
    newest, second = wire("SLOWLOG", "GET", 2)
    assert len(newest[3]) == 32
    assert newest[3][-1] == b"... (10 more arguments)"
    assert second[0] == newest[0] - 1
    assert second[1] == house.clock.now_ms // 1000
    assert second[3] == [b"SET", b"k", b"v" * 128 + b"... (72 more bytes)"]
    assert second[4:] == [b"127.0.0.1:50000", b"me"]


def test_slow_log_length_reset_and_limits(make_house: Any) -> None:
    house = make_house(slowlog_log_slower_than=0, slowlog_max_len=3)
    wire = house.connect()
    for number in range(10):
        wire("GET", number)
    assert wire("SLOWLOG", "LEN") == 3
    assert len(wire("SLOWLOG", "GET", -1)) == 3
    assert len(wire("SLOWLOG", "GET", 1)) == 1
    assert wire("SLOWLOG", "GET", 0) == []
    assert wire("SLOWLOG", "RESET") == Simple(b"OK")
    for count in ("-2", "x"):
        assert wire("SLOWLOG", "GET", count) == ErrorReply("ERR count should be greater than or equal to -1")


def test_a_negative_threshold_logs_nothing(make_house: Any) -> None:
    house = make_house(slowlog_log_slower_than=-1)
    house.connect()("SET", "a", 1)
    assert not house.server.accounts.slowlog.entries


def test_a_command_that_waits_is_logged_when_it_is_served(house: Any, wire: Any) -> None:
    wire("CONFIG", "SET", "slowlog-log-slower-than", 0)
    wire("SLOWLOG", "RESET")
    waiting = house.connect()
    waiting.send(b"BLPOP l 0\r\n")
    assert b"BLPOP" not in [entry[3][0] for entry in wire("SLOWLOG", "GET")]
    wire("LPUSH", "l", "a")
    assert [entry[3] for entry in wire("SLOWLOG", "GET")].count([b"BLPOP", b"l", b"0"]) == 1

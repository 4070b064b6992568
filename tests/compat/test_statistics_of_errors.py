"""INFO commandstats and errorstats: what is refused or fails is counted alike, through whichever face it came."""

from __future__ import annotations

import json
from typing import Any

import pytest

from januskv.compat.native.websocket import WebSocketConnection
from januskv.resp import websocket as ws


def counted(house: Any, command: str) -> tuple[int, int, int]:
    """Calls, refusals and failures of a command."""
    found = house.server.table.by_name(command)
    return found.calls, found.rejected, found.failed


def errors(house: Any) -> dict[str, int]:
    """The counts of INFO errorstats by code word, which add up to total_error_replies."""
    wire = house.connect()
    if house.server.config.requirepass:
        wire("AUTH", house.server.config.requirepass)
    lines = wire("INFO", "errorstats").decode().split()[2:]
    found = {line.partition(":")[0].removeprefix("errorstat_"): int(line.partition("=")[2]) for line in lines}
    assert sum(found.values()) == house.server.accounts.stats.total_error_replies
    return found


@pytest.mark.parametrize(
    ("command", "body", "code"),
    [
        ("KV_SET", {"keys": 1}, "KV_VALUE_TYPE"),
        ("KV_SET", {}, "KV_PARAM_MISSING"),
        ("KV_SET", 5, "KV_COMMAND_TYPE"),
        ("KV_COUNT", {"tkn": 5}, "KV_SESSION_NOT_EXIST"),
        ("KV_COUNT", {"tkn": "x"}, "KV_SESSION_TOKEN_INVALID"),
        ("SH_OPEN", {"name": "missing"}, "KV_SESSION_OPEN_FAIL"),
        ("SH_END", {"tkn": 5}, "KV_SESSION_NOT_EXIST"),
        ("TS_GET", {"ts": "missing", "rng": []}, "TS_SERIES_NOT_EXIST"),
        ("TS_CREATE", {"name": "", "type": "Ordered"}, "TS_SERIES_TYPE"),
        ("KV_LOAD", {"name": "missing"}, "KV_LOAD_ERROR"),
    ],
)
@pytest.mark.parametrize("transport", ["line", "verb", "document", "web socket"])
def test_failures_of_native_commands(house: Any, command: str, body: Any, code: str, transport: str) -> None:
    request = json.dumps({command: body})
    if transport == "line":
        house.connect().send(request.encode() + b"\n")
    elif transport == "verb":
        house.connect()(command, json.dumps(body))
    elif transport == "document":
        house.connect()(request)
    else:
        house.native.answer(house.connect().connection.context, request.encode())
    assert counted(house, command) == (1, 0, 1)
    assert errors(house) == {code: 1}


def test_what_goes_well_is_no_failure(house: Any) -> None:
    wire = house.connect()
    for request in ('{"KV_SET":{"keys":{"a":1}}}', '{"KV_SETQ":{"keys":{"a":1}}}', '{"KV_GET":{"keys":["a","b"]}}'):
        wire(request)
    assert [counted(house, name) for name in ("KV_SET", "KV_SETQ", "KV_GET")] == [(1, 0, 0)] * 3
    assert errors(house) == {}


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("login", "KV_NOT_AUTHENTICATED"),
        ("loading", "KV_LOADING"),
        ("disk", "KV_UNKNOWN"),
        ("MULTI", "KV_NOT_PERMITTED"),
    ],
)
def test_native_commands_refused_before_they_run(make_house: Any, state: str, code: str) -> None:
    house = make_house(requirepass="secret" if state == "login" else "")
    wire = house.connect()
    if state == "MULTI":
        wire("MULTI")
    house.server.state.set_loading(state == "loading")
    house.server.state.set_write_fault(
        "Errors writing to the AOF file: No space left on device" if state == "disk" else ""
    )
    wire.send(b'{"KV_SET":{"keys":{"a":1}}}\n')
    house.server.state.set_loading(False)
    assert counted(house, "KV_SET") == (0, 1, 0)
    assert errors(house) == {code: 1}


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"{bad\n", "KV_JSON_INVALID"),
        (b"{}\n", "KV_COMMAND_SYNTAX"),
        (b'{"KV_COUNT":{},"KV_KEYS":{}}\n', "KV_COMMAND_MULTIPLE"),
        (b'{"KV_NOSUCH":{}}\n', "KV_COMMAND_NOT_EXIST"),
        (b'{"TS_NOSUCH":{}}\n', "TS_COMMAND_NOT_EXIST"),
        (b"NOSUCH\r\n", "ERR"),
        (b"*x\r\n", "ERR"),
    ],
)
def test_requests_that_name_no_command(house: Any, sent: bytes, code: str) -> None:
    house.connect().send(sent)
    assert errors(house) == {code: 1}


def test_a_binary_message(house: Any) -> None:
    connection = WebSocketConnection(house.server, house.native)
    connection.take(ws.BINARY, b"{}")
    assert errors(house) == {"KV_OPCODE_INVALID": 1}


@pytest.mark.parametrize(
    ("script", "failed", "codes"),
    [
        pytest.param("return redis.error_reply('MINE not today')", 1, {"MINE": 1}, id="made by the script"),
        pytest.param("return {err='MINE not today'}", 1, {"MINE": 1}, id="a table of the script's own"),
        pytest.param("return {err='noword'}", 1, {"ERR": 1}, id="without a code word"),
        pytest.param("return {1, {{err='MINE a'}, {err='YOURS b'}}}", 1, {"MINE": 1, "YOURS": 1}, id="inside a result"),
        pytest.param("return redis.pcall('LPUSH', 'text', 'x')", 1, {"WRONGTYPE": 1}, id="a command's, handed on"),
        pytest.param("return redis.call('LPUSH', 'text', 'x')", 1, {"WRONGTYPE": 1}, id="a command's, not caught"),
        pytest.param("error(redis.pcall('LPUSH', 'text', 'x'))", 1, {"WRONGTYPE": 1}, id="a command's, raised again"),
        pytest.param("redis.pcall('LPUSH', 'text', 'x') return 1", 0, {"WRONGTYPE": 1}, id="a command's, kept"),
        pytest.param("error({err='MINE not today'})", 1, {"MINE": 1}, id="raised by the script"),
        pytest.param("error('text')", 1, {"ERR": 1}, id="raised as text"),
        pytest.param("return {1, 2}", 0, {}, id="none"),
    ],
)
def test_errors_of_scripts(house: Any, script: str, failed: int, codes: dict[str, int]) -> None:
    wire = house.connect()
    wire("SET", "text", "x")
    wire("EVAL", script, 0)
    assert counted(house, "EVAL") == (1, 0, failed)
    assert errors(house) == codes
    wire("FUNCTION", "LOAD", f"#!lua name=lib\nredis.register_function('f', function() {script} end)")
    wire("FCALL", "f", 0)
    assert counted(house, "FCALL") == (1, 0, failed)
    assert errors(house) == {code: 2 * count for code, count in codes.items()}


def test_commands_that_a_script_may_not_run_are_refused(house: Any) -> None:
    wire = house.connect()
    for command in ("'INCR'", "'SUBSCRIBE', 'a'", "'NOSUCH'", "'OBJECT', 'NOSUCH'"):
        wire("EVAL", f"redis.pcall({command})", 0)
    assert [counted(house, name) for name in ("INCR", "SUBSCRIBE", "OBJECT")] == [(0, 1, 0), (0, 1, 0), (0, 0, 0)]
    assert errors(house) == {"ERR": 4}


def test_each_refused_sample_is_an_error(house: Any) -> None:
    wire = house.connect()
    wire.line("TS.MADD a 1 1 a 2 2 b 1 1")
    assert errors(house) == {"ERR": 3}
    assert counted(house, "TS.MADD") == (1, 0, 1)


@pytest.mark.parametrize("ends", ["CLIENT UNBLOCK", "the session ends"])
def test_waiting_that_ends_with_an_error(house: Any, ends: str) -> None:
    wire, other = house.connect(), house.connect()
    session = house.store.sessions.open_new("s", shared=True)
    wire.line(f"SELECT {session.token}")
    number = wire.line("CLIENT ID")
    wire.send(b"BLPOP l 0\r\n")
    if ends == "CLIENT UNBLOCK":
        other.line(f"CLIENT UNBLOCK {number} ERROR")
    else:
        house.store.sessions.end(session.token)
    assert counted(house, "BLPOP") == (1, 0, 1)
    assert errors(house) == {"UNBLOCKED": 1}

"""Scripts and functions on a server: effects, the log, other clients, and what ends a script."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.compat.redis.function_payloads import crc64, dumped, restored
from januskv.compat.server.faults import RespError
from januskv.resp.replies import NULL_ARRAY, ErrorReply, Simple

pytest.importorskip("lupa")

LIBRARY = "#!lua name=lib\nredis.register_function('add', function(keys, args) return redis.call('INCRBY', keys[1], args[1]) end)"


def text(reply: Any) -> str:
    """The text of an error."""
    assert isinstance(reply, ErrorReply), reply
    return reply.text.decode()


def test_a_script_is_one_change_for_the_log(house: Any, wire: Any) -> None:
    seen = []
    house.store.feed.subscribe(lambda keyspace, event, key, detail: seen.append((event, house.store.feed.undivided)))
    assert wire("EVAL", "redis.call('SET','a',1) redis.call('INCR','a') return redis.call('GET','a')", 0) == b"2"
    assert seen == [("set", True), ("incrby", True)]
    assert not house.store.feed.undivided


def test_an_error_ends_the_script_and_keeps_what_it_did(wire: Any) -> None:
    reply = wire("EVAL", "redis.call('SET','a',1) redis.call('LPUSH','a',1)", 0)
    assert text(reply).startswith("WRONGTYPE")
    assert wire("GET", "a") == b"1"


def test_watch_sees_what_a_script_changes(house: Any, wire: Any) -> None:
    other = house.connect()
    wire("WATCH", "k")
    other("EVAL", "redis.call('SET','k',1)", 0)
    wire("MULTI")
    wire("PING")
    assert wire("EXEC") == NULL_ARRAY


def test_tracking_sees_what_a_script_reads(house: Any, wire: Any) -> None:
    reader = house.connect()
    reader("HELLO", 3)
    reader("CLIENT", "TRACKING", "ON")
    reader("EVAL", "return redis.call('GET','k')", 0)
    wire("SET", "k", 1)
    assert b"invalidate" in reader.transport.written


def test_a_script_wakes_those_that_wait(house: Any, wire: Any) -> None:
    other = house.connect()
    other.send(b"BLPOP l 0\r\n")
    wire("EVAL", "redis.call('RPUSH','l','x')", 0)
    assert other.transport.written == b"*2\r\n$1\r\nl\r\n$1\r\nx\r\n"


def test_native_commands_and_series_in_scripts(wire: Any) -> None:
    wire("EVAL", 'redis.call(\'KV_SET\', \'{"keys":{"k":{"a":1}}}\')', 0)
    assert b'"a":1' in wire("EVAL", "return redis.call('KV_GET', '{\"keys\":[\"k\"]}')", 0)
    assert wire("EVAL", "redis.call('TS.ADD','s',1,2.5) return redis.call('TS.GET','s')", 0)[0] == 1


def test_a_script_cannot_run_scripts_or_wait(wire: Any) -> None:
    for command in (
        "'EVAL','return 1',0",
        "'SCRIPT','FLUSH'",
        "'FCALL','f',0",
        "'MULTI'",
        "'SUBSCRIBE','c'",
        "'CLIENT','ID'",
    ):
        reply = wire("EVAL", f"return redis.call({command})", 0)
        assert "not allowed from script" in text(reply), command
    assert wire("EVAL", "return redis.call('BLPOP','none',0)", 0) is None


def test_scripts_of_eval_are_forgotten_in_the_end(house: Any, wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("januskv.compat.server.scripting.MOST_EVALUATED", 3)
    kept = wire("SCRIPT", "LOAD", "return 'kept'")
    for number in range(5):
        wire("EVAL", f"return {number}", 0)
    assert len(house.server.scripting.evaluated) == 3
    assert wire("EVALSHA", kept, 0) == b"kept"
    assert wire("SCRIPT", "FLUSH") == Simple(b"OK")
    assert text(wire("EVALSHA", kept, 0)).startswith("NOSCRIPT")


def test_a_script_that_is_killed(house: Any, wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scripting = house.server.scripting
    house.server.config.busy_reply_threshold = 1
    monkeypatch.setattr(house.server.busy, "serve", lambda running, text: scripting.kill("SCRIPT"))
    reply = text(wire("EVAL", "while true do end", 0))
    assert reply.startswith("ERR Script killed by user with SCRIPT KILL...")
    assert wire("PING") == Simple(b"PONG")
    assert "killed" in text(wire("EVAL", "while true do pcall(function() while true do end end) end", 0))


def test_what_may_not_be_killed(house: Any, wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scripting = house.server.scripting
    house.server.config.busy_reply_threshold = 1
    told = []

    def serve(running: Any, text: str) -> None:
        for kind in ("SCRIPT", "FUNCTION"):
            with pytest.raises(RespError) as caught:
                scripting.kill(kind)
            told.append(caught.value.text.partition(" ")[0])
        running.killed = True

    monkeypatch.setattr(house.server.busy, "serve", serve)
    wire("EVAL", "redis.call('SET','a',1) while true do end", 0)
    assert told == ["UNKILLABLE", "BUSY"]
    assert wire("SCRIPT", "KILL") == ErrorReply("NOTBUSY No scripts in execution right now.")


def test_libraries_are_data(make_house: Any) -> None:
    house = make_house()
    wire = house.connect()
    assert wire("FUNCTION", "LOAD", LIBRARY) == b"lib"
    assert wire("FCALL", "add", 1, "k", 5) == 5
    payload = wire("FUNCTION", "DUMP")
    wire("FLUSHALL")
    assert wire("FCALL", "add", 1, "k", 5) == 5
    other = make_house()
    other.store.libraries.set(b"lib", LIBRARY.encode())
    again = other.connect()
    assert again("FCALL_RO", "add", 1, "k", 5) == ErrorReply(
        "ERR Can not execute a script with write flag using *_ro command."
    )
    assert again("FCALL", "ADD", 1, "k", 6) == 6
    assert text(again("FUNCTION", "RESTORE", payload)) == "ERR Library lib already exists"
    for policy in ("REPLACE", "FLUSH"):
        assert again("FUNCTION", "RESTORE", payload, policy) == Simple(b"OK")
    assert list(other.store.libraries.code) == [b"lib"]


def test_payloads() -> None:
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA
    codes = [b"", b"x" * 63, b"y" * 64, b"z" * 20_000]
    payload = dumped(codes)
    assert restored(payload) == codes
    for bad in (b"", payload[:-1], payload[1:], payload[:-1] + b"\0"):
        with pytest.raises(RespError, match="version or checksum"):
            restored(bad)
    packed = bytes([245, 0xC3, 11, 14]) + bytes([2]) + b"abc" + bytes([0x60, 2]) + bytes([3]) + b"defg"
    for text, code in (
        (bytes([245, 0xC3, 11, 12]) + bytes([2]) + b"abc" + bytes([0x60, 2]) + bytes([3]) + b"defg", b"abcabcabdefg"),
        (bytes([245, 0xC0, 0x85]), b"-123"),
        (bytes([245, 0xC1, 1, 2]), b"513"),
    ):
        body = text + (10).to_bytes(2, "little")
        assert restored(body + crc64(body).to_bytes(8, "little")) == [code]
    for text in (packed, bytes([245, 5, 1]), bytes([7]), bytes([245, 0xFF]), bytes([245, 0xC3, 2, 9, 0x40, 9])):
        body = text + (10).to_bytes(2, "little")
        with pytest.raises(RespError):
            restored(body + crc64(body).to_bytes(8, "little"))


def test_a_long_script_reads_while_nothing_can_be_logged(wire: Any) -> None:
    scripting, state = wire.connection.server.scripting, wire.connection.server.state
    wire("SET", "a", "1")
    body = b"return {redis.call('GET', 'a'), redis.pcall('SET', 'a', '2')['err']}"
    sha, script = scripting.script_of(body)
    state.set_write_fault("the disk is full")
    state.set_busy("BUSY others are told")
    try:
        found = scripting.eval(wire.connection.context, [b"EVAL", body, b"0"], sha, script, ([], []), False)
    finally:
        state.set_busy("")
        state.set_write_fault("")
    assert found == [b"1", b"MISCONF the disk is full"]
    assert wire("GET", "a") == b"1"

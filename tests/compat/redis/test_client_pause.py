"""CLIENT PAUSE holds commands, keeps their order, and runs them when it ends."""

from __future__ import annotations

from typing import Any


def pause(wire: Any, line: bytes = b"CLIENT PAUSE 1000\r\n") -> None:
    assert wire.send(line) == b"+OK\r\n"


def let_time_pass(house: Any, ms: int) -> None:
    """Move the clock and call the timers that are due, until none is."""
    house.clock.advance(ms)
    house.run_timers(ms / 1000)
    house.timers[:] = [(delay_s - ms / 1000, call) for delay_s, call in house.timers]


def test_everything_waits_and_runs_in_order(house: Any, wire: Any) -> None:
    pause(wire)
    other = house.connect()
    assert other.send(b"SET a 1\r\nGET a\r\n") == b""
    assert other.send(b"INCR a\r\n") == b""
    other.transport.written = b""
    let_time_pass(house, 1000)
    assert other.transport.written == b"+OK\r\n$1\r\n1\r\n:2\r\n"
    assert other.send(b"GET a\r\n") == b"$1\r\n2\r\n"


def test_unpause_ends_it(house: Any, wire: Any) -> None:
    pause(wire)
    other = house.connect()
    assert other.send(b"PING\r\n") == b""
    assert wire.send(b"CLIENT UNPAUSE\r\n") == b"+OK\r\n"
    house.run_timers()
    assert other.transport.written == b"+PONG\r\n"


def test_a_pause_of_writes_lets_reads_through(house: Any, wire: Any) -> None:
    wire("SET", "a", 1)
    pause(wire, b"CLIENT PAUSE 1000 WRITE\r\n")
    reader, writer = house.connect(), house.connect()
    assert reader.send(b"GET a\r\n") == b"$1\r\n1\r\n"
    assert writer.send(b"INCR a\r\nGET a\r\n") == b""
    assert reader.send(b"GET a\r\n") == b"$1\r\n1\r\n"
    writer.transport.written = b""
    let_time_pass(house, 1000)
    assert writer.transport.written == b":2\r\n$1\r\n2\r\n"


def test_a_transaction_that_writes_waits_at_exec(house: Any, wire: Any) -> None:
    pause(wire, b"CLIENT PAUSE 1000 WRITE\r\n")
    other = house.connect()
    assert other.send(b"MULTI\r\nGET a\r\nEXEC\r\n") == b"+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n"
    assert other.send(b"MULTI\r\nSET a 1\r\nEXEC\r\n") == b"+OK\r\n+QUEUED\r\n"
    other.transport.written = b""
    let_time_pass(house, 1000)
    assert other.transport.written == b"*1\r\n+OK\r\n"


def test_native_commands_wait_too(house: Any, wire: Any) -> None:
    pause(wire, b"CLIENT PAUSE 1000 WRITE\r\n")
    request = b'{"KV_SET":{"keys":{"a":1}}}'
    line, bulk = house.connect(), house.connect()
    assert line.send(request + b"\n") == b""
    assert bulk.send(b"*1\r\n$%d\r\n%b\r\n" % (len(request), request)) == b""
    let_time_pass(house, 1000)
    assert line.transport.written == b'{"KV_SET_RSP":{"st":1}}\n'
    assert bulk.transport.written == b'$23\r\n{"KV_SET_RSP":{"st":1}}\r\n'


def test_the_longer_and_stricter_pause_wins(house: Any, wire: Any) -> None:
    pause(wire, b"CLIENT PAUSE 1000 WRITE\r\n")
    pause(wire, b"CLIENT PAUSE 100 ALL\r\n")
    other = house.connect()
    assert other.send(b"GET a\r\n") == b""
    let_time_pass(house, 100)
    assert other.transport.written == b""
    let_time_pass(house, 900)
    assert other.transport.written == b"$-1\r\n"


def test_keys_do_not_expire_by_themselves_meanwhile(house: Any, wire: Any) -> None:
    wire("SET", "a", 1, "PX", 10)
    pause(wire)
    house.advance(5_000)
    assert b"a" in house.store.databases[0].data
    wire.send(b"CLIENT UNPAUSE\r\n")
    house.advance(5_000)
    assert b"a" not in house.store.databases[0].data


def test_a_held_client_can_be_killed(house: Any, wire: Any) -> None:
    pause(wire)
    other = house.connect(("127.0.0.1", 9))
    other.send(b"SET a 1\r\n")
    wire.send(b"CLIENT KILL 127.0.0.1:9\r\n")
    assert other.transport.closed
    let_time_pass(house, 1000)
    assert house.connect()("GET", "a") is None


def test_held_clients_are_blocked_ones(house: Any, wire: Any) -> None:
    pause(wire, b"CLIENT PAUSE 1000 WRITE\r\n")
    house.connect().send(b"INCR a\r\n")
    house.connect().send(b"BLPOP l 0\r\n")
    assert b"blocked_clients:2\r\n" in wire("INFO", "clients")
    assert [b" flags=b " in line for line in wire("CLIENT", "LIST").splitlines()] == [False, True, True]


def test_no_field_expires_while_writes_are_paused(house: Any, wire: Any) -> None:
    for line in ("HSET h a 1 b 2 c 3", "HSET gone a 1", "RPUSH l h", "HPEXPIRE h 100 FIELDS 2 a b"):
        wire.line(line)
    wire.line("HPEXPIRE gone 100 FIELDS 1 a")
    changes = house.store.feed.changes
    pause(wire, b"CLIENT PAUSE 1000 WRITE\r\n")
    house.advance(200)
    assert wire.line("HGETALL h") == [b"c", b"3"]
    assert wire.line("HMGET h a c") == [None, b"3"]
    assert wire.line("HTTL h FIELDS 2 a c") == [-2, -1]
    assert wire.line("SORT_RO l BY nosort GET *->a GET *->c") == [None, b"3"]
    assert wire.line("HLEN h") == 1
    assert wire.line("HGET gone a") is None
    assert wire.send(b'{"KV_GET":{"keys":["h"]}}\n').count(b'{"c":"3"}') == 1
    assert house.store.feed.changes == changes
    let_time_pass(house, 1000)
    house.advance(0)
    assert house.store.databases[0].data.keys() == {b"h", b"l"}
    assert house.store.databases[0].data[b"h"] == {b"c": b"3"}


def test_a_transaction_that_pauses_writes_changes_hashes_all_the_same(house: Any, wire: Any) -> None:
    for line in ("HSET h a 1 b 2", "HPEXPIRE h 100 FIELDS 1 a"):
        wire.line(line)
    house.clock.advance(200)
    wire.send(b"MULTI\r\nCLIENT PAUSE 1000 WRITE\r\nHSET h c 3\r\nHGETALL h\r\nEXEC\r\n")
    assert wire.line("HGETALL h") == [b"b", b"2", b"c", b"3"]


def test_nothing_expires_while_writes_are_paused(house: Any, wire: Any) -> None:
    for name in "abc":
        wire("SET", name, 1, "PX", 100)
    pause(wire, b"CLIENT PAUSE 1000 WRITE\r\n")
    house.advance(200)
    assert wire("GET", "a") is None
    assert wire("EXISTS", "b") == 0
    assert wire("DBSIZE") == 3
    assert b"expired_keys:0\r\n" in wire("INFO", "stats")
    let_time_pass(house, 1000)
    assert wire("GET", "a") is None
    house.advance(0)
    assert wire("DBSIZE") == 0
    assert b"expired_keys:3\r\n" in wire("INFO", "stats")

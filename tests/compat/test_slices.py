"""Big replies go out in slices: whole, in their place, at the pace of the client."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.resp.decoder import Pairs, ReplyReader
from januskv.resp.replies import SetReply, Simple

ROWS = 40_000


def read_all(data: bytes) -> list[Any]:
    reader = ReplyReader()
    reader.feed(data)
    found = []
    while (reply := reader.gets()) is not None:
        found.append(reply[1])
    assert not reader.buffer
    return found


@pytest.fixture
def series(house: Any, wire: Any) -> Any:
    """A wire to a server with a series of so many rows that they go out in slices."""
    words = ["TS.MADD", *(word for time in range(1, ROWS + 1) for word in ("s", time, f"{time}.5")), "CREATE"]
    assert len(wire(*words)) == ROWS
    house.run_timers()  # it reads again
    return wire


def test_messages_and_requests_wait_for_the_end_of_the_reply(house: Any, series: Any) -> None:
    series.send(b"TS.RANGE s - +\r\nPING\r\n")
    series.connection.push(Simple(b"a message"))
    house.connect().line("DEL s")  # what is on its way does not change
    house.run_timers()
    rows, message, pong = read_all(series.transport.written)
    assert rows == [[time, Simple(b"%d.5" % time)] for time in range(1, ROWS + 1)]
    assert (message, pong) == (Simple(b"a message"), Simple(b"PONG"))


@pytest.mark.parametrize("protocol", [2, 3])
def test_collections_of_many_items(house: Any, wire: Any, protocol: int) -> None:
    names = [b"%d" % number for number in range(25_000)]
    wire.line(f"HELLO {protocol}")
    wire("RPUSH", "list", *names)
    wire("SADD", "set", *names)
    wire("HSET", "hash", *[part for name in names for part in (name, b"v" + name)])
    wire("ZADD", "zset", *[part for name in names for part in (name, name)])
    wire("MSET", *[part for name in names for part in (b"key:" + name, b"1")])

    def ask(line: bytes) -> Any:
        assert len(wire.send(line + b"\r\n")) < 100_000
        house.run_timers()
        (reply,) = read_all(wire.transport.written)
        return reply

    def flat(reply: Any) -> list[Any]:
        if isinstance(reply, Pairs):
            return [part for pair in reply for part in pair]
        return list(reply.items) if isinstance(reply, SetReply) else reply

    assert ask(b"LRANGE list 0 -1") == names
    assert set(flat(ask(b"SMEMBERS set"))) == set(names)
    assert len(flat(ask(b"SUNION set"))) == len(names)
    assert ask(b"ZRANGE zset 0 -1") == names
    assert sorted(ask(b"KEYS key:*")) == sorted(b"key:" + name for name in names)
    assert flat(ask(b"HGETALL hash")) == [part for name in names for part in (name, b"v" + name)]
    scored = ask(b"ZRANGE zset 0 -1 WITHSCORES")
    assert len(scored) == len(names) * (2 if protocol == 2 else 1)
    assert scored[-1] == (b"24999" if protocol == 2 else [b"24999", 24999.0])


def test_a_client_that_does_not_read_gets_no_more_and_costs_no_time(house: Any, series: Any) -> None:
    series.connection.pause_writing()
    assert series.send(b"TS.RANGE s - +\r\n") == b""
    house.run_timers()
    assert series.transport.written == b""
    assert house.timers == []
    series.connection.resume_writing()
    house.run_timers()
    assert len(read_all(series.transport.written)[0]) == ROWS


def test_pieces_stop_when_the_transport_has_enough(house: Any, series: Any) -> None:
    """And go on, once each, however often the transport stops and goes on."""
    write = series.transport.write

    def write_and_pause(data: bytes) -> None:
        write(data)
        series.connection.pause_writing()

    series.transport.write = write_and_pause
    series.send(b"TS.RANGE s - +\r\n")
    house.run_timers()
    whole = b""
    while True:
        written = series.transport.written
        series.connection.resume_writing()
        series.connection.pause_writing()
        series.connection.resume_writing()
        assert len(house.timers) <= 1
        house.run_timers()
        if len(series.transport.written) == len(written):
            break
        assert len(series.transport.written) - len(written) < 1 << 20
    whole = series.transport.written
    assert len(read_all(whole)[0]) == ROWS


@pytest.mark.parametrize("end", ["connection_lost", "close", "kill", "abort"])
def test_the_end_of_a_connection_frees_what_is_left(house: Any, wire: Any, end: str) -> None:
    freed = []

    def pieces() -> Any:
        try:
            while True:
                yield b"x"
        finally:
            freed.append(end)

    connection = wire.connection
    connection.send_pieces(pieces())
    house.timers.pop(0)[1]()
    assert wire.transport.written == b"x"
    connection.push(Simple(b"waits"))
    connection.connection_lost(None) if end == "connection_lost" else getattr(connection, end)()
    assert freed == [end]
    house.run_timers()
    assert wire.transport.written == b"x"


def test_messages_that_wait_count_as_unread(house: Any, wire: Any) -> None:
    house.connect()("CONFIG", "SET", "client-output-buffer-limit", "normal 1000 0 0")
    wire.connection.send_pieces(iter([b"+OK", b"\r\n"]))
    wire.connection.push(Simple(b"x" * 600))
    assert not wire.transport.closed
    wire.connection.push(Simple(b"x" * 600))
    assert wire.transport.aborted


def test_a_reply_whose_pieces_fail_ends_the_connection_only(house: Any, wire: Any, caplog: Any) -> None:
    def pieces() -> Any:
        yield b"*2\r\n"
        raise ZeroDivisionError

    wire.connection.send_pieces(pieces())
    house.run_timers()
    assert wire.transport.aborted
    assert "ZeroDivisionError" in caplog.text
    assert house.connect()("PING") == Simple(b"PONG")


def test_what_was_asked_before_the_client_sent_no_more_is_answered(house: Any, series: Any) -> None:
    series.send(b"TS.RANGE s - +\r\nTS.RANGE s - +\r\nPING\r\n")
    assert series.connection.eof_received()
    house.run_timers()
    first, second, pong = read_all(series.transport.written)
    assert (len(first), len(second), pong) == (ROWS, ROWS, Simple(b"PONG"))
    assert series.transport.closed
    assert not series.transport.aborted


def test_a_client_that_leaves_ends_its_reply(house: Any, series: Any) -> None:
    series.send(b"TS.RANGE s - +\r\n")
    series.connection.connection_lost(None)
    house.run_timers()
    assert series.transport.written == b""
    assert house.timers == []


def test_a_pause_that_ends_does_not_cut_into_a_reply(house: Any, series: Any) -> None:
    series.send(b"TS.RANGE s - +\r\nPING\r\n")
    other = house.connect()
    other.line("CLIENT PAUSE 1000")
    other.line("CLIENT UNPAUSE")
    house.run_timers()
    rows, pong = read_all(series.transport.written)
    assert (len(rows), pong) == (ROWS, Simple(b"PONG"))


def test_in_exec_a_reply_is_whole(series: Any) -> None:
    series.line("MULTI")
    series.line("TS.RANGE s - +")
    assert [len(reply) for reply in series.line("EXEC")] == [ROWS]


def test_replies_that_are_switched_off_are_not_sent(house: Any, series: Any) -> None:
    assert series.send(b"CLIENT REPLY SKIP\r\nTS.RANGE s - +\r\nPING\r\n") == b"+PONG\r\n"
    assert house.timers == []


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize(
    "line",
    [
        "TS.RANGE s - + AGGREGATION min,max 2",
        "TS.MRANGE - + WITHLABELS FILTER site=a",
        "TS.MREVRANGE - + SELECTED_LABELS site FILTER site=(a,b) sensor!=7",
        "TS.MRANGE - + AGGREGATION avg,max 2 FILTER site=a",
        "TS.MRANGE - + WITHLABELS FILTER site=(a,b) GROUPBY site REDUCE max",
    ],
)
def test_many_series_in_slices(
    house: Any, wire: Any, line: str, protocol: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire.line(f"HELLO {protocol}")
    for name, site in (("s", "a"), ("t", "a"), ("u", "b"), ("empty", "a")):
        wire("TS.CREATE", name, "LABELS", "site", site, "sensor", name)
        if name != "empty":
            wire("TS.MADD", *(word for time in range(1, 200) for word in (name, time, time % 7 + 0.5)))
    whole = wire.line(line)
    monkeypatch.setattr("januskv.resp.slices.SAMPLES", 16)
    monkeypatch.setattr("januskv.compat.redis.timeseries_verbs.SAMPLES", 16)
    assert wire.send(line.encode() + b"\r\n").count(b"\n") < 100
    house.run_timers()
    assert read_all(wire.transport.written) == [whole]
    wire("MULTI")
    wire.line(line)
    assert wire("EXEC") == [whole]

"""When waiting clients are served: after each command, whichever listener it comes through, and never a client that goes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.conftest import encoded

from januskv.compat.native.websocket import WebSocketConnection
from januskv.resp import websocket as ws

from .redis.test_pubsub import got


@pytest.fixture
def waiting(house: Any) -> list[Any]:
    """Two clients that wait for elements of the list l."""
    clients = [house.connect(), house.connect()]
    for client in clients:
        client.send(b"BLPOP l 0\r\n")
    return clients


@pytest.mark.parametrize(
    "sent",
    [
        b"RPUSH l a\r\nDEL l\r\n",
        b"RPUSH l a b c\r\nDEL l\r\n",
        b'{"KV_SET":{"keys":{"l":["a","b"]}}}\n{"KV_RMV":{"keys":["l"]}}\n',
    ],
)
def test_between_commands_of_one_read(house: Any, wire: Any, waiting: list[Any], sent: bytes) -> None:
    wire.send(sent)
    assert got(waiting[0]) == [[b"l", b"a"]]
    assert got(waiting[1]) == ([[b"l", b"b"]] if b"b" in sent[6:] and b"RPUSH l a\r" not in sent else [])


def test_not_within_a_transaction(house: Any, wire: Any, waiting: list[Any]) -> None:
    wire.send(b"MULTI\r\nRPUSH l a\r\nDEL l\r\nEXEC\r\n")
    house.run_timers()
    assert [got(client) for client in waiting] == [[], []]
    wire.send(b"MULTI\r\nRPUSH l a\r\nRPUSH l b\r\nEXEC\r\n")
    assert [got(client) for client in waiting] == [[[b"l", b"a"]], [[b"l", b"b"]]]


def test_between_messages_of_a_web_socket(house: Any, waiting: list[Any]) -> None:
    connection = WebSocketConnection(house.server, house.native)
    connection.connection_made(house.connect().transport)
    requests = ({"KV_SET": {"keys": {"l": ["a"]}}}, {"KV_RMV": {"keys": ["l"]}})
    connection.data_received(b"".join(masked(json.dumps(each).encode()) for each in requests))
    assert got(waiting[0]) == [[b"l", b"a"]]


def masked(text: bytes) -> bytes:
    """A text message as a client sends it, with a mask that changes nothing."""
    assert len(text) < 126
    return bytes([0x80 | ws.TEXT, 0x80 | len(text), 0, 0, 0, 0]) + text


def test_a_client_that_is_closing_takes_nothing(house: Any, wire: Any, waiting: list[Any]) -> None:
    number = waiting[0].connection.client.id
    assert wire.line(f"CLIENT KILL ID {number}") == 1
    wire.line("RPUSH l a")
    assert [got(client) for client in waiting] == [[], [[b"l", b"a"]]]
    assert not house.server.waiting.by_client


def test_a_pause_holds_the_answer(house: Any, wire: Any, waiting: list[Any]) -> None:
    wire.send(b"RPUSH other a\r\nCLIENT PAUSE 100 WRITE\r\n")
    house.store.databases[0].put(b"l", [b"a"], "lpush")
    house.server.waiting.serve()
    assert got(waiting[0]) == []
    house.server.pause.end()
    house.run_timers(0.01)
    assert got(waiting[0]) == [[b"l", b"a"]]


def test_the_flag_in_client_list(house: Any, wire: Any, waiting: list[Any]) -> None:
    number = waiting[0].connection.client.id
    assert b" flags=b " in wire.line(f"CLIENT LIST ID {number}")
    wire.line("RPUSH l a")
    assert b" flags=N " in wire.line(f"CLIENT LIST ID {number}")


@pytest.mark.parametrize("line", ["BLMOVE l d LEFT RIGHT 0", "BRPOPLPUSH l d 0"])
def test_a_list_that_is_long_from_the_beginning(house: Any, wire: Any, line: str) -> None:
    client = house.connect()
    client.send(line.encode() + b"\r\n")
    assert wire("RPUSH", "l", *range(200)) == 200
    assert len(got(client)) == 1
    assert wire.line("LLEN l") == 199


@pytest.mark.parametrize(
    ("first", "result"),
    [
        ("BLPOP k 0", "SORT l STORE k"),
        ("BLMOVE k d LEFT LEFT 0", "SORT l STORE k"),
        ("BZPOPMIN k 0", "ZUNIONSTORE k 1 z"),
        ("BZPOPMAX k 0", "ZRANGESTORE k z 0 -1"),
        ("BZMPOP 0 1 k MIN", "GEOSEARCHSTORE k z FROMLONLAT 0 0 BYRADIUS inf m"),
    ],
)
def test_a_result_wakes_nobody_where_another_value_was(house: Any, wire: Any, first: str, result: str) -> None:
    wire.line("RPUSH l 1 2")
    wire.line("GEOADD z 1 1 a 2 2 b")
    client = house.connect()
    client.send(first.encode() + b"\r\n")
    wire.line("SET k text")
    wire.line(result)
    wire.line("RPUSH k 3" if "SORT" in result else "ZADD k 3 c")
    assert got(client) == []
    wire.line("RENAME k other")
    assert got(client) == []
    wire.line("RENAME other k")  # new, as for Redis
    assert len(got(client)) == 1


def test_a_result_in_a_new_key_wakes(house: Any, wire: Any, waiting: list[Any]) -> None:
    wire.line("RPUSH other 2 1")
    wire.line("SORT other STORE l")
    assert [got(client) for client in waiting] == [[[b"l", b"1"]], [[b"l", b"2"]]]
    assert house.store.feed.wanted == frozenset()


def test_a_client_that_sends_much_lets_others_be_served_in_between(house: Any, wire: Any) -> None:
    wire.send(encoded("SET", "a", "x" * 100_000))
    assert wire.transport.reading
    assert wire.send(encoded("SET", "a", "x" * 8) * 8000).count(b"+OK") == 8000
    assert not wire.transport.reading
    house.run_timers()
    assert wire.transport.reading
    wire.send(encoded("SET", "a", "x" * 250_000) + encoded("QUIT"))
    house.run_timers()  # which must not read from a closed connection
    assert wire.transport.closed

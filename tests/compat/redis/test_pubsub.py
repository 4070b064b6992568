"""Pub/Sub: who gets what, over both protocols and as JSON; notifications; sessions hear only of themselves."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from januskv.resp.decoder import ReplyReader
from januskv.resp.replies import ErrorReply, Push, Simple


def got(wire: Any) -> list[Any]:
    """What a client has been sent since the last look."""
    reader = ReplyReader()
    reader.feed(wire.transport.written)
    wire.transport.written = b""
    found = []
    while (reply := reader.gets()) is not None:
        message = reply[1]
        found.append(message.items if isinstance(message, Push) else message)
    return found


def native(wire: Any, request: dict[str, Any]) -> Any:
    wire.transport.written = b""
    wire.connection.data_received(orjson.dumps(request) + b"\n")
    return messages(wire)[0]


def messages(wire: Any) -> list[Any]:
    lines = wire.transport.written.splitlines()
    wire.transport.written = b""
    return [orjson.loads(line) for line in lines]


@pytest.mark.parametrize("protocol", [2, 3])
def test_messages_reach_channels_and_patterns(house: Any, wire: Any, protocol: int) -> None:
    listener = house.connect()
    listener.line(f"HELLO {protocol}")
    listener.line("SUBSCRIBE news")
    listener.line("PSUBSCRIBE n*")
    listener.line("SSUBSCRIBE news")
    got(listener)
    assert wire.line("PUBLISH news hello") == 2
    assert wire.line("PUBLISH other hello") == 0
    assert wire.line("SPUBLISH news shard") == 1
    assert got(listener) == [
        [b"message", b"news", b"hello"],
        [b"pmessage", b"n*", b"news", b"hello"],
        [b"smessage", b"news", b"shard"],
    ]
    listener.line("RESET")
    assert wire.line("PUBLISH news hello") == 0
    assert wire.line("PUBSUB NUMPAT") == 0


def test_a_client_that_has_gone_is_no_subscriber(house: Any, wire: Any) -> None:
    listener = house.connect()
    listener.line("SUBSCRIBE news")
    listener.connection.connection_lost(None)
    assert wire.line("PUBLISH news hello") == 0
    assert wire.line("PUBSUB CHANNELS") == []


def test_resp3_goes_on_with_commands_and_hears_itself_behind_the_reply(wire: Any) -> None:
    wire.line("HELLO 3")
    wire.line("SUBSCRIBE news")
    wire.send(b"GET a\r\nPUBLISH news me\r\nGET a\r\n")
    assert got(wire) == [None, 1, [b"message", b"news", b"me"], None]


def test_what_a_transaction_says_comes_behind_its_reply(wire: Any) -> None:
    wire.line("HELLO 3")
    wire.line("SUBSCRIBE news")
    wire.send(b"MULTI\r\nPUBLISH news a\r\nPUBLISH news b\r\nEXEC\r\nGET a\r\n")
    assert got(wire)[3:] == [[1, 1], [b"message", b"news", b"a"], [b"message", b"news", b"b"], None]


def test_a_client_that_waited_hears_of_what_it_took_behind_its_reply(house: Any, wire: Any) -> None:
    waiting = house.connect()
    waiting.line("HELLO 3")
    wire.line("CONFIG SET notify-keyspace-events El")
    waiting.line("SUBSCRIBE __keyevent@0__:lpop")
    waiting.send(b"BLPOP l 0\r\n")
    wire.line("RPUSH l a")
    assert got(waiting) == [[b"l", b"a"], [b"message", b"__keyevent@0__:lpop", b"l"]]


def test_a_slow_reader_is_closed_and_the_others_go_on(house: Any, wire: Any) -> None:
    wire.line("CONFIG SET client-output-buffer-limit 'pubsub 1000 0 0'")
    slow, quick = house.connect(), house.connect()
    for each in (slow, quick):
        each.line("SUBSCRIBE news")
        got(each)
    slow.transport.unread = 2000
    assert wire.line("PUBLISH news hello") == 2
    assert slow.transport.aborted
    assert got(quick) == [[b"message", b"news", b"hello"]]


def test_clients_are_described(house: Any, wire: Any) -> None:
    listener = house.connect()
    listener.send(b"SUBSCRIBE a b\r\n")
    line = wire.line("CLIENT LIST TYPE pubsub")
    assert b" flags=P " in line
    assert b" sub=2 psub=0 ssub=0 " in line
    assert b"pubsub_clients:1" in wire.line("INFO clients")
    house.advance(10)
    wire.line("CONFIG SET timeout 1")
    house.advance(5000)
    assert not listener.transport.closed


# ---------------------------------------------------------------- notifications


def heard(house: Any, setting: str, *lines: str) -> list[tuple[bytes, bytes]]:
    """Channel and message of what is published while some lines run."""
    wire, listener = house.connect(), house.connect()
    wire.line(f"CONFIG SET notify-keyspace-events {setting}")
    listener.line("PSUBSCRIBE __key*")
    got(listener)
    for line in lines:
        wire.line(line)
    return [(message[2], message[3]) for message in got(listener)]


def test_keys_and_events(house: Any) -> None:
    assert heard(house, "KEA", "SET a 1", "DEL a") == [
        (b"__keyspace@0__:a", b"set"),
        (b"__keyevent@0__:set", b"a"),
        (b"__keyspace@0__:a", b"del"),
        (b"__keyevent@0__:del", b"a"),
    ]


def test_only_the_chosen_classes(house: Any) -> None:
    assert heard(house, "El", "SET a 1", "RPUSH l x", "LPOP l") == [
        (b"__keyevent@0__:rpush", b"l"),
        (b"__keyevent@0__:lpop", b"l"),
    ]


def test_misses_and_new_keys_only_when_asked_for(house: Any) -> None:
    assert heard(house, "EA", "GET nokey", "SET a 1") == [(b"__keyevent@0__:set", b"a")]
    assert heard(house, "Emn", "GET nokey", "SET b 1") == [
        (b"__keyevent@0__:keymiss", b"nokey"),
        (b"__keyevent@0__:new", b"b"),
    ]


def test_a_key_that_expires(house: Any) -> None:
    wire, listener = house.connect(), house.connect()
    wire.line("CONFIG SET notify-keyspace-events Ex")
    listener.line("PSUBSCRIBE *")
    wire.line("SET a 1 PX 10")
    got(listener)
    house.advance(1200)
    assert got(listener) == [[b"pmessage", b"*", b"__keyevent@0__:expired", b"a"]]


def test_json_commands_notify_too(house: Any) -> None:
    wire, listener = house.connect(), house.connect()
    wire.line("CONFIG SET notify-keyspace-events KA")
    listener.line("PSUBSCRIBE *")
    got(listener)
    wire.send(b'{"KV_SET":{"keys":{"a":1}}}\n{"KV_RMV":{"keys":["a"]}}\n')
    assert [message[3] for message in got(listener)] == [b"set", b"del"]


def test_a_session_is_heard_from_inside_only(house: Any) -> None:
    wire, inside, outside = house.connect(), house.connect(), house.connect()
    token = orjson.loads(wire.send(b'{"SH_NEW":{"name":"s"}}\n'))["SH_NEW_RSP"]["tkn"]
    wire.line("CONFIG SET notify-keyspace-events KA")
    inside.line(f"SELECT {token}")
    for listener in (inside, outside):
        listener.line("PSUBSCRIBE *")
        got(listener)
    wire.line(f"SELECT {token}")
    wire.line("SET a 1")
    assert [message[2:] for message in got(inside)] == [[b"__keyspace@session__:a", b"set"]]
    assert got(outside) == []


# ---------------------------------------------------------------- JSON


def test_a_json_client_subscribes(house: Any, wire: Any) -> None:
    listener = house.connect()
    reply = native(listener, {"SV_SUBSCRIBE": {"channels": ["news"], "patterns": ["n*"]}})
    assert reply == {"SV_SUBSCRIBE_RSP": {"st": 1, "channels": ["news"], "patterns": ["n*"], "keys": []}}
    assert wire.line("PUBLISH news hello") == 2
    assert messages(listener) == [
        {"SV_MESSAGE": {"channel": "news", "message": "hello"}},
        {"SV_MESSAGE": {"pattern": "n*", "channel": "news", "message": "hello"}},
    ]
    assert native(listener, {"KV_GET": {"keys": ["a"]}})["KV_GET_RSP"]["keys"] == {}
    native(listener, {"SV_UNSUBSCRIBE": {"channels": ["news"]}})
    assert native(wire, {"SV_PUBLISH": {"channel": "news", "message": "x"}}) == {
        "SV_PUBLISH_RSP": {"st": 1, "count": 1}
    }
    messages(listener)
    assert native(listener, {"SV_UNSUBSCRIBE": {}})["SV_UNSUBSCRIBE_RSP"]["patterns"] == []
    assert wire.line("PUBLISH news hello") == 0


def test_a_json_client_hears_of_keys(house: Any, wire: Any) -> None:
    listener = house.connect()
    native(listener, {"SV_SUBSCRIBE": {"keys": ["user:*"]}})
    wire.line("HSET user:1 name Ida")
    wire.line("SET other 1")
    wire.line("DEL user:1")
    assert messages(listener) == [
        {"SV_KEY_EVENT": {"key": "user:1", "event": "hset"}},
        {"SV_KEY_EVENT": {"key": "user:1", "event": "del"}},
    ]
    native(listener, {"SV_UNSUBSCRIBE": {"keys": ["user:*"]}})
    wire.line("SET user:2 x")
    assert messages(listener) == []
    assert house.store.feed.listeners == []


@pytest.mark.parametrize(
    ("body", "status"),
    [({"channels": [1]}, 41), ({"channels": "a"}, 41), ({"keys": [None]}, 41)],
)
def test_bad_names_are_refused(wire: Any, body: Any, status: int) -> None:
    assert native(wire, {"SV_SUBSCRIBE": body})["SV_SUBSCRIBE_RSP"]["st"] == status
    assert wire.line("PUBSUB CHANNELS") == []


def test_over_resp_it_is_refused(wire: Any) -> None:
    reply = orjson.loads(wire("SV_SUBSCRIBE", b'{"channels":["a"]}'))
    assert reply["SV_SUBSCRIBE_RSP"]["st"] == 171
    assert isinstance(wire.line("SV_SUBSCRIBE x"), bytes | ErrorReply)
    assert wire.line("PING") == Simple(b"PONG")


def test_one_that_cannot_be_told_does_not_cost_the_others_the_message(house: Any, wire: Any, caplog: Any) -> None:
    clients = [house.connect() for _ in range(3)]
    for client in clients:
        client.line("SUBSCRIBE c")
        client.transport.written = b""

    def write(data: bytes) -> None:
        raise OSError("broken")

    clients[1].transport.write = write
    assert wire.line("PUBLISH c m") == 3
    assert [got(client) for client in clients] == [[[b"message", b"c", b"m"]], [], [[b"message", b"c", b"m"]]]
    assert clients[1].transport.aborted
    assert "Traceback" in caplog.text


def test_messages_come_while_replies_are_off(wire: Any) -> None:
    wire.line("HELLO 3")
    assert wire.send(b"CLIENT REPLY OFF\r\n") == b""
    assert wire.send(b"SUBSCRIBE news\r\n") == b">3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"
    assert wire.send(b"PUBLISH news hello\r\n") == b">3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n"
    assert wire.send(b"PING\r\n") == b""

"""Closed connections and deleted values are freed at once, without the garbage collector: it does not look at what it froze."""

from __future__ import annotations

import gc
import importlib
import json
import pkgutil
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

import januskv
from januskv.compat.native.websocket import WebSocketConnection
from januskv.resp import websocket as ws


@pytest.fixture
def house(make_house: Any) -> Any:
    return make_house(slowlog_log_slower_than=-1)


@pytest.fixture(autouse=True, scope="module")
def only_new_objects() -> None:
    """Neither the collector nor ``ours`` looks at the hundreds of thousands of objects that were there before."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_collector(only_new_objects: None) -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def ours() -> Counter[str]:
    """How many objects there are of each class of the server's that the collector knows."""
    found: Counter[str] = Counter()
    for kind, count in Counter(map(type, gc.get_objects())).items():
        if kind.__module__.startswith("januskv"):
            found[f"{kind.__module__}.{kind.__name__}"] += count
    return found


# ---------------------------------------------------------------- connections

STATES = {
    "plain": ["SET a 1", "HSET h f v", "LPUSH l v", "GET nothing"],
    "an error": ["LPUSH a", "INCRBY a x", "NOSUCH"],
    "in a transaction": ["WATCH a b", "MULTI", "SET a 1"],
    "after a transaction": ["WATCH a b", "MULTI", "SET a 1", "EXEC"],
    "waits for ever": ["BLPOP empty 0"],
    "waits for a time": ["BLPOP empty empty2 1000"],
    "waits for a stream": ["XREAD BLOCK 1000 STREAMS empty $"],
    "waits for replicas": ["WAIT 1 1000"],
    "subscribed": ["SUBSCRIBE a b", "PSUBSCRIBE c*", "SSUBSCRIBE d"],
    "subscribed, RESP3": ["HELLO 3", "SUBSCRIBE a b"],
    "monitor": ["MONITOR"],
    "tracking": ["HELLO 3", "CLIENT TRACKING ON", "GET a", "GET b"],
    "tracking prefixes": ["HELLO 3", "CLIENT TRACKING ON BCAST PREFIX a PREFIX b"],
    "no replies": ["CLIENT REPLY OFF", "SET a 1"],
    "in a session": ["SH_ENTER {token}", "SET a 1", "GET a"],
    "another database": ["SELECT 3", "SET a 1"],
    "a long reply": ["LRANGE long 0 -1"],
    "native": ['KV_SET \'{"keys": {"a": 1}}\'', 'KV_GET \'{"tkn": {token}, "keys": ["a"]}\''],
    "scanning": ["SCAN 0 COUNT 1"],
    "quit": ["QUIT"],
    "a broken request": ["PING", "\x00"],
    "held by a pause": ["CLIENT PAUSE 1000", "SET a 1"],
}


def prepare(house: Any) -> int:
    """Something for them to work with; the token of a session."""
    setup = house.connect()
    setup.line("RPUSH long " + " ".join(map(str, range(30_000))))
    setup.line("MSET a 1 b 2")
    return int(house.store.sessions.open_new("s", shared=False).token)


def serve(house: Any, token: int, lines: list[str], end: str) -> None:
    wire = house.connect()
    for line in lines:
        text = line.replace("{token}", str(token))
        data = b"*1\r\n$x\r\n" if text == "\x00" else text.encode() + b"\r\n"
        wire.send(data)
    if end == "killed":
        killer = house.connect()
        killer.send(b"CLIENT KILL ID %d\r\n" % wire.connection.client.id)
        killer.connection.connection_lost(None)
    elif end == "kills itself":
        wire.send(b"CLIENT KILL ID %d SKIPME no\r\n" % wire.connection.client.id)
    wire.connection.connection_lost(None)
    wire.connection.connection_lost(None)
    # What others do about it: the pause ends, the table of those that read keys is swept.
    house.server.pause.end()
    house.run_timers(0.05)


@pytest.mark.parametrize("end", ["gone", "killed", "kills itself"])
@pytest.mark.parametrize("state", STATES)
def test_a_connection(house: Any, state: str, end: str) -> None:
    token = prepare(house)
    serve(house, token, STATES[state], end)  # what is made once and kept
    before = ours()
    for _ in range(3):
        serve(house, token, STATES[state], end)
    grown = ours() - before
    allowed = {"januskv.storage.scan.DictScan", "januskv.storage.scan.Mark"} if state == "scanning" else set()
    assert not {name: count for name, count in grown.items() if name not in allowed}


MESSAGES: dict[str, list[Any]] = {
    "plain": [{"KV_SET": {"keys": {"a": 1}}}, {"KV_GET": {"keys": ["a", "b"]}}],
    "subscribed": [{"SV_SUBSCRIBE": {"channels": ["a"]}}],
    "in a session": [{"KV_SET": {"tkn": "{token}", "keys": {"a": 1}}}],
    "an error": [{"NOSUCH": {}}, {"KV_SET": {}}],
    "nothing": [],
}


@pytest.mark.parametrize("how", ["gone", "close frame", "broken frame"])
@pytest.mark.parametrize("state", MESSAGES)
def test_a_websocket(house: Any, state: str, how: str) -> None:
    token = prepare(house)

    def serve_message() -> None:
        transport = type(house.connect().transport)()
        connection = WebSocketConnection(house.server, house.native)
        connection.connection_made(transport)
        for message in MESSAGES[state]:
            text = json.dumps(message).replace('"{token}"', str(token)).encode()
            assert len(text) < 126
            connection.data_received(bytes([0x80 | ws.TEXT, 0x80 | len(text)]) + bytes(4) + text)
        if how == "close frame":
            connection.data_received(bytes([0x80 | ws.CLOSE, 0x82]) + bytes(4) + b"\x03\xe8")
        elif how == "broken frame":
            connection.data_received(b"\x8f\x00")
        connection.connection_lost(None)

    for listener in house.server.clients.everyone():
        listener.connection.connection_lost(None)
    serve_message()
    for client in house.server.clients.everyone():
        client.connection.connection_lost(None)
    before = ours()
    for _ in range(3):
        serve_message()
        for client in house.server.clients.everyone():
            client.connection.connection_lost(None)
    grown = ours() - before
    assert not grown


# ---------------------------------------------------------------- sessions


def test_a_session(house: Any, wire: Any) -> None:
    def use() -> None:
        for shared in (False, True):
            session = house.store.sessions.open_new("s", shared=shared, duration_s=60, delete_on_expiry=True)
            wire.line(f"SELECT {session.token}")
            for line in ("SET a 1", "EXPIRE a 10", "HSET h f v", "HEXPIRE h 10 FIELDS 1 f", "RPUSH l v", "TS.CREATE t"):
                wire.line(line)
            wire.line("SCAN 0 COUNT 1")
            wire.line("SELECT 0")
            house.store.sessions.end(session.token)

    use()
    before = ours()
    for _ in range(3):
        use()
    grown = ours() - before
    assert not grown


# ---------------------------------------------------------------- values

MANY = " ".join(f"member-{number}" for number in range(600))
PAIRS = " ".join(f"field-{number} {'v' * (1 + number % 90)}" for number in range(600))
SCORES = " ".join(f"{number} member-{number}" for number in range(600))
VALUES = {
    "string": ["SET k v", "APPEND k " + "x" * 5000, "SETRANGE k 6000 y", "SETBIT k 90000 1"],
    "number": ["SET k 1", "INCRBYFLOAT k 0.5"],
    "hash": ["HSET k f v", f"HSET k {PAIRS}", "HDEL k field-1", "HGETALL k"],
    "hash with deadlines": [f"HSET k {PAIRS}", "HEXPIRE k 100 FIELDS 2 field-1 field-2", "HPERSIST k FIELDS 1 field-1"],
    "list": ["RPUSH k a b", f"RPUSH k {MANY}", "LINSERT k BEFORE member-5 x", "LTRIM k 2 -2", "LRANGE k 0 -1"],
    "set": ["SADD k 1 2", f"SADD k {MANY}", "SPOP k 3", "SINTERSTORE k k k", "SMEMBERS k"],
    "sorted set": ["ZADD k 1 a", f"ZADD k {SCORES}", "ZINCRBY k 3 member-1", "ZPOPMIN k 5", "ZRANGE k 0 -1 WITHSCORES"],
    "geo": ["GEOADD k 13.4 52.5 berlin 2.35 48.85 paris", "GEOSEARCH k FROMMEMBER berlin BYRADIUS 2000 km"],
    "hyperloglog": ["PFADD k a b c", f"PFADD k {MANY}", "PFCOUNT k"],
    "stream": [*(f"XADD k * f {number}" for number in range(300)), "XDEL k 1-1", "XRANGE k - +"],
    "stream with groups": [
        *(f"XADD k 1-{number} f v" for number in range(1, 200)),
        "XGROUP CREATE k g 0",
        "XREADGROUP GROUP g c COUNT 100 STREAMS k >",
        "XREADGROUP GROUP g d COUNT 50 STREAMS k >",
        "XACK k g 1-1 1-2",
        "XAUTOCLAIM k g d 0 0",
        "XINFO STREAM k FULL",
    ],
    "series": ["TS.CREATE k LABELS a b", *(f"TS.ADD k {number} 1" for number in range(1, 500)), "TS.RANGE k - +"],
    "series with rules": [
        "TS.CREATE k LABELS a b",
        "TS.CREATE m",
        "TS.CREATERULE k m AGGREGATION avg 10",
        *(f"TS.ADD k {number} 1" for number in range(1, 100)),
        "TS.MRANGE - + FILTER a=b",
    ],
    "events": [
        'TS_CREATE \'{"name": "k", "type": "Ordered"}\'',
        'TS_CREATE_INDEX \'{"ts": "k", "key": "a"}\'',
        'TS_ADD_EVT \'{"ts": "k", "t": [1, 2], "evt": [{"a": 1}, {"a": 2}]}\'',
    ],
    "object": ['KV_SET \'{"keys": {"k": {"a": [1, {"b": [2]}], "c": null}}}\'', 'KV_GET \'{"keys": ["k"]}\''],
    "array": ['KV_SET \'{"keys": {"k": [1, [2, {"a": 3}]]}}\''],
}


@pytest.mark.parametrize("removal", ["DEL k m", "UNLINK k m", "FLUSHALL", "FLUSHDB", "RENAME other k", "SET k v"])
@pytest.mark.parametrize("value", VALUES)
def test_a_value(house: Any, wire: Any, value: str, removal: str) -> None:
    def use() -> None:
        wire.line("SET other o")
        for line in VALUES[value]:
            wire.line(line)
        assert house.store.databases[0].get(b"k") is not None, VALUES[value]
        wire.line(removal)
        wire.line("DEL k m")
        house.run_timers()
        while house.store.free_some():
            pass

    use()
    gc.collect()
    before, all_before = ours(), len(gc.get_objects())
    for _ in range(3):
        use()
    grown = ours() - before
    assert not grown
    assert len(gc.get_objects()) < all_before + 60


def test_every_class_of_the_server_can_be_counted() -> None:
    """A class that the collector does not know would pass unseen."""
    names = [name for _, name, _ in pkgutil.walk_packages(januskv.__path__, "januskv.") if ".tools" not in name]
    assert "januskv.storage.streams" in names
    for name in ("januskv.compat.server.channel", "januskv.compat.server.client", "januskv.commands.context"):
        assert importlib.import_module(name)

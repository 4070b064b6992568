"""Random requests to WebSockets of the Timely API: each is answered, passed over or ends the connection with a reason."""

from __future__ import annotations

import json
import logging
import random
import time
from typing import Any

import pytest
from tests.compat.timely.sockets import TimelyHouse, frame

from januskv.resp import websocket as ws

from .web import SECONDS, SEED, damaged

pytestmark = pytest.mark.timeout(SECONDS * 2 + 120)

_OPERATIONS = (
    *("version", "put", "suggest", "lookup", "query", "aggregators", "metrics", "cache"),
    *("create", "create", "add", "add", "add", "remove", "close"),
)
_CODES = {1000, 1002, 1003, 1007, 1008, 1009}


def odd(chance: random.Random, depth: int = 0) -> Any:
    """A value of whatever type."""
    kind = chance.randrange(12 if depth < 3 else 9)
    if kind == 9:
        return [odd(chance, depth + 1) for _ in range(chance.randrange(4))]
    if kind >= 10:
        return {str(odd(chance, 3)): odd(chance, depth + 1) for _ in range(chance.randrange(3))}
    return chance.choice(
        (
            None,
            True,
            "",
            "x" * 2000,
            "*",
            "(",
            "a|b",
            "cpu",
            0,
            -1,
            7,
            2**63,
            10**30,
            1.5,
            1e308,
            "1h-ago",
            "é\ud83d\ude00",
        )
    )


def request(chance: random.Random) -> bytes:
    """A request that may be right, with some members that may be not."""
    members: dict[str, Any] = {
        "subscriptionId": chance.choice(("s", "t", 7)),
        "metric": chance.choice(("cpu", "cpu", "none")),
        "tags": chance.choice((None, {}, {"host": ".*"}, {"host": "a"}, {"host": "("}, [{"host": "a"}])),
        "startTime": chance.choice((0, 1000, "2000")),
        "endTime": chance.choice((0, 0, 3000)),
        "delayTime": chance.choice((0, 5, "10")),
        "type": chance.choice(("metrics", "tagk", "tagv", "nope")),
        "m": "cpu",
        "limit": 5,
        "start": 0,
        "end": 10**13,
        "queries": [
            {"metric": "cpu", "downsample": chance.choice(("1m-avg", "1s-nope", "x", "0s-avg")), "tags": {"host": ".*"}}
        ],
        "timestamp": chance.choice((1000, 2000, -5, "x")),
        "value": chance.choice((1, "NaN", "x")),
        "sessionId": "s-1",
    }
    operation = chance.choice(_OPERATIONS)
    wanted = {
        "put": ("metric", "timestamp", "value", "tags"),
        "suggest": ("type", "m"),
        "lookup": ("metric", "limit", "tags"),
        "query": ("start", "end", "queries"),
        "create": ("subscriptionId",),
        "add": ("subscriptionId", "metric", "tags", "startTime", "endTime", "delayTime"),
        "remove": ("subscriptionId", "metric"),
        "close": ("subscriptionId",),
    }.get(operation, ())
    document: dict[str, Any] = {"operation": operation, **{name: members[name] for name in wanted}}
    if chance.random() < 0.3:
        document[chance.choice((*document, "typo", "sessionId"))] = odd(chance)
    text = json.dumps(document).encode()
    return damaged(chance, text) if chance.random() < 0.1 else text


def episode(chance: random.Random) -> None:
    """Some sockets with random requests, while points come and go."""
    house = TimelyHouse(timely_subscription_delay=chance.choice((0, 10)))
    sockets = [house.socket() for _ in range(3)]
    for _ in range(60):
        house.put("cpu", chance.randrange(5000), 1.0, host=chance.choice("abc"))
        if chance.random() < 0.05:
            house.store.databases[0].clear()
        if chance.random() < 0.2:
            house.pass_time(chance.choice((1, 50, 31_000)))
        at = chance.randrange(len(sockets))
        socket = sockets[at]
        found = socket.raw(frame(chance.choice((ws.TEXT,) * 20 + (ws.BINARY, ws.PING)), request(chance)[:65_000]))
        assert not socket.transport.aborted
        for opcode, payload in found:
            assert opcode in (ws.TEXT, ws.PING, ws.PONG, ws.CLOSE)
            if opcode == ws.CLOSE:
                assert int.from_bytes(payload[:2], "big") in _CODES
                payload[2:].decode()
                assert socket.transport.closed
        if socket.transport.closed:
            socket.connection.connection_lost(None)
            sockets[at] = house.socket()
        house.check()
    for socket in sockets:
        socket.connection.connection_lost(None)
    assert house.store.feed.listeners == []
    assert len(house.server.clients) == 0


def test_random_requests(caplog: Any) -> None:
    caplog.set_level(logging.ERROR, "januskv")
    started, number = time.monotonic(), 0
    while time.monotonic() - started < SECONDS:
        episode(random.Random(f"{SEED} timely {number}"))
        assert not caplog.records, f"seed {SEED}, episode {number}"
        number += 1
    assert number
    print(f"timely sockets: seed {SEED}, {number} episodes")

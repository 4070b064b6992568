"""A WebSocket takes small messages only before its client has logged in."""

from __future__ import annotations

from typing import Any

import orjson

from januskv.compat.native.websocket import WebSocketConnection
from januskv.resp import websocket as ws


def masked(payload: bytes) -> bytes:
    """A text message as a client frames it, its mask being zero."""
    assert len(payload) > 65535
    return bytes([0x80 | ws.TEXT, 0x80 | 127]) + len(payload).to_bytes(8, "big") + bytes(4) + payload


def opened(house: Any, *, authenticated: bool) -> Any:
    connection = WebSocketConnection(house.server, house.native)
    connection.client.authenticated = authenticated
    connection.connection_made(type(house.connect().transport)())
    return connection


BIG = orjson.dumps({"KV_SET": {"keys": {"a": "x" * 100_000}}})


def test_an_unauthenticated_client_is_closed_before_its_message_is_collected(make_house: Any) -> None:
    connection = opened(make_house(requirepass="secret"), authenticated=False)
    connection.data_received(masked(BIG)[:20])
    assert connection.transport.closed
    assert (1009).to_bytes(2, "big") in connection.transport.written


def test_one_that_has_logged_in_is_not(make_house: Any) -> None:
    house = make_house(requirepass="secret")
    for logged_in in (True, False):
        connection = opened(house, authenticated=logged_in)
        if not logged_in:
            login = b'{"SV_AUTH":{"password":"secret"}}'
            connection.data_received(bytes([0x80 | ws.TEXT, 0x80 | len(login)]) + bytes(4) + login)
        connection.data_received(masked(BIG))
        assert b'{"KV_SET_RSP":{"st":1}}' in connection.transport.written

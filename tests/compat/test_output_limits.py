"""A client that does not read its replies is closed: at once beyond the hard limit, later beyond the soft one."""

from __future__ import annotations

from typing import Any

import pytest

from .test_both_transports import Native


def limit(house: Any, text: str) -> None:
    house.connect()("CONFIG", "SET", "client-output-buffer-limit", text)


def test_soft_limit_closes_after_its_time(house: Any) -> None:
    limit(house, "normal 0 100 5")
    wire = house.connect()
    wire.transport.unread = 101
    house.advance(1_000)
    house.advance(5_000)
    assert not wire.transport.closed
    house.advance(1_000)
    assert wire.transport.aborted
    assert house.server.accounts.stats.client_output_buffer_limit_disconnections == 1


def test_who_catches_up_is_spared(house: Any) -> None:
    limit(house, "normal 0 100 5")
    wire = house.connect()
    for unread in (101, 100, 101):
        wire.transport.unread = unread
        house.advance(4_000)
    assert not wire.transport.closed


def test_monitors_have_the_limits_of_subscribers(house: Any) -> None:
    limit(house, "pubsub 0 100 5")
    reader, monitor = house.connect(), house.connect()
    monitor("MONITOR")
    reader.transport.unread = monitor.transport.unread = 101
    house.advance(1_000)
    house.advance(6_000)
    assert monitor.transport.aborted
    assert not reader.transport.closed


def test_hard_limit_closes_at_once(house: Any) -> None:
    limit(house, "normal 1000 0 0")
    wire = house.connect()
    wire.transport.unread = 1001
    wire.connection.pause_writing()
    assert wire.transport.aborted


def test_many_small_replies_are_limited_too(house: Any) -> None:
    limit(house, "normal 1000 0 0")
    wire = house.connect()
    wire.connection.pause_writing()  # not too many yet
    assert not wire.transport.closed
    wire.transport.unread = 1001
    wire.send(b"PING\r\n")
    assert wire.transport.aborted


def unauthenticated(house: Any, listener: str) -> Native:
    native = Native(house, listener)
    native.connection.client.authenticated = False
    native.connection.refresh()
    return native


@pytest.mark.parametrize("listener", ["line", "message"])
def test_an_unauthenticated_client_that_does_not_read_is_closed_at_once(make_house: Any, listener: str) -> None:
    house = make_house(requirepass="secret")
    native = unauthenticated(house, listener)
    assert native.transport.high_water == 1024  # from there on the transport tells
    native.transport.unread = 1024
    native.connection.pause_writing()
    native.send({"KV_GET": {"keys": ["a"]}})
    assert not native.transport.closed
    native.transport.unread = 1025
    native.send({"KV_GET": {"keys": ["a"]}})
    assert native.transport.aborted


@pytest.mark.parametrize("listener", ["line", "message"])
def test_who_logs_in_has_the_limits_of_all(make_house: Any, listener: str) -> None:
    house = make_house(requirepass="secret")
    native = unauthenticated(house, listener)
    assert native.send({"SV_AUTH": {"password": "secret"}}) == [{"SV_AUTH_RSP": {"st": 1}}]
    assert native.transport.high_water is None
    native.transport.unread = 1 << 20
    native.connection.pause_writing()
    assert not native.transport.closed
    assert native.connection.query_limit == house.server.config.client_query_buffer_limit


def test_an_unauthenticated_client_cannot_send_much_ahead(make_house: Any) -> None:
    house = make_house(requirepass="secret")
    house.server.pause.begin(1000, writes_only=False)
    wire = house.connect()
    wire.send(b"AUTH secret\r\n")  # waits for the end of the pause
    for _ in range(1 << 8):
        assert not wire.transport.closed
        wire.send(b"x" * (1 << 12))
    wire.send(b"x")
    assert wire.transport.aborted

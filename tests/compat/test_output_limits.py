"""A client that does not read its replies is closed: at once beyond the hard limit, later beyond the soft one."""

from __future__ import annotations

from typing import Any


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
    assert house.server.stats.client_output_buffer_limit_disconnections == 1


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

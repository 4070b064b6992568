"""Clients that have to log in and have not: how many, for how long, and how much they may send and leave unread."""

from __future__ import annotations

from typing import Any

import pytest
from tests.conftest import FakeTransport, encoded

from januskv.compat.timely.connection import TimelyConnection

from .test_both_transports import Native

HERE, THERE = ("192.0.2.1", 50_000), ("192.0.2.2", 50_000)
FULL = b"-ERR max number of unauthenticated clients of this address reached\r\n"


@pytest.fixture
def locked(make_house: Any) -> Any:
    return make_house(requirepass="secret", max_unauthenticated_clients_per_address=2, unauthenticated_timeout=10)


# ---------------------------------------------------------------- how many


def test_so_many_of_an_address(locked: Any) -> None:
    first, second = locked.connect(HERE), locked.connect(HERE)
    third = locked.connect(HERE)
    assert third.transport.written == FULL
    assert third.transport.closed
    assert not locked.connect(THERE).transport.closed
    assert "OK" in repr(first("AUTH", "secret"))  # who has logged in does not count
    assert not locked.connect(HERE).transport.closed
    assert locked.connect(HERE).transport.closed
    second.connection.connection_lost(None)  # nor does who has gone
    assert locked.connect(HERE).transport.closed is False


def test_refused_clients_leave_nothing_behind(locked: Any) -> None:
    wires = [locked.connect(HERE) for _ in range(5)]
    for wire in wires:
        wire.connection.connection_lost(None)
    assert not locked.server.clients.unauthenticated
    assert not locked.connect(HERE).transport.closed


def test_addresses_of_one_network_of_ipv6(locked: Any) -> None:
    for host in ("2001:db8::1", "2001:db8::2"):
        assert not locked.connect((host, 50_000)).transport.closed
    assert locked.connect(("2001:db8::3", 50_000)).transport.closed
    assert not locked.connect(("2001:db8:0:1::3", 50_000)).transport.closed


def test_any_number(make_house: Any) -> None:
    house = make_house(requirepass="secret", max_unauthenticated_clients_per_address=0)
    assert not any(house.connect(HERE).transport.closed for _ in range(50))


def test_without_a_password_nobody_has_to_log_in(make_house: Any) -> None:
    house = make_house(max_unauthenticated_clients_per_address=1, unauthenticated_timeout=1, protected_mode=False)
    wires = [house.connect(HERE) for _ in range(3)]
    house.advance(5_000)
    assert not any(wire.transport.closed for wire in wires)


# ---------------------------------------------------------------- for how long


def test_who_does_not_log_in_in_time(locked: Any) -> None:
    silent, busy, logged_in = locked.connect(HERE), locked.connect(HERE), locked.connect(THERE)
    logged_in("AUTH", "secret")
    for _ in range(9):
        locked.advance(1_000)
        assert b"NOAUTH" in busy.send(b"PING\r\n")  # which is no reason to wait longer
    locked.advance(2_000)
    assert silent.transport.aborted
    assert busy.transport.aborted
    assert not logged_in.transport.closed
    assert locked.server.accounts.stats.unauthenticated_clients_timed_out == 2
    assert not locked.server.clients.unauthenticated


def test_after_reset_the_time_begins_again(locked: Any) -> None:
    wire = locked.connect(HERE)
    wire("AUTH", "secret")
    locked.advance(60_000)
    wire("RESET")
    locked.advance(9_000)
    assert not wire.transport.closed
    locked.advance(2_000)
    assert wire.transport.aborted


def test_no_limit(make_house: Any) -> None:
    house = make_house(requirepass="secret", unauthenticated_timeout=0)
    wire = house.connect(HERE)
    house.advance(10**9)
    assert not wire.transport.closed


def test_senders_of_points_cannot_log_in_and_stay(locked: Any) -> None:
    for _ in range(3):
        connection = TimelyConnection(locked.server, locked.ingest)
        connection.connection_made(FakeTransport(HERE))
        assert not connection.closing
    locked.advance(60_000)
    assert not connection.closing


# ---------------------------------------------------------------- how much


@pytest.mark.parametrize(
    ("data", "error"),
    [
        pytest.param(b"*11\r\n", b"unauthenticated multibulk length", id="arguments"),
        pytest.param(b"*1\r\n$16385\r\n", b"unauthenticated bulk length", id="size of an argument"),
        pytest.param(b'{"KV_SET":"' + b"x" * 16384, b"too big JSON request", id="JSON"),
        pytest.param(b"x" * 65537, b"too big inline request", id="line"),
    ],
)
def test_big_requests(locked: Any, data: bytes, error: bytes) -> None:
    wire = locked.connect()
    assert error in wire.send(data)
    assert wire.transport.closed


def test_big_messages_of_websockets(locked: Any) -> None:
    native = Native(locked, "message")
    native.connection.client.authenticated = False
    native.connection.refresh()
    native.send({"KV_SET": {"keys": {"a": "x" * 16384}}})
    assert native.connection.closing


def test_pipelined_requests(locked: Any) -> None:
    wire = locked.connect()
    assert wire.send(encoded("PING") * 1000).count(b"NOAUTH") == 1000
    # What is left unread is limited, whatever is sent.
    wire.transport.unread = 1025
    wire.connection.pause_writing()
    assert wire.transport.aborted
    assert wire.transport.high_water == 1024

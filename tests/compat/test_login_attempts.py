"""Failed log-ins by address: further ones are refused unseen for a time that grows, whichever way they come."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import House, Wire

from januskv.compat.server.acl.attempts import MOST_ADDRESSES
from januskv.resp.replies import ErrorReply, Simple

OK = Simple(b"OK")
WRONG = ErrorReply("WRONGPASS invalid username-password pair or user is disabled.")
SLOWED = ErrorReply("WRONGPASS too many log-ins of this address have failed, try again later")
REMOTE = ("192.0.2.1", 5000)


@pytest.fixture
def house(make_house: Callable[..., House]) -> House:
    return make_house(requirepass="secret", max_login_failures_per_address=3, max_login_delay=4)


def fail(house: House, times: int, peer: tuple[str, int] = REMOTE) -> None:
    for _ in range(times):
        assert house.connect(peer)("AUTH", "wrong") == WRONG


def stats(house: House) -> tuple[int, int]:
    found = house.server.accounts.stats
    return found.login_failures, found.logins_slowed


def test_the_right_password_is_refused_for_a_second(house: House) -> None:
    fail(house, 3)
    wire = house.connect(REMOTE)
    assert wire("AUTH", "secret") == SLOWED
    house.clock.advance(999)
    assert wire("AUTH", "secret") == SLOWED
    house.clock.advance(1)
    assert wire("AUTH", "secret") == OK
    assert stats(house) == (3, 2)
    text = house.connect(REMOTE)
    text.send(b"AUTH secret\r\n")
    assert b"login_failures:3\r\nlogins_slowed:2\r\n" in text.send(b"INFO stats\r\n")


def test_two_failures_are_no_reason(house: House) -> None:
    fail(house, 2)
    assert house.connect(REMOTE)("AUTH", "secret") == OK


def test_the_time_doubles_up_to_the_limit(house: House) -> None:
    fail(house, 2)
    for seconds in (1, 2, 4, 4):
        fail(house, 1)
        house.clock.advance(seconds * 1000 - 1)
        assert house.connect(REMOTE)("AUTH", "secret") == SLOWED
        house.clock.advance(1)
    assert house.connect(REMOTE)("AUTH", "secret") == OK


def test_a_log_in_in_between_does_not_help(house: House) -> None:
    fail(house, 2)
    assert house.connect(REMOTE)("AUTH", "secret") == OK
    fail(house, 1)
    assert house.connect(REMOTE)("AUTH", "secret") == SLOWED


def test_failures_are_forgotten_after_a_minute(house: House) -> None:
    fail(house, 2)
    house.clock.advance(60_000)
    fail(house, 2)
    assert house.connect(REMOTE)("AUTH", "secret") == OK


def test_a_clock_that_is_set_back(house: House) -> None:
    fail(house, 3)
    house.clock.advance(-3_600_000)
    assert house.connect(REMOTE)("AUTH", "secret") == OK


@pytest.mark.parametrize("peer", [("127.0.0.1", 5000), ("::1", 5000), ("::ffff:127.0.0.1", 5000)])
def test_this_machine_is_not_slowed(house: House, peer: tuple[str, int]) -> None:
    fail(house, 20, peer)
    assert house.connect(peer)("AUTH", "secret") == OK
    assert stats(house) == (20, 0)


def test_addresses_are_told_apart(house: House) -> None:
    fail(house, 3)
    assert house.connect(("192.0.2.2", 5000))("AUTH", "secret") == OK


def test_a_network_of_ipv6_is_one_address(house: House) -> None:
    for number in range(3):
        fail(house, 1, (f"2001:db8::{number}", 5000))
    assert house.connect(("2001:db8::ffff", 5000))("AUTH", "secret") == SLOWED
    assert house.connect(("2001:db8:0:1::1", 5000))("AUTH", "secret") == OK


def test_an_address_of_ipv4_on_a_socket_of_ipv6_is_one_machine(house: House) -> None:
    fail(house, 3, ("::ffff:192.0.2.1", 5000))
    assert house.connect(("::ffff:192.0.2.1", 5000))("AUTH", "secret") == SLOWED
    assert house.connect(("::ffff:192.0.2.2", 5000))("AUTH", "secret") == OK
    assert house.connect(REMOTE)("AUTH", "secret") == SLOWED


def test_the_table_is_bounded(house: House) -> None:
    attempts = house.server.users.attempts
    fail(house, 3)
    for number in range(MOST_ADDRESSES):
        fail(house, 1, (f"10.0.{number >> 8}.{number & 255}", 5000))
    assert len(attempts) == MOST_ADDRESSES
    assert house.connect(REMOTE)("AUTH", "secret") == OK


def test_zero_is_no_limit(make_house: Callable[..., House]) -> None:
    house = make_house(requirepass="secret", max_login_failures_per_address=0)
    fail(house, 50)
    assert house.connect(REMOTE)("AUTH", "secret") == OK


def native_login(wire: Wire) -> Any:
    return json.loads(wire.send(b'{"SV_AUTH":{"password":"secret"}}\n'))["SV_AUTH_RSP"]["st"]


def test_all_ways_to_log_in_are_slowed(house: House) -> None:
    session = house.store.sessions.open_new("kiosk", shared=False)
    fail(house, 3)
    wire = house.connect(REMOTE)
    assert wire("AUTH", "default", "secret") == SLOWED
    assert wire("HELLO", "3", "AUTH", "default", "secret") == SLOWED
    assert wire("AUTH", "session", f"{session.token}:secret") == SLOWED
    assert native_login(house.connect(REMOTE)) == 170
    assert stats(house) == (3, 4)
    house.clock.advance(1000)
    assert native_login(house.connect(REMOTE)) == 1


@pytest.mark.parametrize(
    "request_",
    [
        b"HELLO 3 AUTH default wrong\r\n",
        b"AUTH session 1:wrong\r\n",
        b"AUTH nobody secret\r\n",
        b'{"SV_AUTH":{"password":"wrong"}}\n',
    ],
)
def test_all_failures_count(house: House, request_: bytes) -> None:
    for _ in range(3):
        house.connect(REMOTE).send(request_)
    assert house.connect(REMOTE)("AUTH", "secret") == SLOWED


def test_refused_log_ins_are_not_in_the_log(house: House) -> None:
    fail(house, 3)
    wire = house.connect()
    assert wire("AUTH", "secret") == OK
    house.connect(REMOTE)("AUTH", "secret")
    [entry] = wire("ACL", "LOG")
    assert entry[entry.index(b"count") + 1] == 3

"""Big replies go out in slices: whole, in their place, at the pace of the client."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.resp.decoder import ReplyReader
from januskv.resp.replies import Simple

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
def series(wire: Any) -> Any:
    """A wire to a server with a series of so many rows that they go out in slices."""
    words = ["TS.MADD", *(word for time in range(1, ROWS + 1) for word in ("s", time, f"{time}.5")), "CREATE"]
    assert len(wire(*words)) == ROWS
    return wire


def test_messages_and_requests_wait_for_the_end_of_the_reply(house: Any, series: Any) -> None:
    series.send(b"TS.RANGE s - +\r\nPING\r\n")
    series.connection.push(Simple(b"a message"))
    house.connect().line("DEL s")  # what is on its way does not change
    house.run_timers()
    rows, message, pong = read_all(series.transport.written)
    assert rows == [[time, Simple(b"%d.5" % time)] for time in range(1, ROWS + 1)]
    assert (message, pong) == (Simple(b"a message"), Simple(b"PONG"))


def test_a_client_that_does_not_read_gets_no_more(house: Any, series: Any) -> None:
    series.transport.unread = 1 << 30
    assert series.send(b"TS.RANGE s - +\r\n") == b""
    house.run_timers()
    assert series.transport.written == b""
    series.transport.unread = 0
    house.run_timers(1)
    assert len(read_all(series.transport.written)[0]) == ROWS


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

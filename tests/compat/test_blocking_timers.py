"""Commands that wait for a time leave no timer behind once they are answered, given up or their client is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from januskv.storage.durability.journal import open_journal

WAITING = [
    b"BLPOP k 1000\r\n",
    b"BLMOVE k l LEFT LEFT 1000\r\n",
    b"BZPOPMIN k 1000\r\n",
    b"XREAD BLOCK 1000000 STREAMS k $\r\n",
    b"WAIT 1 1000000\r\n",
    b"WAITAOF 0 1 1000000\r\n",
]
FILLING = {b"BLPOP": b"RPUSH k v\r\n", b"BLMOVE": b"RPUSH k v\r\n", b"BZPOPMIN": b"ZADD k 1 v\r\n"}
FILLING[b"XREAD"] = b"XADD k 1-1 f v\r\n"


def word(line: bytes) -> str:
    return line.split()[0].decode()


@pytest.mark.parametrize("line", WAITING, ids=word)
def test_a_client_that_is_gone(house: Any, line: bytes) -> None:
    for _ in range(3):
        waiter = house.connect()
        assert waiter.send(line) == b""
        assert len(house.timers) == 1
        waiter.connection.connection_lost(None)
        assert house.timers == []


@pytest.mark.parametrize("line", WAITING[:4], ids=word)
def test_a_client_that_is_served(house: Any, line: bytes) -> None:
    waiter, other = house.connect(), house.connect()
    for _ in range(3):
        assert waiter.send(line) == b""
        other.send(FILLING[line.split()[0]])
        house.run_timers()
        assert waiter.transport.written
        assert house.timers == []
        other.line("FLUSHALL")
        house.run_timers()


@pytest.mark.parametrize("line", WAITING, ids=word)
@pytest.mark.parametrize("how", ["TIMEOUT", "ERROR"])
def test_a_client_that_is_unblocked(house: Any, line: bytes, how: str) -> None:
    waiter, other = house.connect(), house.connect()
    assert waiter.send(line) == b""
    assert other.line(f"CLIENT UNBLOCK {waiter.connection.client.id} {how}") == 1
    house.run_timers()
    assert waiter.transport.written
    assert house.timers == []


def test_a_timer_that_has_fired(house: Any, wire: Any) -> None:
    assert wire.send(b"BLPOP k 1\r\n") == b""
    house.run_timers(1)
    assert wire.transport.written == b"*-1\r\n"
    assert wire.send(b"PING\r\n") == b"+PONG\r\n"
    assert house.timers == []


def test_many_pauses_have_one_timer(house: Any, wire: Any) -> None:
    for _ in range(5):
        wire.line("CLIENT PAUSE 1000000 WRITE")
    assert [delay_s for delay_s, _ in house.timers] == [1000]
    wire.line("CLIENT PAUSE 10")
    assert [delay_s for delay_s, _ in house.timers] == [1000]
    wire.line("CLIENT UNPAUSE")
    house.run_timers()
    assert house.timers == []


def test_a_pause_that_begins_after_another_ends_in_its_own_time(house: Any, wire: Any) -> None:
    wire.line("CLIENT PAUSE 1000")
    wire.line("CLIENT UNPAUSE")
    house.run_timers()
    wire.line("CLIENT PAUSE 3000")
    assert [delay_s for delay_s, _ in house.timers] == [3]
    house.clock.advance(3000)
    house.run_timers(3)
    assert not house.server.pause.until_ms
    assert house.timers == []


def test_many_that_wait_for_the_log_have_one_timer(house: Any, tmp_path: Path) -> None:
    persistence = house.server.keep(open_journal(str(tmp_path), house.store, cut_torn_tail=True))
    syncs: list[int] = []
    persistence.start_sync = lambda: syncs.append(persistence.journal.written_seq)  # type: ignore[method-assign]
    waiters = [house.connect() for _ in range(5)]
    for waiter in waiters:
        waiter.line("SET a 1")
        assert waiter.send(b"WAITAOF 1 0 0\r\n") == b""
    assert len(house.timers) == 1
    attempts = len(syncs)
    [(_, look)] = house.timers
    house.timers.clear()
    look()
    assert len(house.timers) == 1
    assert len(syncs) == attempts + 1, "one look, however many wait"
    persistence.sync_done(syncs[-1], None)
    house.run_timers(0.01)
    assert [waiter.transport.written for waiter in waiters] == [b"*2\r\n:1\r\n:0\r\n"] * 5
    assert house.timers == []
    persistence.close()

"""What time brings costs what is due, not what there is: sessions, keyspaces and clients are not walked over each time."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from januskv.storage.keyspace import Keyspace
from januskv.storage.sessions import Session
from januskv.storage.store import SWEEP_MS


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch, house: Any) -> list[object]:
    """The keyspaces and sessions that periodic tasks look at."""
    found: list[object] = []
    agenda, times = house.store.agenda, house.store.sessions.times

    class Spy:
        def __init__(self, table: Any) -> None:
            self.table = table

        def look(self, most: int, now_ms: int) -> list[Any]:
            items: list[Any] = self.table.look(most, now_ms)
            found.extend(items)
            return items

        def __getattr__(self, name: str) -> Any:
            return getattr(self.table, name)

    monkeypatch.setattr(house.store, "agenda", Spy(agenda))
    monkeypatch.setattr(house.store.sessions, "times", Spy(times))

    def walked() -> Any:
        raise AssertionError("all keyspaces are walked over")

    monkeypatch.setattr(house.store, "keyspaces", walked)
    return found


def run_cron(house: Any, ms: int = 100) -> None:
    house.clock.advance(ms)
    while house.server.upkeep.run_cron():
        pass


def test_sessions_with_nothing_due_are_not_looked_at(house: Any, looked_at: list[object]) -> None:
    sessions = [house.store.sessions.open_new("s", shared=False, duration_s=3600) for _ in range(300)]
    for number, session in enumerate(sessions):
        session.keyspace.put(b"a", b"1")
        session.keyspace.expire_at(b"a", house.clock.now_ms + 10_000_000 + number)
    for _ in range(200):
        run_cron(house)
    assert looked_at == []
    soon = sessions[7].keyspace
    soon.expire_at(b"a", house.clock.now_ms + 1500)
    for _ in range(50):
        run_cron(house)
    assert looked_at == [soon]
    assert not soon.data


def test_a_session_is_looked_at_once_a_sweep_however_often_it_is_renewed(house: Any, looked_at: list[object]) -> None:
    session = house.store.sessions.open_new("s", shared=False, duration_s=1, delete_on_expiry=True)
    for _ in range(4 * SWEEP_MS // 100):
        session.renew(house.clock.now_ms)
        run_cron(house)
    assert not session.ended
    assert 0 < looked_at.count(session) <= 5
    house.store.sessions.check()
    run_cron(house, 2 * SWEEP_MS)
    assert session.ended


def test_many_that_end_at_once_end_in_slices(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look takes a few, and stops when its time is over."""
    for _ in range(500):
        house.store.sessions.open_new("s", shared=False, duration_s=1, delete_on_expiry=True).keyspace.put(b"a", b"1")
    house.clock.advance(SWEEP_MS)
    left = [500]
    while house.store.run_cron(budget_s=0):
        left.append(len(house.store.sessions))
        house.store.sessions.check()
    assert all(before - after <= 64 for before, after in pairwise(left))
    assert len(house.store.sessions) == 0


def test_keys_of_many_sessions_that_expire_at_once_do_so_in_slices(house: Any) -> None:
    sessions = [house.store.sessions.open_new("s", shared=False) for _ in range(300)]
    for session in sessions:
        for number in range(3):
            session.keyspace.put_until(b"%d" % number, b"1", house.clock.now_ms + 500)
    house.clock.advance(5000)
    calls = 1
    while house.store.run_cron(budget_s=0):
        calls += 1
    assert calls >= 300
    assert sum(len(session.keyspace) for session in sessions) == 0
    assert not house.store.agenda.deadlines


@pytest.mark.parametrize("line", ["FLUSHALL", "DEL a", "PERSIST a", "SET a 1", "RENAME a b", "SWAPDB 0 1"])
def test_what_is_filed_of_a_keyspace(house: Any, wire: Any, line: str) -> None:
    """The agenda may have a keyspace too early, but never too late, and forgets one that is emptied."""
    wire.line("SET a 1")
    wire.line("EXPIRE a 100")
    assert list(house.store.agenda.deadlines) == [house.store.databases[0]]
    wire.line(line)
    for keyspace in house.store.databases:
        keyspace.check()
    run_cron(house, 102_000)
    assert not house.store.agenda.deadlines
    assert wire.line("DBSIZE") == (line in ("PERSIST a", "SET a 1"))


def test_an_ended_session_leaves_nothing(house: Any) -> None:
    for duration_s in (0, 10):
        session = house.store.sessions.open_new("s", shared=False, duration_s=duration_s)
        session.keyspace.put_until(b"a", b"1", house.clock.now_ms + 5000)
        session.renew(house.clock.now_ms)
        house.store.sessions.end(session.token)
    assert not house.store.agenda.deadlines
    assert not house.store.sessions.times.deadlines
    assert not house.store.sessions.renewed


def test_scans_that_nobody_continues_are_forgotten(house: Any, wire: Any) -> None:
    wire.line("MSET " + " ".join(f"k{number} v" for number in range(100)))
    wire.line("SCAN 0")
    keyspace: Keyspace = house.store.databases[0]
    assert keyspace.scans is not None
    assert keyspace.scans.open
    for _ in range(11):
        house.advance(60_000)
    assert not keyspace.scans.open
    assert not house.store.agenda.deadlines


def test_ending_many_sessions_walks_over_the_clients_once_a_step(
    house: Any, wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    end = house.store.sessions.on_end

    def count(sessions: list[Session]) -> None:
        told.append(len(sessions))
        end(sessions)

    monkeypatch.setattr(house.store.sessions, "on_end", count)
    tokens = [house.store.sessions.open_new("s", shared=False).token for _ in range(2000)]
    wire.line(f"SELECT {tokens[5]}")
    other = house.connect()
    other.send(b'{"SH_END_ALL": {}}\n')
    for _ in range(100):
        house.run_timers()
    assert json.loads(other.transport.written) == {"SH_END_ALL_RSP": {"st": 1, "cnt": 2000}}
    assert sum(told) == 2000
    assert len(told) <= 100
    assert "ended" in repr(wire.line("GET a"))


def test_clients_are_looked_after_in_parts(house: Any) -> None:
    """Each is looked at about once a second, and an idle one is closed then."""
    house.server.config.timeout = 10
    wires = [house.connect() for _ in range(3000)]
    house.clock.advance(10_001)
    left = []
    for _ in range(12):
        run_cron(house)
        left.append(len(house.server.clients))
    assert left[-1] == 0
    assert all(before - after <= 301 for before, after in pairwise([3000, *left]))
    assert all(wire.transport.closed for wire in wires)

"""SCAN's cursors while the keys change."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from januskv.storage.scan import IDLE_MS, IN_USE_MS, MOST_COPIES, MOST_OPEN, Scans

keys = st.integers(0, 30).map(lambda number: b"k%d" % number)


class Client:
    """One iteration: what it must return, what it may return, and what it has returned."""

    def __init__(self, data: dict[bytes, int]) -> None:
        self.cursor = -1
        self.must = set(data)
        self.may = set(data)
        self.found: set[bytes] = set()


class Scanning(RuleBasedStateMachine):
    """Any number of iterations while keys come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.data: dict[bytes, int] = {}
        self.scans = Scans()
        self.clients: list[Client] = []
        self.now_ms = 0

    @rule(names=st.lists(keys, max_size=20))
    def add(self, names: list[bytes]) -> None:
        for name in names:
            self.data[name] = 1
            for client in self.clients:
                client.may.add(name)

    @rule(names=st.lists(keys, max_size=10))
    def remove(self, names: list[bytes]) -> None:
        for name in names:
            self.data.pop(name, None)
            for client in self.clients:
                client.must.discard(name)

    @precondition(lambda self: len(self.clients) < 25)
    @rule()
    def begin(self) -> None:
        self.clients.append(Client(self.data))

    @precondition(lambda self: self.clients)
    @rule(which=st.integers(0, 100), count=st.integers(1, 12))
    def go_on(self, which: int, count: int) -> None:
        client = self.clients[which % len(self.clients)]
        cursor = max(client.cursor, 0)
        client.cursor, names = self.scans.step(cursor, count, self.data, self.now_ms)
        assert 0 <= client.cursor < 1 << 63
        assert len(names) <= max(count, len(self.data))
        client.found.update(names)
        if client.cursor == 0:
            assert client.must <= client.found <= client.may
            self.clients.remove(client)

    @rule(ms=st.sampled_from([1, IN_USE_MS, IDLE_MS]))
    def wait(self, ms: int) -> None:
        self.now_ms += ms
        self.scans.drop_idle(self.now_ms)

    @rule()
    def forget_everything(self) -> None:
        """As after a restart."""
        self.scans = Scans()


Scanning.TestCase.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)
TestScanning = Scanning.TestCase


def full(scans: Scans, data: dict[bytes, int], count: int = 10) -> list[bytes]:
    cursor, found = scans.step(0, count, data, 0)
    while cursor:
        cursor, names = scans.step(cursor, count, data, 0)
        found += names
    return found


def test_an_undisturbed_scan_returns_every_key_once() -> None:
    data = {b"%d" % number: 1 for number in range(95)}
    scans = Scans()
    assert sorted(full(scans, data)) == sorted(data)
    assert not scans.open


def test_a_key_that_moved_to_the_end_does_not_come_again() -> None:
    data = {b"%d" % number: 1 for number in range(20)}
    scans = Scans()
    cursor, found = scans.step(0, 5, data, 0)
    data[b"0"] = data.pop(b"0")
    while cursor:
        cursor, names = scans.step(cursor, 5, data, 0)
        found += names
    assert sorted(found) == sorted(data)


def test_looking_at_the_first_keys_copies_no_others() -> None:
    data = {b"%d" % number: 1 for number in range(1000)}
    scans = Scans()
    for _ in range(MOST_OPEN + 10):
        scans.step(0, 10, data, 0)
    assert len(scans.open) == MOST_OPEN
    assert all(scan.keys is None for scan in scans.open.values())


def test_many_scans_at_a_time_all_come_to_their_end() -> None:
    data = {b"%d" % number: 1 for number in range(100)}
    scans = Scans()
    cursors = {number: scans.step(0, 10, data, 0)[0] for number in range(3 * MOST_COPIES)}
    rounds = 0
    while cursors:
        rounds += 1
        assert rounds < 100
        data[b"new %d" % rounds] = 1
        for number in list(cursors):
            cursors[number] = scans.step(cursors[number], 10, data, 0)[0]
            if not cursors[number]:
                del cursors[number]
        assert sum(scan.keys is not None for scan in scans.open.values()) <= MOST_COPIES


def test_a_scan_that_nobody_continues_makes_room() -> None:
    data = {b"%d" % number: 1 for number in range(100)}
    scans = Scans()
    for _ in range(MOST_COPIES):
        cursor, _ = scans.step(0, 10, data, 0)
        assert scans.step(cursor, 10, data, 0)[1]
    cursor, _ = scans.step(0, 10, data, 0)
    assert scans.step(cursor, 10, data, 0) == (cursor, [])
    assert scans.step(cursor, 10, data, IN_USE_MS)[1]


def test_an_unknown_cursor_begins_anew() -> None:
    data = {b"%d" % number: 1 for number in range(5)}
    assert Scans().step(12345, 10, data, 0) == (0, list(data))


def test_a_position_beyond_the_end_is_the_end() -> None:
    data = {b"%d" % number: 1 for number in range(50)}
    scans = Scans()
    cursor, _ = scans.step(0, 10, data, 0)
    assert scans.step(cursor + 1000, 10, data, 0) == (0, [])

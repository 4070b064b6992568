"""SCAN's cursors while the keys change."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from januskv.storage import scan
from januskv.storage.scan import IDLE_MS, IN_USE_MS, MOST_OPEN, MOST_WINDOWS, Scans, SetScan

keys = st.integers(0, 30).map(lambda number: b"k%d" % number)
Keys = dict[bytes, int] | set[bytes]


def add(data: Keys, name: bytes) -> None:
    if isinstance(data, dict):
        data[name] = 1
    else:
        data.add(name)


def remove(data: Keys, name: bytes) -> None:
    if isinstance(data, dict):
        data.pop(name, None)
    else:
        data.discard(name)


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "WINDOW", 8)


@pytest.fixture(params=[dict, set])
def make(request: pytest.FixtureRequest) -> Any:
    """Makes a dict or a set of keys."""
    return lambda names: dict.fromkeys(names, 1) if request.param is dict else set(names)


class Client:
    """One iteration: what it must return, what it may return, and what it has returned."""

    def __init__(self, data: Keys) -> None:
        self.cursor = -1
        self.must = set(data)
        self.may = set(data)
        self.found: set[bytes] = set()


class Scanning(RuleBasedStateMachine):
    """Any number of iterations over a dict while keys come and go."""

    data: Keys

    def __init__(self) -> None:
        super().__init__()
        self.data = {}
        self.scans = Scans()
        self.clients: list[Client] = []
        self.now_ms = 0

    @rule(names=st.lists(keys, max_size=20))
    def add(self, names: list[bytes]) -> None:
        for name in names:
            add(self.data, name)
            for client in self.clients:
                client.may.add(name)

    @rule(names=st.lists(keys, max_size=10))
    def remove(self, names: list[bytes]) -> None:
        for name in names:
            remove(self.data, name)
            for client in self.clients:
                client.must.discard(name)

    @rule(rounds=st.integers(1, 30))
    def make_room(self, rounds: int) -> None:
        """Let others come and go, so that a dict closes up."""
        for number in range(rounds):
            add(self.data, b"other %d" % number)
            remove(self.data, b"other %d" % number)
        for client in self.clients:
            client.may.update(b"other %d" % number for number in range(rounds))

    @precondition(lambda self: len(self.clients) < 25)
    @rule()
    def begin(self) -> None:
        self.clients.append(Client(self.data))

    @precondition(lambda self: self.clients)
    @rule(which=st.integers(0, 100), count=st.integers(1, 12), lost=st.booleans())
    def go_on(self, which: int, count: int, lost: bool) -> None:
        """One call; its reply may be lost, and the client asks again with the cursor that it has."""
        client = self.clients[which % len(self.clients)]
        cursor, names = self.scans.step(max(client.cursor, 0), count, self.data, self.now_ms)
        assert 0 <= cursor < 1 << 63
        assert len(names) <= max(count, len(self.data))
        if lost:
            return
        client.cursor = cursor
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


class ScanningSets(Scanning):
    """The same over a set."""

    def __init__(self) -> None:
        super().__init__()
        self.data = set()


Scanning.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestScanning = Scanning.TestCase
ScanningSets.TestCase.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestScanningSets = ScanningSets.TestCase


def full(scans: Scans, data: Keys, count: int = 10) -> list[bytes]:
    cursor, found = scans.step(0, count, data, 0)
    while cursor:
        cursor, names = scans.step(cursor, count, data, 0)
        found += names
    return found


@pytest.mark.parametrize("count", [1, 2, 10, 94])
@pytest.mark.parametrize("size", [1, 2, 26, 95])
def test_an_undisturbed_scan_returns_every_key_once(make: Any, size: int, count: int) -> None:
    data = make(
        b"%d" % number if size > 26 else b"abcdefghijklmnopqrstuvwxyz"[number : number + 1] for number in range(size)
    )
    scans = Scans()
    assert sorted(full(scans, data, count)) == sorted(data)
    assert not scans.open


@pytest.mark.parametrize("name", [b"0", b"00"])
def test_a_key_that_moved_to_the_end_does_not_come_again(name: bytes) -> None:
    data = {name: 1} | {b"%d" % number: 1 for number in range(10, 30)}
    scans = Scans()
    cursor, found = scans.step(0, 5, data, 0)
    data[name] = data.pop(name)
    while cursor:
        cursor, names = scans.step(cursor, 5, data, 0)
        found += names
    assert sorted(found) == sorted(data)


def test_a_client_that_removes_what_it_gets(make: Any) -> None:
    data = make(b"k%d" % number for number in range(1000))
    want, found, calls = set(data), [], 0
    scans = Scans()
    cursor = -1
    while cursor:
        cursor, names = scans.step(max(cursor, 0), 10, data, 0)
        found += names
        for name in names:
            remove(data, name)
        calls += 1
    assert set(found) == want
    assert len(found) == 1000
    assert calls <= 101 + len(want) // 8
    assert not data


def closed_up(data: dict[bytes, int]) -> None:
    """Set and remove others until the dict has made a new table."""
    for number in range(len(data) * 3 + 10):
        data[b"other %d" % number] = 1
        del data[b"other %d" % number]


@pytest.mark.parametrize("survivor", [0, 5, 7, 49, None])
def test_a_dict_that_closes_up(survivor: int | None) -> None:
    """All that was returned is removed but for one key, and what comes next; the rest moves to the beginning."""
    data = {b"k%d" % number: 1 for number in range(100)}
    scans = Scans()
    cursor, found = scans.step(0, 10, data, 0)
    for _ in range(4):
        cursor, names = scans.step(cursor, 10, data, 0)
        found += names
    for number in range(51):
        if number != survivor:
            del data[b"k%d" % number]
    closed_up(data)
    rest = []
    while cursor:
        cursor, names = scans.step(cursor, 10, data, 0)
        rest += names
    assert {b"k%d" % number for number in range(51, 100)} <= set(rest)
    assert len(rest) <= 51
    assert (b"k%d" % survivor in rest) == (survivor in (0, 5, 7)) if survivor is not None else True


def test_a_reply_that_is_lost_while_a_dict_closes_up() -> None:
    data = {b"k%d" % number: 1 for number in range(100)}
    scans = Scans()
    cursor, found = scans.step(0, 50, data, 0)
    for number in range(20):
        del data[b"k%d" % number]
    closed_up(data)
    for _ in range(3):
        last, names = scans.step(cursor, 10, data, 0)
        assert names == [b"k%d" % number for number in range(50, 60)]
    while last:
        last, more = scans.step(last, 10, data, 0)
        names += more
    assert {*found, *names} >= set(data)


def test_a_scan_ends_however_quickly_keys_come_and_go() -> None:
    data = dict.fromkeys(range(1000), 1)
    queue: Any = {b"k%d" % number: 1 for number in data}
    scans = Scans()
    cursor, _ = scans.step(0, 10, queue, 0)
    added, calls = 1000, 1
    while cursor:
        for _ in range(100):
            queue[b"k%d" % added] = 1
            del queue[b"k%d" % (added - 1000)]
            added += 1
        cursor, _ = scans.step(cursor, 10, queue, 0)
        calls += 1
        assert calls < 200


def test_a_collection_that_is_another_one_now(make: Any) -> None:
    scans = Scans()
    cursor, _ = scans.step(0, 5, make(b"k%d" % number for number in range(50)), 0)
    for other in ({b"n%d" % number: 1 for number in range(50)}, {b"n%d" % number for number in range(50)}):
        here, found = cursor, []
        while here:
            here, names = scans.step(here, 5, other, 0)  # type: ignore[arg-type]
            found += names
        assert set(found) == set(other)


def test_another_kind_of_collection_is_returned_at_once() -> None:
    assert Scans().step(0, 1, (b"a", b"b", b"c"), 0) == (0, [b"a", b"b", b"c"])


def test_nothing_is_copied(make: Any) -> None:
    """What a scan keeps does not grow with the collection."""
    data = make(b"key %d" % number for number in range(20_000))
    scans = Scans()
    for _ in range(MOST_OPEN + 10):
        cursor, _ = scans.step(0, 10, data, 0)
    assert len(scans.open) == MOST_OPEN
    for _ in range(300):
        cursor, _ = scans.step(cursor, 10, data, 0)
    kept = [each for each in gc.get_referents(*scans.open.values()) if isinstance(each, list)]
    assert all(len(each) < 100 for each in kept)


@pytest.mark.parametrize("size", [2000])
def test_long_keys_are_not_kept(size: int) -> None:
    data = {b"%d" % number + bytes(600): 1 for number in range(size)}
    scans = Scans()
    cursor, _ = scans.step(0, 10, data, 0)
    for _ in range(50):
        cursor, _ = scans.step(cursor, 10, data, 0)
    [held] = scans.open.values()
    assert len(held.marks) == 1  # type: ignore[union-attr]
    assert sorted(full(scans, data)) == sorted(data)


def windows(scans: Scans) -> int:
    return sum(isinstance(each, SetScan) and each.members is not None for each in scans.open.values())


def test_many_scans_at_a_time_all_come_to_their_end(make: Any) -> None:
    data = make(b"k%d" % number for number in range(100))
    scans = Scans()
    cursors = {number: scans.step(0, 2, data, 0)[0] for number in range(3 * MOST_WINDOWS)}
    rounds = 0
    while cursors:
        rounds += 1
        assert rounds < 400
        add(data, b"new %d" % rounds)
        for number in list(cursors):
            cursors[number] = scans.step(cursors[number], 2, data, 0)[0]
            if not cursors[number]:
                del cursors[number]
        assert windows(scans) <= MOST_WINDOWS


def test_a_scan_that_nobody_continues_makes_room() -> None:
    data = {b"%d" % number for number in range(100)}
    scans = Scans()
    waiting = []
    while windows(scans) < MOST_WINDOWS:
        cursor, _ = scans.step(0, 1, data, 0)
        waiting.append(scans.step(cursor, 1, data, 0)[0])
    cursor, _ = scans.step(0, 1, data, 0)
    assert scans.step(cursor, 1, data, 0) == (cursor, [])
    assert scans.step(cursor, 1, data, IN_USE_MS)[1]
    assert windows(scans) == MOST_WINDOWS
    for cursor in waiting:  # the one whose window has gone begins that window again
        found = []
        now_ms = IN_USE_MS
        while cursor:
            now_ms += IN_USE_MS
            cursor, names = scans.step(cursor, 10, data, now_ms)
            found += names
        assert len(set(found)) >= 98


def test_scans_that_take_the_windows_from_each_other_come_to_their_end() -> None:
    data = {b"%d" % number for number in range(200)}
    scans = Scans()
    clients = {number: scans.step(0, 1, data, 0) for number in range(2 * MOST_WINDOWS)}
    found = {number: set(names) for number, (_, names) in clients.items()}
    cursors = {number: cursor for number, (cursor, _) in clients.items()}
    now_ms = rounds = 0
    while cursors:
        rounds += 1
        assert rounds < 400
        for number in list(cursors):
            now_ms += IN_USE_MS
            cursors[number], names = scans.step(cursors[number], 1, data, now_ms)
            found[number].update(names)
            if not cursors[number]:
                del cursors[number]
    assert all(each == data for each in found.values())


def test_an_unknown_cursor_begins_anew(make: Any) -> None:
    data = make(b"%d" % number for number in range(5))
    assert Scans().step(12345, 10, data, 0) == (0, list(data))


@pytest.mark.parametrize("far", [1, 1000, 1 << 30, (1 << 40) - 2])
def test_a_cursor_that_was_never_given(make: Any, far: int) -> None:
    """It may begin anywhere, and must come to its end."""
    data = make(b"k%d" % number for number in range(50))
    scans = Scans()
    cursor, _ = scans.step(0, 10, data, 0)
    cursor += far
    for _ in range(20):
        if cursor:
            cursor, _ = scans.step(cursor, 10, data, 0)
    assert cursor == 0


def churned(data: dict[bytes, int], chance: random.Random) -> Iterator[None]:
    while True:
        for _ in range(chance.randrange(200)):
            data[b"n%d" % chance.randrange(3000)] = 1
            data.pop(b"n%d" % chance.randrange(3000), None)
        yield


@pytest.mark.parametrize("seed", range(5))
def test_keys_that_stay_are_found_among_many_that_do_not(seed: int) -> None:
    chance = random.Random(seed)
    data = {b"n%d" % number: 1 for number in range(2000)}
    staying = {b"s%d" % number for number in range(300)}
    for name in staying:
        data[name] = 1
        data.pop(b"n%d" % chance.randrange(3000), None)
    churn = churned(data, chance)
    scans = Scans()
    for _ in range(5):
        found, cursor, calls = set(), -1, 0
        while cursor:
            next(churn)
            cursor, names = scans.step(max(cursor, 0), 20, data, 0)
            found.update(names)
            calls += 1
            assert calls < 1000
        assert staying <= found

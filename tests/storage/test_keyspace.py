"""Keyspaces against a model: values, deadlines, expiry, and what the change feed reports."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from januskv.storage.clock import ManualClock
from januskv.storage.errors import NoSuchKey
from januskv.storage.feed import Feed
from januskv.storage.keyspace import Keyspace
from januskv.storage.store import Store

keys = st.sampled_from([b"a", b"b", b"c", b"d"])
# Around the present, in the past, far away, and in the middle of a second.
delays_ms = st.sampled_from([-5000, -1, 0, 1, 400, 1000, 1001, 90_000, 10**12])


class Model(RuleBasedStateMachine):
    """One keyspace, and what it should hold: key -> (value, deadline)."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.keyspace = Keyspace(0, self.clock, Feed())
        self.held: dict[bytes, tuple[int, int | None]] = {}
        self.written = 0

    def live(self) -> dict[bytes, tuple[int, int | None]]:
        """What has not expired."""
        now_ms = self.clock.now_ms
        self.held = {key: held for key, held in self.held.items() if held[1] is None or held[1] >= now_ms}
        return self.held

    def value(self) -> int:
        self.written += 1
        return self.written

    @rule(key=keys)
    def put(self, key: bytes) -> None:
        self.live()[key] = (self.value(), None)
        self.keyspace.put(key, self.written)

    @rule(key=keys, delay_ms=delays_ms)
    def put_until(self, key: bytes, delay_ms: int) -> None:
        deadline = self.clock.now_ms + delay_ms
        self.live()[key] = (self.value(), deadline)
        self.keyspace.put_until(key, self.written, deadline)

    @rule(key=keys)
    def replace(self, key: bytes) -> None:
        held = self.live().get(key)
        if self.keyspace.get(key) is not None:
            assert held is not None
            self.held[key] = (self.value(), held[1])
            self.keyspace.replace(key, self.written, "append")

    @rule(key=keys)
    def delete(self, key: bytes) -> None:
        assert self.keyspace.delete(key) == (self.live().pop(key, None) is not None)

    @rule(key=keys, delay_ms=delays_ms)
    def expire(self, key: bytes, delay_ms: int) -> None:
        held = self.live().get(key)
        if self.keyspace.get(key) is None:
            assert held is None
            return
        assert held is not None
        deadline = self.clock.now_ms + delay_ms
        if delay_ms <= 0:
            del self.held[key]
        else:
            self.held[key] = (held[0], deadline)
        self.keyspace.expire_at(key, deadline)

    @rule(key=keys)
    def persist(self, key: bytes) -> None:
        held = self.live().get(key)
        if self.keyspace.get(key) is None:
            assert held is None
            return
        assert held is not None
        assert self.keyspace.persist(key) == (held[1] is not None)
        self.held[key] = (held[0], None)

    @rule(source=keys, new=keys)
    def rename(self, source: bytes, new: bytes) -> None:
        if source not in self.live():
            with pytest.raises(NoSuchKey):
                self.keyspace.rename(source, new)
            return
        self.keyspace.rename(source, new)
        self.held[new] = self.held.pop(source)

    @rule()
    def clear(self) -> None:
        self.keyspace.clear()
        self.held = {}

    @rule()
    def swap_twice(self) -> None:
        other = Keyspace(1, self.clock, self.keyspace.feed)
        self.keyspace.swap(other)
        assert not len(self.keyspace)
        other.check()
        self.keyspace.swap(other)

    @rule(ms=st.sampled_from([1, 500, 1000, 100_000]))
    def advance(self, ms: int) -> None:
        self.clock.advance(ms)

    @rule(most=st.integers(1, 3))
    def expire_some(self, most: int) -> None:
        left = self.keyspace.expire_some(most)
        assert left == (self.keyspace.times is not None and bool(self.keyspace.times.overdue))

    @precondition(lambda self: self.keyspace.data)
    @rule()
    def draw(self) -> None:
        assert self.keyspace.random_key() in (set(self.live()) or {None})

    @invariant()
    def holds_what_it_should(self) -> None:
        self.keyspace.check()
        live = self.live()
        assert set(self.keyspace.live_keys()) == set(live)
        for key, (value, deadline) in live.items():
            assert self.keyspace.data[key] == value
            assert self.keyspace.deadline_of(key) == deadline


Model.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestModel = Model.TestCase


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def keyspace(clock: ManualClock) -> Keyspace:
    return Keyspace(0, clock, Feed())


@pytest.fixture
def events(keyspace: Keyspace) -> list[tuple[str, bytes]]:
    """What the feed has reported."""
    found: list[tuple[str, bytes]] = []

    def note(source: Keyspace, event: str, key: bytes, detail: tuple[object, ...]) -> None:
        found.append((event, key))

    keyspace.feed.subscribe(note)
    return found


class TestExpiry:
    def test_a_key_lives_through_the_ms_of_its_deadline(self, keyspace: Keyspace, clock: ManualClock) -> None:
        keyspace.put_until(b"k", b"v", clock.now_ms + 100)
        clock.advance(100)
        assert keyspace.get(b"k") == b"v"
        clock.advance(1)
        assert keyspace.get(b"k") is None

    def test_a_key_that_is_looked_at_too_late_is_counted_and_reported(
        self, keyspace: Keyspace, clock: ManualClock, events: list[tuple[str, bytes]]
    ) -> None:
        keyspace.put_until(b"k", b"v", clock.now_ms + 100)
        clock.advance(101)
        assert keyspace.read(b"k") is None
        assert (keyspace.expired, keyspace.misses) == (1, 1)
        assert events == [("set", b"k"), ("expire", b"k"), ("expired", b"k")]

    def test_a_key_that_is_overwritten_too_late_expires_before(
        self, keyspace: Keyspace, clock: ManualClock, events: list[tuple[str, bytes]]
    ) -> None:
        keyspace.put_until(b"k", b"v", clock.now_ms + 100)
        clock.advance(101)
        del events[:]
        keyspace.put(b"k", b"w")
        assert events == [("expired", b"k"), ("set", b"k")]

    def test_time_removes_keys_that_nobody_looks_at(self, clock: ManualClock) -> None:
        store = Store(databases=2, clock=clock)
        for number in range(1000):
            store.databases[number % 2].put_until(b"%d" % number, b"", clock.now_ms + number)
        clock.advance(2000)
        while store.run_cron():
            pass
        assert [len(keyspace) for keyspace in store.databases] == [0, 0]

    def test_moving_a_deadline_again_and_again_takes_no_memory(self, keyspace: Keyspace, clock: ManualClock) -> None:
        for _ in range(100):
            keyspace.put(b"k", b"v")
            keyspace.expire_at(b"k", clock.now_ms + 86_400_000)
            clock.advance(10)
        assert keyspace.times is not None
        assert len(keyspace.times.due) == 1
        keyspace.check()

    def test_a_deadline_in_the_past_removes_the_key(
        self, keyspace: Keyspace, clock: ManualClock, events: list[tuple[str, bytes]]
    ) -> None:
        keyspace.put(b"k", b"v")
        keyspace.expire_at(b"k", clock.now_ms)
        assert not len(keyspace)
        assert events == [("set", b"k"), ("del", b"k")]


class TestRandomKey:
    def test_none_in_an_empty_keyspace(self, keyspace: Keyspace) -> None:
        assert keyspace.random_key() is None

    def test_every_key_of_a_few(self, keyspace: Keyspace) -> None:
        for name in (b"a", b"b", b"c"):
            keyspace.put(name, b"")
        assert {keyspace.random_key() for _ in range(200)} == {b"a", b"b", b"c"}

    @pytest.mark.parametrize("count", [500, 3000])
    def test_only_live_keys(self, keyspace: Keyspace, clock: ManualClock, count: int) -> None:
        for number in range(count):
            keyspace.put_until(b"%d" % number, b"", clock.now_ms + 10)
        keyspace.put(b"live", b"")
        assert keyspace.random_key() is not None
        clock.advance(100)
        assert {keyspace.random_key() for _ in range(20)} == {b"live"}
        keyspace.delete(b"live")
        assert keyspace.random_key() is None

    def test_a_new_key_is_found_once_enough_has_changed(self, keyspace: Keyspace) -> None:
        for number in range(2000):
            keyspace.put(b"%d" % number, b"")
        keyspace.random_key()
        for number in range(2000):
            keyspace.delete(b"%d" % number)
            keyspace.put(b"new%d" % number, b"")
        drawn: set[Any] = {keyspace.random_key() for _ in range(100)}
        assert all(name.startswith(b"new") for name in drawn)
        assert len(drawn) > 50


class TestSeries:
    """Series are counted, so that key-value commands need not look for them where there are none."""

    class Series:
        kind = "ts-events"
        is_series = True

        def __len__(self) -> int:
            return 1

        def renamed(self, keyspace: Keyspace, old: bytes, new: bytes) -> None:
            pass

        def unlink(self, keyspace: Keyspace, key: bytes) -> None:
            pass

    def test_are_counted_however_they_come_and_go(self, keyspace: Keyspace) -> None:
        keyspace.restore(b"s", self.Series(), None)
        keyspace.check()
        keyspace.rename(b"s", b"t")
        keyspace.check()
        keyspace.put(b"t", b"a string now")
        keyspace.check()
        assert keyspace.series_count == 0
        keyspace.restore(b"u", self.Series(), None)
        assert [name for name, _ in keyspace.key_values()] == [b"t"]
        keyspace.delete(b"u")
        keyspace.check()

    def test_come_and_go_with_a_flush(self, keyspace: Keyspace) -> None:
        keyspace.restore(b"s", self.Series(), None)
        assert keyspace.clear() == 1
        keyspace.check()


def test_a_new_key_is_reported_where_that_is_wanted(keyspace: Keyspace, events: list[tuple[str, bytes]]) -> None:
    keyspace.feed.want("test", ("new",))
    keyspace.put(b"a", b"")
    keyspace.put(b"a", b"")
    keyspace.rename(b"a", b"b")
    assert events == [
        ("new", b"a"),
        ("set", b"a"),
        ("set", b"a"),
        ("new", b"b"),
        ("rename_from", b"a"),
        ("rename_to", b"b"),
    ]


def test_many_values_are_set_as_one_by_one(keyspace: Keyspace, clock: ManualClock) -> None:
    keyspace.put_until(b"a", b"", clock.now_ms + 1000)
    keyspace.put_many({b"a": 1, b"b": 2})
    assert keyspace.deadline_of(b"a") is None
    assert keyspace.data == {b"a": 1, b"b": 2}
    keyspace.check()

"""Big values are freed in slices, however they leave a keyspace, and not while somebody reads them."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import pytest

from januskv.storage.clock import ManualClock
from januskv.storage.keyspace import Keyspace
from januskv.storage.lists import push
from januskv.storage.long_text import LongString
from januskv.storage.reclaiming import BIG_BYTES, MANY, MOST_WAITING, Reclaimer, is_big
from januskv.storage.sorted_sets import SortedSet
from januskv.storage.store import Store
from januskv.storage.streams import Stream


def stream_of(count: int) -> Stream:
    stream = Stream()
    for number in range(1, count + 1):
        stream.add(number << 64, (b"field", b"value %d" % number))
    return stream


def long_list(count: int) -> Any:
    keyspace = Keyspace(0, ManualClock(), Store().feed)
    push(keyspace, b"l", None, False, [b"%d" % number for number in range(count)])
    return keyspace.detach(b"l")


BIG: dict[str, Callable[[], Any]] = {
    "set": lambda: {b"%d" % number for number in range(MANY + 1)},
    "hash": lambda: {b"%d" % number: b"v%d" % number for number in range(MANY + 1)},
    "sorted set": lambda: SortedSet({b"%d" % number: float(number) for number in range(MANY + 1)}),
    "list": lambda: long_list(MANY + 1),
    "stream": lambda: stream_of(MANY + 1),
    "string": lambda: b"x" * (BIG_BYTES + 1),
    "changed string": lambda: LongString(b"x" * (BIG_BYTES + 1)),
    "hash of long strings": lambda: {b"%d" % number: b"x" * (1 << 20) for number in range(20)},
    "array of arrays": lambda: [[{"a": [1, 2, number]} for number in range(3)]],
}
SMALL: dict[str, Callable[[], Any]] = {
    "set": lambda: {b"1", b"2"},
    "hash": lambda: {b"1": b"2"},
    "sorted set": lambda: SortedSet({b"1": 1.0}),
    "list": lambda: long_list(30),
    "stream": lambda: stream_of(3),
    "string": lambda: b"x" * 5000,
    "changed string": lambda: LongString(b"x" * 5000),
    "number": lambda: 7,
    "float": lambda: 0.5,
    "boolean": lambda: True,
}


@pytest.mark.parametrize("kind", BIG)
def test_what_is_big(kind: str) -> None:
    assert is_big(BIG[kind]())


@pytest.mark.parametrize("kind", SMALL)
def test_what_is_small(kind: str) -> None:
    assert not is_big(SMALL[kind]())


def leave_by_deletion(store: Store, keyspace: Keyspace) -> None:
    keyspace.delete(b"k")


def leave_by_overwriting(store: Store, keyspace: Keyspace) -> None:
    keyspace.put(b"k", b"1")


def leave_by_overwriting_where_somebody_listens(store: Store, keyspace: Keyspace) -> None:
    store.feed.subscribe(lambda where, event, key, detail: None)
    keyspace.put(b"k", b"1")


def leave_by_renaming_over(store: Store, keyspace: Keyspace) -> None:
    keyspace.put(b"other", b"1")
    keyspace.rename(b"other", b"k")


def leave_by_flushing(store: Store, keyspace: Keyspace) -> None:
    keyspace.clear()


def leave_by_expiring(store: Store, keyspace: Keyspace) -> None:
    keyspace.expire_at(b"k", store.clock.now_ms - 1)


WAYS = [
    leave_by_deletion,
    leave_by_overwriting,
    leave_by_overwriting_where_somebody_listens,
    leave_by_renaming_over,
    leave_by_flushing,
    leave_by_expiring,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("kind", BIG)
def test_every_way_out_of_a_keyspace(kind: str, way: Callable[[Store, Keyspace], None]) -> None:
    store = Store(clock=ManualClock())
    keyspace = store.databases[0]
    keyspace.put(b"k", BIG[kind]())
    way(store, keyspace)
    reclaimer = store.feed.reclaimer
    assert reclaimer.pending == 1
    assert reclaimer.freed == 0
    while store.free_some():
        pass
    assert reclaimer.pending == 0
    assert reclaimer.freed == 1


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@pytest.mark.parametrize("kind", SMALL)
def test_small_values_are_freed_at_once(kind: str, way: Callable[[Store, Keyspace], None]) -> None:
    store = Store(clock=ManualClock())
    keyspace = store.databases[0]
    keyspace.put(b"k", SMALL[kind]())
    way(store, keyspace)
    assert store.feed.reclaimer.pending == 0


def test_what_moves_is_not_taken_apart() -> None:
    store = Store(clock=ManualClock())
    first, second = store.databases[:2]
    members = BIG["set"]()
    first.put(b"k", members)
    first.rename(b"k", b"other")
    first.swap(second)
    first.replace(b"n", b"1", "set")
    second.replace(b"other", members, "sadd")  # the same value again
    assert store.feed.reclaimer.pending == 0
    assert len(members) == MANY + 1


def test_it_goes_in_slices() -> None:
    class Member(str):
        __slots__ = ("__weakref__",)

    reclaimer = Reclaimer()
    members = {Member(number) for number in range(MANY + 1)}
    alive = [weakref.ref(member) for member in members]
    reclaimer.take(members)
    del members
    before = len(alive)
    steps = 0
    while reclaimer.go_on(0.0):
        steps += 1
        left = sum(each() is not None for each in alive)
        assert before - left <= 200
        before = left
    assert steps > MANY // 200
    assert not any(each() is not None for each in alive)


def test_what_somebody_reads_waits() -> None:
    store = Store(clock=ManualClock())
    reclaimer = store.feed.reclaimer
    members = BIG["set"]()
    store.databases[0].put(b"k", members)
    store.databases[0].delete(b"k")
    store.databases[0].put(b"k", BIG["hash"]())
    store.databases[0].delete(b"k")
    assert not reclaimer.go_on(10.0)  # what can be done is done
    assert reclaimer.pending == 1
    assert len(members) == MANY + 1
    del members
    assert not reclaimer.go_on(10.0)
    assert reclaimer.pending == 0


def test_a_part_that_somebody_reads_stays_whole() -> None:
    reclaimer = Reclaimer()
    inner = {b"%d" % number: b"" for number in range(MANY + 1)}
    reclaimer.take([inner, {b"%d" % number for number in range(MANY)}])
    reclaimer.go_on(10.0)
    assert len(inner) == MANY + 1
    assert reclaimer.pending == 1
    del inner
    reclaimer.go_on(10.0)
    assert reclaimer.pending == 0


def test_no_more_than_so_many_wait() -> None:
    reclaimer = Reclaimer()
    for _ in range(MOST_WAITING + 5):
        reclaimer.take([1])
    assert reclaimer.pending == MOST_WAITING


def test_a_full_keyspace_and_its_values() -> None:
    store = Store(clock=ManualClock())
    keyspace = store.databases[0]
    for number in range(MANY + 1):
        keyspace.put(b"%d" % number, {b"a": {"b": [number]}} if number % 3 else {b"m", b"n"})
        keyspace.file_deadline(b"%d" % number, 1_000_000_000_000 + number * 500)
    keyspace.clear()
    assert store.feed.reclaimer.pending == 1
    assert len(keyspace) == 0
    while store.run_cron():
        pass
    assert store.feed.reclaimer.pending == 0
    keyspace.check()


def test_a_bigger_one_compiled_and_plain() -> None:
    reclaimer = Reclaimer()
    reclaimer.take({b"%d" % number for number in range(200_000)})  # with a table that is given back by itself
    reclaimer.take({b"%d" % number: b"%d" % number for number in range(200_000)})
    reclaimer.take([b"%d" % number for number in range(200_000)])
    reclaimer.take(LongString(bytes(40 << 20)))
    reclaimer.take(bytes(40 << 20))
    while reclaimer.go_on(0.001):
        pass
    assert reclaimer.pending == 0
    assert reclaimer.freed == 5

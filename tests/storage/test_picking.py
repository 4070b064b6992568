"""What is drawn at random: each as likely as any other, none twice where that is promised."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from januskv.storage.clock import ManualClock
from januskv.storage.hashes import random_fields
from januskv.storage.picking import random_field, sampled
from januskv.storage.sets import pop_members
from januskv.storage.small_hashes import small
from januskv.storage.store import Store
from januskv.storage.timed_hashes import TimedHash


def names(count: int) -> list[bytes]:
    return [b"name %d" % number for number in range(count)]


@pytest.mark.parametrize(("size", "count"), [(0, 0), (1, 1), (10, 3), (1000, 1), (1000, 999), (1000, 1000)])
def test_a_sample(size: int, count: int) -> None:
    found = sampled(names(size), count)
    assert len(found) == len(set(found)) == count
    assert set(found) <= set(names(size))


def test_a_sample_is_fair() -> None:
    drawn = Counter(each for _ in range(4000) for each in sampled(names(10), 3))
    assert set(drawn) == set(names(10))
    assert all(1000 < count < 1400 for count in drawn.values())
    with pytest.raises(ValueError, match="than"):
        sampled(names(3), 4)


@pytest.mark.parametrize("size", [1, 3, 2000])
def test_every_field_is_drawn(size: int) -> None:
    fields: dict[bytes, Any] = dict.fromkeys(names(size), b"")
    drawn = Counter(random_field(fields) for _ in range(size * 20))
    assert drawn.keys() <= fields.keys()
    assert len(drawn) > size * 0.9
    assert max(drawn.values()) < 20 * 5 or size == 1


def test_what_is_left_of_a_big_hash_is_found() -> None:
    fields: dict[bytes, Any] = dict.fromkeys(names(50_000), b"")
    for name in names(49_997):
        del fields[name]
    assert {random_field(fields) for _ in range(200)} == fields.keys()


@pytest.mark.parametrize("form", [dict, lambda fields: TimedHash(fields, {b"name 1": 5}), small])
@pytest.mark.parametrize("count", [0, 1, 2, 11, 12, 15, -1, -3, -40])
def test_some_fields(form: Any, count: int) -> None:
    held = form(dict.fromkeys(names(12), b"v"))
    found = random_fields(held, count)
    assert set(found) <= set(names(12))
    assert len(found) == (-count if count < 0 else min(count, 12))
    assert count < 0 or len(set(found)) == len(found)


def test_few_fields_of_many() -> None:
    held = dict.fromkeys(names(5000), b"v")
    for count in (1, 7, 300, 4000, -7, -4000):
        found = random_fields(held, count)
        assert len(found) == abs(count)
        assert count < 0 or len(set(found)) == count


@pytest.mark.parametrize("count", [1, 900, 1100, 2000, 3999, 4000, 9000])
def test_popping_many_members(count: int) -> None:
    store = Store(clock=ManualClock())
    keyspace = store.databases[0]
    keyspace.put(b"s", set(names(4000)))
    held: Any = keyspace.get(b"s")
    events: list[str] = []
    store.feed.subscribe(lambda where, event, key, detail: events.append(event))
    taken = pop_members(keyspace, b"s", held, count)
    left: Any = keyspace.get(b"s") or set()
    assert len(taken) == len(set(taken)) == min(count, 4000)
    assert left | set(taken) == set(names(4000))
    assert not left & set(taken)
    assert events == (["spop", "del"] if count >= 4000 else ["spop"])

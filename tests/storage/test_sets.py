"""Sets against Python's own, random members, and effects done again."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from januskv.storage.clock import ManualClock
from januskv.storage.picking import random_member
from januskv.storage.sets import EFFECTS, add_members, as_set, pop_members, random_members, remove_members
from januskv.storage.store import Store

members = st.lists(st.integers(0, 30).map(lambda number: b"%d" % number), min_size=1, max_size=6)
steps = st.lists(st.tuples(st.sampled_from(("add", "remove", "pop")), members), max_size=30)


def new_keyspace() -> Any:
    return Store(clock=ManualClock()).databases[0]


@given(steps)
def test_programs_on_a_set_and_their_effects(program: list[tuple[str, list[bytes]]]) -> None:
    keyspace, again = new_keyspace(), new_keyspace()
    effects: list[tuple[Any, ...]] = []

    def listen(where: object, event: str, key: bytes, detail: tuple[Any, ...]) -> None:
        if event == "del":
            effects.append(("del",))
        elif detail and isinstance(detail[0], str) and "." in detail[0]:
            effects.append(detail)
        else:
            effects.append(("put", set(keyspace.data[key])))

    keyspace.feed.subscribe(listen)
    model: set[bytes] = set()
    for name, names in program:
        held = as_set(keyspace.get(b"s"))
        if name == "add":
            assert add_members(keyspace, b"s", names) == len(set(names) - model)
            model |= set(names)
        elif name == "remove":
            assert remove_members(keyspace, b"s", names) == len(set(names) & model)
            model -= set(names)
        elif held is not None:
            taken = pop_members(keyspace, b"s", held, len(names))
            assert len(taken) == len(set(taken)) == min(len(names), len(model))
            assert set(taken) <= model
            model -= set(taken)
        assert (as_set(keyspace.get(b"s")) or set()) == model
    for effect in effects:
        if effect[0] == "del":
            again.delete(b"s")
        elif effect[0] == "put":
            again.put(b"s", effect[1])
        else:
            EFFECTS[effect[0]](again, b"s", *effect[1:])
    assert (as_set(again.get(b"s")) or set()) == model


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_every_member_is_drawn(size: int) -> None:
    held = {b"%d" % number for number in range(size)}
    drawn = Counter(random_member(held) for _ in range(size * 20))
    assert set(drawn) <= held
    assert len(drawn) > size * 0.9
    assert max(drawn.values()) < 20 * 5 or size == 1


def test_what_is_left_of_a_big_set_is_found() -> None:
    held = {b"%d" % number for number in range(100_000)}
    for number in range(99_997):
        held.discard(b"%d" % number)
    assert {random_member(held) for _ in range(200)} == {b"99997", b"99998", b"99999"}
    assert sorted(random_members(held, 2))[0] in held


@pytest.mark.parametrize("count", [0, 1, 5, 99, 100, 200])
def test_so_many_different_ones(count: int) -> None:
    held = {b"%d" % number for number in range(100)}
    found = random_members(held, count)
    assert len(found) == len(set(found)) == min(count, 100)
    assert set(found) <= held

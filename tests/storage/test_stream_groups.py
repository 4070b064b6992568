"""Consumer groups: what is pending in a group is pending for exactly one of its consumers."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from januskv.storage.stream_groups import Group

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("deliver"), st.integers(1, 20), st.sampled_from([b"a", b"b", b"c"])),
        st.tuples(st.just("acknowledge"), st.integers(1, 20)),
        st.tuples(st.just("drop"), st.sampled_from([b"a", b"b", b"c"])),
        st.tuples(st.just("copy")),
        st.tuples(st.just("news"), st.sets(st.integers(1, 99), max_size=9), st.sampled_from([b"a", b"b"])),
    ),
    max_size=50,
)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_a_group_is_a_map_of_owners(steps: list[Any]) -> None:
    group, owners = Group(5, 3), {}
    for name, *operands in steps:
        if name == "deliver":
            entry_id, consumer = operands
            group.deliver(entry_id, group.consumer(consumer, 1), 7, 2)
            owners[entry_id] = consumer
        elif name == "news":
            group.deliver_news(sorted(operands[0]), group.consumer(operands[1], 1), 8)
            owners |= dict.fromkeys(operands[0], operands[1])
        elif name == "acknowledge":
            assert group.acknowledge(operands[0]) == (owners.pop(operands[0], None) is not None)
        elif name == "drop" and operands[0] in group.consumers:
            lost = [each for each, owner in owners.items() if owner == operands[0]]
            assert group.drop_consumer(operands[0]) == len(lost)
            for each in lost:
                del owners[each]
        elif name == "copy":
            state = group.to_state()
            group = group.copy()
            assert group.to_state() == state
        group.check()
        assert {each: held.consumer for each, held in group.pending.items()} == owners
        assert list(group.pending) == sorted(owners)
        if owners:
            assert group.pending.ends() == (min(owners), max(owners))
        for most in (0, 1, 3, -1):
            between = [each for each in sorted(owners) if 5 <= each <= 15]
            assert group.pending.ids(5, 15, most) == (between if most < 0 else between[:most])


def test_a_copy_is_independent() -> None:
    group = Group(1, None)
    group.deliver(3, group.consumer(b"a", 10), 10, 1)
    copied = group.copy()
    group.acknowledge(3)
    assert list(copied.pending) == [3]
    assert copied.consumers[b"a"].pending.get(3) is copied.pending.get(3) is not None
    assert (copied.last_id, copied.entries_read) == (1, None)


def test_many_come_and_go() -> None:
    group = Group()
    reader, other = group.consumer(b"a", 1), group.consumer(b"b", 1)
    group.deliver_news(range(1, 10_001), reader, 5)
    for entry_id in range(2, 10_000, 3):
        group.acknowledge(entry_id)
    for entry_id in range(1, 10_000, 3):
        group.deliver(entry_id, other, 6, 2)
    group.check()
    assert list(other.pending) == list(range(1, 10_000, 3))
    assert group.pending.ends() == (1, 10_000)
    for entry_id in range(10_000, 100, -1):
        group.acknowledge(entry_id)
    group.check()
    assert group.pending.ends() == (1, 100)
    group.deliver_news([50, 60, 200], reader, 7)  # two are pending, or were
    group.check()
    assert group.pending.ids(45, 300) == [each for each in range(45, 101) if each % 3 != 2 or each in (50, 60)] + [200]
    group = group.copy()
    group.check()
    assert group.drop_consumer(b"b") == len(other.pending)
    group.check()


def test_nothing_is_left_in_a_ring() -> None:
    group = Group()
    group.deliver(3, group.consumer(b"a", 10), 10, 1)
    delivery = weakref.ref(group.consumers[b"a"])
    enabled = gc.isenabled()
    gc.disable()
    try:
        del group
        assert delivery() is None
    finally:
        if enabled:
            gc.enable()

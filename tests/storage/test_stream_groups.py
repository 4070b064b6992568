"""Consumer groups: what is pending in a group is pending for exactly one of its consumers."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from januskv.storage.stream_groups import Group, deliveries

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("deliver"), st.integers(1, 20), st.sampled_from([b"a", b"b", b"c"])),
        st.tuples(st.just("acknowledge"), st.integers(1, 20)),
        st.tuples(st.just("drop"), st.sampled_from([b"a", b"b", b"c"])),
        st.tuples(st.just("copy")),
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
    found = [(each, held.consumer) for each, held in deliveries(group.pending, 5, 15)]
    assert found == sorted((each, owner) for each, owner in owners.items() if 5 <= each <= 15)


def test_a_copy_is_independent() -> None:
    group = Group(1, None)
    group.deliver(3, group.consumer(b"a", 10), 10, 1)
    twin = group.copy()
    group.acknowledge(3)
    assert list(twin.pending) == [3]
    assert twin.consumers[b"a"].pending[3] is twin.pending[3]
    assert (twin.last_id, twin.entries_read) == (1, None)

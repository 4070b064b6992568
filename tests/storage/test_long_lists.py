"""Long lists against Python's own, and lists that grow into one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from januskv.storage import lists, long_lists
from januskv.storage.clock import ManualClock
from januskv.storage.lists import EFFECTS, as_list, keep, pop, positions, push, remove_at
from januskv.storage.long_lists import LongList
from januskv.storage.store import Store

numbers = st.integers(0, 9).map(lambda n: b"%d" % n)
items = st.lists(numbers | numbers | numbers | st.just(3), min_size=1, max_size=12)  # 3: not a string
ends = st.booleans()
steps = st.one_of(
    st.tuples(st.just("push"), ends, items),
    st.tuples(st.just("pop"), ends, st.integers(1, 15)),
    st.tuples(st.just("insert"), st.floats(0, 1), items),
    st.tuples(st.just("set"), st.floats(0, 0.999), items),
    st.tuples(st.just("remove"), st.sets(st.floats(0, 0.999), min_size=1, max_size=5), st.none()),
    st.tuples(st.just("keep"), st.floats(0, 1), st.floats(0, 1)),
    st.tuples(st.just("look"), st.floats(0, 1), st.floats(0, 1)),
)


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Any:
    """Blocks so small that a few elements fill several."""
    before = long_lists.BLOCK, long_lists.LEAST_OPEN, long_lists.SMALL_BLOCK, lists.LONG
    long_lists.BLOCK, long_lists.LEAST_OPEN, long_lists.SMALL_BLOCK, lists.LONG = 4, 2, 3, 6  # type: ignore[misc]
    yield
    long_lists.BLOCK, long_lists.LEAST_OPEN, long_lists.SMALL_BLOCK, lists.LONG = before  # type: ignore[misc]


@given(
    st.lists(items, max_size=5).map(lambda parts: [item for part in parts for item in part]),
    st.lists(steps, max_size=25),
)
@settings(max_examples=200)
def test_programs(start: list[bytes], program: list[tuple[str, Any, Any]]) -> None:
    held, model = LongList(list(start)), list(start)
    for name, one, two in program:
        size = len(model)
        if name == "push":
            held.push(one, two)
            model[:] = two[::-1] + model if one else model + two
        elif name == "pop":
            taken = model[:two] if one else model[::-1][:two]
            assert ([held.pop(one)] if two == 1 and model else held.take(one, two)) == taken
            model[:] = model[two:] if one else model[: max(size - two, 0)]
        elif name == "insert":
            held.insert(int(one * size), two[0])
            model.insert(int(one * size), two[0])
        elif name == "set" and model:
            held[int(one * size)] = model[int(one * size)] = two[0]
        elif name == "remove" and model:
            gone = {int(share * size) for share in one}
            remove_at(held, list(gone))
            model[:] = [item for index, item in enumerate(model) if index not in gone]
        elif name == "keep":
            first, end = sorted((int(one * size), int(two * size)))
            keep(held, first, end)
            model[:] = model[first:end]
        elif name == "look":
            first, end = int(one * size), int(two * size)
            assert held[first:end] == model[first:end]
            whole = [b"$%d\n%b\n" % (len(item), item) for item in model[first:end] if isinstance(item, bytes)]
            framed = held.framed(first, max(first, end), b"$", b"\n")
            assert framed == (b"".join(whole) if len(whole) == len(model[first:end]) else None)
            for rank in (1, 2, -1, -2):
                assert positions(held, b"3", rank, 2, 7) == positions(model, b"3", rank, 2, 7)
        held.check()
        assert list(held) == model
        assert list(reversed(held)) == model[::-1]
        assert [held[index] for index in range(-len(model), len(model))] == model + model


def test_a_list_grows_into_a_long_one_and_its_effects_too() -> None:
    keyspace, again = (Store(clock=ManualClock()).databases[0] for _ in range(2))

    def listen(where: object, event: str, key: bytes, detail: tuple[Any, ...]) -> None:
        if detail and isinstance(detail[0], str) and "." in detail[0]:
            EFFECTS[detail[0]](again, key, *detail[1:])
        elif event != "del":
            again.put(key, list(as_list(keyspace.data[key]) or []))

    keyspace.feed.subscribe(listen)
    for number in range(20):
        push(keyspace, b"l", as_list(keyspace.get(b"l")), number % 3 == 0, [b"%d" % number])
    held = as_list(keyspace.get(b"l"))
    assert type(held) is LongList
    pop(keyspace, b"l", held, True, 3)
    copy = as_list(again.get(b"l"))
    assert type(copy) is LongList
    assert list(copy) == list(held)
    assert LongList.from_state(held.to_state()).to_json() == held.to_json()

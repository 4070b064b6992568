"""A timetable has each item once, at its last time, and nothing of those that are gone."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from januskv.storage.timetable import NEVER, Timetable

ITEMS = st.sampled_from([b"a", b"b", b"c", b"d"])
TIMES = st.integers(0, 9_000)
STEPS = st.one_of(
    st.tuples(st.just("file"), ITEMS, TIMES),
    st.tuples(st.just("remove"), ITEMS, st.none()),
    st.tuples(st.just("look"), st.integers(1, 4), TIMES),
)


@pytest.mark.parametrize("step_ms", [1, 1000])
@given(steps=st.lists(STEPS, max_size=60))
def test_programs(step_ms: int, steps: list[tuple[str, bytes | int, int | None]]) -> None:
    """Times are moved, and the clock goes back and forth."""
    table = Timetable(step_ms, {})
    model: dict[bytes, int] = {}
    for what, item, time in steps:
        if what == "file":
            assert isinstance(item, bytes)
            assert time is not None
            first = table.next_ms()
            assert table.file(item, time) <= (first == NEVER or table.next_ms() <= first)
            model[item] = time
        elif what == "remove":
            assert isinstance(item, bytes)
            table.remove(item)
            model.pop(item, None)
        else:
            assert isinstance(item, int)
            assert time is not None
            for found in table.look(item, time):
                assert model.pop(found) < time
                table.remove(found)
        table.check()
        assert table.deadlines == model
        wanted = [(each // step_ms + 1) * step_ms - 1 for each in model.values()]
        assert table.next_ms() <= min(wanted, default=0)
        assert (table.next_ms() == NEVER) <= (not model)
    while table.next_ms() != NEVER:  # a look may find only what has been removed meanwhile
        for found in table.look(100, 20_000):
            del model[found]
            table.remove(found)
    assert not model


def test_what_is_due_comes_in_time() -> None:
    table = Timetable(100, {})
    for number in range(1000):
        table.file(number, number)
    assert set(table.look(2000, 200)) == set(range(200))
    assert table.next_ms() == 299


@pytest.mark.parametrize("step_ms", [1, 1000])
def test_the_latest_possible_time(step_ms: int) -> None:
    table = Timetable(step_ms, {})
    table.file(b"a", (1 << 63) - 1)
    assert table.next_ms() == (1 << 63) - 1
    assert table.look(1, (1 << 63) - 1) == []
    table.check()


def test_an_item_that_moves_again_and_again_takes_no_memory() -> None:
    table = Timetable(1, {})
    for number in range(10_000):
        table.file(b"a", number * 3)
        table.file(b"b", -number)
    assert len(table.due) == 2
    assert len(table.slots) < 40
    table.check()


def test_items_that_go_leave_nothing() -> None:
    table = Timetable(1, {})
    for number in range(10_000):
        table.file(number, number // 2)
    for number in range(10_000):
        table.remove(number)
    table.check()
    assert not table.due
    assert not table.deadlines
    assert len(table.slots) < 40
    assert sys.getsizeof(table.slots) < 1000

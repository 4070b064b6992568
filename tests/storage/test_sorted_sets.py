"""Sorted sets against a dict that is sorted each time; effects done again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from januskv.storage import sorted_sets
from januskv.storage.clock import ManualClock
from januskv.storage.sorted_sets import EFFECTS, SortedSet, as_sorted_set, in_order, put_scores
from januskv.storage.store import Store

names = st.integers(0, 60).map(lambda number: b"m%d" % number if number < 58 else b"%070d" % number)  # some are long
scores = st.one_of(st.integers(-3, 3).map(float), st.floats(allow_nan=False), st.just(-0.0))
steps = st.one_of(
    st.tuples(st.just("put"), st.dictionaries(names, scores, min_size=1, max_size=20)),
    st.tuples(st.just("remove"), st.lists(names, min_size=1, max_size=10)),
    st.tuples(st.just("take"), st.tuples(st.integers(0, 60), st.integers(0, 20))),
    st.tuples(st.just("pop"), st.booleans()),
    st.tuples(st.just("look"), st.tuples(scores, scores, st.booleans(), st.booleans())),
)


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Any:
    """Blocks so small that a few members fill several, and the form for small sets so small that they leave it often."""
    before = sorted_sets.BLOCK, sorted_sets.SMALL
    sorted_sets.BLOCK, sorted_sets.SMALL = 4, 6  # type: ignore[misc]
    yield
    sorted_sets.BLOCK, sorted_sets.SMALL = before  # type: ignore[misc]


@given(st.lists(steps, max_size=30))
@settings(max_examples=200)
def test_programs_and_their_effects(program: list[tuple[str, Any]]) -> None:
    keyspace, again = (Store(clock=ManualClock()).databases[0] for _ in range(2))

    def listen(where: object, event: str, key: bytes, detail: tuple[Any, ...]) -> None:
        if event == "del":
            again.delete(key)
        elif detail and isinstance(detail[0], str) and "." in detail[0]:
            EFFECTS[detail[0]](again, key, *detail[1:])
        else:
            value: Any = keyspace.data[key]
            again.put(key, value.copy())

    keyspace.feed.subscribe(listen)
    model: dict[bytes, float] = {}
    for name, what in program:
        held = as_sorted_set(keyspace.get(b"z"))
        ordered = sorted(model.items(), key=lambda pair: (pair[1], pair[0]))
        assert in_order(model) == ordered
        if name == "put":
            put_scores(keyspace, b"z", held, dict(what), "zadd")
            model |= what
        elif held is None:
            assert not model
        elif name == "remove":
            assert held.remove(keyspace, b"z", what) == len(set(what) & model.keys())
            model = {member: score for member, score in model.items() if member not in what}
        elif name == "take":
            start, stop = min(what[0], len(model)), min(sum(what), len(model))
            assert held.take(keyspace, b"z", start, stop, "zpopmin") == ordered[start:stop]
            model = dict(ordered[:start] + ordered[stop:])
        elif name == "pop":
            assert held.pop(keyspace, b"z", what, "zpopmin") == ordered[0 if what else -1]
            model = dict(ordered[1:] if what else ordered[:-1])
        else:
            look(held, ordered, *what)
        held = as_sorted_set(keyspace.get(b"z"))
        assert (held is None) == (not model)
        if held is not None:
            held.check()
            assert held.scores == model
            assert held.slice(0, len(held)) == in_order(model)
    copy = as_sorted_set(again.get(b"z"))
    assert (copy.scores if copy else {}) == model


def look(
    held: SortedSet, ordered: list[tuple[bytes, float]], low: float, high: float, low_open: bool, high_open: bool
) -> None:
    assert held.score(b"not there") is None
    assert held.rank(b"not there") is None
    for rank, (member, score) in enumerate(ordered):
        assert held.rank(member) == rank
        assert held.score(member) == score
        assert held.names(rank, rank + 2) == [member for member, _ in ordered[rank : rank + 2]]
        assert held.slice(rank, rank + 2) == ordered[rank : rank + 2]
    start, stop = held.ranks_by_score(low, high, low_open, high_open)
    wanted = [
        pair
        for pair in ordered
        if (pair[1] > low or (pair[1] == low and not low_open))
        and (pair[1] < high or (pair[1] == high and not high_open))
    ]
    assert ordered[start:stop] == wanted


@given(st.sets(st.binary(max_size=3), min_size=1), st.binary(max_size=3), st.binary(max_size=3))
def test_ranges_of_names(members: set[bytes], low: bytes, high: bytes) -> None:
    held = SortedSet(dict.fromkeys(members, 1.0))
    start, stop = held.ranks_by_name(low, high)
    assert [member for member, _ in held.slice(start, stop)] == [m for m in sorted(members) if low <= m < high]


def test_a_small_set_is_one_string_until_it_grows() -> None:
    held = SortedSet({b"m%d" % number: 1.0 for number in range(sorted_sets.SMALL)})
    assert held.by_name is None
    held.set(b"one more", 2.0)
    assert held.by_name is not None
    held.check()
    held.cut(0, sorted_sets.SMALL)
    assert held.slice(0, 1) == [(b"one more", 2.0)]
    assert held.by_name is None


def test_a_long_member_makes_a_big_set() -> None:
    held = SortedSet({b"short": 1.0})
    held.set(b"l" * 65, 0.5)
    assert held.by_name is not None
    assert held.names(0, 2) == [b"l" * 65, b"short"]
    held.check()


def test_a_state_is_a_sorted_set_again() -> None:
    held = SortedSet({b"a": 1.5, b"b": float("inf")})
    assert SortedSet.from_state(held.to_state()).scores == held.scores
    assert held.to_json() == {"a": 1.5, "b": "inf"}

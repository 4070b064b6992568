"""The order of values, and the first rows in it."""

from __future__ import annotations

from functools import cmp_to_key
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.storage.filters import naive

from januskv.storage.filters import EventTime, TopRows, equal, order_key, parse_expression
from januskv.storage.filters.order import reverse_key

ASCENDING: list[Any] = [
    *(None, False, True, -1e300, -4, -0.5, 0, 0.25, 1, 1.5, 2**53, 2**53 + 1, 2.0**63, 2**63 + 1),
    *("", "\x00", "10", "9", "B", "Z", "a", "aa", "é", "\uffff", "😀"),
    *([], [None], [None, None], [0], [0, 5], [1], ["a"], [[]], [[], 1], [[1]], [{}]),
    *({}, {"a": None}, {"a": None, "b": 1}, {"a": 1}, {"a": 1, "b": None}, {"a": [], "b": 0}, {"aa": 0}, {"b": None}),
]


def test_values_of_all_kinds() -> None:
    for one, other in pairwise(ASCENDING):
        assert order_key(one) < order_key(other)
        assert reverse_key(other) < reverse_key(one)
    backwards = ASCENDING[::-1]
    assert sorted(backwards, key=order_key) == ASCENDING


def test_times_are_ordered_by_instant() -> None:
    assert order_key(EventTime(5)) < order_key(EventTime(10)) < order_key("")
    assert reverse_key(EventTime(10)) < reverse_key(EventTime(5)) < reverse_key(7)


def ranks(one: Any, other: Any) -> int:
    """The order as it is described: negative if one is first."""
    kinds = [rank_of_kind(one), rank_of_kind(other)]
    if kinds[0] != kinds[1]:
        return -1 if kinds[0] < kinds[1] else 1
    if isinstance(one, list):
        for pair in zip(one, other, strict=False):
            if difference := ranks(*pair):
                return difference
        return len(one) - len(other)
    if isinstance(one, dict):
        return ranks(
            [each for name in sorted(one) for each in (name, one[name])],
            [each for name in sorted(other) for each in (name, other[name])],
        )
    if one is None or isinstance(one, bool):
        return 0
    return (one > other) - (one < other)


def rank_of_kind(value: Any) -> int:
    if value is None or isinstance(value, bool):
        return (None, False, True).index(value)
    return 3 + [int, float, str, list, dict].index(type(value)) - (type(value) is not int)


@settings(max_examples=500, deadline=None)
@given(st.lists(naive.values, max_size=8))
def test_keys_are_in_the_order_described(values: list[Any]) -> None:
    for one in values:
        for other in values:
            wanted = ranks(one, other)
            key, other_key = order_key(one), order_key(other)
            assert ((key > other_key) - (key < other_key)) == (wanted > 0) - (wanted < 0)
            key, other_key = reverse_key(one), reverse_key(other)
            assert ((key < other_key) - (other_key < key)) == (wanted > 0) - (wanted < 0)
            assert (wanted == 0) == equal(one, other) == (key == other_key)


def deep(levels: int, end: Any) -> Any:
    for level in range(levels):
        end = [end] if level % 2 else {"a": end}
    return end


def test_what_is_deep_has_a_key() -> None:
    assert order_key(deep(5000, 1)) < order_key(deep(5000, 2))
    assert reverse_key(deep(5000, 2)) < reverse_key(deep(5000, 1))
    assert equal(deep(5000, 1), deep(5000, 1.0))
    assert not equal(deep(5000, 1), deep(5000, True))


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({}, optional={"a": naive.values, "b": naive.scalars, "x y": naive.scalars}), max_size=30
    ),
    st.lists(
        st.tuples(st.sampled_from(("a", "b", "['x y']", "_time", "length(a)")), st.sampled_from((-7, -1, 1, 2))),
        max_size=3,
    ),
    st.none() | st.integers(0, 12),
    st.randoms(use_true_random=False),
)
def test_rows_are_those_of_a_sort(
    documents: list[dict[str, Any]], orders: list[tuple[str, int]], limit: int | None, random: Any
) -> None:
    rows = list(enumerate(documents, start=-3))
    expressions = [(parse_expression(text), sign) for text, sign in orders]
    wanted = rows
    for expression, sign in reversed(expressions):
        keys = [(row, expression.value(row[1], row[0])) for row in wanted]
        keys.sort(key=cmp_to_key(lambda one, other: ranks_with_times(one[1], other[1])), reverse=sign < 0)
        wanted = [row for row, _ in keys]
    shuffled = rows[:]
    random.shuffle(shuffled)
    top = TopRows(expressions, limit)
    for instant, document in shuffled:
        top.add(instant, document)
        assert limit is None or len(top) <= limit
    found = [row for step in top.rows_in_steps() for row in step]
    assert [instant for instant, _ in found] == [instant for instant, _ in wanted[:limit]]
    assert all(document is documents[instant + 3] for instant, document in found)


def ranks_with_times(one: Any, other: Any) -> int:
    if isinstance(one, EventTime):
        return int(one.instant - other.instant)
    return ranks(one, other)


@pytest.mark.parametrize("limit", [None, 1500])
def test_many_rows_come_in_short_steps(limit: int | None) -> None:
    top = TopRows([(parse_expression("n"), -1)], limit)
    for instant in range(3000):
        top.add(instant, {"n": instant * 7919 % 3000})
    steps = list(top.rows_in_steps())
    assert max(map(len, steps)) <= 256
    numbers = [document["n"] for step in steps for _, document in step]
    assert numbers == list(range(2999, 2999 - (limit or 3000), -1))


def test_rows_of_one_instant_are_not_compared_further() -> None:
    top = TopRows([], 3)
    for n in range(5):
        top.add(1, {"n": n})
    assert [document["n"] for step in top.rows_in_steps() for _, document in step] == [0, 1, 2]

"""Columns of scores: the same places as by bisection of a list."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

from hypothesis import given
from hypothesis import strategies as st

from januskv.storage.score_columns import column, cut_from, first_behind, first_from, put_in

SCORES = st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, 1.0, 2.0])


@given(st.lists(SCORES), SCORES, st.integers(0, 9), st.integers(1, 4))
def test_as_a_list(scores: list[float], score: float, place: int, count: int) -> None:
    scores.sort()
    held = column(scores)
    low = bisect_left(scores, score)
    assert first_from(held, score) == low
    assert first_behind(held, score, low) == first_behind(held, score, 0) == bisect_right(scores, score)
    put_in(held, first_behind(held, score, 0), score)
    insort(scores, score)
    assert held.tolist() == scores
    place = min(place, len(scores) - 1)
    cut_from(held, place, count)
    del scores[place : place + count]
    assert list(map(repr, held)) == list(map(repr, scores))

"""The longest common subsequence."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from januskv.storage.lcs import longest_common_subsequence


def length_by_definition(a: bytes, b: bytes) -> int:
    @cache
    def best(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return 0
        if a[i - 1] == b[j - 1]:
            return best(i - 1, j - 1) + 1
        return max(best(i - 1, j), best(i, j - 1))

    return best(len(a), len(b))


texts = st.text(alphabet="abc", max_size=14).map(str.encode)


@given(texts, texts)
def test_it_is_common_and_as_long_as_possible(a: bytes, b: bytes) -> None:
    common, runs = longest_common_subsequence(a, b)
    assert len(common) == length_by_definition(a, b)
    in_order = runs[::-1]
    assert b"".join(a[first : last + 1] for (first, last), _ in in_order) == common
    assert b"".join(b[first : last + 1] for _, (first, last) in in_order) == common
    for (_, last), (first, _) in zip([run[0] for run in in_order], [run[0] for run in in_order][1:], strict=False):
        assert last < first


@pytest.mark.parametrize("text", [b"", b"x"])
def test_nothing_in_common(text: bytes) -> None:
    assert longest_common_subsequence(b"", text) == (b"", [])
    assert longest_common_subsequence(text, b"") == (b"", [])


def test_runs_begin_at_the_end() -> None:
    assert longest_common_subsequence(b"ohmytext", b"mynewtext") == (b"mytext", [((4, 7), (5, 8)), ((2, 3), (0, 1))])

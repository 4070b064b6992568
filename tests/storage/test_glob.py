"""Glob patterns on bytes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from januskv.storage.glob import matcher


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        pytest.param(b"*", b"", id="a star is nothing"),
        pytest.param(b"*", b"a\nb", id="a star is anything, line ends too"),
        pytest.param(b"a*", b"a", id="prefix alone"),
        pytest.param(b"a*c", b"abbc", id="star between"),
        pytest.param(b"*a*b", b"xxaxxaxxb", id="two stars"),
        pytest.param(b"a?c", b"a\nc", id="any byte is a line end too"),
        pytest.param(b"h[ae]llo", b"hallo", id="class"),
        pytest.param(b"h[^e]llo", b"hallo", id="negated class"),
        pytest.param(b"h[a-e]llo", b"hcllo", id="range"),
        pytest.param(b"h[e-a]llo", b"hcllo", id="range backwards"),
        pytest.param(b"[\\]]", b"]", id="escaped bracket in a class"),
        pytest.param(b"[a-", b"-", id="unclosed range is two bytes"),
        pytest.param(b"[abc", b"b", id="unclosed class"),
        pytest.param(b"[^]x", b"zx", id="a negated class of nothing is any byte"),
        pytest.param(b"a\\*c", b"a*c", id="escaped star"),
        pytest.param(b"\\", b"\\", id="a lone backslash is itself"),
        pytest.param(b"", b"", id="nothing"),
        pytest.param(b"\xff\x00*", b"\xff\x00z", id="any bytes"),
        pytest.param(b"[" + b"b" * 600 + b"]*" + b"c" * 600, b"bxx" + b"c" * 600, id="a long pattern"),
    ],
)
def test_matches(pattern: bytes, text: bytes) -> None:
    assert matcher(pattern)(text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        pytest.param(b"a", b"ab", id="all of the text"),
        pytest.param(b"a", b"", id="nothing is not a byte"),
        pytest.param(b"?", b"", id="any byte is one byte"),
        pytest.param(b"*a*b*", b"ba", id="in this order"),
        pytest.param(b"*ab*b", b"xab", id="a byte serves one part only"),
        pytest.param(b"a*a", b"a", id="a byte does not serve both ends"),
        pytest.param(b"[]", b"]", id="a class of nothing"),
        pytest.param(b"[^a-z]", b"k", id="negated range"),
        pytest.param(b"a\\*c", b"abc", id="escaped star is a star only"),
        pytest.param(b"A*", b"abc", id="letter case counts"),
        pytest.param(b"b" * 600 + b"*", b"b" * 599, id="a long pattern"),
    ],
)
def test_does_not_match(pattern: bytes, text: bytes) -> None:
    assert not matcher(pattern)(text)


def test_letter_case_can_be_ignored() -> None:
    assert matcher(b"MAX*[A-C]?", ignore_case=True)(b"maxmemoryBx")
    assert not matcher(b"MAX*[^A-C]", ignore_case=True)(b"maxmemoryB")


def by_definition(pattern: bytes, text: bytes) -> bool:
    """Stars, any-bytes and literals, by trying everything."""
    if not pattern:
        return not text
    if pattern[:1] == b"*":
        return any(by_definition(pattern[1:], text[i:]) for i in range(len(text) + 1))
    return bool(text) and pattern[:1] in (b"?", text[:1]) and by_definition(pattern[1:], text[1:])


@given(
    st.text(alphabet="ab*?", max_size=7).map(str.encode),
    st.text(alphabet="ab", max_size=8).map(str.encode),
    st.booleans(),
)
def test_agrees_with_the_definition(pattern: bytes, text: bytes, long: bool) -> None:
    prefix = b"c" * 300 if long else b""  # long patterns are matched by another way
    assert matcher(prefix + pattern)(prefix + text) == by_definition(pattern, text)


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(b"a*" * 100 + b"b", id="many stars"),
        pytest.param(b"*a" * 100 + b"b", id="stars first"),
        pytest.param(b"*?" * 120 + b"b", id="any bytes between"),
        pytest.param(b"a*" * 1000 + b"b", id="more stars than are compiled"),
    ],
)
def test_hostile_patterns_take_no_exponential_time(pattern: bytes) -> None:
    started = time.perf_counter()
    assert not matcher(pattern)(b"a" * 3000)
    assert time.perf_counter() - started < 5

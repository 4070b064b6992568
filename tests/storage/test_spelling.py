"""Which texts are integers: those that Python would write so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from januskv.storage.spelling import int64_of


@given(st.integers(-(1 << 65), 1 << 65) | st.integers(-2000, 2000))
def test_integers_of_64_bits(value: int) -> None:
    assert int64_of(b"%d" % value) == (value if -(1 << 63) <= value < 1 << 63 else None)


@pytest.mark.parametrize("value", [-(1 << 63) - 1, -(1 << 63), (1 << 63) - 1, 1 << 63])
def test_the_ends_of_the_range(value: int) -> None:
    assert int64_of(b"%d" % value) == (value if -(1 << 63) <= value < 1 << 63 else None)


@pytest.mark.parametrize(
    "text", [b"", b"-", b"-0", b"00", b"01", b"-01", b"+1", b" 1", b"1 ", b"1_0", b"1.0", b"x", b"--1", b"\xb2"]
)
def test_other_texts_are_none(text: bytes) -> None:
    assert int64_of(text) is None

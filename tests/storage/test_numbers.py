"""Sums of numbers that are kept as text."""

from __future__ import annotations

import pytest

from januskv.storage.errors import IncrementNotFinite, NotAFloat
from januskv.storage.numbers import add_as_text


@pytest.mark.parametrize(
    ("number", "increment", "total"),
    [
        pytest.param(b"10.50", b"0.1", b"10.6", id="no trailing zeros"),
        pytest.param(b"0.1", b"0.2", b"0.3", id="more precise than a double"),
        pytest.param(b"5.0e3", b"200", b"5200", id="exponents are read, not written"),
        pytest.param(b"3", b"-3", b"0", id="zero has no sign"),
        pytest.param(b"-0.0", b"0", b"0", id="nor has a zero that had one"),
        pytest.param(b"0x10", b"0x.8p0", b"16.5", id="hexadecimal"),
        pytest.param(b"18446744073709551615", b"0", b"18446744073709551615", id="64 bits are exact"),
        pytest.param(b"1e-20", b"0", b"0", id="17 digits behind the point"),
        pytest.param(b"0e-9999", b"1", b"1", id="zero may have any exponent"),
        pytest.param(b"0." + b"1" * 5000, b"0", b"0.11111111111111111", id="many digits"),
    ],
)
def test_sums(number: bytes, increment: bytes, total: bytes) -> None:
    assert add_as_text(number, increment) == total


@pytest.mark.parametrize(
    "text",
    [b"", b" 1", b"1 ", b"\t1", b"abc", b"nan", b"nan(1)", b"1_0", b"1\x00", b"0x", b"1e", b".", b"1,5", b"1" * 5120],
)
def test_no_numbers(text: bytes) -> None:
    with pytest.raises(NotAFloat):
        add_as_text(text, b"1")
    with pytest.raises(NotAFloat):
        add_as_text(b"1", text)


@pytest.mark.parametrize("text", [b"1e5000", b"-1e5000", b"1e-5000", b"0x1p99999", b"0x1p-99999", b"0x.0001p-99999"])
def test_what_does_not_fit_is_no_number(text: bytes) -> None:
    with pytest.raises(NotAFloat):
        add_as_text(text, b"0")


@pytest.mark.parametrize(
    ("number", "increment"), [(b"inf", b"1"), (b"1", b"-Infinity"), (b"inf", b"-inf"), (b"1e4932", b"1e4932")]
)
def test_sums_that_are_not_finite(number: bytes, increment: bytes) -> None:
    with pytest.raises(IncrementNotFinite):
        add_as_text(number, increment)

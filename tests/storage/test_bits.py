"""Bits against strings of 0 and 1."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from januskv.storage.bits import combine, count, find, get_field, set_field

data = st.one_of(st.binary(max_size=20), st.integers(0, 9000).map(lambda n: b"\0" * n + b"\x10" + b"\xff" * n))


def text_of(value: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in value)


@given(data, st.data())
def test_counting_and_finding(value: bytes, draw: st.DataObject) -> None:
    text = text_of(value)
    first = draw.draw(st.integers(0, len(text)))
    end = draw.draw(st.integers(first, len(text)))
    assert count(value, first, end) == text[first:end].count("1")
    for bit in (0, 1):
        found = text.find(str(bit), first, end)
        assert find(value, bit, first, end) == found


@given(st.binary(max_size=12), st.integers(0, 120), st.integers(1, 64), st.integers(-(1 << 63), (1 << 63) - 1))
def test_fields(value: bytes, offset: int, width: int, number: int) -> None:
    text = text_of(value).ljust(offset + width + 8, "0")
    assert get_field(value, offset, width) == int(text[offset : offset + width], 2)
    changed = bytearray(value)
    set_field(changed, offset, width, number)
    assert get_field(changed, offset, width) == number % (1 << width)
    signed = get_field(changed, offset, width, signed=True)
    assert signed % (1 << width) == number % (1 << width)
    assert -(1 << (width - 1)) <= signed < 1 << (width - 1)
    rest = text_of(changed).ljust(len(text), "0")
    assert rest[:offset] == text[:offset]
    assert rest[offset + width : len(text)] == text[offset + width :]


@given(st.lists(st.binary(max_size=10), min_size=1, max_size=4))
def test_operations(parts: list[bytes]) -> None:
    size = max(map(len, parts))
    numbers = [int.from_bytes(part.ljust(size, b"\0"), "big") for part in parts]
    expected = {"AND": numbers[0], "OR": numbers[0], "XOR": numbers[0]}
    for number in numbers[1:]:
        expected["AND"] &= number
        expected["OR"] |= number
        expected["XOR"] ^= number
    for operation, result in expected.items():
        assert combine(operation, parts) == result.to_bytes(size, "big")
    assert combine("NOT", parts[:1]) == bytes(255 - byte for byte in parts[0])

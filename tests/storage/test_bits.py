"""Bits against strings of 0 and 1."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from januskv.storage.bits import combine, count, find, get_field, set_field
from januskv.storage.long_text import LongString

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
    changed = LongString(value)
    set_field(changed, offset, width, number)
    assert get_field(changed, offset, width) == number % (1 << width)
    signed = get_field(changed, offset, width, signed=True)
    assert signed % (1 << width) == number % (1 << width)
    assert -(1 << (width - 1)) <= signed < 1 << (width - 1)
    rest = text_of(changed.text()).ljust(len(text), "0")
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


@pytest.mark.parametrize("form", [bytes, LongString])
@pytest.mark.parametrize("seed", range(3))
def test_strings_that_are_worked_on_in_parts(form: type, seed: int) -> None:
    chance = random.Random(seed)
    size = 3 * (1 << 20) + chance.randrange(20)
    for bit, common in ((1, b"\0"), (0, b"\xff")):
        where = sorted(chance.sample(range(size), 3))
        text = bytearray(common * size)
        for at in where:
            text[at] ^= 0x10
        value = form(bytes(text))
        for first in (0, 3, 8 * where[0], 8 * where[0] + 4, 8 * where[1] - 1, 8 * where[2] + 4):
            places = [8 * at + 3 for at in where if 8 * at + 3 >= first]
            assert find(value, bit, first, 8 * size) == (places[0] if places else -1)
            held = len(places) if bit else 8 * size - first - len(places)
            assert count(value, first, 8 * size) == held
            assert count(value, first, 8 * size + 5) == held
        assert find(value, bit, 0, 8 * where[0] + 3) == -1
        assert find(value, bit, 8 * where[2] + 4, 8 * size) == -1
    other = chance.randbytes(size - 5)
    number = int.from_bytes(other + bytes(5), "big")
    for operation, result in (
        ("AND", int.from_bytes(text, "big") & number),
        ("OR", int.from_bytes(text, "big") | number),
        ("XOR", int.from_bytes(text, "big") ^ number),
    ):
        assert combine(operation, [value, form(other)]) == result.to_bytes(size, "big")
    assert combine("NOT", [value]) == bytes(byte ^ 0xFF for byte in text)


@pytest.mark.parametrize("seed", range(4))
def test_a_long_string_against_a_bytearray(seed: int) -> None:
    chance = random.Random(seed)
    text = chance.randbytes(chance.choice((0, 1, 70, 5000)))
    value, model = LongString(text), bytearray(text)
    given: list[tuple[bytes, bytes]] = [(text, bytes(text))]
    for _ in range(500):
        what = chance.randrange(6)
        if what < 3:
            offset = len(model) if what == 0 else chance.randrange(2 * len(model) + 40)
            part = chance.randbytes(chance.choice((0, 1, 9, 300)))
            value.write(offset, part)
            model.extend(bytes(max(offset - len(model), 0)))
            model[offset : offset + len(part)] = part
            if len(model) > 50_000:
                value, model = LongString(b"x" * 100), bytearray(b"x" * 100)
        elif what == 3:
            whole = value.text()
            assert whole == model
            assert hash(whole) == hash(bytes(model))
            if chance.random() < 0.5:  # somebody keeps it
                given.append((whole, bytes(model)))
        elif what == 4:
            low, high = chance.randrange(-9, len(model) + 9), chance.randrange(-9, len(model) + 9)
            assert value[low:high] == model[low:high]
        elif model:
            at = chance.randrange(-len(model), len(model))
            assert value[at] == model[at]
        assert len(value) == len(model)
        assert value.size_bytes >= len(model)
    assert all(whole == copy for whole, copy in given)
    with value.view() as view:
        assert view == model
        with pytest.raises(BufferError):
            value.write(len(model), b"x" * len(model))
    with pytest.raises(IndexError):
        value[len(model)]
    assert b"".join(value[at : at + 1] for at in range(min(len(model), 99))) == model[:99]

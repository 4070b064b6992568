"""HyperLogLogs: both forms hold the same registers, and estimates are near."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from januskv.storage.errors import CorruptHyperLogLog, NotHyperLogLog
from januskv.storage.hyperloglog import (
    add,
    count_of,
    dense,
    empty,
    merge,
    murmur64a,
    place_of,
    registers_of,
    sparse,
)

elements = st.lists(st.binary(max_size=20), min_size=1, max_size=60)


@given(st.binary(max_size=30))
def test_every_byte_counts_in_the_hash(data: bytes) -> None:
    assert 0 <= murmur64a(data) < 1 << 64
    assert murmur64a(data) != murmur64a(data + b"\0")


@given(elements, st.integers(16, 3000))
def test_forms_are_alike(added: list[bytes], most: int) -> None:
    data, plain = empty(), [0] * 16384
    for at in range(0, len(added), 3):
        data = add(data, added[at : at + 3], most) or data
        for element in added[at : at + 3]:
            register, value = place_of(element)
            plain[register] = max(plain[register], value)
        assert registers_of(data).tolist() == plain
    registers = registers_of(data)
    assert registers_of(dense(registers)).tolist() == plain
    small = sparse(registers, 1 << 16)
    assert small is None or registers_of(small).tolist() == plain
    assert add(data, added, most) is None
    assert abs(count_of(data) - len(set(added))) <= 1


@pytest.mark.parametrize("count", [1000, 20_000, 100_000])
def test_estimates_are_near(count: int) -> None:
    data = dense(np.zeros(16384, np.uint8))
    registers = np.zeros(16384, np.uint8)
    for number in range(count):
        register, value = place_of(b"%d" % number)
        registers[register] = max(registers[register], value)
    data = dense(registers)
    assert abs(count_of(data) - count) < count * 0.03


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", NotHyperLogLog),
        (b"HYLL", NotHyperLogLog),
        (b"HYLL\x02" + bytes(20), NotHyperLogLog),
        (b"HYLL\x00" + bytes(100), NotHyperLogLog),
        (b"HYLL\x01" + bytes(10) + b"\x80", CorruptHyperLogLog),
        (b"HYLL\x01" + bytes(10) + b"\x80\x7f", CorruptHyperLogLog),
        (b"HYLL\x01" + bytes(10) + b"\x80\x7f\xff\x00", CorruptHyperLogLog),
    ],
)
def test_what_is_none_is_refused(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        count_of(data)
    if error is NotHyperLogLog:
        with pytest.raises(error):
            add(data, [b"a"], 3000)


@given(elements, elements)
def test_merging_raises_each_register(one: list[bytes], other: list[bytes]) -> None:
    first, second = (add(empty(), added, 3000) or b"" for added in (one, other))
    both = add(first, other, 3000) or first
    assert registers_of(merge(first, [second], 3000)).tolist() == registers_of(both).tolist()
    assert registers_of(merge(first, [dense(registers_of(second))], 3000)).tolist() == registers_of(both).tolist()
    assert registers_of(merge(first, [second], 20)).tolist() == registers_of(both).tolist()


def test_a_merge_of_many_registers_walks_once() -> None:
    registers = np.zeros(16384, np.uint8)
    registers[::3] = 5
    source = sparse(registers, 1 << 16)
    assert source is not None
    merged = merge(empty(), [source], 1 << 16)
    assert registers_of(merged).tolist() == registers.tolist()
    assert merged == source

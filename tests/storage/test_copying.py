"""Keys of a dict that are copied in steps while it changes."""

from __future__ import annotations

import random
from collections.abc import Generator
from typing import Any

import pytest

from januskv.storage import copying
from januskv.storage.copying import keys_in_steps


@pytest.fixture(autouse=True)
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "_STEP", 16)


def steps(generator: Generator[None, None, list[bytes]], between: Any) -> list[bytes]:
    try:
        while True:
            next(generator)
            between()
    except StopIteration as end:
        return list(end.value)


def test_a_table_that_does_not_change() -> None:
    for size in (0, 1, 16, 17, 32, 33, 1000):
        table = {b"key:%d" % number: None for number in range(size)}
        assert steps(keys_in_steps(table), lambda: None) == list(table)
        for key in list(table)[::3]:
            del table[key]
        assert steps(keys_in_steps(table), lambda: None) == list(table)


def test_keys_of_one_byte() -> None:
    table = {bytes([number]): None for number in range(256)} | {b"": None}
    assert sorted(steps(keys_in_steps(table), lambda: None)) == sorted(table)


@pytest.mark.parametrize("seed", range(300))
def test_a_table_that_changes(seed: int) -> None:
    chance = random.Random(seed)
    size = chance.choice([20, 100, 700])
    names = [b"%d" % number for number in range(size * 2)]
    table = dict.fromkeys(names[:size])
    for key in chance.sample(names[:size], size // chance.choice([2, 5, 50])):
        del table[key]
    at_first, always = set(table), set(table)
    busy = chance.choice([1, 3, 30])

    def between() -> None:
        for _ in range(chance.randrange(busy)):
            key = chance.choice(names)
            if chance.random() < 0.5:
                table.pop(key, None)
                always.discard(key)
            else:
                table[bytes(bytearray(key))] = None  # another object

    found = steps(keys_in_steps(table), between)
    assert len(found) == len(set(found))
    assert always <= set(found)
    assert set(found) <= set(names)
    assert len(at_first) >= len(always)

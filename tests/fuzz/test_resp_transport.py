"""Hostile RESP on the data port; see driver.py for what must hold and how to play an episode again."""

from __future__ import annotations

import random

import pytest
from tests.conftest import encoded

from . import clients
from .driver import LIMIT_S, fuzz
from .verbs import any_line, mutated


def requests(chance: random.Random, name: str) -> list[bytes]:
    """A pipeline of a client: mostly well-formed RESP, now and then with broken framing."""
    lines = clients.part_of(name, chance) if chance.random() < 0.7 else []
    lines += [any_line(chance) for _ in range(chance.choice((0, 1, 1, 2, 4, 8)))]
    made = [encoded(*line) for line in lines]
    if made and chance.random() < 0.04:
        at = chance.randrange(len(made))
        made[at] = mutated(chance, made[at])
    return made


@pytest.mark.timeout(LIMIT_S)
def test_hostile_resp() -> None:
    fuzz(clients.DataPort("resp", requests))

"""Hostile native JSON on the data port, as lines and over RESP; see driver.py for what must hold."""

from __future__ import annotations

import random

import pytest
from tests.conftest import encoded

from . import clients
from .documents import a_document, sent
from .driver import LIMIT_S, fuzz
from .verbs import any_line, mutated


def requests(chance: random.Random, name: str) -> list[bytes]:
    """JSON lines of a client, with its part as RESP between them, now and then cut or spliced."""
    made = [encoded(*line) for line in clients.part_of(name, chance)] if chance.random() < 0.4 else []
    made += [sent(chance, a_document(chance)) for _ in range(chance.choice((1, 1, 2, 4, 8)))]
    if chance.random() < 0.2:
        made.append(encoded(*any_line(chance)))
    if chance.random() < 0.03:
        at = chance.randrange(len(made))
        made[at] = mutated(chance, made[at])
    return made


@pytest.mark.timeout(LIMIT_S)
def test_hostile_json() -> None:
    fuzz(clients.DataPort("json", requests))

"""Hostile inline commands on the data port; see driver.py for what must hold and how to play an episode again."""

from __future__ import annotations

import random

import pytest
from tests.conftest import encoded

from . import clients
from .driver import LIMIT_S, fuzz
from .verbs import any_line, mutated

_ENDS = (b"\r\n", b"\r\n", b"\n", b" \r\n", b"\t\n", b"\r\r\n", b"\0\r\n")
_BLANKS = (b" ", b" ", b" ", b"  ", b"\t", b"\v", b"\f ")


def quoted(chance: random.Random, word: bytes) -> bytes:
    """A word as it may stand in an inline command."""
    plain = word and not any(byte in b" \n\r\t\v\f\"'" for byte in word)
    how = chance.random()
    if plain and how < 0.7:
        return word
    if how < 0.85 and not set(word) & set(b"'\n\\"):
        return b"'" + word + b"'"
    if how < 0.97:
        return (
            b'"' + b"".join(b"\\x%02x" % byte if byte < 32 or byte in b'"\\' else bytes([byte]) for byte in word) + b'"'
        )
    return b'"' + word  # without an end, or with one in the middle


def inline(chance: random.Random, line: list[bytes]) -> bytes:
    """A command line as an inline command."""
    words = [quoted(chance, word) for word in line]
    blank = b"" if chance.random() < 0.9 else chance.choice(_BLANKS)
    return blank + b"".join(chance.choice(_BLANKS) + word for word in words)[1:] + chance.choice(_ENDS)


def requests(chance: random.Random, name: str) -> list[bytes]:
    """Inline commands of a client, now and then a broken one, or RESP between them."""
    lines = clients.part_of(name, chance) if chance.random() < 0.7 else []
    lines += [any_line(chance) for _ in range(chance.choice((0, 1, 1, 2, 4, 8)))]
    made = [inline(chance, line) if chance.random() < 0.9 else encoded(*line) for line in lines]
    if made and chance.random() < 0.05:
        at = chance.randrange(len(made))
        made[at] = mutated(chance, made[at])
    return made


@pytest.mark.timeout(LIMIT_S)
def test_hostile_inline_commands() -> None:
    fuzz(clients.DataPort("inline", requests))

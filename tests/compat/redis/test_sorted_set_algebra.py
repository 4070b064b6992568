"""Scores that are no number, as redis-server 7.0.15 answers."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("line", "score"),
    [
        ("ZINTER 1 z WEIGHTS 0 WITHSCORES", b"0"),
        ("ZINTER 2 z z WEIGHTS -1 0 WITHSCORES", b"0"),
        ("ZINTER 2 z z WEIGHTS 0 -1 WITHSCORES", b"-inf"),
        ("ZINTER 2 z z WEIGHTS -1 0 AGGREGATE MAX WITHSCORES", b"-inf"),
        ("ZINTER 2 z z WEIGHTS 1 0 AGGREGATE MIN WITHSCORES", b"inf"),
        ("ZUNION 2 z z WEIGHTS -1 0 WITHSCORES", b"-inf"),
        ("ZUNION 2 z z WEIGHTS -1 0 AGGREGATE MAX WITHSCORES", b"0"),
    ],
)
def test_infinity_times_nothing(wire: Any, line: str, score: bytes) -> None:
    wire.line("ZADD z inf a")
    assert wire.line(line) == [b"a", score]

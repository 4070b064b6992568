"""Scores that are not a number, and names over different scores, as redis-server 7.0.15 answers."""

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


@pytest.mark.parametrize("keys", ["small big", "big small"])
def test_opposite_infinities_are_nothing_in_any_order_of_the_keys(wire: Any, keys: str) -> None:
    wire.line("ZADD small inf a")
    wire.line("ZADD big -inf a 1 b")
    wire.line(f"ZUNIONSTORE both 2 {keys}")
    assert wire.line("ZSCORE both a") == b"0"


def test_a_union_puts_the_smallest_set_first(wire: Any) -> None:
    wire.line("ZADD three 5 a 1 b 1 c")
    wire.line("ZADD two inf a 1 b")
    wire.line("ZADD one -inf a")
    assert wire.line("ZUNION 3 three two one WITHSCORES")[-2:] == [b"a", b"5"]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("ZRANGEBYLEX z [a [b", [b"a", b"b"]),
        ("ZRANGE z [a (b BYLEX", [b"a"]),
        ("ZREVRANGEBYLEX z [b [a", [b"b", b"a"]),
        ("ZRANGEBYLEX z - +", [b"a", b"b", b"c"]),
        ("ZRANGEBYLEX z [d +", []),
        ("ZRANGEBYLEX mixed [a [b", [b"a"]),
        ("ZREVRANGEBYLEX mixed [b [a", [b"b", b"z", b"a"]),
        ("ZRANGEBYLEX mixed [c +", []),
        ("ZREVRANGEBYLEX mixed + (a", [b"b", b"z"]),
    ],
)
def test_names_of_different_scores_are_walked_in_order(wire: Any, line: str, names: list[bytes]) -> None:
    wire.line("ZADD z 0 a 1 b 2 c")
    wire.line("ZADD mixed 0 a 1 z 2 b")
    assert wire.line(line) == names


def test_a_range_of_names_over_different_scores_is_removed_and_stored(wire: Any) -> None:
    wire.line("ZADD z 0 a 1 b 2 c")
    assert wire.line("ZRANGESTORE d z [a [b BYLEX") == 2
    assert wire.line("ZLEXCOUNT z [a [b") == 2
    assert wire.line("ZREMRANGEBYLEX z [a [b") == 2
    assert wire.line("ZRANGE d 0 -1") == [b"a", b"b"]

"""How many members a random pick may repeat."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.resp.replies import ErrorReply

VERBS = {"SRANDMEMBER": "SADD k a b", "ZRANDMEMBER": "ZADD k 1 a 2 b", "HRANDFIELD": "HSET k a 1 b 2"}


@pytest.mark.parametrize("count", ["-10000001", "-2147483648", "-4611686018427387903"])
@pytest.mark.parametrize(("verb", "fill"), VERBS.items(), ids=VERBS)
def test_too_many(wire: Any, verb: str, fill: str, count: str) -> None:
    wire.line(fill)
    reply = wire.line(f"{verb} k {count}")
    assert type(reply) is ErrorReply
    assert reply.text == b"ERR value is out of range"


@pytest.mark.parametrize("count", ["-1000", "-4611686018427387903"])
@pytest.mark.parametrize("verb", VERBS)
def test_none_to_pick_from(wire: Any, verb: str, count: str) -> None:
    assert wire.line(f"{verb} k {count}") == []


@pytest.mark.parametrize(("verb", "fill"), VERBS.items(), ids=VERBS)
def test_more_than_there_are(wire: Any, verb: str, fill: str) -> None:
    wire.line(fill)
    members = wire.line(f"{verb} k -1000")
    assert len(members) == 1000
    assert set(members) <= {b"a", b"b"}

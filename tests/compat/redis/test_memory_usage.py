"""MEMORY USAGE and DEBUG OBJECT of every type of value."""

from __future__ import annotations

from typing import Any

import pytest

from januskv.resp.replies import Simple

VALUES = {
    "a string": ["SET k v"],
    "a long string": ["SETRANGE k 70000 x", "APPEND k x"],
    "a number": ["INCR k"],
    "a JSON object": ["""KV_SET '{"keys":{"k":{"a":[1,{"b":null}]}}}'"""],
    "a hash": ["HSET k f v"],
    "a hash with deadlines": ["HSET k f v", "HEXPIRE k 10 FIELDS 1 f"],
    "a list": ["RPUSH k a b"],
    "a set": ["SADD k a b"],
    "a sorted set": ["ZADD k 1 a 2 b"],
    "a stream": ["XADD k 1-1 f v"],
    "a stream with groups": ["XADD k 1-1 f v", "XGROUP CREATE k g 0", "XREADGROUP GROUP g c STREAMS k >"],
    "a HyperLogLog": ["PFADD k a"],
    "samples": ["TS.ADD k 1 2"],
    "events": ["""TS_CREATE '{"name":"k","type":"Ordered"}'""", """TS_ADD_EVT '{"ts":"k","t":[1],"evt":[{"a":1}]}'"""],
}


@pytest.mark.parametrize("samples", ["", " SAMPLES 0", " SAMPLES 1"], ids=["as usual", "all", "one"])
@pytest.mark.parametrize("commands", VALUES.values(), ids=VALUES)
def test_every_type_has_a_size(wire: Any, commands: list[str], samples: str) -> None:
    for command in commands:
        wire.line(command)
    assert wire.line("MEMORY USAGE k" + samples) > 40


@pytest.mark.parametrize("commands", VALUES.values(), ids=VALUES)
def test_every_type_is_described(make_house: Any, commands: list[str]) -> None:
    wire = make_house(enable_debug_command="yes").connect()
    for command in commands:
        wire.line(command)
    reply = wire.line("DEBUG OBJECT k")
    assert type(reply) is Simple
    assert b" serializedlength:" in reply.text

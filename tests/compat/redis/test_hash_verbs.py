"""Hash commands where the JSON face meets them; tests/transcripts/hashes.txt compares the rest with redis-server."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from januskv.storage.clock import ManualClock
from januskv.storage.feed import Feed
from januskv.storage.hashes import EFFECTS, put_fields, remove_fields
from januskv.storage.keyspace import Keyspace


def native(wire: Any, text: str) -> Any:
    return wire(text)


def test_a_json_object_is_a_hash(wire: Any) -> None:
    native(wire, '{"KV_SET":{"keys":{"h":{"age":26,"name":"Ida","tags":["a",1],"on":true,"none":null}}}}')
    assert wire.line("HGET h age") == b"26"
    assert wire.line("HMGET h name tags on none x") == [b"Ida", b'["a",1]', b"true", b"null", None]
    assert wire.line("HINCRBY h age 1") == 27
    assert wire.line("HSET h city Bergen name Bo") == 1
    assert wire.line("HDEL h tags") == 1
    found = native(wire, '{"KV_GET":{"keys":["h"]}}')
    assert found == b'{"KV_GET_RSP":{"st":1,"keys":{"h":{"age":27,"name":"Bo","on":true,"none":null,"city":"Bergen"}}}}'


def test_a_hash_is_a_json_object(wire: Any) -> None:
    wire.line("HSET h a 1 b x")
    wire.line("HINCRBY h n 5")
    found = native(wire, '{"KV_GET":{"keys":["h"]}}')
    assert found == b'{"KV_GET_RSP":{"st":1,"keys":{"h":{"a":"1","b":"x","n":5}}}}'


def test_scanning_a_big_hash(wire: Any) -> None:
    names = {b"f%d" % i for i in range(1000)}
    wire("HSET", "h", *[part for name in names for part in (name, b"v")])
    found: list[bytes] = []
    cursor = b"0"
    while True:
        cursor, fields = wire("HSCAN", "h", cursor, "COUNT", "100", "NOVALUES")
        found += fields
        wire("HSET", "h", b"new%d" % len(found), b"v")
        if cursor == b"0":
            break
    assert names <= set(found)


fields = st.sampled_from([b"a", b"b", b"c"])
steps = st.one_of(
    st.tuples(st.just(put_fields), st.dictionaries(fields, st.sampled_from([b"x", 1, 0.5, True]), min_size=1)),
    st.tuples(st.just(remove_fields), st.lists(fields, min_size=1, max_size=3)),
)


@given(st.lists(steps, max_size=20))
def test_redoing_the_effects_gives_the_same_hash(program: list[Any]) -> None:
    keyspace, other = (Keyspace(0, ManualClock(), Feed()) for _ in range(2))

    def redo(_: Keyspace, event: str, key: bytes, detail: tuple[Any, ...]) -> None:
        if detail:
            EFFECTS[detail[0]](other, key, *detail[1:])
        elif event == "del":
            assert key not in other
        else:
            other.put(key, dict(keyspace.data[key]))  # type: ignore[call-overload]

    keyspace.feed.subscribe(redo)
    for run, operand in program:
        run(keyspace, b"h", operand)
        assert keyspace.data == other.data
    keyspace.check()

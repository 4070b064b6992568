"""The short way of the compiled build (bridge.pyx) gives what lupa gives: values that take the one are compared with the other."""

from __future__ import annotations

import msgpack
from hypothesis import given
from hypothesis import strategies as st
from tests.lua.conftest import FakeHost

from januskv.lua import LuaEngine
from januskv.lua.tokens import line_of
from januskv.resp.replies import Reply, Simple

SHOW = b"""local function show(v, d)
 if type(v) == 'number' then return ('%.17g'):format(v) elseif type(v) == 'string' then return '"' .. v .. '"' end
 if type(v) ~= 'table' or d > 30 then return tostring(v) end
 local n, p = {}, {} for k in pairs(v) do n[#n + 1] = k end
 table.sort(n, function(a, b) return type(a) .. tostring(a) < type(b) .. tostring(b) end)
 for _, k in ipairs(n) do p[#p + 1] = (type(k) == 'table' and 'table' or tostring(k)) .. '=' .. show(v[k], d + 1) end
 return '{' .. table.concat(p, ',') .. '}' .. #v end
"""
HOST = FakeHost()
ENGINE = LuaEngine(HOST, max_memory=256 << 20)
# Two values in one text are read value by value, in either build.
ALONE = ENGINE.compile(SHOW + b"return {pcall(function() return show(cmsgpack.unpack(ARGV[1]), 0) end)}")
WITH_ANOTHER = ENGINE.compile(
    SHOW + b"return {pcall(function() return show((cmsgpack.unpack(ARGV[1] .. '\\1')), 0) end)}"
)

scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=40)
)
packable = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=3) | st.integers(0, 5), inner, max_size=4)
    ),
    max_leaves=30,
)


@given(packable)
def test_messagepack_is_read_in_the_same_way(value: object) -> None:
    data = msgpack.packb(value)
    assert ENGINE.run(ALONE, [], [data]) == ENGINE.run(WITH_ANOTHER, [], [data])


@given(packable, st.data())
def test_broken_messagepack_is_an_error_in_either_way(value: object, more: st.DataObject) -> None:
    data = bytearray(msgpack.packb(value))
    at = more.draw(st.integers(0, len(data) - 1))
    data[at] = more.draw(st.integers(0, 255))
    alone, other = ENGINE.run(ALONE, [], [bytes(data)]), ENGINE.run(WITH_ANOTHER, [], [bytes(data)])
    # What is cut off may go on in the other text.
    assert alone == other or "Missing bytes" in str(alone) or "Missing bytes" in str(other)


# A library whose settings a script has looked at spells everything in the general way.
JSON = ENGINE.compile(
    b"local other = cjson.new() other.encode_max_depth(1000) "
    b"local value = cmsgpack.unpack(ARGV[1]) return {{pcall(cjson.encode, value)}, {pcall(other.encode, value)}}"
)


@given(packable | st.dictionaries(st.integers(-3, 60) | st.floats(allow_nan=False), scalars, max_size=8) | st.text())
def test_json_is_written_in_the_same_way(value: object) -> None:
    found = ENGINE.run(JSON, [], [msgpack.packb(value)])
    assert isinstance(found, list)
    assert found[0] == found[1]


numbers = st.integers(-(2**53), 2**53)
replies = st.recursive(
    st.none() | numbers | st.binary(max_size=50) | st.binary(max_size=20).map(Simple),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=60,
)
SAME = ENGINE.compile(b"return redis.call('reply')")
# A table with a field besides the items is not converted by the bridge.
WITH_FIELD = ENGINE.compile(b"local t = {redis.call('reply')} t.field = 1 return t")


def flat(reply: Reply) -> Reply:
    """A reply as it comes back from Lua: a status is one line."""
    if type(reply) is Simple:
        return Simple(line_of(reply.text))
    return list(map(flat, reply)) if type(reply) is list else reply


@given(replies)
def test_replies_go_to_lua_and_back(reply: Reply) -> None:
    HOST.replies[b"reply"] = reply
    assert ENGINE.run(SAME, [], []) == flat(reply)
    assert ENGINE.run(WITH_FIELD, [], []) == [flat(reply)]


def test_any_number_of_words_and_keys(host: FakeHost, engine: LuaEngine) -> None:
    keys, args = [b"k%d" % i for i in range(9000)], [b"v"] * 9000
    script = engine.compile(b"redis.call('reply', unpack(KEYS, 1, 7000)) return {#KEYS, #ARGV, KEYS[9000]}")
    host.replies[b"reply"] = b"x"
    assert engine.run(script, keys, args) == [9000, 9000, b"k8999"]
    assert host.calls[-1] == [b"reply", *keys[:7000]]


def test_numbers_as_words(host: FakeHost, engine: LuaEngine) -> None:
    script = engine.compile(b"return redis.call('reply', 1, 2.5, 1e15, 2^63, -2^63, 1/0, 0/0, 'x')")
    host.replies[b"reply"] = 1
    assert engine.run(script, [], []) == 1
    numbers = [b"1", b"2.5", b"1000000000000000", b"9223372036854776000", b"-9223372036854775808", b"inf", b"-nan"]
    assert host.calls[-1][1:8] == numbers

"""Random calls of the libraries on us and on redis-server: equal replies. ``JANUSKV_FUZZ_SEED=n`` begins with that seed."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator

import pytest
from tests.conftest import Process
from tests.lua.conftest import FakeHost, evaluate, wire
from tests.lua.record import Speaker

from januskv.lua import LuaEngine

CALLS = 3000
SEED = int(os.environ.get("JANUSKV_FUZZ_SEED", "1"))

Draw = random.Random

NUMBERS = [
    "0", "1", "-1", "2", "7", "127", "128", "-128", "-129", "255", "256", "32767", "65535", "65536", "-32769", "2147483647",
    "2147483648", "-2147483648", "-2147483649", "4294967295", "4294967296", "9007199254740992", "2^62", "-2^63", "0.5", "-0.5",
    "1.5", "2.5", "3.999", "1e15", "1e14", "123456789.123", "0.1", "1e-7", "1e100", "1e20", "'12'", "'0x10'", "' 5 '",
]  # fmt: skip
STRINGS = [
    "''",
    "'a'",
    "'abc'",
    "'a\\0b'",
    "'\\255\\254'",
    "'é/\"\\\\'",
    "('x'):rep(40)",
    "('y'):rep(300)",
    "'\\1\\31\\127'",
]


def lua_string(data: bytes) -> str:
    """Bytes as a literal of Lua."""
    return "'" + "".join(f"\\{byte:03d}" for byte in data) + "'"


def value(draw: Draw, depth: int = 0) -> str:
    """An expression for a value whose order of names does not matter."""
    kind = draw.random()
    if kind < 0.35:
        return draw.choice(NUMBERS)
    if kind < 0.6:
        return draw.choice(STRINGS)
    if kind < 0.7 or depth > 3:
        return draw.choice(["true", "false", "cjson.null"])
    if kind < 0.9:
        return "{" + ",".join(value(draw, depth + 1) for _ in range(draw.randrange(5))) + "}"
    name = draw.choice(["a=", "[3]=", "[1]=", "[2.5]=", "[100]=", "['x y']=", "[-1]="])
    return "{" + name + value(draw, depth + 1) + "}"


HEX = "local s = %s return (s:gsub('.', function(c) return ('%%02x'):format(c:byte()) end))"
SHOW = """local function show(v, d)
 if type(v) == 'number' then return ('%%.17g'):format(v) elseif type(v) == 'string' then return '"' .. v .. '"' end
 if type(v) ~= 'table' or d > 30 then return tostring(v) end
 local n, p = {}, {} for k in pairs(v) do n[#n + 1] = k end
 table.sort(n, function(a, b) return type(a) .. tostring(a) < type(b) .. tostring(b) end)
 for _, k in ipairs(n) do p[#p + 1] = (type(k) == 'table' and 'table' or tostring(k)) .. '=' .. show(v[k], d + 1) end
 return '{' .. table.concat(p, ',') .. '}' end
local r = {%s} return show(r, 0)"""


def changed(draw: Draw, data: bytes) -> bytes:
    """The same with a few bytes changed."""
    out = bytearray(data)
    for _ in range(draw.randrange(3)):
        at = draw.randrange(len(out) + 1)
        match draw.randrange(3):
            case 0 if at < len(out):
                out[at] = draw.randrange(256)
            case 1 if at < len(out):
                del out[at]
            case _:
                out.insert(at, draw.choice(b'{}[]",:0123456789eE+-.\\untf \x00\x80\xc0\xff'))
    return bytes(out)


def json_value(draw: Draw, depth: int = 0) -> object:
    kind = draw.randrange(9 if depth < 4 else 6)
    if kind == 6:
        return [json_value(draw, depth + 1) for _ in range(draw.randrange(4))]
    if kind > 6:
        return {draw.choice("abc"): json_value(draw, depth + 1) for _ in range(draw.randrange(3))}
    return draw.choice(
        [None, True, False, 0, -1, 1.5, 1e30, -2.5e-8, 12345678901234567890, "", "x", "é\u20ac😀", '\n\t"\\/', "\x01"]
    )


def encodes(draw: Draw) -> str:
    return f"return cjson.encode({value(draw)})"


def decodes(draw: Draw) -> str:
    text = json.dumps(json_value(draw), ensure_ascii=draw.random() < 0.5).encode()
    return SHOW % f"cjson.decode({lua_string(changed(draw, text))})"


def packs(draw: Draw) -> str:
    return HEX % f"cmsgpack.pack({','.join(value(draw) for _ in range(draw.randrange(1, 4)))})"


def unpacks(draw: Draw) -> str:
    parts = [
        b"\x01", b"\xff", b"\xc0", b"\xc2", b"\xc3", b"\xcc\x80", b"\xcd\x12\x34", b"\xce\x80\x00\x00\x00", b"\xd0\x80",
        b"\xd1\x80\x00", b"\xd2\x80\x00\x00\x00", b"\xd3\xff\xff\xff\xff\xff\xff\xff\xfe", b"\xca\x3f\xc0\x00\x00",
        b"\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", b"\xa1a", b"\xd9\x02bc", b"\xda\x00\x01d", b"\x92\x01\x02", b"\x81\xa1k\x05",
        b"\xdc\x00\x01\x07", b"\xde\x00\x01\xa1z\x08", b"\x90", b"\x80", b"\x81\x01\x90", b"\xcf\x00\x00\x00\x01\x00\x00\x00\x00",
    ]  # fmt: skip
    data = changed(draw, b"".join(draw.choices(parts, k=draw.randrange(1, 5))))
    which = draw.choice(
        ["unpack({})", "unpack_one({})", "unpack_one({},1)", "unpack_limit({},2)", "unpack_limit({},1,1)"]
    )
    return SHOW % ("cmsgpack." + which.format(lua_string(data)))


def layout(draw: Draw) -> str:
    options = ["b", "B", "h", "H", "l", "L", "T", "i", "I", "i1", "i3", "I5", "i8", "I16", "f", "d", "s", "c3", "c0", "x", "<", ">", "!", "!4", "!2", " ", "bc0", "y", "!3", "i40"]  # fmt: skip
    weights = [4] * (len(options) - 3) + [1, 1, 1]
    return "".join(draw.choices(options, weights, k=draw.randrange(1, 6)))


def struct_packs(draw: Draw) -> str:
    # Numbers that do not fit make what C leaves open.
    given = [draw.choice([*NUMBERS[:27], *STRINGS, "true", "{}"]) for _ in range(draw.randrange(6))]
    return HEX % f"struct.pack({','.join([repr(layout(draw)), *given])})"


def struct_unpacks(draw: Draw) -> str:
    data = draw.choice([b"\x00", b"\xff", b"\x03abc", b"\x80\x01"]) * draw.randrange(1, 30)
    start = draw.choice(["", "", "", ",2", ",3", ",0", ",-1", ",100"])
    return SHOW % f"struct.unpack({layout(draw)!r},{lua_string(data)}{start})"


def struct_sizes(draw: Draw) -> str:
    return f"return struct.size({layout(draw)!r})"


def bits(draw: Draw) -> str:
    name = draw.choice(
        ["tobit", "bnot", "band", "bor", "bxor", "lshift", "rshift", "arshift", "rol", "ror", "bswap", "tohex"]
    )
    numbers = [*NUMBERS, "-1e15", "'x'", "{}", "nil", "33", "-5"]
    return SHOW % f"bit.{name}({','.join(draw.choice(numbers) for _ in range(draw.randrange(4)))})"


def patterns(draw: Draw) -> str:
    items = ["a", "b", ".", "%a", "%d", "%s", "[ab]", "[^a]", "[a-c%d]", "(", ")", "()", "*", "+", "-", "?", "^", "$", "%1", "%b()", "%f[%a]", "[", "%", "x", "%W", "[]]", "[^%s]"]  # fmt: skip
    pattern = "".join(draw.choices(items, k=draw.randrange(1, 7)))
    text = "".join(draw.choices("ab(c) 1x]", k=draw.randrange(12)))
    call = draw.choice(["find(%s,%s)", "match(%s,%s)", "gsub(%s,%s,'<%%0%%1>')", "gsub(%s,%s,'-',2)", "find(%s,%s,3)"])
    return SHOW % ("string." + call % (lua_string(text.encode()), lua_string(pattern.encode())))


KINDS = [encodes, decodes, packs, unpacks, struct_packs, struct_unpacks, struct_sizes, bits, patterns]


@pytest.fixture
def speaker(oracle: Process) -> Iterator[Speaker]:
    found = Speaker(oracle.port)
    yield found
    found.close()


@pytest.mark.live
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_calls(kind: Callable[[Draw], str], speaker: Speaker) -> None:
    engine = LuaEngine(FakeHost())
    for seed in range(SEED, SEED + CALLS):
        script = kind(random.Random(seed))
        want = speaker.ask(b"EVAL", script.encode(), b"0").decode("latin-1")
        assert wire(evaluate(engine, script)) == want, f"seed {seed}: {script}"


@pytest.mark.parametrize("kind", KINDS)
def test_none_crashes(kind: Callable[[Draw], str]) -> None:
    engine = LuaEngine(FakeHost())
    for seed in range(300):
        evaluate(engine, kind(random.Random(seed)))
    assert evaluate(engine, "return 1") == 1

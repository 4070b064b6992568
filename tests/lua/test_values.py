"""What commands reply with as Lua values, and results as replies."""

from __future__ import annotations

import pytest

from januskv.lua import LuaEngine, ScriptError
from januskv.resp.encoder import encode
from januskv.resp.replies import (
    NULL_ARRAY,
    OK,
    Attribute,
    Choice,
    Entries,
    ErrorReply,
    FlatMap,
    Framed,
    NamedRows,
    PairMap,
    Push,
    Rows,
    SampleNumber,
    SetReply,
    SpeltDouble,
    Verbatim,
)
from januskv.resp.slices import LongText, Many

from .conftest import FakeHost, Run, evaluate

# A value as JSON with names in order, so that each kind can be told apart.
SHOW = """
local function show(v)
    if type(v) ~= 'table' then return type(v) == 'string' and '"' .. v .. '"' or tostring(v) end
    local names, parts = {}, {}
    for k in pairs(v) do names[#names + 1] = k end
    table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
    for _, k in ipairs(names) do parts[#parts + 1] = (type(k) == 'number' and '' or tostring(k) .. '=') .. show(v[k]) end
    return '{' .. table.concat(parts, ',') .. '}'
end
"""

REPLIES = {
    "null": (None, "false", "nil"),
    "null array": (NULL_ARRAY, "false", "nil"),
    "true": (True, "1", "true"),
    "false": (False, "0", "false"),
    "int": (5, "5", "5"),
    "big int": (1 << 70, '"1180591620717411303424"', '{big_number="1180591620717411303424"}'),
    "double": (1.5, '"1.5"', "{double=1.5}"),
    "infinity": (float("inf"), '"inf"', "{double=inf}"),
    "bytes": (b"a\0\xff", '"a\0\xff"', '"a\0\xff"'),
    "str": ("é", '"\xc3\xa9"', '"\xc3\xa9"'),
    "status": (OK, '{ok="OK"}', '{ok="OK"}'),
    "an array": ([b"a", 1, None, [b"b"]], '{"a",1,false,{"b"}}', '{"a",1,{"b"}}'),
    "a tuple": ((b"a", 2), '{"a",2}', '{"a",2}'),
    "empty": ([], "{}", "{}"),
    "a dict": ({b"f": b"v"}, '{"f","v"}', '{map={f="v"}}'),
    "a flat map": (FlatMap([b"f", 1, b"g", [2]]), '{"f",1,"g",{2}}', "{map={f=1,g={2}}}"),
    "a set": (SetReply([b"m"]), '{"m"}', "{set={m=true}}"),
    "a push": (Push([b"m", 1]), '{"m",1}', '{"m",1}'),
    "verbatim": (Verbatim(b"txt", b"x"), '"x"', '{verbatim_string={format="txt",string="x"}}'),
    "an attribute": (Attribute({b"a": 1}, b"x"), '"x"', '"x"'),
    "rows": (Rows([(b"m", 1.5)]), '{"m","1.5"}', '{{"m",{double=1.5}}}'),
    "pairs": (PairMap([(b"a", 1)]), '{{"a",1}}', "{map={a=1}}"),
    "named rows": (NamedRows([(b"a", 1, 2)]), '{{"a",1,2}}', "{map={a={1,2}}}"),
    "a choice": (Choice(b"two", 3), '"two"', "3"),
    "a sample": (SampleNumber(1.5), '{ok="1.5"}', "{double=1.5}"),
    "a spelt double": (SpeltDouble(b"1.50"), '"1.50"', "{double=1.5}"),
    "entries": (Entries([((1 << 64) + 1, (b"f", b"v"))]), '{{"1-1",{"f","v"}}}', '{{"1-1",{"f","v"}}}'),
    "framed": (Framed(1, [b"ab"], lambda part, mark, end: mark + b"2" + end + part + end), '{"ab"}', '{"ab"}'),
    "many": (Many([b"a", b"b"]), '{"a","b"}', '{"a","b"}'),
    "long text": (LongText(b"abcdef", 1, 3), '"bc"', '"bc"'),
}


@pytest.mark.parametrize(("reply", "two", "three"), REPLIES.values(), ids=REPLIES.keys())
def test_replies_to_commands(reply: object, two: str, three: str, host: FakeHost, run: Run) -> None:
    host.replies[b"it"] = reply  # type: ignore[assignment]
    assert run(SHOW + "return show(redis.call('IT'))") == two.encode("latin-1")
    assert run(SHOW + "redis.setresp(3) return show(redis.call('IT'))") == three.encode("latin-1")
    assert host.versions == [3]


@pytest.mark.parametrize("count", [3999, 4000, 8001, 100_000])
def test_many_items(count: int, host: FakeHost, run: Run) -> None:
    host.replies[b"it"] = [b"%d" % i for i in range(count)]
    host.replies[b"nested"] = [[i, None] for i in range(count)]
    assert run(f"local t = redis.call('IT') return {{#t, t[1], t[{count}]}}") == [count, b"0", b"%d" % (count - 1)]
    assert run(f"local t = redis.call('NESTED') return {{#t, t[{count}][1]}}") == [count, count - 1]
    result = run(f"local t = {{}} for i = 1, {count} do t[i] = i end return t")
    assert result == list(range(1, count + 1))
    args = [b"%d" % i for i in range(count)]
    assert run("return {#KEYS, #ARGV, KEYS[2], ARGV[#ARGV]}", *args, keys=(b"a", b"b")) == [2, count, b"b", args[-1]]


@pytest.mark.parametrize(
    ("result", "two", "three"),
    [
        ("{double = 1.5}", b"$3\r\n1.5\r\n", b",1.5\r\n"),
        (
            "{map = {a = {set = {b = true}}}}",
            b"*2\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n",
            b"%1\r\n$1\r\na\r\n~1\r\n$1\r\nb\r\n",
        ),
        ("{big_number = '12\\r\\n3'}", b"$6\r\n12  3\r\n", b"(12  3\r\n"),
        ("{verbatim_string = {format = 'mkd', string = 'x'}}", b"$1\r\nx\r\n", b"=5\r\nmkd:x\r\n"),
        ("nil", b"$-1\r\n", b"_\r\n"),
        ("false", b"$-1\r\n", b"_\r\n"),
        ("true", b":1\r\n", b":1\r\n"),
        ("{ok = 'a\\nb'}", b"+a b\r\n", b"+a b\r\n"),
    ],
)
def test_results(result: str, two: bytes, three: bytes, run: Run) -> None:
    reply = run("return " + result)
    if result.startswith("{big"):
        assert encode(reply, 3) == three
        return
    assert (encode(reply, 2), encode(reply, 3)) == (two, three)


def test_booleans_after_setresp(run: Run) -> None:
    assert encode(run("redis.setresp(3) return {true, false}"), 3) == b"*2\r\n#t\r\n#f\r\n"
    assert encode(run("redis.setresp(3) return {true, false}"), 2) == b"*2\r\n:1\r\n:0\r\n"


def test_arguments_of_commands(host: FakeHost, run: Run) -> None:
    host.replies[b"it"] = OK
    run("redis.call('IT', 1, 1.5, 0.1, 1e8, 2^53, 1e20, 1/0, -1/0, '', 'a\\0b')")
    numbers = [b"1", b"1.5", b"0.1", b"100000000", b"9007199254740992", b"1e+20", b"inf", b"-inf"]
    assert host.calls[-1] == [b"IT", *numbers, b"", b"a\0b"]


@pytest.mark.parametrize("count", [1, 3, 4, 5, 9, 63, 64, 200, 7000])
def test_arguments_of_the_wrong_type(count: int, run: Run) -> None:
    for place in {1, count // 2 or 1, count}:
        script = f"local t = {{}} for i = 1, {count} do t[i] = 'x' end t[{place}] = {{}} return redis.pcall(unpack(t))"
        assert run(script) == ErrorReply("ERR Lua redis lib command arguments must be strings or integers")


def test_what_call_raises(host: FakeHost, run: Run) -> None:
    host.replies[b"bad"] = ErrorReply("WRONGTYPE text")
    fields = "return {e.err, e.source or 'none', e.line or 0, tostring(e.ignore_error_stats_update)}"
    assert run("local e = redis.pcall('BAD') " + fields) == [b"WRONGTYPE text", b"none", 0, b"true"]
    raised = "local _, e = xpcall(function() redis.call('BAD') end, function(e) return e end) "
    assert run(raised + fields) == [b"WRONGTYPE text", b"none", 0, b"true"]
    assert run("local ok, e = pcall(redis.call, 'BAD') return {type(e), e}") == [b"string", b"WRONGTYPE text"]


def test_the_rest_of_redis(host: FakeHost, run: Run) -> None:
    assert run("return {redis.REDIS_VERSION, redis.REDIS_VERSION_NUM}") == [b"7.4.1", 0x070401]
    run("redis.log(redis.LOG_WARNING, 'a', 1, {}, 'b')")
    assert host.logged == [(3, b"a 1 b")]
    assert run("return {redis.acl_check_cmd('get', 'a'), redis.acl_check_cmd('set', 'a')}") == [1, None]
    assert run("local ok, e = pcall(redis.acl_check_cmd, 'nosuch') return e") == (
        b"ERR Invalid command passed to redis.acl_check_cmd()"
    )
    assert run("return redis.sha1hex('abc')") == b"a9993e364706816aba3e25717850c26c9cd0d89d"


@pytest.mark.parametrize(
    ("line", "flags", "error"),
    [
        ("", None, None),
        ("#!lua\n", frozenset(), None),
        ("#!lua flags=no-writes,allow-stale\n", frozenset({"no-writes", "allow-stale"}), None),
        ("#!lua flags=\n", frozenset(), None),
        ("#!lua", None, "Invalid script shebang"),
        ("#!lua flags=no-writes,foo\n", None, "Unexpected flag in script shebang: foo"),
        ("#!lua foo=1\n", None, "Unknown lua shebang option: foo=1"),
        ("#!foo\n", None, "Unexpected engine in script shebang: #!foo"),
        ('#!lua "flags=no-writes\n', None, "Invalid engine in script shebang"),
    ],
)
def test_the_first_line(line: str, flags: frozenset[str] | None, error: str | None, engine: LuaEngine) -> None:
    if error is None:
        assert engine.compile(line.encode() + b"return 1").flags == flags
        return
    with pytest.raises(ScriptError) as caught:
        engine.compile(line.encode() + (b"return 1" if line.endswith("\n") else b""))
    assert caught.value.text.decode() == "ERR " + error


def test_lines_count_the_first_one(engine: LuaEngine) -> None:
    assert b"user_script:2: x" in evaluate(engine, "#!lua\nerror('x')").text  # type: ignore[union-attr]

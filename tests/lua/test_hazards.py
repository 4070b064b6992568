"""What a script must not be able to do: end the process, hang it, use up its memory, get out, or leave anything behind."""

from __future__ import annotations

import pytest

from januskv.lua import LuaEngine, ScriptError
from januskv.resp.replies import ErrorReply, Reply, Simple

from .conftest import FakeHost, Run, evaluate

MEMORY = 16 << 20
KILLED = b"ERR Script killed by user with SCRIPT KILL."


@pytest.fixture
def small(host: FakeHost) -> LuaEngine:
    return LuaEngine(host, max_memory=MEMORY)


def text(reply: Reply) -> bytes:
    assert isinstance(reply, ErrorReply), reply
    return reply.text


ENDLESS = {
    "a loop": "while true do end",
    "a loop of protected calls": "while true do pcall(error, 'x') end",
    "a loop that catches": "while true do pcall(function() while true do end end) end",
    "a loop of xpcall": "while true do xpcall(function() while true do end end, function() while true do end end) end",
    "a coroutine": "coroutine.wrap(function() while true do end end)()",
    "a coroutine in a loop": "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    "coroutines in coroutines": ("local function f() while true do coroutine.resume(coroutine.create(f)) end end f()"),
    "recursion": "local function f() return f() end f()",
    "recursion that catches": "local function f() pcall(f) f() end while true do pcall(f) end",
    "a metamethod": "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) while true do pcall(function() return t[1] end) end",
    "a comparison": "table.sort({1, 2, 3, 4}, function() while true do end end)",
    "a replacement": "('x'):gsub('x', function() while true do end end)",
    "a reader": "load(function() return ' ' end)",
    "a far insertion": "table.insert({}, -2147483648, 1)",
    "a pattern": "return ('a'):rep(100000):find('.-.-.-b')",
    "a pattern of all ways": "return ('a'):rep(200):match(('a*'):rep(8) .. 'b')",
    "patterns in gsub": "return (('a'):rep(5000):gsub('.-.-.-b', ''))",
    "patterns in gmatch": "for w in ('a'):rep(5000):gmatch('.-.-.-b') do end",
    "commands": "while true do redis.call('GET', 'a') end",
}


@pytest.mark.parametrize("script", ENDLESS.values(), ids=ENDLESS.keys())
@pytest.mark.timeout(30)
def test_an_endless_script_is_killed(script: str, host: FakeHost, engine: LuaEngine) -> None:
    host.last_tick = 2
    assert text(evaluate(engine, script)).startswith(KILLED)
    host.last_tick = None
    assert evaluate(engine, "return 'next'") == b"next"


def test_where_it_was_killed(host: FakeHost, engine: LuaEngine) -> None:
    host.last_tick = 1
    with pytest.raises(ScriptError) as caught:
        engine.run(engine.compile(b"\n\nwhile true do end"), [], [], sha=b"abc")
    assert caught.value.text == KILLED + b" script: abc, on @user_script:3."


BIG = {
    "rep": "return #('x'):rep(100000000)",
    "doubling": "local s = 'x' while true do s = s .. s end",
    "a table": "local t = {} for i = 1, 1e9 do t[i] = i end",
    "strings in a table": "local t = {} for i = 1, 1e9 do t[i] = 'x' .. i end",
    "concat": "local t = {} for i = 1, 1000 do t[i] = ('x'):rep(10000) end return #table.concat(t) + #table.concat(t, ('y'):rep(100000))",
    "gsub": "return #(('x'):rep(10000):gsub('x', ('y'):rep(10000)))",
    "closures": "local t = {} while true do local x = {} t[#t + 1] = function() return x end end",
    "coroutines": "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
    "an error text": "error(('x'):rep(1000):rep(100000))",
    "cjson": "local t = {} for i = 1, 10 do t = {t, t, t, t, t, t, t, t} end return #cjson.encode(t)",
    "cmsgpack": "local t = {('x'):rep(1000)} for i = 1, 12 do t = {t, t, t, t} end return #cmsgpack.pack(t)",
    "a result": "local s = ('x'):rep(1000000) local t = {} for i = 1, 100000 do t[i] = s .. i end return t",
    "format": "local s = ('x'):rep(4000000) return #string.format('%s%s%s%s%s%s', s, s, s, s, s, s)",
    "arguments of a command": "local s = ('x'):rep(1000000) local t = {} for i = 1, 7000 do t[i] = s .. i end redis.call(unpack(t))",
}


@pytest.mark.parametrize("script", BIG.values(), ids=BIG.keys())
@pytest.mark.timeout(60)
def test_memory_has_a_limit(script: str, small: LuaEngine) -> None:
    assert b"not enough memory" in text(evaluate(small, script))
    for _ in range(3):
        assert evaluate(small, "local t = {} for i = 1, 1000 do t[i] = ('x'):rep(1000) end return #t") == 1000


def test_memory_errors_that_are_caught(small: LuaEngine) -> None:
    script = "for i = 1, 20 do pcall(string.rep, 'x', 100000000) local ok = pcall(function() local s = 'x' while true do s = s .. s end end) end return 1"
    assert evaluate(small, script) == 1


def test_arguments_and_replies_that_do_not_fit(host: FakeHost, small: LuaEngine) -> None:
    assert text(evaluate(small, "return 1", b"x" * MEMORY)).endswith(b"not enough memory")
    host.replies[b"big"] = b"x" * MEMORY
    host.replies[b"many"] = [b"x" * 100] * 200_000
    assert b"not enough memory" in text(evaluate(small, "return #redis.call('BIG')"))
    assert b"not enough memory" in text(evaluate(small, "return #redis.pcall('MANY')"))
    assert b"not enough memory" in text(
        evaluate(small, "local t = {} while true do t[#t + 1] = redis.call('GET', 'a') or {} end")
    )
    assert evaluate(small, "return 'next'") == b"next"


def test_rep_has_a_limit_of_its_own(run: Run) -> None:
    assert b"resulting string too large" in text(run("return ('x'):rep(1000000000)"))
    assert run("return #(''):rep(1000000000)") == 0


DEEP = {
    "recursion": ("local function f() return 1 + f() end return f()", b"stack overflow"),
    "pcall": ("local function f() return pcall(f) end return tostring(f())", None),
    "xpcall": ("local function f() return xpcall(f, f) end return tostring(f())", None),
    "errors in handlers": ("local function h() error('again') end return (xpcall(error, h))", None),
    "a handler that recurs": ("local function h() return h() + 1 end return (xpcall(error, h))", None),
    "tostring": (
        "local t = setmetatable({}, {}) getmetatable(t).__tostring = tostring return tostring(t)",
        b"stack overflow",
    ),
    "an index of an index": (
        "local t = {} for i = 1, 300 do t = setmetatable({}, {__index = t}) end return t.x",
        b"loop in gettable",
    ),
    "gsub in gsub": ("local function f() return (('x'):gsub('x', f)) end return f()", b"stack overflow"),
    "sort in sort": ("local function f() table.sort({1, 2}, f) end return f()", b"stack overflow"),
    "load in load": ("local function f() return load(f) end return tostring(f())", None),
    "coroutines": ("local function f() return coroutine.wrap(f)() end return f()", b"stack overflow"),
    "concatenation": (
        "local t = setmetatable({}, {}) getmetatable(t).__concat = function(a, b) return a .. b end return t .. 'x'",
        b"stack overflow",
    ),
    "the compiler": ("return loadstring(('('):rep(100000) .. '1' .. (')'):rep(100000))", None),
    "nested tables": ("return loadstring('return ' .. ('{'):rep(100000) .. ('}'):rep(100000))", None),
    "a long chain": ("return loadstring('return ' .. ('1 + '):rep(300000) .. '1')", None),
    "cjson": ("return cjson.decode(('['):rep(1000000))", b"nested"),
    "cmsgpack": ("return cmsgpack.unpack(('\\145'):rep(1000000))", b"stack overflow"),
    "a result": ("local t = {} t[1] = t return t", None),
}


@pytest.mark.parametrize(("script", "error"), DEEP.values(), ids=DEEP.keys())
@pytest.mark.timeout(30)
def test_depth_has_a_limit(script: str, error: bytes | None, run: Run) -> None:
    reply = run(script)
    if error is not None:
        assert error in text(reply)
    assert run("return 'next'") == b"next"


@pytest.mark.parametrize(
    "script",
    [
        "return unpack({}, 0, 2147483647)",
        "return unpack({}, -2147483648, 2147483647)",
        "return unpack({}, 1, 8000)",
    ],
)
def test_unpack_is_bounded(script: str, run: Run) -> None:
    assert b"too many results to unpack" in text(run(script))


@pytest.mark.parametrize(
    "name",
    [
        "io",
        "package",
        "require",
        "loadfile",
        "dofile",
        "module",
        "newproxy",
        "python",
        "debug",
        "getfenv",
        "setfenv",
        "print",
        "jit",
    ],
)
def test_not_there(name: str, run: Run) -> None:
    assert b"nonexistent global variable" in text(run(f"return {name}"))
    assert run(f"return rawget(_G, '{name}')") is None


def test_no_compiled_code(run: Run) -> None:
    dumped = "local d = string.dump(function() return 1 end) "
    assert run(dumped + "return {loadstring(d)}") == []
    assert b"unexpected symbol" in bytes(run(dumped + "local f, e = loadstring(d) return e"))  # type: ignore[arg-type]
    assert run(dumped + "local i = 0 return {load(function() i = i + 1 return d:sub(i, i) end)}") == []
    assert b"unable to dump" in text(run("return string.dump(redis.call)"))
    assert b"unable to dump" in text(run("return string.dump(string.rep)"))


LIBRARIES = ["_G", "redis", "string", "table", "math", "coroutine", "os", "cjson", "cmsgpack", "struct", "bit"]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    "change",
    [
        "{}.added = 1",
        "{}.call = 1",
        "rawset({}, 'added', 1)",
        "rawset({}, 1, 1)",
        "table.insert({}, 1)",
        "table.insert({}, 1, 1)",
        "setmetatable({}, {{}})",
        "setmetatable({}, nil)",
    ],
)
def test_libraries_cannot_be_changed(library: str, change: str, run: Run) -> None:
    assert b"readonly table" in text(run(change.format(library)))


@pytest.mark.parametrize("library", LIBRARIES)
def test_what_is_seen_of_a_library_is_all_there_is(library: str, run: Run) -> None:
    """Neither loops nor metatables nor functions of tables give the table behind it."""
    assert run(f"local n = 0 for k, v in pairs({library}) do n = n + 1 end return n > 0") == 1
    assert run(f"return next({library}) ~= nil") == 1
    assert run(f"local n = 0 table.foreach({library}, function() n = n + 1 end) return n > 0") == 1
    assert run(f"return type(getmetatable({library}))") == (b"table" if library == "_G" else b"nil")
    assert run(f"table.remove({library}) table.sort({library}) return #{library}") == 0
    assert b"readonly table" in text(run("getmetatable('').__index = nil"))
    assert b"readonly table" in text(run("getmetatable(_G).__index = nil"))


@pytest.mark.parametrize(
    ("first", "then", "reply"),
    [
        ("cjson.encode_max_depth(1)", "return cjson.encode({{}})", b"[{}]"),
        ("cjson.encode_number_precision(2)", "return cjson.encode(1.2345)", b"1.2345"),
        ("cjson.decode_invalid_numbers(false)", "return tostring(cjson.decode('nan'))", b"nan"),
        ("math.randomseed(5)", "return #tostring(math.random()) > 3", 1),
        ("redis.setresp(3)", "return type(redis.call('GET', 'nokey'))", b"boolean"),
        ("KEYS[1] = 'x'", "return KEYS[1]", None),
        ("collectgarbage('stop')", "return collectgarbage('count') > 0", 1),
        ("local s = 'x' getmetatable(s).__add = 1", "return ('x'):upper()", b"X"),
    ],
)
def test_nothing_stays(first: str, then: str, reply: Reply, run: Run) -> None:
    run(first)
    assert run(then) == reply


def test_seeds_end_with_their_script(host: FakeHost) -> None:
    one, other = LuaEngine(host), LuaEngine(host)
    evaluate(one, "math.randomseed(5) return math.random()")
    draw = "return tostring(math.random())"
    assert evaluate(one, draw) == evaluate(other, draw)


@pytest.mark.parametrize(
    "script",
    [
        "error({})",
        "error({1, 2})",
        "error(setmetatable({}, {__tostring = function() return 'T' end}))",
        "error(setmetatable({}, {__index = function() error('x') end}))",
        "error(function() end)",
        "error(coroutine.create(function() end))",
        "error(cjson.null)",
        "error(_G)",
        "error(redis)",
        "error(true)",
        "error(('x'):rep(1000000))",
        "error({err = ('x'):rep(1000000)})",
        "error({err = {}})",
        "error({err = 'a\\r\\n+OK'})",
        "error({err = 'x', source = {}, line = {}})",
    ],
)
def test_any_error_value(script: str, run: Run) -> None:
    assert b"\n" not in text(run(script))
    assert run("return 'next'") == b"next"


def test_tostring_shows_nothing_of_the_host(run: Run) -> None:
    for name in [*LIBRARIES, "redis.call", "cjson.encode", "pcall", "redis.log"]:
        shown = run(f"return tostring({name})")
        assert isinstance(shown, bytes)
        assert shown.startswith((b"table: 0x", b"function: "))
        assert b"built-in" not in shown
        assert b"python" not in shown.lower()


def test_an_error_of_the_host_is_not_the_scripts(host: FakeHost, engine: LuaEngine) -> None:
    host.bug = True
    script = engine.compile(b"local ok = pcall(redis.call, 'x') redis.log(1, 'after') return 5")
    with pytest.raises(KeyError):
        engine.run(script, [], [])
    assert host.logged == []
    host.bug = False
    assert evaluate(engine, "return redis.call('SET', 'a', 'b')") == Simple(b"OK")


def test_finalizers_never_run(host: FakeHost, engine: LuaEngine) -> None:
    run = evaluate(
        engine, "setmetatable({}, {__gc = function() redis.call('SET', 'x', 'y') end}) collectgarbage() return 1"
    )
    assert run == 1
    assert host.calls == []

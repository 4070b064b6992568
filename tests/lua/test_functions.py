"""Libraries of functions: what loading one checks, and how functions run."""

from __future__ import annotations

import pytest

from januskv.lua import Library, LuaEngine, ScriptError
from januskv.resp.replies import ErrorReply, Reply

from .conftest import FakeHost

NAMES = "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"


def load(engine: LuaEngine, code: str) -> Library:
    return engine.load_library(b"#!lua name=lib\n" + code.encode())


def call(engine: LuaEngine, library: Library, name: str, keys: tuple[bytes, ...] = (), *args: bytes) -> Reply:
    try:
        return engine.call_function(library.functions[name], list(keys), list(args))
    except ScriptError as error:
        return ErrorReply(error.text)


def test_both_forms(engine: LuaEngine) -> None:
    library = load(
        engine,
        "redis.register_function('one', function(keys, args) return {keys, args} end)\n"
        "redis.register_function{function_name = 'two', callback = function() return 2 end,"
        " flags = {'no-writes', 'allow-oom'}, description = 'text'}",
    )
    assert library.name == "lib"
    one, two = library.functions["one"], library.functions["two"]
    assert (one.description, one.flags, one.library) == (None, frozenset(), library)
    assert (two.description, two.flags) == (b"text", {"no-writes", "allow-oom"})
    assert call(engine, library, "one", (b"k",), b"a", b"b") == [[b"k"], [b"a", b"b"]]
    assert call(engine, library, "one") == [[], []]
    assert call(engine, library, "two") == 2


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("return 1", "Missing library metadata"),
        ("#!lua name=x", "Invalid library metadata"),
        ('#!lua name="x\n', "Invalid library metadata"),
        ("#!lua\n", "Library name was not given"),
        ("#!lua name=\n", NAMES),
        ("#!lua name=a-b\n", NAMES),
        ("#!lua name=x foo=bar\n", "Invalid metadata value given: foo=bar"),
        ("#!lua name=x name=y\n", "Invalid metadata value, name argument was given multiple times"),
        ("#!nosuch name=x\n", "Engine 'nosuch' not found"),
        ("#! name=x\n", "Engine '' not found"),
        ("#!LUA NAME=x\n", "No functions registered"),
        ("#!lua name=x\nlocal (", "Error compiling function: user_function:2: '<name>' expected near '('"),
    ],
)
def test_the_first_line_and_the_code(code: str, error: str, engine: LuaEngine) -> None:
    with pytest.raises(ScriptError) as caught:
        engine.load_library(code.encode())
    assert caught.value.text.decode() == "ERR " + error


FUNCTION = "function_name = 'f', callback = function() end"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("redis.register_function()", "ERR wrong number of arguments to redis.register_function"),
        ("redis.register_function('a', function() end, 3)", "ERR wrong number of arguments to redis.register_function"),
        (
            "redis.register_function('f')",
            "ERR calling redis.register_function with a single argument is only applicable to Lua table"
            " (representing named arguments).",
        ),
        (
            "redis.register_function({}, function() end)",
            "ERR first argument to redis.register_function must be a string",
        ),
        ("redis.register_function('f', 1)", "ERR second argument to redis.register_function must be a function"),
        ("redis.register_function('f-g', function() end)", f"ERR {NAMES}"),
        ("redis.register_function('', function() end)", f"ERR {NAMES}"),
        (
            "redis.register_function('f', function() end) redis.register_function('f', function() end)",
            "ERR Function already exists in the library",
        ),
        ("redis.register_function{function_name = 'f'}", "ERR redis.register_function must get a callback argument"),
        ("redis.register_function{}", "ERR redis.register_function must get a function name argument"),
        (f"redis.register_function{{{FUNCTION}, flags = {{'nosuch'}}}}", "ERR unknown flag given"),
        (f"redis.register_function{{{FUNCTION}, flags = {{1}}}}", "ERR unknown flag given"),
        (
            f"redis.register_function{{{FUNCTION}, flags = 'no-writes'}}",
            "ERR flags argument to redis.register_function must be a table representing function flags",
        ),
        (f"redis.register_function{{{FUNCTION}, foo = 1}}", "ERR unknown argument given to redis.register_function"),
        (
            "redis.register_function{function_name = {}, callback = function() end}",
            "ERR function_name argument given to redis.register_function must be a string",
        ),
        (
            "redis.register_function{function_name = 'f', callback = 1}",
            "ERR callback argument given to redis.register_function must be a function",
        ),
        (
            "redis.call('SET', 'a', 'b')",
            "ERR user_function:2: Script attempted to access nonexistent global variable 'call'",
        ),
        ("return nosuch", "ERR user_function:2: Script attempted to access nonexistent global variable 'nosuch'"),
        ("x = 1", "ERR user_function:2: Attempt to modify a readonly table"),
        ("redis.x = 1", "ERR user_function:2: Attempt to modify a readonly table"),
        ("while true do end", "ERR FUNCTION LOAD timeout"),
    ],
)
def test_registering(code: str, error: str, engine: LuaEngine) -> None:
    with pytest.raises(ScriptError) as caught:
        load(engine, code)
    assert caught.value.text.decode() == "ERR Error registering functions: " + error
    assert call(engine, load(engine, "redis.register_function('f', function() return 1 end)"), "f") == 1


def test_how_functions_run(engine: LuaEngine, host: FakeHost) -> None:
    library = load(
        engine,
        "local count = 0\n"
        "redis.register_function('inc', function() count = count + 1 return count end)\n"
        "redis.register_function('err', function() error('boom') end)\n"
        "redis.register_function('tab', function() error({err = 'MY err'}) end)\n"
        "redis.register_function('glob', function() gg = 1 end)\n"
        "redis.register_function('keys', function() return KEYS end)\n"
        "redis.register_function('reg', function() return redis.register_function('x', function() end) end)\n"
        "redis.register_function('call', function() return redis.call('nosuch') end)\n"
        "redis.register_function('libs', function() return string.upper(cjson.encode({1})) end)\n"
        "redis.register_function('spin', function() while true do end end)\n",
    )
    assert [call(engine, library, "inc") for _ in range(3)] == [1, 2, 3]
    assert call(engine, library, "err") == ErrorReply("ERR user_function:4: boom script: err, on @user_function:4.")
    assert call(engine, library, "tab") == ErrorReply("MY err script: tab, on @user_function:5.")
    assert call(engine, library, "glob") == ErrorReply(
        "ERR user_function:6: Attempt to modify a readonly table script: glob, on @user_function:6."
    )
    assert call(engine, library, "keys") == ErrorReply(
        "ERR user_function:7: Script attempted to access nonexistent global variable 'KEYS' script: keys, on @user_function:7."
    )
    assert call(engine, library, "reg") == ErrorReply(
        "ERR user_function:8: attempt to call field 'register_function' (a nil value) script: reg, on @user_function:8."
    )
    assert call(engine, library, "call") == ErrorReply(
        "ERR Unknown Redis command called from script script: call, on @user_function:9."
    )
    assert call(engine, library, "libs") == b"[1]"
    host.last_tick = host.ticks + 2
    assert call(engine, library, "spin") == ErrorReply(
        "ERR Script killed by user with SCRIPT KILL. script: spin, on @user_function:11."
    )
    host.last_tick = None
    assert call(engine, library, "inc") == 4


def test_scripts_that_use_up_the_memory_leave_functions_alone(host: FakeHost) -> None:
    engine = LuaEngine(host, max_memory=16 << 20)
    library = load(engine, "local n = 0 redis.register_function('inc', function() n = n + 1 return n end)")
    assert call(engine, library, "inc") == 1
    with pytest.raises(ScriptError, match="not enough memory"):
        engine.run(engine.compile(b"local s = 'x' while true do s = s .. s end"), [], [])
    assert call(engine, library, "inc") == 2


def test_a_library_that_keeps_the_memory_is_loaded_again(host: FakeHost) -> None:
    engine = LuaEngine(host, max_memory=16 << 20)
    library = load(
        engine,
        "local kept, n = {}, 0\n"
        "redis.register_function('inc', function() n = n + 1 return n end)\n"
        "redis.register_function('fill', function() while true do kept[#kept + 1] = {} end end)",
    )
    assert call(engine, library, "inc") == 1
    reply = call(engine, library, "fill")
    assert isinstance(reply, ErrorReply)
    assert b"not enough memory" in reply.text
    assert call(engine, library, "inc") == 1
    assert call(engine, library, "inc") == 2

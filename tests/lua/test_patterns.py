"""Our matcher of patterns, which counts its steps, beside Lua's own."""

from __future__ import annotations

import random

import pytest

from januskv.lua import LuaEngine, patterns
from januskv.resp.replies import ErrorReply

from .conftest import FakeHost, Run, evaluate
from .test_random_calls import lua_string

ITEMS = [
    "a", "b", ".", "%a", "%d", "%s", "%S", "%w", "%p", "%x", "%c", "%u", "%l", "%z", "%-", "[ab]", "[^a]", "[a-c%d]", "[]]", "[^]a]", "[a-]",
    "(", ")", "()", "*", "+", "-", "?", "^", "$", "%1", "%2", "%b()", "%bab", "%f[%a]", "%f[^a]", "[", "%", "x",
]  # fmt: skip


def ours(text: bytes, pattern: bytes) -> object:
    try:
        found = patterns.find(patterns.Matcher(text, pattern, bool), 1, whole=True)
    except patterns.PatternError as error:
        return str(error).encode()
    return [] if found is None else found


def test_it_finds_what_lua_finds() -> None:
    engine = LuaEngine(FakeHost())
    draw = random.Random(1)
    for _ in range(20_000):
        pattern = "".join(draw.choices(ITEMS, k=draw.randrange(1, 8))).encode()
        text = "".join(draw.choices("aabb(c) 1x]A\0", k=draw.randrange(14))).encode()
        # A fresh name each time: no pattern is known to be sound.
        script = f"local r = {{pcall(string.find, {lua_string(text)}, {lua_string(pattern)})}} if r[1] then table.remove(r, 1) return r end return r[2]"
        want = evaluate(engine, script)
        got = ours(text, pattern)
        assert got == want, (text, pattern)
        if patterns.is_sound(pattern):
            assert isinstance(want, list), pattern


LONG = "(('ab '):rep(20000) .. 'end')"


@pytest.mark.parametrize(
    ("script", "reply"),
    [
        (f"local s, n = {LONG}:gsub('(%w+) ', '<%1>') return {{#s, n, s:sub(1, 8)}}", [80003, 20000, b"<ab><ab>"]),
        (f"local s, n = {LONG}:gsub('%w+', {{ab = 'x'}}, 3) return {{n, s:sub(1, 9)}}", [3, b"x x x ab "]),
        (f"local s, n = {LONG}:gsub('%w+', function(w) return #w end) return {{n, s:sub(1, 4)}}", [20001, b"2 2 "]),
        (f"local n = 0 for w in {LONG}:gmatch('%a+') do n = n + #w end return n", 40003),
        (f"local t = {{}} for a, b in {LONG}:gmatch('(%a)(%a+)') do t[1], t[2] = a, b end return t", [b"e", b"nd"]),
        (f"return {{{LONG}:find('(e)nd$', 5)}}", [60001, 60003, b"e"]),
        (f"return {{{LONG}:match('(%a+)$')}}", [b"end"]),
        (f"return {{{LONG}:match('^(%a+) +()')}}", [b"ab", 4]),
        (f"return {{{LONG}:find('x*y+')}}", []),
        (f"return (select(2, pcall(string.gsub, {LONG}, '%w+', '%2')))", b"invalid capture index"),
        (
            f"return (select(2, pcall(string.gsub, {LONG}, '%w+', function() return {{}} end)))",
            b"invalid replacement value (a table)",
        ),
    ],
)
def test_long_texts(script: str, reply: object, run: Run) -> None:
    assert run(script) == reply


def test_errors_name_the_line(run: Run) -> None:
    for call in ("find('(%a+')", "match('(%a+')", "gsub('(%a+', '')"):
        reply = run(f"return {LONG}:{call}")
        assert isinstance(reply, ErrorReply)
        assert reply.text.startswith(b"ERR user_script:1: unfinished capture script: ")


def test_a_pattern_that_recurs_is_refused(run: Run) -> None:
    reply = run("return ('a'):rep(10000):find(('a-'):rep(300) .. 'b')")
    assert isinstance(reply, ErrorReply)
    assert b"pattern too complex" in reply.text
    reply = run("return ('a'):find(('a?'):rep(6000))")
    assert isinstance(reply, ErrorReply)
    assert b"pattern too complex" in reply.text

"""Random scripts here and on redis-server: what commands give to Lua, what Lua gives to clients, and errors on the way.

A script is a few statements over a few keys of all types: calls and protected calls, tables of all kinds, changes of the
protocol, coroutines, errors raised and caught. Both servers run it in RESP2 and RESP3, and must give the same reply and have
the same data afterwards.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import encoded

from januskv.resp.replies import ErrorReply

from .fuzzing import Talker, chance_of, seeds, shortened

pytestmark = pytest.mark.live

SETUP = [
    "SET s hello",
    "SET n 10",
    "RPUSH l a b c 1 2",
    "SADD one x",
    "HSET h f v g 2",
    "ZADD z 1 a 2.5 b 3 c",
    "XADD x 1-1 f v",
    "XADD x 2-1 g w",
]
KEYS = ["s", "n", "l", "one", "h", "z", "x", "none"]
# fmt: off
CALLS = [
    "'GET', K", "'SET', K, V", "'SET', K, V, 'GET'", "'SET', K, V, 'NX'", "'INCR', K", "'INCRBYFLOAT', K, '1.5'", "'APPEND', K, V", "'STRLEN', K",
    "'LPUSH', K, V", "'LRANGE', K, 0, -1", "'LPOP', K", "'LPOP', K, 2", "'LLEN', K", "'LPOS', K, 'b'", "'LINDEX', K, 1",
    "'SADD', K, V", "'SISMEMBER', K, 'x'", "'SORT', 'one', 'ALPHA'", "'SMISMEMBER', K, 'x', 'y'", "'SCARD', K",
    "'HSET', K, 'f', V", "'HGET', K, 'f'", "'HGETALL', 'h'", "'HMGET', K, 'f', 'no'", "'HDEL', K, 'f'", "'HEXISTS', K, 'f'",
    "'ZADD', K, 2, V", "'ZSCORE', K, 'b'", "'ZRANGE', K, 0, -1", "'ZRANGE', K, 0, -1, 'WITHSCORES'", "'ZINCRBY', K, 1.5, 'a'", "'ZPOPMIN', K",
    "'ZMSCORE', K, 'a', 'no'", "'ZADD', K, 'NX', 'INCR', 1, 'a'", "'ZRANK', K, 'b'",
    "'XRANGE', K, '-', '+'", "'XLEN', K", "'XADD', K, '*', 'a'", "'XREAD', 'STREAMS', 'x', '0'", "'XINFO', 'STREAM', 'none'",
    "'DEL', K", "'EXISTS', K, K", "'TYPE', K", "'EXPIRE', K, 100", "'TTL', K", "'PERSIST', K", "'RENAME', K, 'r'", "'COPY', K, 'c'",
    "'PING'", "'PING', V", "'ECHO', V", "'MGET', 's', 'n', 'l'", "'MSET', 'm', V", "'SELECT', 1", "'SELECT', 99", "'DBSIZE'",
    "'NOSUCH', K", "'GET'", "'SET', K", "K", "'SUBSCRIBE', 'c'", "'MULTI'", "'EVAL', 'return 1', 0", "'GEOADD', K, 13.36, 38.1, 'p'", "'GEOPOS', K, 'p', 'q'",
    "'SORT', 'l', 'ALPHA'", "'CONFIG', 'GET', 'maxclients'", "'SETBIT', K, 7, 1", "'BITCOUNT', K", "'GETRANGE', K, 0, 2", "{}", "nil", "true",
]
VALUES = [
    "'v'", "1", "2.5", "-0.5", "1e15", "1e20", "2^53", "''", "'a\\0b'", "'line\\r\\nline'", "KEYS[1]", "ARGV[1]", "KEYS[9]", "true", "false", "nil", "{}", "function() end",
]
# fmt: on


def word(chance: random.Random) -> str:
    """A value as an expression."""
    return chance.choice(VALUES)


def call(chance: random.Random) -> str:
    """The words of a command as expressions."""
    key = repr(chance.choice(KEYS)) if chance.random() < 0.9 else "KEYS[1]"
    value = chance.choice(VALUES[:12]) if chance.random() < 0.9 else word(chance)
    return chance.choice(CALLS).replace("K", key).replace("V", value)


def table(chance: random.Random, depth: int = 0) -> str:
    """A table, or what else a script can return."""
    dice = chance.random()
    if dice < 0.3 or depth > 3:
        return word(chance)
    if dice < 0.4:
        return f"redis.{chance.choice(['call', 'pcall'])}({call(chance)})"
    if dice < 0.7:
        return "{" + ", ".join(table(chance, depth + 1) for _ in range(chance.randrange(5))) + "}"
    field = chance.choice(["ok", "err", "double", "map", "set", "big_number", "verbatim_string", "other", "[1]", "[2]"])
    inner = table(chance, depth + 1)
    if field == "map":
        inner = f"{{{chance.choice(['a', '[1]'])} = {inner}}}"
    elif field == "set":
        inner = f"{{{chance.choice(['a', '[1]'])} = true}}"
    elif field == "verbatim_string":
        inner = f"{{format = 'txt', string = {word(chance)}}}"
    if field == "big_number":
        inner = chance.choice(["'123'", "'-1'", "5", "{}"])
    if field in ("ok", "err") and chance.random() < 0.7:
        inner = chance.choice(["'fine'", "'ERR some text'", "'two\\r\\nlines'", "''", "5"])
    rest = f", {table(chance, depth + 1)}" if chance.random() < 0.2 else ""
    return f"{{{field} = {inner}{rest}}}"


def problem(chance: random.Random) -> str:
    """What may be raised. A table without a text ends redis-server 7.0."""
    return chance.choice(
        ["'text'", "'ERR text'", "{err = 'ERR text'}", "{err = 'text', other = 1}", "redis.error_reply('X y')"]
    )


def statement(chance: random.Random) -> str:
    """A line of a script."""
    name = chance.choice("abc")
    kinds: list[Callable[[], str]] = [
        lambda: f"{name} = redis.call({call(chance)})",
        lambda: f"{name} = redis.call({call(chance)})",
        lambda: f"{name} = redis.pcall({call(chance)})",
        lambda: f"{name} = redis.pcall({call(chance)})",
        lambda: f"{name} = {{pcall(redis.call, {call(chance)})}}",
        lambda: f"{name} = {table(chance)}",
        lambda: f"{name} = {chance.choice(['redis.error_reply', 'redis.status_reply'])}({word(chance)})",
        lambda: f"redis.setresp({chance.choice([2, 3, 3])})",
        lambda: f"{name} = coroutine.wrap(function() return redis.call({call(chance)}) end)()",
        lambda: f"{name} = {{pcall(function() error({problem(chance)}) end)}}",
        lambda: f"if {'true' if chance.random() < 0.2 else 'a'} then error({problem(chance)}) end",
        lambda: f"{name} = type({chance.choice('abc')})",
        lambda: f"for i = 1, 3 do {name} = redis.pcall({call(chance)}) end",
        lambda: f"{name} = tostring({name}) == 'x'",
        lambda: f"{name} = #KEYS + #ARGV + 0.7",
        lambda: (
            f"{name} = {chance.choice(['nosuch', 'cjson.encode(1)', 'redis.sha1hex(ARGV[1])', 'a.b', 'a.ok', 'a.err'])}"
        ),
    ]
    return chance.choice(kinds)()


def body(lines: list[str]) -> str:
    """The text of a script."""
    return "local a, b, c\n" + "\n".join(lines)


def plain(reply: Any, *, top: bool = True) -> Any:
    """A reply in a form that shows every difference of types."""
    if isinstance(reply, ErrorReply):
        return "error", reply.text
    if isinstance(reply, list | tuple):
        return type(reply).__name__, [plain(each, top=False) for each in reply]
    if isinstance(reply, dict):
        return "map", sorted(repr((plain(k), plain(v))) for k, v in reply.items())
    return type(reply).__name__, repr(reply)


def outcome(talk: Talker, script: str, protocol: int) -> Any:
    """What a script gives, and what it leaves."""
    talk("HELLO", str(protocol))
    talk("FLUSHALL")
    for line in SETUP:
        talk(*line.split())
    found = [plain(talk("EVAL", script, "2", "s", "none", "arg", "7"))]
    for key in [*KEYS, "r", "c", "m"]:
        found.append((key, plain(talk("TYPE", key)), talk("PTTL", key) > 0))
    data = [
        "GET s",
        "GET n",
        "LRANGE l 0 -1",
        "SORT one ALPHA",
        "HGETALL h",
        "ZRANGE z 0 -1 WITHSCORES",
        "XLEN x",
        "DBSIZE",
    ]
    found += [plain(talk(*words.split())) for words in data]
    return found


def same_by_choice(ours: Any, theirs: Any) -> bool:
    """Whether only the words of errors differ. Those of Redis 7.4, which we have, are other ones in places; transcripts compare them."""
    return bool(ours[0][0] == "error" == theirs[0][0] and ours[1:] == theirs[1:])


@pytest.mark.parametrize("protocol", [2, 3])
def test_random_scripts(janus: Any, oracle: Any, protocol: int) -> None:
    ours, theirs = Talker(janus.port, encoded), Talker(oracle.port, encoded)

    def differs(lines: list[str]) -> bool:
        script = body(lines)
        here, there = outcome(ours, script, protocol), outcome(theirs, script, protocol)
        return here != there and not same_by_choice(here, there)

    for seed in seeds(300):
        chance = chance_of(f"scripts {protocol}", seed)
        lines = [statement(chance) for _ in range(chance.randrange(1, 7))]
        lines.append(f"return {chance.choice(['a', 'b', 'c', '{a, b, c}', table(chance)])}")
        if differs(lines):
            script = body(shortened(lines, differs))
            here, there = outcome(ours, script, protocol), outcome(theirs, script, protocol)
            pytest.fail(f"seed {seed}\n{script}\n{here}\n{there}")

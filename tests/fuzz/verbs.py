"""Command lines for the fuzzers, made from what the commands declare: names, usage lines, groups.

The usage line of a handler's docstring is a grammar; here it is read, and lines that follow it are drawn, with
plausible values for its words or hostile ones. ``bent`` then breaks a line's form.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from tests.conftest import encoded

from januskv.commands.table import Command
from januskv.compat.commands import build_table

from .driver import SESSION_NAME, SESSION_TOKEN

# ---------------------------------------------------------------- values

NUMBERS = [
    *b"0 1 -1 2 3 10 100 1000 -0 +1 007 1_0 0x10 1e3 1.5 .5 5. -.5e-3 1e400 -1e400 1e-400 nan inf -inf +inf infinity".split(),
    *b"127 128 255 256 32767 65535 65536 2147483647 2147483648 -2147483648 4294967295 4294967296".split(),
    *b"9007199254740992 9007199254740993 9223372036854775806 9223372036854775807 -9223372036854775808".split(),
    *b"9223372036854775808 -9223372036854775809 18446744073709551615 18446744073709551616".split(),
    *[b"1" * 400, b"", b" 1", b"1 ", b"1\0", b"\xd9\xa1", b"\xe2\x88\x921", b"--1", b"1.7976931348623157e308"],
]
TEXTS = [
    *[
        b"",
        b"a",
        b"ab",
        b"hello",
        b"\xff",
        b"\0",
        b"\r\n",
        b"+OK\r\n",
        b"\xed\xa0\x80",
        b"*",
        b"[a",
        b"(a",
        b"{}",
        b'{"a":1}',
    ],
    *[b"x" * 64, b"x" * 65, b"x" * 5000, "\u00e9\u4e2d\U0001f600".encode(), b"true", b"null", b"1.0", b"-0.0", b"%s%n"],
]
PATTERNS = [b"*", b"?", b"[a-", b"[^a]*", b"\\", b"k*[", b"*" * 50 + b"b", b"", b"\xff*", b"{", b"s*", b"*1*"]
KEYS: dict[str, list[bytes]] = {
    "string": [b"text", b"number", b"float", b"long", b"json:number", b"json:null", b"json:text"],
    "bitmap": [b"bits", b"text", b"empty"],
    "hash": [b"hash", b"hash:long", b"hash:timed", b"json:object"],
    "list": [b"list", b"list:long", b"json:array"],
    "set": [b"set", b"set:long", b"set:ints"],
    "sorted_set": [b"zset", b"zset:long"],
    "stream": [b"stream", b"stream:group"],
    "hyperloglog": [b"hll", b"hll:dense"],
    "geo": [b"geo"],
    "timeseries": [b"ts", b"ts:far", b"ts:down"],
    "native": [b"json:object", b"json:array", b"events"],
}
ALL_KEYS = sorted({name for names in KEYS.values() for name in names})
FRESH_KEYS = [b"new:%d" % number for number in range(4)]
ODD_KEYS = [b"", b"\xff\0", b"a b", b"k" * 300, b"{tag}x"]
MEMBERS = [*(b"m:%d" % number for number in range(8)), b"1", b"2", b"m"]
_CODES = b"0 1 0-0 0-1 1-1 5-5 5 5-* * $ > - + (1-1 18446744073709551615-18446744073709551615 1-".split()
_SCORES = b"0 1 (1 -inf +inf (inf - + [a (b [ ( 1.5 1e300 nan".split()

# What a word of a usage line may stand for.
WORDS: dict[str, list[bytes]] = {
    "field": [*(b"f:%d" % number for number in range(6)), b"a"],
    "member": MEMBERS,
    "element": MEMBERS,
    "pattern": PATTERNS,
    "id": _CODES,
    "last-id": _CODES,
    "lastid": _CODES,
    "max-deleted-id": _CODES,
    "min": _SCORES,
    "max": _SCORES,
    "score": b"0 1 -1 1.5 inf -inf 1e308 -0".split(),
    "weight": b"0 1 -1 1.5 inf -inf".split(),
    "group": [b"g", b"h", b"none"],
    "consumer": [b"c", b"d"],
    "milliseconds": b"0 1 50 1000 86400000 1700000000000".split(),
    "seconds": b"0 1 10 100000".split(),
    "unix-time-seconds": b"1 1700000000 1700000001 1700100000".split(),
    "unix-time-milliseconds": b"1 1700000000000 1700000000050 1700100000000".split(),
    "timeout": b"0 0.01 1 10".split(),
    "timestamp": b"0 1 10 20 1000 1700000000000 * - +".split(),
    "from-timestamp": b"- 0 10 100".split(),
    "to-timestamp": b"+ 1000 1700000000000 *".split(),
    "bucket-duration": b"1 10 1000".split(),
    "aggregator": b"avg sum min max range count first last std.p std.s var.p var.s twa increase rate avg,max".split(),
    "reducer": b"avg sum min max range count std.p std.s var.p var.s".split(),
    "policy": b"block first last min max sum".split(),
    "filter": b"kind=far kind!=far kind= kind!= kind=(far,near) kind!=(a) name=~t.* none=x kind".split(),
    "label": [b"kind", b"name", b"none", b""],
    "bt": b"- + ~ low high mid start end".split(),
    "align": b"- + 0 5 start end".split(),
    "encoding": b"u1 u8 i8 i16 u63 i64 u64 i65 u0 x".split(),
    "offset": b"0 1 7 8 #0 #1 100 4294967295 4294967296 -1 10 20".split(),
    "bit": b"0 1 2".split(),
    "longitude": b"0 13.361389 -180 180 180.1 -122".split(),
    "latitude": b"0 38.115556 85.05112878 -85.05112878 86".split(),
    "radius": b"0 1 200 20000 1e300 inf".split(),
    "width": b"1 400 40000 inf".split(),
    "height": b"1 400 40000 inf".split(),
    "cursor": b"0 0 0 1 5 17 18446744073709551615".split(),
    "count": b"0 1 2 5 100 -1 -5".split(),
    "rank": b"0 1 -1 2".split(),
    "index": b"0 1 -1 2 15 16".split(),
    "db": b"0 1 2".split(),
    "destination-db": b"0 1 2".split(),
    "channel": [b"news", b"n:1", b"__redis__:invalidate", b"__keyspace@0__:text"],
    "shardchannel": [b"news", b"{tag}n"],
    "prefix": [b"", b"t", b"text", b"set"],
    "type": b"string list set zset hash stream ts-events TSDB-TYPE none normal pubsub".split(),
    "section": b"server clients memory stats all everything commandstats keyspace".split(),
    "parameter": b"hz timeout slowlog-max-len notify-keyspace-events set-max-listpack-entries * latency-monitor-threshold".split(),
    "client-id": b"1 2 3 4 5 6 7".split(),
    "username": [b"default", b"session", b"nobody"],
    "protover": [b"2", b"3", b"4"],
    "command-name": b"get set client|list config ts.range kv_set nothing".split(),
    "numfields": [b"1"],
    "numreplicas": [b"0", b"1"],
    "numlocal": [b"0", b"1"],
    "limit": b"0 1 5".split(),
    "increment": b"1 -1 5 0 1.5 9223372036854775807".split(),
    "decrement": b"1 5 9223372036854775807".split(),
    "addend": b"1 1.5".split(),
    "subtrahend": b"1 1.5".split(),
    "start": b"0 0 1 -1 -3 5 100 - 0-0".split(),
    "stop": b"-1 -1 0 2 5 100".split(),
    "end": b"-1 -1 + 2 5 100 0-3".split(),
    "min-idle-time": b"0 0 1 1000".split(),
    "min-match-len": b"0 1 3".split(),
    "num-matches": b"0 1 3".split(),
    "len": b"0 1 10".split(),
    "size": b"128 4096 48".split(),
    "threshold": b"0 1 3 5-1".split(),
    "entries-read": b"-1 0 3".split(),
    "entries-added": b"0 5 100".split(),
    "max-time-diff": b"0 5".split(),
    "max-value-diff": b"0 1.5".split(),
    "ms": b"0 1700000000000".split(),
    "pivot": MEMBERS,
    "value": [b"1", b"2.5", b"v", b"m:1", b"", b"x" * 100],
    "message": [b"hello", b""],
    "arg": [b"a", b"1"],
    "path": [b"$.a", b"$..*", b"$"],
}
# The same for the commands of a group, or with such a part in their names.
_NEARER: dict[str, dict[str, list[bytes]]] = {
    "timeseries": {
        "value": b"1 2.5 -3 0 1e300 nan".split(),
        "min": b"0 1 -5".split(),
        "max": b"1 50 1000".split(),
        "to-timestamp": b"+ + 1000 300".split(),
        "timestamp": b"0 10 300 1000 *".split(),
        "bt": [b"-", b"+", b"~"],
        "align": b"- + 0 5".split(),
    },
    "LEX": {"min": b"- - [a (m:1 [m:3".split(), "max": b"+ + [z (m:5 [m:1".split()},
    "BIT": {"value": [b"0", b"1", b"255", b"-1"], "bit": [b"0", b"1"], "offset": b"0 1 7 8 #0 #1 100 1000".split()},
}
_KEY_WORDS = frozenset(
    ["key", "newkey", "destination", "destkey", "source", "sourcekey", "key1", "key2", "dst", "src", "destination-key"]
)
_COUNTS_OF = {"numkeys": _KEY_WORDS, "numfields": frozenset({"field"})}


def a_number(chance: random.Random) -> bytes:
    """A number, or what looks like one."""
    return chance.choice(NUMBERS) if chance.random() < 0.7 else b"%d" % chance.randrange(-20, 2000)


def a_value(chance: random.Random) -> bytes:
    """Any argument."""
    draw = chance.random()
    if draw < 0.4:
        return a_number(chance)
    return chance.choice(TEXTS if draw < 0.8 else ALL_KEYS if draw < 0.9 else PATTERNS)


def a_key(chance: random.Random, group: str) -> bytes:
    """A key, most often of a type that commands of the group take."""
    draw = chance.random()
    if draw < 0.7 and group in KEYS:
        return chance.choice(KEYS[group])
    if draw < 0.85:
        return chance.choice(ALL_KEYS)
    return chance.choice(FRESH_KEYS if draw < 0.97 else ODD_KEYS)


# ---------------------------------------------------------------- usage lines as grammars


@dataclass(frozen=True)
class Node:
    """A part of a usage line: a ``word``, a ``sequence``, or ``one of`` some; perhaps optional, perhaps repeated."""

    kind: str
    text: str = ""
    parts: tuple[Node, ...] = ()
    optional: bool = False
    repeated: bool = False


_TOKENS = re.compile(r"\.\.\.|[\[\]<>|]|[^\s\[\]<>|]+")


def grammar(usage: str) -> Node:
    """Read a usage line."""
    tokens = [token for word in _TOKENS.findall(usage) for token in _split_dots(word)]
    node, at = _alternatives(tokens, 0, "")
    assert at == len(tokens), usage
    return node


def _split_dots(token: str) -> list[str]:
    return [token[:-3], "..."] if token.endswith("...") and token != "..." else [token]


def _alternatives(tokens: list[str], at: int, closing: str) -> tuple[Node, int]:
    choices: list[Node] = []
    parts: list[Node] = []
    repeated = False
    while at < len(tokens) and tokens[at] != closing:
        token = tokens[at]
        at += 1
        if token == "|":
            choices.append(Node("sequence", parts=tuple(parts)))
            parts = []
        elif token == "..." and closing == "]":
            repeated = True
        elif token == "...":
            parts[-1] = Node("sequence", parts=(parts[-1],), repeated=True)
        elif token in "[<":
            close = "]" if token == "[" else ">"
            node, at = _alternatives(tokens, at, close)
            assert at < len(tokens), tokens
            at += 1
            parts.append(Node("sequence", parts=(node,), optional=token == "[", repeated=node.repeated))
        else:
            parts.append(Node("word", text=token))
    choices.append(Node("sequence", parts=tuple(parts)))
    return Node("one of", parts=tuple(choices), repeated=repeated), at


def draw(node: Node, chance: random.Random, out: list[str]) -> None:
    """Append words that follow the grammar."""
    if node.optional and chance.random() < 0.55:
        return
    times = chance.choice((1, 1, 1, 2, 3)) if node.repeated else 1
    for _ in range(times):
        if node.kind == "word":
            out.append(node.text)
        elif node.kind == "one of":
            draw(chance.choice(node.parts), chance, out)
        else:
            for part in node.parts:
                draw(part, chance, out)


# ---------------------------------------------------------------- command lines


@cache
def commands() -> dict[str, tuple[Command, Node | None]]:
    """All commands by name, with their grammars; native commands have none."""
    grammars = {}
    for command in build_table().everything():
        words = len(command.name.split("|"))
        usage = command.manual.usage.split(" ")
        rest = " ".join(usage[words:])
        grammars[command.name] = (command, None if command.params is not None else grammar(rest))
    return grammars


@cache
def names(*groups: str) -> list[str]:
    """The names of the commands of some groups; of all without any."""
    return [
        name
        for name, (command, node) in commands().items()
        if node is not None and (not groups or command.options.group in groups)
    ]


@cache
def _weighted() -> tuple[list[str], list[int]]:
    """All commands; those with keys come up more often."""
    return names(), [6 if commands()[name][0].options.keys else 1 for name in names()]


def a_name(chance: random.Random) -> str:
    """The name of a verb."""
    return chance.choices(*_weighted())[0]


def is_literal(word: str) -> bool:
    """Whether a word of a usage line is literal."""
    return word == word.upper() and any(letter.isalpha() or letter in "=~*$<>" for letter in word)


def a_line(chance: random.Random, name: str, *, hostile: float | None = None) -> list[bytes]:
    """A command line of this verb; most often it follows its usage line. ``hostile`` is the share of bad arguments."""
    command, node = commands()[name]
    assert node is not None
    if hostile is None:
        hostile = chance.choice((0.0, 0.0, 0.05, 0.1, 0.4))
    group = command.options.group
    nearer = next((words for part, words in _NEARER.items() if part == group or part in name), {})
    drawn: list[str] = []
    draw(node, chance, drawn)
    argv = [word.encode() for word in name.split("|")]
    if chance.random() < 0.2:
        argv = [word.lower() for word in argv]
    for at, word in enumerate(drawn):
        if chance.random() < hostile * 0.5:
            argv.append(a_value(chance))
        elif is_literal(word):
            argv.append(word.encode() if chance.random() < 0.8 else word.lower().encode())
        elif word in _COUNTS_OF:
            argv.append(b"%d" % sum(each in _COUNTS_OF[word] for each in drawn[at + 1 :]))
        elif word in _KEY_WORDS:
            argv.append(a_key(chance, group))
        elif word in WORDS and chance.random() >= hostile:
            argv.append(chance.choice(nearer[word] if word in nearer and chance.random() < 0.8 else WORDS[word]))
        elif word in ("command", "arg", "subcommand"):
            argv += a_line(chance, a_name(chance), hostile=hostile)[: chance.randrange(1, 5)]
        else:
            argv.append(a_value(chance))
    if b"STREAMS" in argv and chance.random() < 0.8:  # as many keys as ids, which no usage line can say
        keys = [a_key(chance, group) for _ in range(chance.choice((1, 1, 2)))]
        argv[argv.index(b"STREAMS") + 1 :] = [*keys, *(chance.choice(WORDS["id"]) for _ in keys)]
    return bent(chance, argv) if chance.random() < hostile else argv


def bent(chance: random.Random, argv: list[bytes]) -> list[bytes]:
    """A command line with something wrong: arguments doubled, left out, swapped, replaced."""
    argv = list(argv)
    for _ in range(chance.choice((1, 1, 2))):
        at = chance.randrange(len(argv))
        how = chance.randrange(6)
        if how == 0 and len(argv) > 1:
            del argv[max(1, at)]
        elif how == 1:
            argv[at + 1 : at + 1] = argv[at : at + chance.randrange(1, 4)]
        elif how == 2 and len(argv) > 2:
            other = chance.randrange(1, len(argv))
            at = max(1, at)
            argv[at], argv[other] = argv[other], argv[at]
        elif how == 3:
            argv.insert(at + 1, a_value(chance))
        elif how == 4:
            argv[max(at, min(1, len(argv) - 1))] = a_number(chance)
        else:
            argv += argv[-chance.randrange(1, 4) :]
    return argv


def any_line(chance: random.Random, *groups: str) -> list[bytes]:
    """A command line of any verb, or of one of some groups."""
    return a_line(chance, chance.choice(names(*groups)) if groups else a_name(chance))


# ---------------------------------------------------------------- bytes


def mutated(chance: random.Random, data: bytes) -> bytes:
    """Bytes with a few of them changed, left out, doubled or moved, or with another number in them."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        if not data:
            return data
        at = chance.randrange(len(data))
        size = min(chance.choice((1, 1, 2, 8, 64)), len(data) - at)
        how = chance.randrange(7)
        if how == 0:
            data = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        elif how == 1:
            data = data[:at] + data[at + size :]
        elif how == 2:
            data = data[: at + size] + data[at:]
        elif how == 3:
            to = chance.randrange(len(data))
            data = data[:to] + data[at : at + size] + data[to:]
        elif how == 4:
            data = (
                data[:at] + chance.choice((b"\r\n", b"\0", b"\n", b"*", b"$", b'"', b"{", b"\xff", b"-1")) + data[at:]
            )
        elif how == 5:
            data = data[:at]
        elif numbers := list(re.finditer(rb"\d+", data)):
            number = chance.choice(numbers)
            data = data[: number.start()] + chance.choice(NUMBERS) + data[number.end() :]
    return data


# ---------------------------------------------------------------- data to work on


def _long(*head: bytes, parts: Callable[[int], list[bytes]], count: int) -> bytes:
    return encoded(*head, *(word for number in range(count) for word in parts(number)))


@cache
def data_to_work_on() -> tuple[bytes, ...]:
    """Requests that create keys of all types, small and large."""
    native = b'{"KV_SET":{"keys":{"json:number":26,"json:null":null,"json:text":"t","json:object":{"a":1,"b":[1,{"c":null}]},"json:array":[1,"x",null,{}]}}}'
    token = (
        b'{"SH_NEW":{"name":"%s","shared":true,"expiry":{"duration":100,"deleteSession":false}}}'
        % SESSION_NAME.encode()
    )
    return (
        encoded("MSET", "text", "hello", "number", "10", "float", "1.5", "long", b"x" * 20000, "empty", ""),
        encoded("SETRANGE", "bits", "100", "\x7f"),
        _long(b"HSET", b"hash", parts=lambda n: [b"f:%d" % n, b"%d" % n], count=5),
        _long(b"HSET", b"hash:long", parts=lambda n: [b"f:%d" % n, b"v" * 70], count=700),
        _long(b"HSET", b"hash:timed", parts=lambda n: [b"f:%d" % n, b"v"], count=4),
        encoded("HPEXPIRE", "hash:timed", "500", "FIELDS", "2", "f:0", "f:1"),
        _long(b"RPUSH", b"list", parts=lambda n: [b"m:%d" % n], count=6),
        _long(b"RPUSH", b"list:long", parts=lambda n: [b"%d" % n], count=3000),
        _long(b"SADD", b"set", parts=lambda n: [b"m:%d" % n], count=6),
        _long(b"SADD", b"set:long", parts=lambda n: [b"member %d" % n], count=600),
        _long(b"SADD", b"set:ints", parts=lambda n: [b"%d" % n], count=20),
        _long(b"ZADD", b"zset", parts=lambda n: [b"%d" % (n // 2), b"m:%d" % n], count=8),
        _long(b"ZADD", b"zset:long", parts=lambda n: [b"%d" % (n % 37), b"m:%d" % n], count=900),
        *(encoded("XADD", key, f"{n}-1", "f", str(n)) for key in ("stream", "stream:group") for n in range(1, 8)),
        encoded("XGROUP", "CREATE", "stream:group", "g", "0"),
        encoded("XREADGROUP", "GROUP", "g", "c", "COUNT", "3", "STREAMS", "stream:group", ">"),
        encoded("PFADD", "hll", "a", "b", "c"),
        _long(b"PFADD", b"hll:dense", parts=lambda n: [b"%d" % n], count=1100),
        encoded("GEOADD", "geo", "13.361389", "38.115556", "m:0", "15.087269", "37.502669", "m:1", "-180", "0", "m:2"),
        encoded("TS.CREATE", "ts", "LABELS", "kind", "far", "name", "t1"),
        encoded("TS.CREATE", "ts:far", "LABELS", "kind", "far"),
        encoded("TS.CREATE", "ts:down", "LABELS", "kind", "down"),
        encoded("TS.CREATERULE", "ts", "ts:down", "AGGREGATION", "avg", "10"),
        _long(b"TS.MADD", parts=lambda n: [b"ts", b"%d" % (n * 3), b"%d.5" % n], count=100),
        _long(b"TS.MADD", parts=lambda n: [b"ts:far", b"%d" % (n * 5000), b"1"], count=4),
        native + b"\n",
        b'{"TS_CREATE":{"name":"events","type":"Ordered"}}\n',
        b'{"TS_ADD_EVT":{"ts":"events","t":[1,2,3],"evt":[{"a":1},{"a":"x"},{"b":[1]}]}}\n',
        token + b"\n",
    )


def session_entry() -> bytes:
    """The command that enters the fuzzers' session."""
    return encoded("SELECT", SESSION_TOKEN)

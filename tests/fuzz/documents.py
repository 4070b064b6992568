"""Native JSON requests for the fuzzers: from the commands' declared parameters and the conformance cases, then broken.

Breaking is done to the value (members of other types, left out, too many) and to the text (members twice, numbers and
escapes that no value could have, bytes that are not text).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from tests.conftest import encoded

from januskv.commands.declare import Param

from .driver import SESSION_NAME, SESSION_TOKEN
from .verbs import ALL_KEYS, FRESH_KEYS, commands, mutated

_CASES = Path(__file__).parent.parent / "conformance" / "nemesis.json"


class Raw:
    """Text inserted verbatim, possibly invalid JSON."""

    def __init__(self, text: bytes) -> None:
        self.text = text


_RAW = [
    *b"NaN Infinity -Infinity 1e400 -1e400 1e-400 -0 -0.0 0.1e1 01 1. .5 +1 0x10 1_0 tru nul undefined ''".split(),
    *b"18446744073709551615 18446744073709551616 -9223372036854775808 -9223372036854775809 1e19 1E308".split(),
    *[b"1" * 500, b"1." + b"1" * 500, b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"', b'"\\u0000"', b'"\xff"'],
    *[
        b'"\xed\xa0\x80"',
        b'"\x01"',
        b'"\\x"',
        b'"\\u12"',
        b'"\n"',
        b"",
        b",",
        b"[,]",
        b"[1,]",
        b'{"a"}',
        b'{"a":1,}',
        b"/**/1",
    ],
    *[b"[" * 127 + b"]" * 127, b"[" * 129 + b"]" * 129, b"[" * 5000 + b"]" * 5000, b'{"a":' * 130 + b"1" + b"}" * 130],
    *[
        b'{"a":1,"a":2}',
        b'{"":1}',
        b'{"$base64":"AA=="}',
        b'{"$base64":"?"}',
        b'{"$base64":1}',
        b'{"$base64":"AA==","x":1}',
    ],
]
_VALUES: list[Any] = [
    *[
        None,
        True,
        False,
        0,
        1,
        -1,
        0.5,
        -0.0,
        1e308,
        2**53,
        2**53 + 1,
        2**63 - 1,
        2**63,
        -(2**63),
        2**64 - 1,
        "",
        "a",
        "\x00",
    ],
    *["é中😀", "x" * 70, "x" * 5000, [], {}, [1, "a", None, [2.5]], {"a": 1, "b": {"c": [1, 2]}}, [[[]]], {"": ""}],
]
_NAMES = [name.decode() for name in ALL_KEYS + FRESH_KEYS]
_PATHS = [
    *[
        "$",
        "$.a",
        "$.b.c",
        "$..*",
        "$[0]",
        "$[-1]",
        "$[1:2]",
        "$[::0]",
        "$[?@.a==1]",
        "$[?@.a>0 && @.b]",
        "$['a','b']",
        "$.*",
    ],
    *[
        "",
        "$.",
        "$[",
        "a",
        "$[?match(@.a,'.*')]",
        "$[?length(@)>1]",
        "$[99999999999999999999]",
        "$" + ".a" * 200,
        "$..*..*..*",
    ],
    *[
        "$[?search(@,'(a+)+b')]",
        "$[?" + "(" * 200 + "@" + ")" * 200 + "]",
        "$.\ud83d\ude00",
        "$[?@.a==1e400]",
        "$['\\u0000']",
    ],
]

# Possible values of a parameter of this name.
_MEMBERS: dict[str, Callable[[random.Random], Any]] = {
    "tkn": lambda chance: (
        SESSION_TOKEN if chance.random() < 0.8 else chance.choice((1, 2**53, 2**64 - 1, SESSION_TOKEN - 1))
    ),
    "tkns": lambda chance: [SESSION_TOKEN, 5][: chance.randrange(3)],
    "name": lambda chance: chance.choice((SESSION_NAME, "other", "events", "series", "x" * 65, "a b", "ts:new")),
    "key": lambda chance: chance.choice(_NAMES),
    "ts": lambda chance: chance.choice(("events", "ts", "ts:far", "none", ["events", "ts"], [])),
    "rng": lambda chance: [chance.choice((0, 1, 2, None, 10**30, -5)), chance.choice((3, 1, None, 100, 0))],
    "t": lambda chance: chance.choice(([1], [5, 4], [], [10**30], [-1], [1.5], ["1"], [2**64])),
    "evt": lambda chance: [{"a": chance.choice(_VALUES)} for _ in range(chance.randrange(3))],
    "path": lambda chance: chance.choice(_PATHS),
    "rsp": lambda chance: chance.choice(("keys", "paths", "kv", "none")),
    "expiry": lambda chance: {"duration": chance.choice((0, 1, 100, 2**40)), "deleteSession": chance.random() < 0.5},
    "type": lambda chance: chance.choice(("Ordered", "Sorted", "")),
    "agg": lambda chance: {
        "member": "a",
        "fn": chance.choice(("avg", ["max", "count"], "none")),
        "bucket": chance.choice((1, 60, 0)),
    },
    "where": lambda chance: {"a": chance.choice(({"[]": [0, 5]}, {">": 0}, {"==": 1}, {"": 1}, 5))},
    "from": lambda chance: chance.choice((0, 1, 15, 16, SESSION_TOKEN)),
    "cursor": lambda chance: chance.choice((0, 0, 1, 17, 2**64 - 1)),
    "cnt": lambda chance: chance.choice((0, 1, 5, 100, 2**64 - 1)),
    "limit": lambda chance: chance.choice((0, 1, 100, 2**64 - 1)),
    "channels": lambda chance: chance.sample(["news", "n:1", ""], chance.randrange(3)),
    "patterns": lambda chance: chance.sample(["*", "n*", "[a-", ""], chance.randrange(3)),
    "channel": lambda chance: chance.choice(("news", "")),
    "message": lambda chance: chance.choice(("hello", "", "\u2028", "x" * 300)),
    "password": lambda chance: chance.choice(("", "secret")),
}


def _keys(chance: random.Random, name: str, kind: str) -> Any:
    """The member ``keys``, which is an object of values here and a list of names there."""
    chosen = chance.sample(_NAMES, chance.randrange(4))
    if name.startswith("SV_"):
        return ["*", "j*", "[a-"][: chance.randrange(3)]
    return {key: chance.choice(_VALUES) for key in chosen} if kind == "object" else chosen


def _kind(chance: random.Random, kind: str) -> Any:
    fitting = {"object": dict, "array": list, "string": str, "bool": bool, "uint": int}.get(kind)
    values = _VALUES if fitting is None else [value for value in _VALUES if type(value) is fitting]
    return chance.choice(values)


def _body(chance: random.Random, name: str, params: tuple[Param, ...], in_keyspace: bool) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for param in params:
        if not param.required and chance.random() < 0.4:
            continue
        if param.name == "keys":
            body["keys"] = _keys(chance, name, param.kind)
        elif param.name in _MEMBERS and chance.random() < 0.9:
            body[param.name] = _MEMBERS[param.name](chance)
        else:
            body[param.name] = _kind(chance, param.kind)
    if in_keyspace and chance.random() < 0.3:
        body["tkn"] = _MEMBERS["tkn"](chance)
    return body


@cache
def _seeds() -> list[dict[str, Any]]:
    """Requests of the conformance cases."""
    cases = json.loads(_CASES.read_text())
    requests = [step["send"] for case in cases for step in case["steps"] if isinstance(step.get("send"), dict)]
    return [each for each in requests if not next(iter(each), "").endswith(("_SAVE", "_LOAD"))]


def a_request(chance: random.Random) -> dict[str, Any]:
    """A valid request."""
    if chance.random() < 0.35:
        return dict(chance.choice(_seeds()))
    natives = [command for command, node in commands().values() if node is None]
    command = chance.choice(natives)
    assert command.params is not None
    return {command.name: _body(chance, command.name, command.params, command.in_keyspace)}


# ---------------------------------------------------------------- broken


def changed(chance: random.Random, value: Any) -> Any:
    """A value with one part replaced, left out or added."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        name = chance.choice(list(value))
        how = chance.random()
        if how < 0.7:
            return {**value, name: changed(chance, value[name])}
        if how < 0.8:
            return {key: part for key, part in value.items() if key != name}
        return {**value, chance.choice(("limit", "tkn", "x", "", "a")): chance.choice(_VALUES)}
    if isinstance(value, list) and value and chance.random() < 0.7:
        at = chance.randrange(len(value))
        return [*value[:at], changed(chance, value[at]), *value[at + 1 :]]
    return Raw(chance.choice(_RAW)) if chance.random() < 0.4 else chance.choice(_VALUES)


def text_of(chance: random.Random, value: Any) -> bytes:
    """A value as JSON text, spelled in one of the many ways."""
    if isinstance(value, Raw):
        return value.text
    blank = b" " * (chance.random() < 0.05)
    if isinstance(value, dict):
        members = [(text_of(chance, name), text_of(chance, part)) for name, part in value.items()]
        if members and chance.random() < 0.02:
            members.append(chance.choice(members))
        return b"{" + b",".join(name + blank + b":" + part for name, part in members) + blank + b"}"
    if isinstance(value, list):
        return b"[" + blank + b",".join(text_of(chance, part) for part in value) + b"]"
    return json.dumps(value, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")


def a_document(chance: random.Random) -> bytes:
    """The text of a request, most often a valid one."""
    value: Any = a_request(chance)
    draw = chance.random()
    if draw < 0.4:
        for _ in range(chance.choice((1, 1, 2))):
            value = changed(chance, value)
    if draw < 0.03:
        value = {**value, **a_request(chance)} if isinstance(value, dict) else [value]
    text = text_of(chance, value)
    return mutated(chance, text) if chance.random() < 0.08 else text


def a_line_of_json(chance: random.Random, text: bytes | None = None) -> bytes:
    """A document as a line, whatever is wrong with it."""
    line = (a_document(chance) if text is None else text).replace(b"\n", b" ")
    return (line if line.startswith(b"{") else b"{" + line) + chance.choice((b"\n", b"\n", b"\r\n", b" \t\n"))


def sent(chance: random.Random, text: bytes) -> bytes:
    """A document as a line most often, or as RESP."""
    draw = chance.random()
    if draw < 0.8:
        return a_line_of_json(chance, text)
    if draw < 0.9:
        return encoded(text)
    name, _, body = text.partition(b":")
    return encoded(name.strip(b'{" '), body[:-1])

"""Replies recorded from real servers (``*.jsonl`` beside this file): ours must be the same.

Each line of a file is a case: a connection of its own on an empty server, commands, and the reply that
redis-server 7.4.1 gave to each (or RedisTimeSeries 1.12.9 on it). ``FILE.differences.json`` lists
the cases whose replies differ, under the name that docs/differences.md explains; a listed case that
passes is an error as well. The server here is one without sockets, and waiting is done by moving the clock.

A reply is written as an object with one key, its type: ``{"bulk": "a"}``. Texts are UTF-8 with ``\\xHH`` for
other bytes and a doubled backslash. Some types are patterns: ``any`` (masked), ``range``,
``bag`` (an array in any order), ``pairs`` (a flat array of names and values in any order), ``names`` (a text
that has at least these fields).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent
DIFFERENCES = FOLDER.parent.parent / "docs" / "differences.md"
FILES = ("redis74", "redis74_acl", "redis74_scripting", "redistimeseries")
LONGEST_WAIT_S = 2.0
RECORDED_MS = 1_850_000_000_000  # about when the times to live that are left were recorded

Case = dict[str, Any]
Message = dict[str, Any]


# ---------------------------------------------------------------- cases


def cases(file: str) -> list[Case]:
    lines = (FOLDER / f"{file}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def listed(file: str) -> dict[str, str]:
    """The cases that differ, each with the name of the difference."""
    table: dict[str, list[str]] = json.loads((FOLDER / f"{file}.differences.json").read_text())
    return {case: name for name, names in table.items() for case in names}


def title(case: Case) -> str:
    return f"{case['name']} RESP{case['resp']}"


def arguments(texts: list[str]) -> list[bytes]:
    return [re.sub(rb"\\(\\|x[0-9a-f]{2})", _escaped, text.encode()) for text in texts]


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"\\" if found[1] == b"\\" else bytes.fromhex(found[1][1:].decode())


# ---------------------------------------------------------------- replies


class Replies:
    """Reads replies from bytes into the notation of the case files."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __iter__(self) -> Iterator[Message]:
        while self.data:
            yield self.next()

    def line(self) -> bytes:
        line, _, self.data = self.data.partition(b"\r\n")
        return line

    def text(self, size: int) -> str:
        text, self.data = self.data[:size], self.data[size + 2 :]
        return written(text)

    def several(self, count: int) -> list[Message]:
        return [self.next() for _ in range(count)]

    def pairs(self, count: int) -> list[list[Message]]:
        return [self.several(2) for _ in range(count)]

    def next(self) -> Message:
        line = self.line()
        mark, rest = line[:1].decode(), line[1:]
        match mark:
            case "+" | "-":
                return {"simple" if mark == "+" else "error": written(rest)}
            case ":":
                return {"int": int(rest)}
            case "$" | "*" if rest == b"-1":
                return {"null": "bulk" if mark == "$" else "array"}
            case "_":
                return {"null": True}
            case "#":
                return {"bool": rest == b"t"}
            case ",":
                return {"double": float(rest) if math.isfinite(float(rest)) else rest.decode()}
            case "(":
                return {"bignum": rest.decode()}
            case "$":
                return {"bulk": self.text(int(rest))}
            case "=":
                text = self.text(int(rest))
                return {"verbatim": [text[:3], text[4:]]}
            case "*" | "~" | ">":
                return {{"*": "array", "~": "set", ">": "push"}[mark]: self.several(int(rest))}
            case "%":
                return {"map": self.pairs(int(rest))}
        raise AssertionError(f"{line!r} begins no reply")


def written(data: bytes) -> str:
    return data.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def equal(expected: Message, actual: Message) -> bool:
    """Whether a reply is the recorded one."""
    [(kind, value)] = expected.items()
    match kind:
        case "any":
            return value is True or value in actual
        case "range":
            return "int" in actual and value[0] <= actual["int"] <= value[1]
        case "names":
            text = actual.get("bulk") or actual.get("verbatim", ["", ""])[1]
            fields = {word.split(value["at"])[0].strip() for word in text.split(value["split"])}
            return fields >= set(value["all"])
        case "bag":
            return "array" in actual and same_items(value, actual["array"])
        case "pairs":
            items = actual.get("array")
            return items is not None and same_items(
                value, [list(pair) for pair in zip(*[iter(items)] * 2, strict=True)]
            )
    if kind not in actual:
        return False
    found = actual[kind]
    match kind:
        case "array" | "push":
            return same_in_order(value, found)
        case "set" | "map":
            return same_items(value, found)
        case "double":
            return same_number(value, found)
        case "simple":
            return value == found or same_long_number(value, found)
    return bool(value == found)


def same_in_order(values: list[Message], found: list[Message]) -> bool:
    return len(values) == len(found) and all(map(equal, values, found))


def same_items(values: list[Any], found: list[Any]) -> bool:
    """Items, or pairs of items, in any order."""
    left = list(found)
    for value in values:
        same = same_in_order if isinstance(value, list) else equal
        place = next((place for place, item in enumerate(left) if same(value, item)), None)
        if place is None:
            return False
        del left[place]
    return not left


def same_number(value: float | str, found: float | str) -> bool:
    if isinstance(value, str) or isinstance(found, str):
        return value == found or str(value).lstrip("-") == str(found).lstrip("-") == "nan"
    return math.isclose(value, found, rel_tol=1e-12)


def same_long_number(value: str, found: str) -> bool:
    """Numbers of 15 or more digits, which time series send as text, may differ in the last ones."""
    for text in (value, found):
        if not re.fullmatch(r"-?\d+(\.\d+)?(e[-+]?\d+)?", text) or len(re.findall(r"\d", text.split("e")[0])) < 15:
            return False
    return same_number(float(value), float(found))


# ---------------------------------------------------------------- running


def differences(house: Any, case: Case) -> Iterator[str]:
    """Run a case on an empty server; what differs, one text for each reply."""
    house.clock.advance(RECORDED_MS - house.clock.now_ms)
    wire = house.connect()
    if case["resp"] == 3:
        wire("HELLO", "3")
    for argv in case["setup"]:
        ask(house, wire, argv, 1)
    for command in case["commands"]:
        expected = command["replies"] if "replies" in command else [command["reply"]]
        actual = ask(house, wire, command["argv"], len(expected))
        if len(expected) != len(actual) or not all(map(equal, expected, actual)):
            sent = " ".join(map(repr, command["argv"]))
            yield f"{sent}\n  recorded {shown(expected)}\n  ours     {shown(actual)}"


def ask(house: Any, wire: Any, texts: list[str], count: int) -> list[Message]:
    """Send one command; what came back. Waits for as many replies, if it must."""
    argv = arguments(texts)
    wire.send(b"*%d\r\n" % len(argv) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in argv))
    house.run_timers()
    house.server.outbox.flush()
    waited = 0.0
    while len(found := list(Replies(wire.transport.written))) < count and house.timers:
        delay = min(delay for delay, _ in house.timers)
        if waited + delay > LONGEST_WAIT_S:
            break
        waited += delay
        house.advance(math.ceil(delay * 1000))
        house.run_timers(delay)
        house.server.outbox.flush()
    return found


def shown(replies: list[Message]) -> str:
    text = json.dumps(replies, ensure_ascii=False)
    return text if len(text) < 2000 else f"{text[:2000]} ... ({len(text)} characters)"


@pytest.mark.parametrize(
    ("file", "case"),
    [pytest.param(file, case, id=f"{file} {title(case)}") for file in FILES for case in cases(file)],
)
def test_case(make_house: Any, file: str, case: Case) -> None:
    named = listed(file)
    name = named.get(title(case), named.get(case["name"]))
    found = list(differences(make_house(), case))
    if name is None:
        assert not found, "\n".join(found)
    else:
        assert found, f"passes, but {file}.differences.json lists it under {name}"


@pytest.mark.parametrize("file", FILES)
def test_every_listed_case_exists(file: str) -> None:
    known = {name for case in cases(file) for name in (case["name"], title(case))}
    assert set(listed(file)) <= known


@pytest.mark.parametrize("file", FILES)
def test_every_named_difference_is_explained(file: str) -> None:
    explained = DIFFERENCES.read_text()
    assert {name for name in listed(file).values() if f"`{name}`" not in explained} == set()

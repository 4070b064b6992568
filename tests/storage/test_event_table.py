"""The table of events: whatever the feed reports is declared there, and whatever is declared there can be done again."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import encoded

import januskv
from januskv.resp.inline import ProtocolError, split_words
from januskv.storage.durability.codec import effects
from januskv.storage.event_table import EVENTS, Event, Logged, wrong

ROOT = Path(januskv.__file__).parent
TRANSCRIPTS = Path(__file__).parent.parent / "transcripts"
TABLE = ROOT / "storage" / "event_table.py"

# What no transcript has: series, JSON, sessions, fields that expire, long strings.
OTHERS = """
HSET h f v g 1
HEXPIRE h 100 FIELDS 1 f
HPERSIST h FIELDS 1 f
HPEXPIRE h 100 FIELDS 1 f
HSET h f w
HINCRBY h g 1
HINCRBYFLOAT h g 1
HPEXPIRE h 100 FIELDS 1 g
HINCRBY h g 1
HINCRBYFLOAT h g 1
TS.CREATE a LABELS l 1
TS.ALTER a LABELS l 2
TS.ADD a 10 1
TS.ADD n 10 1
TS.MADD a 20 2 a 30 3
TS.INCRBY a 1 TIMESTAMP 40
TS.DECRBY a 1 TIMESTAMP 50
TS.CREATE b
TS.CREATERULE a b AGGREGATION sum 10
TS.ADD a 60 1
TS.ADD a 70 1
TS.ADD a 61 5
TS.DEL a 10 60
TS.DELETERULE a b
TS_CREATE '{"name": "e", "type": "Ordered"}'
TS_ADD_EVT '{"ts": "e", "t": [1, 2], "evt": [{"a": 1}, {"a": 2}]}'
TS_ADD_EVT '{"ts": "e", "t": [3], "evt": [{"a": 1}]}'
TS_CREATE_INDEX '{"ts": "e", "key": "a"}'
TS_DEL_EVT '{"ts": "e", "rng": [1, 2]}'
KV_SET '{"keys": {"j": [1, 2], "o": {"m": [1]}}}'
KV_ARR_APPEND '{"key": "j", "items": [3]}'
KV_ARR_APPEND '{"key": "o", "name": "m", "items": [3]}'
KV_UPDATE '{"key": "o", "path": "$.m[0]", "value": 5}'
SH_NEW '{"name": "s"}'
SH_END_ALL '{}'
"""

LONG = [f"SET text {'x' * 5000}", "APPEND text y", "SETBIT text 7 1"]
MANY = [
    "XGROUP CREATE x g $ MKSTREAM",
    *[f"XADD x {n}-1 f v" for n in range(1, 30)],
    "XREADGROUP GROUP g c STREAMS x >",
]


def programs() -> Iterator[Any]:
    """Sections of the transcripts, as lines; whoever sends them."""
    for path in sorted(TRANSCRIPTS.glob("*.txt")):
        title, lines = "", []
        for text in [*path.read_text().splitlines(), "--- "]:
            if text.startswith("--- "):
                if lines:
                    yield pytest.param(lines, id=f"{path.stem}: {title}")
                title, lines = text[4:], []
            elif text.strip() and not text.startswith(("#", "redis> ")):
                lines.append(text.partition(" ## ")[0].removeprefix("janus> "))
    yield pytest.param(OTHERS.split("\n"), id="others")
    yield pytest.param(LONG + MANY, id="long values")


PROGRAMS = list(programs())


def reported(house: Any, lines: list[str]) -> list[tuple[str, tuple[object, ...]]]:
    """The events of some lines, each with its detail; lines that are refused report nothing."""
    found: list[tuple[str, tuple[object, ...]]] = []
    house.store.feed.want("test", ("new", "keymiss"))
    house.store.feed.subscribe(lambda keyspace, event, key, detail: found.append((event, detail)))
    clients: dict[str, Any] = {}
    for line in lines:
        client, command = (line[:2], line[3:]) if line[:1] == "@" else ("@1", line)
        try:
            words = split_words(command.encode())
        except ProtocolError:
            continue
        if words and words[0].upper() not in (b"SHUTDOWN", b"QUIT"):
            wire = clients.setdefault(client, house.connect())
            if not wire.transport.closed:
                wire.send(encoded(*words))
    return found


@pytest.mark.parametrize("lines", PROGRAMS)
def test_what_commands_report_is_declared(house: Any, lines: list[str]) -> None:
    assert {text for event, detail in reported(house, lines) if (text := wrong(event, detail))} == set()


def test_an_event_that_is_not_declared_is_seen() -> None:
    assert wrong("no-such", ()) == "the event no-such is not declared"
    assert wrong("lpush", ("list.pop", True, 1)) == "the effect 'list.pop' is not declared for the event lpush"
    assert wrong("lpush", ("list.push", True, [])) == wrong("lpush", ()) == ""


def literals() -> set[str]:
    """All texts in the sources but those of the table."""
    found: set[str] = set()
    for folder in ("storage", "commands", "compat"):
        for path in (ROOT / folder).rglob("*.py"):
            if path != TABLE:
                nodes = ast.walk(ast.parse(path.read_text()))
                found |= {
                    node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)
                }
    return found


def test_what_is_declared_is_reported_by_something() -> None:
    assert EVENTS.keys() - literals() == set()


def test_effects_that_are_declared_can_be_done_again() -> None:
    declared = {name for event in EVENTS.values() for name in event.effects}
    assert declared - effects().keys() == set()


@pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: str(event.name))
def test_only_values_change_by_effects(event: Event) -> None:
    assert not event.effects or event.logged is Logged.VALUE
    assert len(event.notified) <= 1

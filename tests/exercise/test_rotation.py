"""A command that is declared as CONTRIBUTING.md says works everywhere: both protocols, JSON, MULTI, COMMAND, events, the log."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import House, Wire, words

from januskv.commands.status import Status
from januskv.compat import commands
from januskv.storage import event_table

from . import rotation

# The module has declared its event. Other tests look at the events of the tree: they do not see this one.
EVENT = event_table.EVENTS.pop("lrotate")
CLASS = event_table.NOTIFIED.pop("lrotate")

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    """A server with the command."""
    monkeypatch.setitem(event_table.EVENTS, "lrotate", EVENT)
    monkeypatch.setitem(event_table.NOTIFIED, "lrotate", CLASS)
    monkeypatch.setattr(commands, "FAMILIES", (*commands.FAMILIES, rotation.verbs, rotation.commands))
    return House()


@pytest.fixture
def rotating(house: House) -> Wire:
    return house.connect()


TRANSCRIPT: list[tuple[str, Any]] = [
    ("RPUSH l a b c d", 4),
    ("EXPIRE l 100", 1),
    ("LROTATE l 1", "OK"),
    ("LRANGE l 0 -1", [b"b", b"c", b"d", b"a"]),
    ("LROTATE l -2", "OK"),
    ("LRANGE l 0 -1", [b"d", b"a", b"b", b"c"]),
    ("TTL l", 100),
    ("LROTATE missing 3", "OK"),
    ("EXISTS missing", 0),
    ("SET s text", "OK"),
    ("LROTATE s 1", "WRONGTYPE"),
    ("LROTATE l x", "ERR value is not an integer or out of range"),
    ("LROTATE l", "ERR wrong number of arguments for 'lrotate' command"),
    ("COMMAND GETKEYS LROTATE l 1", [b"l"]),
    ('COMMAND GETKEYS KV_ROTATE \'{"keys": ["l", "m"], "cnt": 1}\'', [b"l", b"m"]),
]


def encoded_reply(wire: Wire, line: str) -> bytes:
    return wire.send(b"*%d\r\n" % len(words(line)) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words(line)))


def expected(reply: Any) -> bytes:
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, list):
        return b"*%d\r\n" % len(reply) + b"".join(b"$%d\r\n%b\r\n" % (len(each), each) for each in reply)
    return (b"+" if reply == "OK" else b"-") + reply.encode()


@pytest.mark.parametrize("protocol", [2, 3])
def test_the_transcript(rotating: Wire, protocol: int) -> None:
    rotating.send(b"HELLO %d\r\n" % protocol)
    for line, reply in TRANSCRIPT:
        assert encoded_reply(rotating, line).startswith(expected(reply)), line


def test_as_json_over_a_line_and_over_resp(rotating: Wire) -> None:
    rotating.send(b'{"KV_SET": {"keys": {"a": [1, {"b": 2}, null]}}}\n')
    assert json.loads(rotating.send(b'{"KV_ROTATE": {"keys": ["a", "missing"], "cnt": 1}}\n')) == {
        "KV_ROTATE_RSP": {"st": 1}
    }
    got = json.loads(rotating.send(b'{"KV_GET": {"keys": ["a"]}}\n'))
    assert got["KV_GET_RSP"]["keys"] == {"a": [{"b": 2}, None, 1]}
    assert b'"st":1' in encoded_reply(rotating, 'KV_ROTATE \'{"keys": ["a"], "cnt": 1}\'')
    missing = json.loads(rotating.send(b'{"KV_ROTATE": {"keys": ["a"]}}\n'))["KV_ROTATE_RSP"]
    misspelt = json.loads(rotating.send(b'{"KV_ROTATE": {"kyes": ["a"], "cnt": 1}}\n'))["KV_ROTATE_RSP"]
    assert (missing["st"], misspelt["st"]) == (Status.PARAM_MISSING, Status.PARAM_MISSING)


def test_in_a_transaction_with_watch_and_notifications(house: House, rotating: Wire) -> None:
    listener = house.connect()
    for line in ("CONFIG SET notify-keyspace-events KEA", "RPUSH l a b", "WATCH l"):
        encoded_reply(rotating, line)
    encoded_reply(listener, "PSUBSCRIBE __keyevent@0__:*")
    listener.transport.written = b""
    encoded_reply(rotating, "LROTATE l 1")
    house.server.outbox.flush()
    assert listener.transport.written.endswith(b"$22\r\n__keyevent@0__:lrotate\r\n$1\r\nl\r\n")
    encoded_reply(rotating, "MULTI")
    assert encoded_reply(rotating, "LROTATE l 1") == b"+QUEUED\r\n"
    assert encoded_reply(rotating, "EXEC") == b"*-1\r\n"


def test_an_event_that_is_declared_twice_is_refused(rotating: Wire) -> None:
    with pytest.raises(ValueError, match="lrotate is declared twice"):
        event_table.declare("lrotate")


def start(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    options = ["--port", "-1", "--http-port", "0", "--bind", "127.0.0.1", "--dir", str(folder)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.exercise.server", *options], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    for line in process.stdout:
        if b" ready: " in line:
            return process, int(line.split(b"127.0.0.1:")[1].split(b",")[0].split()[0])
    raise AssertionError("the server ended before it was ready")


def ask(port: int, data: bytes, size: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(data)
        reply = b""
        while len(reply) < size:
            reply += sock.recv(4096)
        return reply


def test_the_log_does_it_again(tmp_path: Path) -> None:
    process, port = start(tmp_path)
    assert ask(port, b"RPUSH l a b c\r\nLROTATE l 1\r\n", 9) == b":3\r\n+OK\r\n"
    process.kill()
    process.communicate(timeout=20)
    process, port = start(tmp_path)
    wanted = b"*3\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\na\r\n"
    try:
        assert ask(port, b"LRANGE l 0 -1\r\n", len(wanted)) == wanted
    finally:
        process.terminate()
        process.communicate(timeout=20)

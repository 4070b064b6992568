"""The same command lines on JanusKV and on redis-server: equal replies, differences listed by name.

A transcript (tests/transcripts/*.txt) holds one command a line in redis-cli's quoting. Behind `##`
a line may name relaxations:

    unordered     arrays and maps are compared as sets
    close N       integers may differ by N
    text          only the type of the reply is compared
    error         both answer an error, perhaps with other words
    differs NAME  replies differ, for the reason that docs/differences.md gives under NAME

`janus> ...` and `redis> ...` are sent to one server only, `#` begins a comment, and `--- title` begins
a case on an empty server and fresh connections. `@2 command` is sent on the case's second connection.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from januskv.resp.decoder import Pairs, ReplyReader
from januskv.resp.replies import ErrorReply, SetReply, Verbatim

FOLDER = Path(__file__).parent.parent / "transcripts"
DIFFERENCES = Path(__file__).parent.parent.parent / "docs" / "differences.md"

pytestmark = pytest.mark.live


class Line:
    """One line of a transcript."""

    def __init__(self, number: int, text: str) -> None:
        self.number = number
        command, _, relaxed = text.partition(" ## ")
        self.relaxations = [part.split() for part in relaxed.split(",")] if relaxed else []
        self.only = ""
        for name in ("janus", "redis"):
            if command.startswith(f"{name}> "):
                self.only, command = name, command[len(name) + 2 :]
        found = re.match(r"@(\d) ", command)
        self.client = int(found[1]) if found else 1
        self.command = command[3:] if found else command

    def relaxed(self, name: str) -> list[str] | None:
        return next((words for words in self.relaxations if words[0] == name), None)


def cases() -> list[Any]:
    found = []
    for path in sorted(FOLDER.glob("*.txt")):
        title, lines = "", []
        for number, text in enumerate(path.read_text().splitlines(), 1):
            if text.startswith("--- "):
                if lines:
                    found.append(pytest.param(path.name, lines, id=f"{path.stem}: {title}"))
                title, lines = text[4:], []
            elif text.strip() and not text.startswith("#"):
                lines.append(Line(number, text))
        if lines:
            found.append(pytest.param(path.name, lines, id=f"{path.stem}: {title}"))
    return found


class Speaker:
    """Connections to one server."""

    def __init__(self, port: int, protocol: int, encode: Callable[..., bytes]) -> None:
        self.port, self.protocol, self.encode = port, protocol, encode
        self.connections: dict[int, tuple[socket.socket, ReplyReader]] = {}

    def ask(self, client: int, argv: list[bytes]) -> tuple[bytes, Any]:
        if client not in self.connections:
            sock = socket.create_connection(("127.0.0.1", self.port), timeout=10)
            self.connections[client] = (sock, ReplyReader())
            if self.protocol == 3:
                self.ask(client, [b"HELLO", b"3"])
        sock, reader = self.connections[client]
        sock.sendall(self.encode(*argv))
        while (reply := reader.gets()) is None:
            data = sock.recv(65536)
            assert data, f"closed by {argv}"
            reader.feed(data)
        return reply

    def close(self) -> None:
        for sock, _ in self.connections.values():
            sock.close()


def canonical(value: Any) -> Any:
    """A value without the order of its members."""
    if isinstance(value, Pairs):
        return sorted(([canonical(k), canonical(v)] for k, v in value), key=repr)
    if isinstance(value, SetReply):
        return ["set", *sorted((canonical(item) for item in value.items), key=repr)]
    if isinstance(value, list):
        return sorted((canonical(item) for item in value), key=repr)
    return value


def equal(line: Line, ours: tuple[bytes, Any], theirs: tuple[bytes, Any]) -> bool:
    (raw, value), (their_raw, their_value) = ours, theirs
    if raw == their_raw:
        return line.relaxed("differs") is None
    if line.relaxed("differs"):
        return True
    if line.relaxed("error"):
        return isinstance(value, ErrorReply) and isinstance(their_value, ErrorReply)
    if line.relaxed("text"):
        return type(value) is type(their_value) and raw[:1] == their_raw[:1]
    close = line.relaxed("close")
    if close is not None and isinstance(value, int) and isinstance(their_value, int):
        return abs(value - their_value) <= int(close[1])
    if line.relaxed("unordered"):
        return raw[:1] == their_raw[:1] and repr(canonical(value)) == repr(canonical(their_value))
    return False


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize(("name", "lines"), cases())
def test_same_replies(
    name: str, lines: list[Line], protocol: int, janus: Any, oracle: Any, split_line: Any, encode_command: Any
) -> None:
    ours, theirs = Speaker(janus.port, protocol, encode_command), Speaker(oracle.port, protocol, encode_command)
    wrong = []
    try:
        for speaker in (ours, theirs):
            speaker.ask(9, [b"FLUSHALL"])
        ours.ask(9, [b'{"SH_END_ALL":{}}'])
        for line in lines:
            argv = split_line(line.command)
            replies = [
                None if line.only == other else speaker.ask(line.client, argv)
                for speaker, other in ((ours, "redis"), (theirs, "janus"))
            ]
            if None not in replies and not equal(line, *replies):  # type: ignore[arg-type]
                wrong.append(
                    f"{name}:{line.number}: {line.command}\n  ours   {replies[0][0]!r}\n  theirs {replies[1][0]!r}"
                )  # type: ignore[index]
    finally:
        ours.close()
        theirs.close()
    assert not wrong, "\n" + "\n".join(wrong)


def test_every_named_difference_is_explained() -> None:
    explained = DIFFERENCES.read_text()
    named = {
        words[1] for param in cases() for line in param.values[1] for words in line.relaxations if words[0] == "differs"
    }
    assert not {name for name in named if f"`{name}`" not in explained}


def test_verbatim_is_compared_by_its_text() -> None:
    reader = ReplyReader()
    reader.feed(b"=7\r\ntxt:abc\r\n")
    reply = reader.gets()
    assert reply is not None
    assert isinstance(reply[1], Verbatim)
    assert reply[1].text == b"abc"

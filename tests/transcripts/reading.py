"""Transcripts: command lines whose replies are compared with those of redis-server, live or as they were recorded.

A transcript (tests/transcripts/*.txt) has one command per line in redis-cli's quoting. Behind `##`
a line may name relaxations:

    unordered     arrays and maps are compared as sets
    close N       integers may differ by N
    text          only the type of the reply is compared
    error         both reply with an error, possibly with different texts
    denied        the same denial, in the words of Redis 7.4 and of 7.0
    differs NAME  replies differ, for the reason that docs/differences.md gives under NAME

`janus> ...` and `redis> ...` are sent to one server only, `#` begins a comment, and `--- title` begins
a case on an empty server and fresh connections. `@2 command` is sent on the case's second connection.

`recorded/*.json` holds the replies of redis-server; `PYTHONPATH=. python -m tests.transcripts.record` writes it again.
"""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

from tests.conftest import encoded, words

from januskv.resp.decoder import Pairs, ReplyReader
from januskv.resp.replies import ErrorReply, SetReply

FOLDER = Path(__file__).parent
RECORDED = FOLDER / "recorded"
PROTOCOLS = (2, 3)


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


class Case:
    """Lines that begin on an empty server. ``key`` names the case in the recordings."""

    def __init__(self, path: Path, title: str, lines: list[Line]) -> None:
        self.file, self.stem, self.title, self.lines = path.name, path.stem, title, lines
        self.id = f"{path.stem}: {title}"


def cases() -> list[Case]:
    """All cases of all transcripts. Two of one file have different titles."""
    found: list[Case] = []
    for path in sorted(FOLDER.glob("*.txt")):
        title, lines = "", []
        for number, text in enumerate(path.read_text().splitlines(), 1):
            if text.startswith("--- "):
                if lines:
                    found.append(Case(path, title, lines))
                title, lines = text[4:], []
            elif text.strip() and not text.startswith("#"):
                lines.append(Line(number, text))
        if lines:
            found.append(Case(path, title, lines))
    assert len({case.id for case in found}) == len(found)
    return found


class Speaker:
    """Connections to one server."""

    def __init__(self, port: int, protocol: int) -> None:
        self.port, self.protocol = port, protocol
        self.connections: dict[int, tuple[socket.socket, ReplyReader]] = {}

    def ask(self, client: int, argv: list[bytes]) -> tuple[bytes, Any]:
        """Send a command on one of the connections; return the reply as bytes and as a value."""
        if client not in self.connections:
            sock = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            self.connections[client] = (sock, ReplyReader())
            if self.protocol == 3:
                self.ask(client, [b"HELLO", b"3"])
        sock, reader = self.connections[client]
        sock.sendall(encoded(*argv))
        while (reply := reader.gets()) is None:
            data = sock.recv(65536)
            assert data, f"closed by {argv}"
            reader.feed(data)
        return reply

    def close(self) -> None:
        for sock, _ in self.connections.values():
            sock.close()


class Recording:
    """The recorded replies of redis-server to one case, for the same lines in the same order."""

    def __init__(self, case: Case, protocol: int) -> None:
        found = json.loads((RECORDED / f"{case.stem}.json").read_text())
        self.replies: list[list[str]] = found["cases"].get(case.title, {}).get(str(protocol), [])
        self.at = 0

    def ask(self, client: int, argv: list[bytes]) -> tuple[bytes, Any]:
        """The recorded reply to the next line, which must match the recorded line."""
        assert self.at < len(self.replies), "not recorded; run python -m tests.transcripts.record"
        line, text = self.replies[self.at]
        self.at += 1
        assert line == shown(client, argv), "recorded otherwise; run python -m tests.transcripts.record"
        raw = text.encode("latin-1")
        reader = ReplyReader()
        reader.feed(raw)
        reply = reader.gets()
        assert reply is not None
        return reply

    def close(self) -> None:
        """Nothing to close."""


def shown(client: int, argv: list[bytes]) -> str:
    """A command line as the recordings name it."""
    return f"@{client} " + " ".join(arg.decode("latin-1") for arg in argv)


def canonical(value: Any) -> Any:
    """A value without the order of its members."""
    if isinstance(value, Pairs):
        return sorted(([canonical(k), canonical(v)] for k, v in value), key=repr)
    if isinstance(value, SetReply):
        return ["set", *sorted((canonical(item) for item in value.items), key=repr)]
    if isinstance(value, list):
        return sorted((canonical(item) for item in value), key=repr)
    return value


# How Redis 7.4 says what 7.0 said: patterns of ours, and the words of before.
_DENIALS = (
    (r"NOPERM ACL failure in script: User \S+ has no permissions to run the '\S+' command", "ERR The user executing the script can't run this command or subcommand"),
    (r"NOPERM ACL failure in script: No permissions to access a key", "ERR The user executing the script can't access at least one of the keys mentioned in the command arguments"),
    (r"NOPERM ACL failure in script: No permissions to access a channel", "ERR The user executing the script can't publish to the channel mentioned in the command"),
    (r"NOPERM User \S+ has no permissions to run", "NOPERM this user has no permissions to run"),
    (r"NOPERM No permissions to access a (key|channel)", r"NOPERM this user has no permissions to access one of the \1s used as arguments"),
    (r"^User \S+ has no permissions", "This user has no permissions"),
)  # fmt: skip


def in_older_words(reply: Any) -> str:
    """A denial as Redis 7.0 words it."""
    text = (reply.text if isinstance(reply, ErrorReply) else reply).decode()
    for ours, theirs in _DENIALS:
        text = re.sub(ours, theirs, text)
    return str(text)


def equal(line: Line, ours: tuple[bytes, Any], theirs: tuple[bytes, Any]) -> bool:
    """Whether two replies to a line are the same, except for the line's relaxations."""
    (raw, value), (their_raw, their_value) = ours, theirs
    if raw == their_raw:
        return line.relaxed("differs") is None
    if line.relaxed("differs"):
        return True
    if line.relaxed("denied"):
        before = their_value.text if isinstance(their_value, ErrorReply) else their_value
        return type(value) is type(their_value) and in_older_words(value) == before.decode()
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


def empty(speaker: Speaker) -> None:
    """The commands at the beginning of each case."""
    speaker.ask(9, [b"FLUSHALL"])


def differences(case: Case, ours: Speaker, theirs: Speaker | Recording) -> list[str]:
    """Where the replies of two servers to a case differ."""
    wrong = []
    try:
        for line in case.lines:
            argv = words(line.command)
            reply = None if line.only == "redis" else ours.ask(line.client, argv)
            their_reply = None if line.only == "janus" else theirs.ask(line.client, argv)
            if reply is not None and their_reply is not None and not equal(line, reply, their_reply):
                wrong.append(
                    f"{case.file}:{line.number}: {line.command}\n  ours   {reply[0]!r}\n  theirs {their_reply[0]!r}"
                )
    finally:
        ours.close()
        theirs.close()
    return wrong

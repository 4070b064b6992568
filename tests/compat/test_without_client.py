"""Every command that is not about its connection runs for who has none, and answers the same.

The command lines are those of the transcripts, of the recorded cases and of the native cases. Each runs over a
connection on one server, and with a context that has no client on another one.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from januskv.commands.declare import Flag
from januskv.commands.table import Command
from januskv.compat.commands import build_table
from januskv.compat.server.context import ServerContext
from januskv.resp.encoder import encode
from januskv.resp.inline import split_words
from januskv.resp.replies import ErrorReply

TESTS = Path(__file__).parent.parent
Line = list[bytes]
PARTS = 8

# Lines for what no other case has.
MORE = """
ECHO a
TIME
LASTSAVE
ROLE
LOLWUT
INFO
COMMAND
COMMAND COUNT
COMMAND DOCS GET
COMMAND INFO GET
COMMAND LIST
COMMAND GETKEYS GET a
COMMAND GETKEYSANDFLAGS GET a
COMMAND HELP
CONFIG GET maxclients
CONFIG SET maxclients 1000
CONFIG RESETSTAT
CONFIG REWRITE
CONFIG HELP
CLIENT LIST
CLIENT KILL ID 77777
CLIENT PAUSE 0
CLIENT UNPAUSE
CLIENT UNBLOCK 77777
CLIENT HELP
SLOWLOG GET
SLOWLOG LEN
SLOWLOG RESET
SLOWLOG HELP
LATENCY LATEST
LATENCY HISTORY command
LATENCY GRAPH command
LATENCY HISTOGRAM
LATENCY DOCTOR
LATENCY RESET
LATENCY HELP
MEMORY USAGE a
MEMORY STATS
MEMORY DOCTOR
MEMORY PURGE
MEMORY MALLOC-STATS
MEMORY HELP
MODULE LIST
MODULE LOAD x
MODULE LOADEX x
MODULE UNLOAD x
MODULE HELP
DEBUG SLEEP 0
DEBUG OBJECT a
DEBUG HELP
PUBSUB HELP
OBJECT HELP
XGROUP HELP
XINFO HELP
SAVE
BGSAVE
BGREWRITEAOF
SHUTDOWN ABORT
REPLICAOF NO ONE
SLAVEOF NO ONE
FAILOVER ABORT
REPLCONF ack 0
PSYNC ? -1
SYNC
WAIT 0 0
WAITAOF 0 0 0
TIMESERIES.REFRESHCLUSTER
TIMESERIES.INFOCLUSTER
PFDEBUG ENCODING a
PFSELFTEST
SPUBLISH a b
PUBSUB SHARDCHANNELS
PUBSUB SHARDNUMSUB
HEXPIRE h 10 FIELDS 1 a
HPEXPIRE h 10 FIELDS 2 a z
HEXPIREAT h 2000000000 FIELDS 1 a
HPEXPIREAT h 2000000000000 FIELDS 1 a
HTTL h FIELDS 1 a
HPTTL h FIELDS 1 a
HEXPIRETIME h FIELDS 1 a
HPEXPIRETIME h FIELDS 1 a
HPERSIST h FIELDS 1 a
CLUSTER INFO
CLUSTER MYID
CLUSTER SLOTS
CLUSTER NODES
CLUSTER SHARDS
CLUSTER KEYSLOT a
READONLY
READWRITE
ASKING
DEBUG PAUSE-CRON 0
DEBUG RELOAD
DEBUG LOADAOF
DEBUG POPULATE 3
DEBUG REPLYBUFFER RESIZING 0
DEBUG QUICKLIST-PACKED-THRESHOLD 100
DEBUG FASTFORWARD 10
DEBUG ERROR x
DEBUG LOG x
DEBUG CRASH-COMMAND
DEBUG DIGEST
DEBUG DIGEST-VALUE a h
SV_EXPORT '{}'
SH_RESTORE '{"sessions": []}'
TS_LOAD '{"name": "n"}'
TS_LIST '{}'
TS_INFO '{"ts": "x"}'
TS_DEL_EVT '{"ts": ["x"], "rng": [0, 1]}'
SV_PUBLISH '{"channel": "a", "message": "b"}'
"""
SOME_KEYS = [[b"SET", b"a", b"1"], [b"HSET", b"h", b"a", b"1", b"b", b"2"]]
# These draw tokens, or describe a process.
DRAWN = ("SH_NEW", "SH_OPEN", "SV_INFO")


def waits_for_nothing(command: Command) -> bool:
    return Flag.CONNECTION not in command.flags


def may_differ(command: Command) -> bool:
    """Whether a reply depends on the moment or on chance."""
    if Flag.ADMIN in command.flags or command.options.group == "server" or command.name in DRAWN:
        return True
    return any(hint.startswith("nondeterministic_output") for hint in command.options.hints)


@cache
def cases() -> list[list[Line]]:
    """Command lines, case by case; a case is for an empty server."""
    found: list[list[Line]] = [[*SOME_KEYS, line] for line in map(split_words, MORE.encode().splitlines()) if line]
    for path in sorted((TESTS / "transcripts").glob("*.txt")):
        found.append([])
        for text in path.read_text().splitlines():
            if text.startswith("--- "):
                found.append([])
            elif text.strip() and text[0] not in "#@" and not text.startswith("redis> "):
                words = split_words(text.partition(" ## ")[0].removeprefix("janus> ").encode())
                if words:
                    found[-1].append(words)
    for text in (TESTS / "conformance" / "redistimeseries.jsonl").read_text().splitlines():
        case = json.loads(text)
        lines = [*case["setup"], *(each["argv"] for each in case["commands"])]
        found.append([[word.encode() for word in line] for line in lines])
    for case in json.loads((TESTS / "conformance" / "nemesis.json").read_text()):
        bodies = [step["send"] for step in case["steps"] if isinstance(step.get("send"), dict)]
        found.append([[name.encode(), json.dumps(body).encode()] for send in bodies for name, body in send.items()])
    return found


class Pair:
    """A server with a connection, and one without, that get the same commands."""

    def __init__(self, make_house: Any, protocol: int) -> None:
        self.with_client, self.without = make_house(enable_debug_command="yes"), make_house(enable_debug_command="yes")
        self.protocol = protocol
        self.wire = self.with_client.connect()
        self.wire.send(b"HELLO %d\r\n" % protocol)
        self.context = ServerContext(self.without.server)

    def runs_equally(self, line: Line) -> bool:
        """Run a line on both; False if what follows cannot be compared."""
        command = self.without.server.table.find(line)
        if command is None or not waits_for_nothing(command):
            return command is None
        random.seed(1)
        sent = self.wire.send(b"*%d\r\n" % len(line) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in line))
        random.seed(1)
        reply = encode(self.without.server.dispatcher.call(self.context, line), self.protocol)
        if not sent and self.wire.connection.halted:
            return False  # it waits
        if may_differ(command):
            assert sent[:1] == reply[:1], line
            return Flag.WRITE not in command.flags and command.name not in DRAWN
        assert reply == sent, line
        return True


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("protocol", [2, 3])
def test_the_same_replies_as_over_a_connection(
    make_house: Any, monkeypatch: pytest.MonkeyPatch, protocol: int, part: int
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # DEBUG SLEEP
    for case in cases()[part::PARTS]:
        pair = Pair(make_house, protocol)
        all(pair.runs_equally(line) for line in case)


def test_each_command_has_a_line() -> None:
    table = build_table()
    ran = {command.name for case in cases() for line in case if (command := table.find(line)) is not None}
    wanted = [command for command in table.everything() if waits_for_nothing(command) and not command.subcommands]
    assert [command.name for command in wanted if command.name not in ran] == []


def native_lines() -> Iterator[list[tuple[str, Any]]]:
    for case in json.loads((TESTS / "conformance" / "nemesis.json").read_text()):
        sends = [step["send"] for step in case["steps"] if isinstance(step.get("send"), dict)]
        yield [(name, body) for send in sends if len(send) == 1 for name, body in send.items()]


def test_native_commands_answer_the_same_json(make_house: Any) -> None:
    for case in native_lines():
        pair = Pair(make_house, 2)
        for name, body in case:
            command = pair.without.server.table.native.get(name)
            if command is None or not waits_for_nothing(command):
                break
            text = json.dumps({name: body}).encode()
            line = pair.wire.send(text + b"\n")
            answer = pair.without.native.answer(pair.context, text)
            if name in DRAWN:
                assert json.loads(line).keys() == json.loads(answer).keys()
                break
            assert (answer + b"\n" if isinstance(answer, bytes) else b"") == line, name


def test_a_command_about_its_connection_is_refused(house: Any) -> None:
    context = ServerContext(house.server)
    refused = ErrorReply("ERR This command needs a connection")
    for command in house.server.table.everything():
        if not waits_for_nothing(command):
            line = [*command.name.encode().split(b"|"), *[b"1"] * 8]
            line = line[: min(command.max_args, max(command.min_args, 1))]
            assert house.server.dispatcher.call(context, line) == refused, command.name

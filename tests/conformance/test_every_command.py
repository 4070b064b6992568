"""Every command of the table is checked against replies of a real server, or is listed here with where else it is tested."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import words
from tests.transcripts import reading

from januskv.commands.table import Command
from januskv.compat.commands import build_table

from .test_nemesis import CASES, contradiction, messages
from .test_recorded import FILES, arguments
from .test_recorded import cases as recorded_cases

TESTS = Path(__file__).parent.parent
TABLE = build_table()

# Commands without a line in a transcript or a recording: whose replies vary or are this server's own, or that redis-server
# 7.0.15 and 7.4.1 do not have. The file tests them.
REDIS_ELSEWHERE = {
    "BGREWRITEAOF": "compat/redis/test_server_verbs.py",
    "BGSAVE": "faults/test_durability.py",
    "CLIENT|MAINT_NOTIFICATIONS": "compat/redis/test_client_verbs.py",
    "DEBUG|CRASH-COMMAND": "compat/redis/test_debug_verbs.py",
    "DEBUG|DIGEST": "compat/redis/test_debug_verbs.py",
    "DEBUG|DIGEST-VALUE": "compat/redis/test_debug_verbs.py",
    "DEBUG|ERROR": "compat/redis/test_debug_verbs.py",
    "DEBUG|FASTFORWARD": "compat/redis/test_debug_verbs.py",
    "DEBUG|LOADAOF": "compat/redis/test_debug_verbs.py",
    "DEBUG|LOG": "test_process.py",
    "DEBUG|OBJECT": "compat/redis/test_debug_verbs.py",
    "DEBUG|PAUSE-CRON": "compat/redis/test_debug_verbs.py",
    "DEBUG|POPULATE": "compat/redis/test_debug_verbs.py",
    "DEBUG|RELOAD": "compat/redis/test_debug_verbs.py",
    "LATENCY|DOCTOR": "compat/redis/test_latency_and_memory.py",
    "LATENCY|HISTOGRAM": "compat/redis/test_latency_and_memory.py",
    "MONITOR": "compat/redis/test_monitor_and_slowlog.py",
    "REPLCONF": "compat/redis/test_server_verbs.py",
    "TIMESERIES.INFOCLUSTER": "compat/redis/test_timeseries_verbs.py",
    "TIMESERIES.REFRESHCLUSTER": "compat/redis/test_timeseries_verbs.py",
}
# Native commands that NemesisDB 0.6.3 does not have.
NATIVE_ELSEWHERE = {
    "SH_ENTER": "compat/test_entering_sessions.py",
    "SH_RESTORE": "commands/test_exports.py",
    "SV_AUTH": "test_process.py",
    "SV_EXPORT": "commands/test_exports.py",
    "SV_INFO": "compat/native/test_connection_states.py",
    "SV_PUBLISH": "compat/redis/test_pubsub.py",
    "SV_SUBSCRIBE": "compat/redis/test_pubsub.py",
    "SV_UNSUBSCRIBE": "compat/redis/test_pubsub.py",
    "TS_DEL_EVT": "commands/test_ts.py",
    "TS_INFO": "commands/test_ts.py",
    "TS_LIST": "commands/test_ts.py",
    "TS_LOAD": "compat/native/test_saves.py",
    "TS_SAVE": "compat/native/test_saves.py",
}


def lines() -> Iterator[list[bytes]]:
    """The command lines of all transcripts and recordings."""
    for case in reading.cases():
        yield from [words(line.command) for line in case.lines if not line.only]
    for file in FILES:
        for recorded in recorded_cases(file):
            yield from map(arguments, recorded["setup"])
            yield from [arguments(each["argv"]) for each in recorded["commands"]]


def runs_by_itself(command: Command) -> bool:
    """Whether it is more than a container of subcommands."""
    return not command.subcommands or command.min_args == 1


def test_every_redis_command_has_a_line() -> None:
    called = {command.name for line in lines() if line and (command := TABLE.find(line)) is not None}
    redis = {command.name for command in TABLE.everything() if command.handle is None and runs_by_itself(command)}
    assert redis - called == REDIS_ELSEWHERE.keys()


def test_every_native_command_has_a_case() -> None:
    named = {name for case in CASES if contradiction(case) is None for name, _, _ in messages(case)}
    assert TABLE.native.keys() - named == NATIVE_ELSEWHERE.keys()


@pytest.mark.parametrize(("name", "file"), [*REDIS_ELSEWHERE.items(), *NATIVE_ELSEWHERE.items()])
def test_commands_without_one_are_tested_elsewhere(name: str, file: str) -> None:
    text = (TESTS / file).read_text(encoding="utf-8").upper()
    assert all(word in text for word in name.split("|"))


def test_recordings_are_of_one_server() -> None:
    servers = {json.loads(path.read_text())["server"] for path in reading.RECORDED.glob("*.json")}
    assert servers == {"redis-server 7.0.15"}
    assert {path.stem for path in reading.RECORDED.glob("*.json")} == {case.stem for case in reading.cases()}

"""Users that redis-server has written are ours, and the other way round: ACL files, lines of configuration, and servers that do not start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Process, januskv_process, redis_process, words
from tests.transcripts.reading import Speaker

from januskv.resp.replies import ErrorReply

pytestmark = pytest.mark.live

USERS = (
    "alice reset on >secret ~a* %R~r* &news.* +@all -@dangerous",
    "bob reset on nopass +get +config|get +select|0 (~b +set) (%W~w* allchannels +@write)",
    "carol reset off #9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 >x allkeys nocommands +ping",
)
ASKED = (
    "GET a",
    "GET r",
    "SET r 1",
    "SET b 1",
    "SET w1 1",
    "KEYS *",
    "CONFIG GET x",
    "SELECT 0",
    "SELECT 1",
    "PING",
    "PUBLISH news.a x",
)


def speak(server: Process, *lines: str) -> list[Any]:
    speaker = Speaker(server.port, 2)
    try:
        return [speaker.ask(1, words(line))[1] for line in lines]
    finally:
        speaker.close()


def allowed(server: Process) -> list[tuple[str, str, bool]]:
    found = []
    for name in ("alice", "bob", "carol"):
        replies = speak(server, *(f"ACL DRYRUN {name} {line}" for line in ASKED))
        found += [(name, line, type(reply) is not bytes) for line, reply in zip(ASKED, replies, strict=True)]
    return found


def logins(server: Process) -> list[bool]:
    asked = ("AUTH alice secret", "AUTH alice x", "AUTH bob any", "AUTH carol test")
    return [type(reply) is not ErrorReply for reply in speak(server, *asked)]


@pytest.mark.parametrize("ours_first", [True, False], ids=["ours, then redis-server", "redis-server, then ours"])
def test_a_file_goes_from_one_to_the_other(tmp_path: Path, ours_first: bool) -> None:
    path = tmp_path / "users.acl"
    path.touch()
    first, second = (januskv_process, redis_process) if ours_first else (redis_process, januskv_process)
    with first("--aclfile", str(path)) as server:
        speak(server, *(f"ACL SETUSER {rules}" for rules in USERS), "ACL SAVE")
        wanted = allowed(server), logins(server)
    with second("--aclfile", str(path)) as server:
        assert (allowed(server), logins(server)) == wanted
        assert speak(server, "ACL SAVE", "ACL LOAD", "ACL USERS")[2] == [b"alice", b"bob", b"carol", b"default"]
    with first("--aclfile", str(path)) as server:
        assert (allowed(server), logins(server)) == wanted


def test_lines_of_redis_conf(tmp_path: Path) -> None:
    path = tmp_path / "redis.conf"
    path.write_text("".join(f"user {rules}\n" for rules in USERS))
    with redis_process() as server:
        speak(server, *(f"ACL SETUSER {rules}" for rules in USERS))
        wanted = allowed(server), logins(server)
    with januskv_process("--config", str(path)) as server:
        assert (allowed(server), logins(server)) == wanted
        speak(server, "CONFIG REWRITE")
    with januskv_process("--config", str(path)) as server:
        assert (allowed(server), logins(server)) == wanted


@pytest.mark.parametrize(
    ("file", "config", "told"),
    [
        pytest.param(
            "user a on\nuser b +nosuch\n", "", "users.acl:2: Error in applying operation '+nosuch'", id="a bad file"
        ),
        pytest.param(None, "", "No such file or directory", id="no file"),
        pytest.param("user a on\n", "user b on\n", "use one of the two", id="two places"),
    ],
)
def test_a_server_that_does_not_start(tmp_path: Path, file: str | None, config: str, told: str) -> None:
    if file is not None:
        (tmp_path / "users.acl").write_text(file)
    (tmp_path / "janus.conf").write_text(f"{config}aclfile {tmp_path / 'users.acl'}\nsave no\nport -1\nhttp-port -1\n")
    argv = [sys.executable, "-m", "januskv", "--config", str(tmp_path / "janus.conf")]
    ended = subprocess.run(argv, cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert told in (ended.stdout + ended.stderr).decode()

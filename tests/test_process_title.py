"""A password that was given as an option, or in the environment, is in nothing that the system shows of the process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from januskv.compat.server.parameters import PARAMETERS
from januskv.process_title import SECRETS, masked

from .test_process import exchange

SECRET = "tell-nobody-9"


def test_every_secret_is_masked() -> None:
    assert {f"--{each.name}" for each in PARAMETERS if each.secret} <= SECRETS.keys()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("januskv --requirepass s3cret --port 1", "januskv --requirepass *** --port 1"),
        ("januskv --requirepass=s3cret --port 1", "januskv --requirepass=*** --port 1"),
        ("januskv --requirepass= --port 1", "januskv --requirepass=*** --port 1"),
        ("januskv --requirepass two words --port 1", "januskv --requirepass *** *** --port 1"),
        ("januskv --requirepass -5 --port 1", "januskv --requirepass *** --port 1"),
        ("januskv --port 1 --requirepass s3cret", "januskv --port 1 --requirepass ***"),
        ("januskv --port 1 --requirepass", "januskv --port 1 --requirepass"),
        ("januskv import --password s3cret dump.aof", "januskv import --password *** dump.aof"),
        ("januskv export --password=s3cret --port 1", "januskv export --password=*** --port 1"),
        ("januskv --ditto-api-keys {} --port 1", "januskv --ditto-api-keys *** --port 1"),
        ("januskv --user a on >s3cret ~* --port 1", "januskv --user *** *** *** *** --port 1"),
        ("januskv --port 1 --save no", "januskv --port 1 --save no"),
    ],
)
def test_masked(line: str, shown: str) -> None:
    assert masked(line.split()) == shown.split()


def shown_by_the_system(pid: int) -> bytes:
    process = Path(f"/proc/{pid}")
    return (process / "cmdline").read_bytes() + (process / "environ").read_bytes() + (process / "comm").read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
@pytest.mark.parametrize("options", [["--requirepass", SECRET], [f"--requirepass={SECRET}"], []], ids=str)
def test_the_server(start_januskv: Any, options: list[str], tmp_path: Path) -> None:
    environment = None if options else {"JANUSKV_REQUIREPASS": SECRET}
    server = start_januskv("--dir", str(tmp_path / "data"), *options, environment=environment, password=SECRET)
    assert SECRET.encode() not in shown_by_the_system(server.pid)
    assert b"--bind 127.0.0.1" in shown_by_the_system(server.pid)
    with server.connect() as sock:
        assert exchange(sock, b"PING\r\n") == b"-NOAUTH Authentication required.\r\n"
        assert exchange(sock, f"AUTH {SECRET}\r\n".encode()) == b"+OK\r\n"
        for question in (b"INFO everything", b"CLIENT LIST", b"LOLWUT", b"SLOWLOG GET -1", b"CLIENT INFO"):
            assert SECRET.encode() not in exchange(sock, question + b"\r\nECHO end\r\n", b"\r\nend\r\n")
    server.process.terminate()
    assert SECRET not in server.process.stdout.read().decode()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_tool(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "commands")  # it waits there
    options = ["import", "--dir", str(tmp_path / "data"), "--password", SECRET, str(tmp_path / "commands")]
    with subprocess.Popen([sys.executable, "-m", "januskv", *options], stderr=subprocess.PIPE) as process:
        try:
            deadline = time.monotonic() + 20
            while b"--password *** " not in (shown := shown_by_the_system(process.pid)):
                assert process.poll() is None
                assert time.monotonic() < deadline
            assert SECRET.encode() not in shown
        finally:
            process.kill()


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    from januskv.cli import read_config

    monkeypatch.setenv("JANUSKV_REQUIREPASS", "one")
    assert read_config([]).requirepass == "one"
    assert read_config(["--requirepass", "two"]).requirepass == "two"

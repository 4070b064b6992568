"""A server whose thread a script has: who is heard meanwhile, what they are told, and what ends it."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from tests.conftest import Process, encoded

pytest.importorskip("lupa")

ENDLESS = "while true do end"
BUSY = b"-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n"


@pytest.fixture
def server(start_januskv: Callable[..., Process]) -> Process:
    return start_januskv("--busy-reply-threshold", "20")


def ask(sock: socket.socket, *argv: bytes | str | int) -> bytes:
    sock.sendall(encoded(*argv))
    reply = b""
    while not reply.endswith(b"\r\n"):
        part = sock.recv(65536)
        if not part:
            break
        reply += part
    return reply


def when_busy(sock: socket.socket) -> None:
    """Come back once clients are told BUSY."""
    while ask(sock, "PING") != BUSY:
        pass


def test_others_are_told_and_can_end_it(server: Process) -> None:
    with server.connect() as runner, server.connect() as before:
        assert ask(before, "PING") == b"+PONG\r\n"
        runner.sendall(encoded("EVAL", ENDLESS, 0))
        when_busy(before)
        with server.connect() as after:
            assert ask(after, "GET", "k") == BUSY
            after.sendall(b'{"KV_GET":{"keys":["k"]}}\n')
            assert b"BUSY" in after.recv(1000)
            assert b"while true do end" in ask(after, "FUNCTION", "STATS")
            assert ask(after, "FUNCTION", "KILL") == BUSY
            after.sendall(encoded("PING") * 3)
            assert ask(after, "SHUTDOWN").count(BUSY) >= 1
            with server.connect() as gone:
                assert ask(gone, "PING") == BUSY
            after.settimeout(10)
            after.sendall(encoded("SCRIPT", "KILL"))
            killed = b""
            while b"+OK" not in killed:
                killed += after.recv(1000)
            assert runner.recv(1000).startswith(b"-ERR Script killed by user with SCRIPT KILL...")
            for sock in (before, after, runner):
                assert ask(sock, "PING") == b"+PONG\r\n"
            assert ask(after, "SET", "k", 1) == b"+OK\r\n"
            assert b"connected_clients:3" in ask(before, "INFO", "clients") + before.recv(0)


def test_a_long_script_goes_on_with_its_own_commands(server: Process) -> None:
    with server.connect() as runner, server.connect() as other:
        assert ask(other, "PING") == b"+PONG\r\n"
        runner.sendall(encoded("EVAL", "while redis.call('INCR', KEYS[1]) < 1000000 do end return 'done'", 1, "n"))
        when_busy(other)
        assert ask(other, "SCRIPT", "KILL").startswith(b"-UNKILLABLE ")
        assert runner.recv(1000) == b"$4\r\ndone\r\n"
        assert ask(other, "GET", "n") == b"$7\r\n1000000\r\n"


def test_the_end_without_what_the_script_has_changed(start_januskv: Callable[..., Process], tmp_path: object) -> None:
    options = ("--busy-reply-threshold", "20", "--appendonly", "yes", "--appendfsync", "always", "--dir", str(tmp_path))
    server = start_januskv(*options)
    with server.connect() as runner, server.connect() as other:
        assert ask(other, "SET", "kept", 1) == b"+OK\r\n"
        runner.sendall(encoded("EVAL", "redis.call('SET', 'lost', 1) " + ENDLESS, 0))
        when_busy(other)
        assert ask(other, "SHUTDOWN", "NOSAVE") == b""
    assert server.process.wait(10) == 0
    again = start_januskv(*options)
    with again.connect() as sock:
        assert ask(sock, "EXISTS", "kept", "lost") == b":1\r\n"

"""The process: options, files, listeners, limits, and the end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., Any]


def exchange(sock: socket.socket, data: bytes, until: bytes = b"\n") -> bytes:
    """Send bytes; what comes back up to some bytes, or to the end."""
    sock.sendall(data)
    return received(sock, until)


def received(sock: socket.socket, until: bytes) -> bytes:
    """What comes up to some bytes, or to the end."""
    found = b""
    while until not in found:
        received = sock.recv(65536)
        if not received:
            break
        found += received
    return found


def januskv(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run([sys.executable, "-m", "januskv", *options], capture_output=True, text=True, timeout=30)


def test_help_and_version() -> None:
    assert "--requirepass" in januskv("--help").stdout
    assert januskv("--version").stdout.startswith("JanusKV ")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        pytest.param(
            ["--port", "abc"], "--port: argument couldn't be parsed into an integer", id="a port that is not a number"
        ),
        pytest.param(["--config", "/nonexistent.conf"], "cannot read /nonexistent.conf", id="no such file"),
        pytest.param(["--nosuch", "1"], "there is no option --nosuch", id="an unknown option"),
    ],
)
def test_bad_options_end_with_status_2(options: list[str], text: str) -> None:
    done = januskv(*options)
    assert done.returncode == 2
    assert text in done.stderr


def test_a_taken_port_ends_with_status_1(start_januskv: Start) -> None:
    server = start_januskv()
    done = januskv("--port", str(server.port), "--http-port", "0", "--bind", "127.0.0.1")
    assert done.returncode == 1
    assert f"cannot bind 127.0.0.1:{server.port}" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(start_januskv: Start, number: signal.Signals) -> None:
    server = start_januskv()
    with server.connect() as sock:
        assert exchange(sock, b"PING\r\n") == b"+PONG\r\n"
        server.process.send_signal(number)
        assert sock.recv(10) == b""
    assert server.process.wait(10) == 0
    assert "has ended" in server.process.stdout.read().decode()


def test_shutdown_ends_it(start_januskv: Start) -> None:
    server = start_januskv()
    with server.connect() as sock:
        sock.sendall(b"SHUTDOWN NOSAVE\r\n")
        assert sock.recv(10) == b""
    assert server.process.wait(10) == 0


def test_unix_socket(start_januskv: Start, tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.touch()  # a stale one
    server = start_januskv("--unixsocket", str(path), "--unixsocketperm", "700")
    assert path.stat().st_mode & 0o777 == 0o700
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        assert exchange(sock, b"PING\r\n") == b"+PONG\r\n"
        assert b"flags=U" in exchange(sock, b"CLIENT LIST\r\n", b"lib-ver=")
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(10) == 0
    assert not path.exists()


def test_password_at_every_transport(start_januskv: Start) -> None:
    server = start_januskv("--requirepass", "geheim")
    with server.connect() as sock:
        assert exchange(sock, b"GET k\r\n") == b"-NOAUTH Authentication required.\r\n"
        assert b'"st":170' in exchange(sock, b'{"KV_COUNT":{}}\n')
        assert exchange(sock, b"AUTH wrong\r\n").startswith(b"-WRONGPASS")
        assert exchange(sock, b"AUTH geheim\r\n") == b"+OK\r\n"
        assert b'"st":1' in exchange(sock, b'{"KV_COUNT":{}}\n')
    with server.connect() as sock:
        assert b'"st":1}' in exchange(sock, b'{"SV_AUTH":{"password":"geheim"}}\n')
        assert exchange(sock, b"GET k\r\n") == b"$-1\r\n"
    with socket.create_connection(("127.0.0.1", server.http_port)) as sock:
        assert b" 401 " in exchange(sock, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with socket.create_connection(("127.0.0.1", server.http_port)) as sock:
        head = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer geheim\r\n\r\n"
        assert b" 200 " in exchange(sock, head)


def test_maxclients_and_idle_clients(start_januskv: Start) -> None:
    server = start_januskv("--maxclients", "2", "--timeout", "1")
    with server.connect() as first, server.connect() as second:
        assert exchange(first, b"PING\r\n") == exchange(second, b"PING\r\n") == b"+PONG\r\n"
        with server.connect() as third:
            assert exchange(third, b"", b"\n") == b"-ERR max number of clients reached\r\n"
        assert first.recv(10) == b""  # after a second of silence


def test_a_reader_that_never_reads_is_cut_off(start_januskv: Start) -> None:
    server = start_januskv("--client-output-buffer-limit", "normal", "8mb", "0", "0")
    with server.connect() as sock, server.connect() as other:
        exchange(sock, b"SETRANGE big 1000000 x\r\n")
        with pytest.raises(OSError):
            for _ in range(200):
                sock.sendall(b"GET big\r\n" * 100)
                exchange(other, b"PING\r\n")
            exchange(sock, b"", b"never")
        assert exchange(other, b"PING\r\n") == b"+PONG\r\n"


@pytest.mark.parametrize("name", ["januskv.conf", "januskv.toml"])
def test_configuration_files(start_januskv: Start, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith(".toml"):
        path.write_text('maxclients = 123\nprotected-mode = false\nclient-output-buffer-limit = "normal 1mb 0 0"\n')
    else:
        path.write_text("# a comment\nmaxclients 123\nprotected-mode no\nclient-output-buffer-limit normal 1mb 0 0\n")
    server = start_januskv("--config", str(path), "--slowlog-max-len", "7")
    with server.connect() as sock:
        found = exchange(
            sock, b"CONFIG GET maxclients\r\nCONFIG GET protected-mode\r\nCONFIG GET slowlog-max-len\r\n", b"\r\n7\r\n"
        )
        assert b"123" in found
        assert b"no" in found
        assert exchange(sock, b"CONFIG SET maxclients 77\r\n") == b"+OK\r\n"
        assert exchange(sock, b"CONFIG REWRITE\r\n") == b"+OK\r\n"
    assert "77" in path.read_text()


def test_the_plain_build_serves_too_and_says_so(start_januskv: Start) -> None:
    server = start_januskv(environment={"JANUSKV_PURE": "1"})
    assert "# running as plain Python, which is slower: JANUSKV_PURE is set" in server.start_log
    with server.connect() as sock:
        assert b"januskv_build:plain" in exchange(sock, b"INFO server\r\n", b"januskv_build:plain")
        assert json.loads(exchange(sock, b'{"KV_SET":{"keys":{"a":1}}}\n')) == {"KV_SET_RSP": {"st": 1}}
        assert exchange(sock, b"INCR a\r\n") == b":2\r\n"


# ---------------------------------------------------------------- what service managers ask for


def log_has(path: Path, text: str) -> str:
    """Wait until the log has a text; the log."""
    found = ""
    while text not in found:
        found = path.read_text() if path.exists() else ""
    return found


def test_sighup_does_not_end_it(start_januskv: Start) -> None:
    server = start_januskv()
    server.process.send_signal(signal.SIGHUP)
    assert "SIGHUP: nothing to do" in server.process.stdout.readline().decode()
    with server.connect() as sock:
        assert exchange(sock, b"PING\r\n") == b"+PONG\r\n"


def test_a_log_that_nobody_reads_holds_nothing_up(start_januskv: Start) -> None:
    server = start_januskv("--enable-debug-command", "yes")
    with server.connect() as sock:
        lines = b"".join(b"DEBUG LOG %d%s\r\n" % (number, b"x" * 500) for number in range(1000))
        assert exchange(sock, lines + b"PING\r\n", b"PONG\r\n").endswith(b"+PONG\r\n")
        os.set_blocking(server.process.stdout.fileno(), False)
        logged = server.process.stdout.read().count(b"DEBUG LOG")
        exchange(sock, b"DEBUG LOG again\r\n")
        rest = server.process.stdout.read().decode()
    lost, line = rest.splitlines()
    assert lost == f"({1000 - logged} lines have been lost: standard output was not read)"
    assert line.endswith('DEBUG LOG: "again"')


def test_a_closed_standard_output(tmp_path: Path) -> None:
    program = f"exec {sys.executable} -m januskv --port 0 --http-port 0 --unixsocket {tmp_path}/s --save no >&-"
    server = subprocess.Popen(["sh", "-c", program], cwd=tmp_path)
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            while sock.connect_ex(str(tmp_path / "s")):  # it is there a moment before it is listened to
                assert server.poll() is None
            assert exchange(sock, b"PING\r\n") == b"+PONG\r\n"
    finally:
        server.terminate()
        server.wait(timeout=20)
    assert server.returncode == 0


def run_in_background(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    files = ["--daemonize", "yes", "--pidfile", str(folder / "pid"), "--logfile", str(folder / "log")]
    ports = ["--port", "0", "--http-port", "0", "--unixsocket", str(folder / "s")]
    return januskv(*ports, *files, "--dir", str(folder / "data"), *options)


def test_in_the_background_with_log_and_pid_file(tmp_path: Path) -> None:
    done = run_in_background(tmp_path)
    pid = int((tmp_path / "pid").read_text())
    try:
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert " ready: " in (tmp_path / "log").read_text()  # the command ends when the server is ready
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(tmp_path / "s"))
            assert f"process_id:{pid}\r\n".encode() in exchange(sock, b"INFO server\r\n", b"tcp_port")
            (tmp_path / "log").rename(tmp_path / "log.1")
            os.kill(pid, signal.SIGHUP)
            assert "reopened" in log_has(tmp_path / "log", "\n")
            exchange(sock, b"SET a 1\r\nBGSAVE\r\n", b"started")
            log_has(tmp_path / "log", "a snapshot has been written")
            assert exchange(sock, b"FLUSHALL\r\n") == b"+OK\r\n"
            log = log_has(tmp_path / "log", "FLUSHALL by")
            assert "a snapshot is being written in the background" in log
            assert ": 1 keys removed" in log
    finally:
        os.kill(pid, signal.SIGTERM)
    log_has(tmp_path / "log", "has ended")
    assert "ready" in (tmp_path / "log.1").read_text()


def test_a_start_in_the_background_that_fails(tmp_path: Path) -> None:
    done = run_in_background(tmp_path, "--load-name", "nosuch")
    assert done.returncode == 1
    assert "the save 'nosuch' cannot be loaded" in (tmp_path / "log").read_text()
    assert not (tmp_path / "pid").exists()


def test_a_log_file_that_cannot_be_written() -> None:
    done = januskv("--logfile", "/nonexistent/log")
    assert done.returncode == 1
    assert done.stderr == "januskv: logfile /nonexistent/log: No such file or directory\n"


def test_systemd_is_told(start_januskv: Start, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        server = start_januskv("--supervised", "auto", environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(1000).startswith(b"READY=1\nSTATUS=JanusKV ")
        server.process.send_signal(signal.SIGTERM)
        assert manager.recv(1000) == b"STOPPING=1"


def test_systemd_that_is_not_there(start_januskv: Start) -> None:
    assert "there is no NOTIFY_SOCKET" in start_januskv("--supervised", "systemd").start_log


def test_parameters_without_effect_are_told_in_one_line(start_januskv: Start) -> None:
    server = start_januskv("--rdbcompression", "yes", "--lfu-log-factor", "5")
    assert "# these parameters of redis.conf have no effect here: rdbcompression, lfu-log-factor\n" in server.start_log


@pytest.mark.parametrize(
    ("options", "peer", "parameter"),
    [
        pytest.param({"maxclients": 1}, "127.0.0.1", "maxclients", id="too many"),
        pytest.param({}, "192.0.2.7", "protected-mode", id="protected mode"),
    ],
)
def test_refused_clients_are_logged(make_house: Any, caplog: Any, options: Any, peer: str, parameter: str) -> None:
    house = make_house(**options)
    house.connect()
    for port in (1, 2, 3):
        house.connect((peer, port))
    assert [record.getMessage() for record in caplog.records] == [f"client {peer}:1 refused: {parameter}"]
    now_s = house.server.limited_log.now_s()
    house.server.limited_log.now_s = lambda: now_s + 60
    house.connect((peer, 4))
    assert caplog.messages[1:] == [f"client {peer}:4 refused: {parameter} (2 more since the last line like this)"]


def test_save_no_touches_no_directory(start_januskv: Start) -> None:
    server = start_januskv("--save", "no")
    with server.connect() as sock:
        assert b'"st":14' in exchange(sock, b'{"KV_SAVE":{"name":"x"}}\n')
        assert b'"st":142' in exchange(sock, b'{"KV_LOAD":{"name":"x"}}\n')
    server.process.terminate()
    server.process.wait(10)
    assert not any(Path(server.folder).iterdir())


def first_lines(folder: Path, *options: str) -> str:
    """What a server says that starts in a directory, up to its being ready; it is ended then."""
    argv = [sys.executable, "-m", "januskv", "--port", "-1", "--http-port", "-1", "--bind", "127.0.0.1", *options]
    process = subprocess.Popen(argv, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = ""
    try:
        while " ready: " not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
    finally:
        process.terminate()
        process.communicate(timeout=10)
    return said


@pytest.mark.parametrize(
    ("path", "content", "hint"),
    [
        pytest.param("dump.rdb", b"REDIS0010\xfa", "dump.rdb is a snapshot of redis-server", id="a snapshot"),
        pytest.param("appendonlydir/appendonly.aof.manifest", b"file", "'januskv import ", id="a log of Redis 7"),
        pytest.param("appendonly.aof", b"*2\r\n$6\r\n", "'januskv import ", id="a log of Redis 6"),
        pytest.param("dump.rdb", b"my own", "", id="somebody's own file of that name"),
        pytest.param("dump.rdb/REDIS", b"REDIS", "", id="a directory"),
    ],
)
@pytest.mark.parametrize(
    "options", [["--save", "no"], ["--dir", "."], []], ids=["nothing kept", "as directory", "beside"]
)
def test_the_data_of_a_redis_server_is_not_passed_over_in_silence(
    tmp_path: Path, path: str, content: bytes, hint: str, options: list[str]
) -> None:
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_bytes(content)
    said = first_lines(tmp_path, *options)
    assert said.count("of redis-server") == (1 if hint else 0)
    assert hint in said
    assert "docs/migrate.md" in said or not hint


def test_a_start_loads_neither_numpy_nor_aiohttp() -> None:
    """They take most of the time of a start, and a third of the memory of an empty server."""
    code = "import sys, januskv.app; print('numpy.linalg' in sys.modules, 'aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert done.stdout == "False False\n"


def test_first_pages_at_once(start_januskv: Start) -> None:
    """All that ask while the pages are loaded are answered, one that sends no more as well; other clients are served."""
    server = start_januskv()
    with contextlib.ExitStack() as stack:
        askers = [stack.enter_context(socket.create_connection(("127.0.0.1", server.http_port))) for _ in range(3)]
        for asker in askers:
            asker.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        askers[0].shutdown(socket.SHUT_WR)
        with server.connect() as sock:
            assert exchange(sock, b"PING\r\n") == b"+PONG\r\n"
        assert all(b" 200 OK" in received(asker, b"ok\n") for asker in askers)

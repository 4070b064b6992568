"""Timely's ports of a running server: points over TCP, UDP and the data port, restarts, other addresses."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Process

from januskv import __version__

OWN_PORTS = ("--timely-port", "-1", "--timely-udp-port", "-1")
LIMIT_S = 20.0


def ports(server: Process) -> tuple[int, int]:
    """Timely's TCP and UDP port, as the server says when it is ready."""
    found = re.search(r"Timely lines on [0-9.]+:(\d+), Timely datagrams on [0-9.]+:(\d+)", server.start_log)
    assert found is not None
    return int(found[1]), int(found[2])


def ask(server: Process, line: str) -> bytes:
    """The reply to a command line; empty until the server has sent something."""
    with server.connect() as sock:
        sock.sendall(line.encode() + b"\r\nPING\r\n")
        data = b""
        while not data.endswith(b"+PONG\r\n"):
            data += sock.recv(65536)
    return data.removesuffix(b"+PONG\r\n")


def wait_for(server: Process, line: str, wanted: bytes) -> None:
    """Ask until the reply has what is wanted: points are stored some time after they are sent."""
    deadline = time.monotonic() + LIMIT_S
    while wanted not in (found := ask(server, line)):
        assert time.monotonic() < deadline, found


def send(port: int, data: bytes, host: str = "127.0.0.1") -> bytes:
    """Send bytes over a connection that ends then; what came back."""
    with socket.create_connection((host, port), timeout=LIMIT_S) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        found = b""
        while more := sock.recv(65536):
            found += more
    return found


def datagram(port: int, data: bytes, host: str = "127.0.0.1") -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(data, (host, port))


def test_points_come_over_all_ports(start_januskv: Callable[..., Process]) -> None:
    server = start_januskv(*OWN_PORTS)
    tcp, udp = ports(server)
    assert send(tcp, b"put m 1 1 by=tcp\nversion\n") == __version__.encode()
    assert send(server.port, b"put m 1 2 by=data\nversion\n") == __version__.encode()
    datagram(udp, b"put m 1 3 by=udp\n")
    wait_for(server, "INFO stats", b"timely_points_received:3\r\n")
    found = ask(server, "TS.MGET FILTER __name__=m")
    assert [found.count(b"m{by=%b}" % by) for by in (b"tcp", b"data", b"udp")] == [1, 1, 1]
    info = ask(server, "INFO server")
    assert b"\r\ntimely_port:%d\r\n" % tcp in info
    assert b"\r\ntimely_udp_port:%d\r\n" % udp in info


def test_there_are_no_such_ports_by_default(start_januskv: Callable[..., Process]) -> None:
    server = start_januskv()
    assert "Timely" not in server.start_log
    assert b"\r\ntimely_port:0\r\ntimely_udp_port:0\r\n" in ask(server, "INFO server")


@pytest.mark.parametrize("way", ["tcp", "data", "udp"])
def test_points_survive_a_restart(start_januskv: Callable[..., Process], tmp_path: Path, way: str) -> None:
    options = (*OWN_PORTS, "--dir", str(tmp_path / "data"))
    server = start_januskv(*options)
    tcp, udp = ports(server)
    lines = b"put disk.used 1893456000 1.5 host=db7\nput disk.used 1893456060 2.5 host=db7\nput up 5 1 viz=A&B\n"
    if way == "udp":
        datagram(udp, lines)
    else:
        send(tcp if way == "tcp" else server.port, lines)
    wait_for(server, "INFO stats", b"timely_points_received:3\r\n")
    before = ask(server, "TS.MRANGE - + WITHLABELS FILTER __name__=disk.used")
    assert b":1893456060000\r\n+2.5\r\n" in before
    server.process.kill()
    server.process.wait(10)
    again = start_januskv(*options)
    assert ask(again, "TS.MRANGE - + WITHLABELS FILTER __name__=disk.used") == before
    assert b"viz" in ask(again, "TS.MRANGE - + WITHLABELS FILTER viz=A&B")


def test_other_addresses(start_januskv: Callable[..., Process]) -> None:
    server = start_januskv(*OWN_PORTS)
    tcp, udp = ports(server)
    assert ask(server, 'CONFIG SET bind "127.0.0.1 127.0.0.2"') == b"+OK\r\n"
    send(tcp, b"put m 1 1\n", "127.0.0.2")
    datagram(udp, b"put m 2 2\n", "127.0.0.2")
    datagram(udp, b"put m 3 3\n")
    wait_for(server, "INFO stats", b"timely_points_received:3\r\n")
    assert ask(server, "CONFIG SET bind 127.0.0.1") == b"+OK\r\n"
    with pytest.raises(ConnectionRefusedError):
        send(tcp, b"put m 1 1\n", "127.0.0.2")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.2", udp))  # it is free again
    datagram(udp, b"put m 4 4\n")
    wait_for(server, "INFO stats", b"timely_points_received:4\r\n")


def test_datagrams_wait_while_writes_are_paused(start_januskv: Callable[..., Process]) -> None:
    server = start_januskv(*OWN_PORTS)
    _, udp = ports(server)
    assert ask(server, "CLIENT PAUSE 60000 WRITE") == b"+OK\r\n"
    for number in range(10):
        datagram(udp, b"put m %d 1\n" % number)
    assert b"timely_points_received:0\r\n" in ask(server, "INFO stats")
    assert ask(server, "CLIENT UNPAUSE") == b"+OK\r\n"
    wait_for(server, "INFO stats", b"timely_points_received:10\r\n")


def test_the_start_names_a_port_that_is_taken(start_januskv: Callable[..., Process], tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        argv = [*start_januskv().argv, "--timely-udp-port", str(port)]
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=30, cwd=tmp_path)
    assert ended.returncode == 1
    assert f"cannot bind 127.0.0.1:{port}: Address already in use" in ended.stdout + ended.stderr


@pytest.mark.parametrize("name", ["timely-database", "ditto-database"])
def test_a_database_that_is_not_there(start_januskv: Callable[..., Process], tmp_path: Path, name: str) -> None:
    argv = [*start_januskv().argv, f"--{name}", "16"]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=30, cwd=tmp_path)
    assert ended.returncode == 1
    assert f"{name}: there is no such database" in ended.stdout + ended.stderr

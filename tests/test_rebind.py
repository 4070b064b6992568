"""CONFIG SET port and bind: new listeners, old connections."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Process, free_port


def ask(sock: socket.socket, line: str) -> bytes:
    sock.sendall(line.encode() + b"\r\n")
    data = b""
    while not data.endswith(b"\r\n"):
        data += sock.recv(65536)
    return data


def refused(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.fixture
def server(start_januskv: Callable[..., Process]) -> Process:
    return start_januskv()


def test_another_port(server: Process) -> None:
    old, new = server.connect(), free_port()
    assert ask(old, f"CONFIG SET port {new}") == b"+OK\r\n"
    with socket.create_connection(("127.0.0.1", new), timeout=5) as sock:
        assert ask(sock, "PING") == b"+PONG\r\n"
        assert b"tcp_port:%d\r\n" % new in ask(sock, "INFO server")
        assert str(new).encode() in ask(sock, "CONFIG GET port")
    assert ask(old, "PING") == b"+PONG\r\n"
    assert refused(("127.0.0.1", server.port))
    assert not refused(("127.0.0.1", server.http_port))


def test_a_port_that_is_taken_changes_nothing(server: Process) -> None:
    old = server.connect()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        assert ask(old, f"CONFIG SET port {taken}") == (
            b"-ERR CONFIG SET failed (possibly related to argument 'port') - "
            b"Unable to listen on this port. Check server logs.\r\n"
        )
    assert not refused(("127.0.0.1", server.port))
    assert b"tcp_port:%d\r\n" % server.port in ask(old, "INFO server")


def test_more_and_fewer_addresses(server: Process) -> None:
    old = server.connect()
    assert ask(old, 'CONFIG SET bind "127.0.0.1 127.0.0.2"') == b"+OK\r\n"
    for host in ("127.0.0.1", "127.0.0.2"):
        for port in (server.port, server.http_port):
            assert not refused((host, port))
    assert ask(old, "CONFIG SET bind 127.0.0.2") == b"+OK\r\n"
    with socket.create_connection(("127.0.0.2", server.port), timeout=5) as sock:
        assert ask(sock, "PING") == b"+PONG\r\n"
    assert refused(("127.0.0.1", server.port))
    assert refused(("127.0.0.1", server.http_port))
    assert ask(old, 'CONFIG SET bind ""') == b"+OK\r\n"
    assert refused(("127.0.0.2", server.port))
    assert ask(old, "CONFIG SET bind 127.0.0.1") == b"+OK\r\n"
    assert not refused(("127.0.0.1", server.port))


@pytest.mark.parametrize("address", ["999.999.999.999", "192.0.2.1", "127.0.0.1 192.0.2.1"])
def test_an_address_that_cannot_be_bound_changes_nothing(server: Process, address: str) -> None:
    old = server.connect()
    assert ask(old, f'CONFIG SET bind "{address}"') == (
        b"-ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses.\r\n"
    )
    assert not refused(("127.0.0.1", server.port))
    assert ask(old, 'CONFIG SET bind "127.0.0.1 -192.0.2.1"') == b"+OK\r\n"


def test_what_fails_beside_it_takes_it_back(start_januskv: Callable[..., Process], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    server = start_januskv("--save", "no", "--dir", str(tmp_path / "file"))
    old, new = server.connect(), free_port()
    reply = ask(old, f"CONFIG SET port {new} appendonly yes")
    assert reply.startswith(b"-ERR CONFIG SET failed (possibly related to argument 'appendonly')")
    assert refused(("127.0.0.1", new))
    assert not refused(("127.0.0.1", server.port))
    assert b"tcp_port:%d\r\n" % server.port in ask(old, "INFO server")

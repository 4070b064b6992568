"""Clients that do not read, over real sockets: what the event loop's transport tells is what the limits rely on."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.conftest import januskv_process

pytestmark = pytest.mark.live

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@pytest.fixture(scope="module")
def locked() -> Iterator[Any]:
    with januskv_process("--requirepass", "secret") as server:
        yield server


def opened(server: Any, listener: str) -> socket.socket:
    if listener == "data":
        return server.connect()  # type: ignore[no-any-return]
    sock = socket.create_connection(("127.0.0.1", server.http_port), timeout=10)
    sock.sendall(UPGRADE % server.http_port)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    assert b" 101 " in head
    return sock


@pytest.mark.parametrize(
    ("listener", "request_"),
    [("data", b"GET a\r\n"), ("data", b'{"KV_CLEAR":{}}\n'), ("http", b"\x81\x8f\0\0\0\0" + b'{"KV_CLEAR":{}}')],
    ids=["RESP", "JSON line", "WebSocket"],
)
def test_an_unauthenticated_client_that_does_not_read_is_cut(locked: Any, listener: str, request_: bytes) -> None:
    with opened(locked, listener) as sock, pytest.raises(OSError, match="reset|Broken pipe"):
        for _ in range(2_000):  # 200 MB: more than all buffers hold
            sock.sendall(request_ * (100_000 // len(request_)))


def test_who_logs_in_may_leave_much_unread(locked: Any) -> None:
    with opened(locked, "data") as sock:
        sock.sendall(b"AUTH secret\r\nSETRANGE big 999999 x\r\n" + b"GET big\r\n" * 20)
        size = len(b"+OK\r\n:1000000\r\n") + 20 * len(b"$1000000\r\n" + bytes(1_000_000) + b"\r\n")
        with sock.makefile("rb") as replies:
            assert len(replies.read(size)) == size


@pytest.fixture
def long_list(janus: Any, encode_command: Callable[..., bytes]) -> Iterator[int]:
    """A server that has a list whose LRANGE does not fit into the system's buffers; the size of that reply."""
    with janus.connect() as sock, sock.makefile("rb") as replies:
        for _ in range(10):
            sock.sendall(encode_command("RPUSH", "slow:list", *[b"%0400d" % number for number in range(5_000)]))
            replies.readline()
        yield len(b"*50000\r\n") + 50_000 * len(b"$400\r\n" + bytes(400) + b"\r\n")
        sock.sendall(b"DEL slow:list\r\n")
        replies.readline()


def test_a_reply_in_slices_waits_for_its_reader(janus: Any, long_list: int) -> None:
    with janus.connect() as slow, janus.connect() as other, contextlib.closing(slow.makefile("rb")) as replies:
        slow.sendall(b"LRANGE slow:list 0 -1\r\nPING\r\n")
        other.sendall(b"PING\r\n")
        assert other.recv(100) == b"+PONG\r\n"
        assert len(replies.read(long_list)) == long_list
        assert replies.readline() == b"+PONG\r\n"


def test_a_reply_in_slices_reaches_one_that_sends_no_more(janus: Any, long_list: int) -> None:
    with janus.connect() as slow, contextlib.closing(slow.makefile("rb")) as replies:
        slow.sendall(b"LRANGE slow:list 0 -1\r\nPING\r\n")
        slow.shutdown(socket.SHUT_WR)
        assert len(replies.read()) == long_list + len(b"+PONG\r\n")


def test_client_kill_ends_one_that_does_not_read(janus: Any, long_list: int) -> None:
    with janus.connect() as slow, janus.connect() as other:
        slow.sendall(b"CLIENT ID\r\nLRANGE slow:list 0 -1\r\n")
        number = slow.recv(100).split(b"\r\n")[0][1:]
        other.sendall(b"CLIENT KILL ID %b\r\nCLIENT LIST ID %b\r\n" % (number, number))
        with contextlib.closing(other.makefile("rb")) as replies:
            assert [replies.readline() for _ in range(2)] == [b":1\r\n", b"$0\r\n"]

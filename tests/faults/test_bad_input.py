"""Hostile bytes on both ports: a clear error or a closed connection, flat memory, and nobody else notices."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CLOSED = b"<closed>"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def resident_mib(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def ask(port: int, data: bytes, until: bytes = b"") -> bytes:
    """What a server answers, up to some bytes or (without any) until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        found = b""
        try:
            sock.sendall(data)
            while not until or until not in found:
                received = sock.recv(65536)
                if not received:
                    return found + CLOSED
                found += received
        except ConnectionError:
            return found + CLOSED
        return found


@pytest.fixture
def bystander(janus: Any) -> Iterator[None]:
    """Another client, which must be served as before, and memory that must not grow."""
    with socket.create_connection(("127.0.0.1", janus.port), timeout=10) as sock:
        sock.sendall(b"SET bystander 1\r\n")
        assert sock.recv(64) == b"+OK\r\n"
        before = resident_mib(janus.pid)
        yield
        sock.sendall(b"GET bystander\r\n")
        assert sock.recv(64) == b"$1\r\n1\r\n"
        assert resident_mib(janus.pid) - before < 64


pytestmark = pytest.mark.usefixtures("bystander")


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        pytest.param(b"*1000000000\r\n", b"-ERR Protocol error: invalid multibulk length\r\n", id="a huge count"),
        pytest.param(b"*2\r\n$1000000000000\r\n", b"-ERR Protocol error: invalid bulk length\r\n", id="a huge length"),
        pytest.param(b"*1\r\n$536870913\r\n", b"-ERR Protocol error: invalid bulk length\r\n", id="512 MB and a byte"),
        pytest.param(b"*1048577\r\n", b"-ERR Protocol error: invalid multibulk length\r\n", id="one argument too many"),
        pytest.param(b"*1\r\n:1\r\n", b"-ERR Protocol error: expected '$', got ':'\r\n", id="a reply as request"),
        pytest.param(b"x" * 70_000, b"-ERR Protocol error: too big inline request\r\n", id="a line without end"),
        pytest.param(b'SET "a\r\n', b"-ERR Protocol error: unbalanced quotes in request\r\n", id="an open quote"),
        pytest.param(
            b'POST / HTTP/1.1\r\nHost: x\r\n\r\n{"SH_END_ALL":{}}\n', b"", id="an HTTP request with a command as body"
        ),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", b"", id="an HTTP request"),
    ],
)
def test_data_port_closes(janus: Any, data: bytes, answer: bytes) -> None:
    assert ask(janus.port, data) == answer + CLOSED


def command(body: str) -> bytes:
    return b'{"KV_SET":{"keys":{"bad":%b}}}\n' % body.encode()


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        pytest.param(
            command("[" * 200 + "]" * 200), b'{"ERR":{"st":3,"m":"nested deeper than 128"}}', id="deep nesting"
        ),
        pytest.param(command("[" * 100_000), b'{"ERR":{"st":3,"m":"nested deeper than 128"}}', id="very deep nesting"),
        pytest.param(
            command("18446744073709551616"),
            b'{"ERR":{"st":3,"m":"an integer does not fit into 64 bits"}}',
            id="an integer beyond 64 bits",
        ),
        pytest.param(
            command("1" * 100_000),
            b'{"ERR":{"st":3,"m":"an integer does not fit into 64 bits"}}',
            id="an integer of 100,000 digits",
        ),
        pytest.param(command("NaN"), b'{"ERR":{"st":3,"m":""}}', id="NaN"),
        pytest.param(command('"\\ud800"'), b'{"ERR":{"st":3,"m":""}}', id="a lone surrogate"),
        pytest.param(b'{"A":{}}{"B":{}}\n', b'{"ERR":{"st":3,"m":""}}', id="two documents on a line"),
        pytest.param(b'{"a":"\xff"}\n', b'{"ERR":{"st":3,"m":""}}', id="invalid UTF-8"),
        pytest.param(b"{}\n", b'{"ERR":{"st":13,"m":""}}', id="an empty object"),
        pytest.param(
            b'{"__proto__":{}}\n', b'{"__proto___RSP":{"st":10,"tkn":null,"m":"Unknown command"}}', id="a strange name"
        ),
        pytest.param(b'{"":{}}\n', b'{"_RSP":{"st":10,"tkn":null,"m":"Unknown command"}}', id="no name"),
        pytest.param(
            b'{"KV_FIND":{"rsp":"keys","path":"$[?(@ =~ /(a+)+$/)]"}}\n',
            b'"KV_FIND_RSP":{"st":1',
            id="a costly expression",
        ),
    ],
)
def test_json_lines_go_on(janus: Any, data: bytes, answer: bytes) -> None:
    found = ask(janus.port, data + b'{"KV_COUNT":{}}\n', until=b'"KV_COUNT_RSP"')
    assert answer in found


def frame(first: int, payload: bytes, size: int | None = None) -> bytes:
    mask = b"\1\2\3\4"
    announced = len(payload) if size is None else size
    if announced < 126:
        head = bytes([first, 0x80 | announced])
    elif announced < 65536:
        head = bytes([first, 0x80 | 126]) + struct.pack(">H", announced)
    else:
        head = bytes([first, 0x80 | 127]) + struct.pack(">Q", announced)
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"\x81\x02{}", 1002, id="an unmasked frame"),
        pytest.param(frame(0xC1, b"{}"), 1002, id="a reserved bit"),
        pytest.param(frame(0x09, b"x"), 1002, id="a fragmented ping"),
        pytest.param(frame(0x83, b"x"), 1002, id="a reserved opcode"),
        pytest.param(frame(0x80, b"x"), 1002, id="a continuation of nothing"),
        pytest.param(frame(0x01, b"x") + frame(0x81, b"y"), 1002, id="a message inside another"),
        pytest.param(frame(0x81, b"", size=1 << 63), 1009, id="a length of 2^63"),
        pytest.param(frame(0x81, b"", size=(1 << 64) - 1), 1009, id="a length of 2^64-1"),
        pytest.param(frame(0x81, b"\xff{}"), 1007, id="text that is not UTF-8"),
        pytest.param(frame(0x88, struct.pack(">H", 1000)), 1000, id="a close in order"),
        pytest.param(frame(0x88, struct.pack(">H", 1005)), 1002, id="a close with a forbidden code"),
    ],
)
def test_websocket_closes(janus: Any, data: bytes, code: int) -> None:
    found = ask(janus.http_port, UPGRADE + data).partition(b"\r\n\r\n")[2]
    assert found.endswith(CLOSED)
    assert found[0] == 0x88
    assert struct.unpack(">H", found[2:4]) == (code,)


def test_websocket_in_tiny_fragments(janus: Any) -> None:
    data = (
        UPGRADE + frame(0x01, b"{") + frame(0x00, b" ") * 20_000 + frame(0x89, b"ping") + frame(0x80, b'"KV_COUNT":{}}')
    )
    found = ask(janus.http_port, data, until=b"KV_COUNT_RSP")
    assert b"\x8a\x04ping" in found


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(
            UPGRADE.replace(b"Host: localhost\r\n", b"Host: localhost\r\nOrigin: http://evil\r\n"),
            b" 403 ",
            id="a foreign origin",
        ),
        pytest.param(
            UPGRADE.replace(b"Host: localhost\r\n", b"Host: localhost\r\nOrigin: http://localhost\r\n"),
            b" 101 ",
            id="its own origin",
        ),
        pytest.param(UPGRADE.replace(b"13", b"8"), b" 426 ", id="an old version"),
        pytest.param(UPGRADE.replace(b"dGhl", b""), b" 400 ", id="a bad key"),
        pytest.param(
            UPGRADE.replace(b"Host: localhost\r\n", b"Host: localhost\r\nHost: i\r\n"), b" 400 ", id="two hosts"
        ),
        pytest.param(
            b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            b" 400 ",
            id="two lengths",
        ),
        pytest.param(b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", b" 404 ", id="a path that climbs"),
        pytest.param(b"*1\r\n$4\r\nPING\r\n\r\n\r\n", b" 400 ", id="RESP"),
        pytest.param(b"\x16\x03\x01\x00\xa5" + bytes(60), b" 400 ", id="TLS"),
        pytest.param(b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", b" 405 ", id="TRACE"),
        pytest.param(b"GET /" + b"x" * 30_000 + b" HTTP/1.1\r\n\r\n", b" 400 ", id="a long path"),
    ],
)
def test_http_port_answers(janus: Any, data: bytes, status: bytes) -> None:
    assert status in ask(janus.http_port, data, until=b"\r\n").partition(b"\r\n")[0]

"""Both builds read requests as redis-server does: the same errors, the same words."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from januskv.resp.decoder import ReplyReader
from januskv.resp.inline import ProtocolError, split_words
from januskv.resp.replies import ErrorReply

pytestmark = pytest.mark.live


def replies(port: int, data: bytes, *, end: bytes = b"") -> list[Any]:
    """What redis-server answers until it closes the connection or has answered ``end``."""
    reader, found = ReplyReader(), []
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(data)
        while True:
            received = sock.recv(65536)
            reader.feed(received)
            while (reply := reader.gets()) is not None:
                found.append(reply[1])
            if not received or (end and found and found[-1] == end):
                return found


LIMIT = 64 * 1024  # of a line; not much more is sent, because what Redis leaves unread resets the connection

BROKEN = [
    b"*2147483648\r\n",
    b"*9223372036854775808\r\n",
    b"*-9223372036854775809\r\n",
    b"*99999999999999999999999\r\n",
    b"*01\r\n",
    b"*-0\r\n",
    b"*+1\r\n",
    b"* 1\r\n",
    b"*1 \r\n",
    b"*\r\n",
    b"*-\r\n",
    b"*a\r\n",
    b"*1\n$4\r\n",
    b"*" + b"1" * LIMIT,
    b"*1\r\n$" + b"1" * LIMIT,
    b"*1\r\n" + b"x" * (LIMIT + 1),
    b"*1\r\n$-1\r\n",
    b"*1\r\n$-2\r\n",
    b"*1\r\n$abc\r\n",
    b"*1\r\n$\r\n",
    b"*1\r\n$04\r\nPING\r\n",
    b"*1\r\n$+4\r\nPING\r\n",
    b"*1\r\n$4\nPING\r\n",
    b"*1\r\n$536870913\r\n",
    b"*1\r\n$9223372036854775808\r\n",
    b"*1\r\n:1\r\n",
    b"*1\r\n+PING\r\n",
    b"*1\r\n*1\r\n$4\r\nPING\r\n",
    b"*1\r\n\r\n",
    b"*1\r\n\n\r\n",
    b"*1\r\n\xff\r\n",
    b"*2\r\n$4\r\nPING\r\nPONG\r\n",
    b"*2\r\n$4\r\nPINGx\r\n$1\r\na\r\n",
    b"x" * (LIMIT + 1),
    b'GET "a\n',
    b"GET 'a\n",
    b'GET "a\\"\n',
    b'GET "a"b\n',
    b"GET 'a''b'\n",
    b'GET "a\\\n',
    b'GET a"b\n',
]


@pytest.mark.parametrize("data", BROKEN, ids=lambda data: repr(data[:30]))
def test_errors_are_those_of_redis(oracle: Any, parser_class: Any, data: bytes) -> None:
    parser = parser_class()
    parser.feed(data)
    with pytest.raises(ProtocolError) as caught:
        parser.next()
    ours = ErrorReply(f"ERR {caught.value}")
    ours.text = ours.text.replace(b"\r", b" ").replace(b"\n", b" ")  # as the encoder does
    assert replies(oracle.port, data) == [ours]


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n", b"hOST: x\r\n", b"post\r\n"]
)
def test_http_is_cut_off(oracle: Any, parser_class: Any, data: bytes) -> None:
    parser = parser_class()
    parser.feed(data)
    with pytest.raises(ProtocolError, match="HTTP"):
        parser.next()
    # Redis takes the first line for an inline command and closes at the Host line or at POST.
    assert all(isinstance(reply, ErrorReply) for reply in replies(oracle.port, data))


TAKEN = [
    b"*0\r\n*-1\r\n*-5\r\n\r\n\n  \r\n",
    b"*2\r\n$4\r\nECHO$1$1\r\na$4",
    b"*2\rX$4\rYECHO\r\n$1\r\na\r\n",
    b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
    b"*1\r\n$0\r\n\r\n",
    b'""\r\n',
    b"ECHO a\nECHO b\r\n",
    b"$4\r\n:1\r\n+OK\r\n",
    b"-9223372036854775808\r\n",
]


def outcome(request: list[bytes]) -> str:
    """How redis-server answers a request, in one word."""
    if request[0].upper() == b"ECHO" and len(request) == 2:
        return repr(request[1])
    return "arguments" if request[0].upper() == b"ECHO" else "unknown"


def told(reply: Any) -> str:
    if isinstance(reply, ErrorReply):
        return (
            "unknown"
            if b"unknown command" in reply.text
            else "arguments"
            if b"wrong number" in reply.text
            else str(reply)
        )
    return repr(reply)


@pytest.mark.parametrize("data", TAKEN, ids=repr)
def test_requests_are_those_of_redis(oracle: Any, parser_class: Any, data: bytes) -> None:
    parser = parser_class()
    parser.feed(data + b"ECHO the-end\r\n")
    found = list(iter(parser.next, None))
    assert found[-1] == [b"ECHO", b"the-end"]
    theirs = replies(oracle.port, data + b"ECHO the-end\r\n", end=b"the-end")
    assert [outcome(request) for request in found] == [told(reply) for reply in theirs]


def lines() -> Iterator[bytes]:
    """Inline commands that try the rules of quoting, always the same ones."""
    chance = random.Random(7)
    parts = [
        b'"',
        b"'",
        b"\\",
        b"\\x41",
        b"\\xg",
        b"\\n",
        b'\\"',
        b"\\'",
        b"a",
        b"b c",
        b" ",
        b"\t",
        b"\v",
        b"\x0c",
        b"\r",
        b"\xff",
        b"{",
        b"*1",
    ]
    for _ in range(1500):
        yield b"ECHO " + b"".join(chance.choices(parts, k=chance.randint(1, 7)))


def test_words_are_those_of_redis(oracle: Any) -> None:
    wrong = []
    for line in lines():
        words = split_words(line)
        if words is None:
            if replies(oracle.port, line + b"\r\n") != [ErrorReply("ERR Protocol error: unbalanced quotes in request")]:
                wrong.append(line)
        else:
            theirs = replies(oracle.port, line + b"\r\nECHO the-end\r\n", end=b"the-end")
            if told(theirs[0]) != outcome(words):
                wrong.append(line)
    assert not wrong


UNAUTHENTICATED = [
    b"*11\r\n",
    b"*1\r\n$16385\r\n",
    b"*11x\r\n",
    b"*2147483648\r\n",
    b"*1\r\n$536870913\r\n",
    b"*2\r\n$3\r\nGET\r\n$16385\r\n",
]


@pytest.mark.parametrize("data", UNAUTHENTICATED, ids=repr)
def test_limits_for_unauthenticated_clients_are_those_of_redis(
    locked_oracle: Any, parser_class: Any, data: bytes
) -> None:
    parser = parser_class()
    parser.authenticated = False
    parser.feed(data)
    with pytest.raises(ProtocolError) as caught:
        parser.next()
    assert replies(locked_oracle.port, data) == [ErrorReply(f"ERR {caught.value}")]


@pytest.fixture
def locked_oracle(oracle: Any) -> Iterator[Any]:
    """The oracle while new clients need a password."""
    with oracle.connect() as sock:
        sock.sendall(b"CONFIG SET requirepass secret\r\n")
        assert sock.recv(100) == b"+OK\r\n"
        yield oracle
        sock.sendall(b'CONFIG SET requirepass ""\r\n')
        assert sock.recv(100) == b"+OK\r\n"

"""Random requests at the HTTP port: every answer is HTTP, nobody reads statistics who may not, and nothing is left over."""

from __future__ import annotations

import random
import re

import pytest
from tests.http_port import request

from .web import SECONDS, Arena, damaged, fuzz

pytestmark = pytest.mark.timeout(SECONDS * 2 + 120)

_TARGETS = (
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/metrics?x=1",
    "/nosuch",
    "//",
    "*",
    "/../x",
    "http://localhost/metrics",
)
_TARGETS += (
    "http://evil/metrics",
    "https://[::1]:1/metrics",
    "/%6detrics",
    "/metrics#x",
    "http://",
    "evil:80",
    "/healthz?",
    "/api/v1/timeseries/a/events",
    "http://localhost//api/v2/timeseries/a/distinct_values",
)
_HOSTS = (
    "localhost:8379",
    "LOCALHOST.",
    "127.0.0.1",
    "[::1]:8379",
    "evil",
    "",
    "a@localhost",
    "localhost:99999",
    "[",
    "10.0.0.7",
)
_METHODS = ("GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "PUT", "CONNECT", "TRACE", "get", "G", "X" * 30)
_HEADERS = (
    "Origin: http://localhost:8379",
    "Origin: http://evil",
    "Origin: null",
    "Origin: http://[",
    "Connection: close",
)
_HEADERS += ("Connection: keep-alive", "Connection: Upgrade", "Upgrade: websocket", "Upgrade: h2c", "Content-Length: 5")
_HEADERS += (
    "Content-Length: 99999999999999999999",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: xchunked",
    "TE: x",
)
_HEADERS += (
    "Expect: 100-continue",
    "Authorization: Bearer secret",
    "Authorization: Basic ZGVmYXVsdDpzZWNyZXQ=",
    "X: \x7f",
)
_HEADERS += (
    "Authorization: Basic =",
    "Host: evil",
    "Content-Encoding: gzip",
    "Range: bytes=0-1",
    "Cookie: " + "x" * 3000,
)

_ANSWER = re.compile(rb"HTTP/[0-9]\.[0-9] [1-5][0-9][0-9] ")


def requests(chance: random.Random) -> bytes:
    """Some requests in a row, more or less valid."""
    data = b""
    for _ in range(chance.choice((1, 1, 1, 2, 5, 40))):
        data += request(
            chance.choice(_TARGETS),
            *chance.choices(_HEADERS, k=chance.choice((0, 0, 1, 2, 5))),
            method=chance.choice(_METHODS),
            version=chance.choice(("1.1", "1.1", "1.0", "2.0", "0.9")),
            host=chance.choice((*_HOSTS, None)) or " ",
        )
        if chance.random() < 0.2:
            data += chance.choice((b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffffff\r\n", b"\r\n\r\n"))
    if chance.random() < 0.02:
        return chance.randbytes(chance.randint(1, 40_000))
    return damaged(chance, data) if chance.random() < 0.5 else data


def one_step(arena: Arena) -> None:
    chance = arena.chance
    visitor = arena.visitor()
    if chance.random() < 0.3:
        arena.disturb(visitor)
        return
    if chance.random() < 0.15:  # what must never be told
        evil = arena.port.connect(chance.choice((("127.0.0.1", 1), ("192.168.1.9", 1))))
        arena.visitors.append(evil)
        answer = arena.send(evil, request("/metrics", *chance.choices(_HEADERS, k=chance.randint(0, 3)), host="evil"))
        assert b"januskv_" not in answer, answer
        return
    answer = arena.send(visitor, requests(chance))
    assert not answer or _ANSWER.match(answer), answer[:200]


def test_requests() -> None:
    fuzz("http", one_step)

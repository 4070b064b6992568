"""What the fuzzers of the HTTP port share: the budget, damage to valid input, and what must hold afterwards.

``JANUSKV_FUZZ_SECONDS`` (3) is the time of each fuzzer, ``JANUSKV_FUZZ_SEED`` (1) where its chances begin.

    JANUSKV_FUZZ_SECONDS=600 JANUSKV_FUZZ_SEED=$RANDOM python -m pytest tests/fuzz -s      # a long run
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.http_port import HttpPort, Visitor

from januskv.http import IDLE_S, LEAVING_S, REQUEST_S, UNREAD_S

SEED = int(os.environ.get("JANUSKV_FUZZ_SEED", "1"))
SECONDS = float(os.environ.get("JANUSKV_FUZZ_SECONDS", "3"))

PEERS = (("127.0.0.1", 50_000), ("::1", 50_001), ("192.168.1.9", 40_000))
# Memory that one connection may leave behind, of incomplete requests.
MOST_PENDING = 1 << 20


def damaged(chance: random.Random, data: bytes) -> bytes:
    """Input with a few bytes changed, left out, doubled or inserted, or cut short."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5))):
        at, to = chance.randint(0, len(changed)), chance.randint(0, len(changed))
        kind = chance.randrange(6)
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del changed[min(at, to) : min(at, to) + chance.randint(0, 9)]
        elif kind == 2:
            changed[at:at] = chance.choice(_ODD)
        elif kind == 3:
            changed[at:at] = changed[to : to + chance.randint(1, 40)]
        elif kind == 4:
            changed[at:at] = chance.randbytes(chance.randint(1, 16))
        elif chance.random() < 0.3:
            del changed[at:]
    return bytes(changed)


_ODD = (
    *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\0", b" ", b"\t", b":", b"\xff", b"\xc3\xa4", b"[", b"]", b"@", b"%00"),
    *(b"127.0.0.1", b"localhost", b"Host: evil\r\n", b"Origin: null\r\n", b"Content-Length: 5\r\n", b"chunked", b"/"),
    *(
        b"http://",
        b"9" * 30,
        b"-1",
        b"GET / HTTP/1.1\r\n",
        b"\x89\x80mask",
        b"\x88\x80mask",
        b"\x81\xfe\xff\xff",
        b"x" * 20_000,
    ),
)


def pieces(chance: random.Random, data: bytes) -> Iterator[bytes]:
    """The input as it may arrive."""
    most = chance.choice((1, 3, 50, 1000, 1 << 16, 1 << 20))
    if most < 50 and len(data) > 2000:
        most = 1000
    at = 0
    while at < len(data):
        size = chance.randint(1, most)
        yield data[at : at + size]
        at += size


class _Records(logging.Handler):
    """Collects errors from the log."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(logging.Formatter().format(record))


class Arena:
    """A server with a bystander, and arbitrary visitors."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        settings: dict[str, Any] = {"bind": chance.choice(("127.0.0.1 -::1", "0.0.0.0")), "json_max_payload": 1 << 20}
        if chance.random() < 0.3:
            settings["requirepass"] = "secret"
        if chance.random() < 0.3:
            settings["maxclients"] = 4
        self.port = HttpPort(**settings)
        self.errors: list[str] = []
        self.port.loop.set_exception_handler(lambda loop, context: self.errors.append(str(context)))
        self.bystander = self.port.house.connect()
        self.visitors: list[Visitor] = []

    def visitor(self) -> Visitor:
        """An existing visitor, or a new one."""
        if not self.visitors or (len(self.visitors) < 8 and self.chance.random() < 0.4):
            self.visitors.append(self.port.connect(self.chance.choice(PEERS)))
        return self.chance.choice(self.visitors)

    def send(self, visitor: Visitor, data: bytes) -> bytes:
        """The response to some bytes."""
        answer = b""
        for piece in pieces(self.chance, data):
            if visitor.closed:
                break
            answer += visitor.send(piece)
        return answer

    def disturb(self, visitor: Visitor) -> None:
        """Do something other than sending."""
        kind = self.chance.randrange(12)
        protocol = visitor.transport.protocol
        if visitor.transport.lost:
            return
        if kind == 0:
            if not protocol.eof_received():
                visitor.transport.close()
        elif kind == 1 and not visitor.transport.paused:
            visitor.transport.paused = True
            protocol.pause_writing()
        elif kind in (1, 2) and visitor.transport.paused:
            visitor.transport.paused = False
            protocol.resume_writing()
        elif kind == 3:
            visitor.transport.lose()
        elif kind == 4:
            self.port.advance(self.chance.choice((0.5, 2, 10, 30, 80)))
            self.port.house.advance(1000)
        self.port.settle()

    def look(self) -> None:
        """Check the conditions that must hold at any time."""
        assert not self.errors, self.errors
        authenticated = not self.port.house.server.config.requirepass
        wanted = b"+PONG\r\n" if authenticated else b"-NOAUTH Authentication required.\r\n"
        assert self.bystander.send(b"*1\r\n$4\r\nPING\r\n") == wanted
        for visitor in [visitor for visitor in self.visitors if visitor.closed]:
            self.visitors.remove(visitor)
            self.lose(visitor)
        for connection in self.port.listener.connections:
            assert len(connection.head) < MOST_PENDING
        for client in self.port.house.server.clients.everyone():
            assert client.connection.pending_input() < 2 * MOST_PENDING

    def lose(self, visitor: Visitor) -> None:
        """Report closed connections as lost, like an event loop."""

        async def lose() -> None:
            visitor.transport.lose()

        self.port.loop.run_until_complete(lose())
        self.port.settle()

    def end(self) -> None:
        """Let all timeouts pass: only WebSockets may be left, and nothing once all have gone."""
        for seconds in (REQUEST_S, LEAVING_S, IDLE_S, UNREAD_S, UNREAD_S):
            self.port.advance(seconds)
            self.look()
        for visitor in self.visitors:
            assert not any(visitor.transport.protocol is each for each in self.port.listener.connections)
            self.lose(visitor)
        listener, server = self.port.listener, self.port.house.server
        assert (server.clients.http_connections, len(server.clients)) == (0, 1)
        assert not listener.connections
        assert not listener.guests
        assert not listener.by_protocol
        self.port.close()
        assert not self.errors, self.errors


def fuzz(name: str, step: Callable[[Arena], None]) -> None:
    """Play episodes of steps until time runs out."""
    records = _Records()
    logging.getLogger().addHandler(records)
    started, number = time.monotonic(), 0
    try:
        while time.monotonic() - started < SECONDS:
            chance = random.Random(f"{SEED} {name} {number}")
            arena = Arena(chance)
            for _ in range(chance.randint(1, 60)):
                step(arena)
                arena.look()
                assert not records.texts, records.texts
            arena.end()
            assert not records.texts, records.texts
            number += 1
    except BaseException as error:
        error.add_note(f"{name}: seed {SEED}, episode {number}")
        raise
    finally:
        logging.getLogger().removeHandler(records)
    print(f"{name}: seed {SEED}, {number} episodes")

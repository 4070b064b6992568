"""WebSockets of the Timely API without sockets: requests in, frames out, a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from tests.conftest import FakeTransport, House

from januskv.compat.timely.operations import TimelyFace
from januskv.compat.timely.websocket import TimelyWebSocket
from januskv.resp import websocket as ws
from januskv.storage.metrics import series_for

MASK = b"\x01\x02\x03\x04"


def frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """A frame as a client sends it."""
    size = len(payload)
    head = bytes([opcode | (0x80 if final else 0)])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += bytes([0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([0x80 | 127]) + size.to_bytes(8, "big")
    return head + MASK + bytes(byte ^ MASK[at & 3] for at, byte in enumerate(payload))


def frames(data: bytes) -> list[tuple[int, bytes]]:
    """The frames that a server has sent."""
    found, at = [], 0
    while at < len(data):
        opcode, size = data[at] & 15, data[at + 1]
        at += 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size = int.from_bytes(data[at : at + width], "big")
            at += width
        found.append((opcode, data[at : at + size]))
        at += size
    return found


class TimelyHouse(House):
    """A server with the Timely API."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.face = TimelyFace(self.server)

    def socket(self, session: str | None = None, authorization: str | None = None) -> Socket:
        return Socket(self, session, authorization)

    def put(self, metric: str, time_ms: int, value: float, visibility: str = "", **tags: str) -> bytes:
        """Store a point."""
        keyspace = self.store.databases[0]
        pairs = {name.encode(): text.encode() for name, text in tags.items()}
        key, series = series_for(keyspace, metric.encode(), pairs, visibility.encode())
        series.add(keyspace, key, time_ms, value)
        return key

    def pass_time(self, ms: int) -> None:
        """Move the clock; run the timers, each once, and then everything scheduled for now."""
        self.clock.advance(ms)
        timers, self.timers[:] = list(self.timers), []
        for _, call in timers:
            call()
        self.run_timers()

    def check(self) -> None:
        self.face.subscriptions.following.check()


class Socket:
    """A client of a WebSocket. Its input is kept until asked for."""

    def __init__(self, house: TimelyHouse, session: str | None, authorization: str | None) -> None:
        self.house = house
        self.transport = FakeTransport()
        self.connection = TimelyWebSocket(house.face, session, authorization)
        self.connection.connection_made(self.transport)

    def raw(self, data: bytes) -> list[tuple[int, bytes]]:
        """Send bytes; return the frames that come back immediately."""
        self.transport.written = b""
        self.connection.data_received(data)
        return self.came()

    def came(self) -> list[tuple[int, bytes]]:
        """The frames received so far, including those that come immediately."""
        self.house.run_timers()
        written, self.transport.written = self.transport.written, b""
        return frames(written)

    def __call__(self, operation: str, **members: Any) -> Any:
        """Send a request; return the one reply as JSON, the code and reason of a close, None for nothing."""
        return self.send(operation=operation, **members)

    def send(self, **members: Any) -> Any:
        return reply_of(self.raw(frame(ws.TEXT, orjson.dumps(members))))

    def points(self) -> list[dict[str, Any]]:
        """The elements received."""
        return elements(self.came())

    def brief(self) -> list[Any]:
        """The elements received: host, time and value of points, the metric of what is complete."""
        return [brief(each) for each in self.points()]


def reply_of(found: list[tuple[int, bytes]]) -> Any:
    if not found:
        return None
    assert len(found) == 1, found
    opcode, payload = found[0]
    if opcode == ws.CLOSE:
        return int.from_bytes(payload[:2], "big"), payload[2:].decode()
    assert opcode == ws.TEXT, found
    return orjson.loads(payload)


def elements(found: Iterable[tuple[int, bytes]]) -> list[dict[str, Any]]:
    batches = []
    for opcode, payload in found:
        assert opcode == ws.TEXT, (opcode, payload)
        batch = orjson.loads(payload)
        assert batch.keys() == {"responses"}
        assert batch["responses"]
        batches += batch["responses"]
    return batches


def brief(element: dict[str, Any]) -> Any:
    if element["complete"]:
        assert (element["timestamp"], element["value"], element["tags"]) == (0, 0.0, None)
        return element["metric"]
    tags = {name: text for tag in element["tags"] for name, text in tag.items()}
    return tags.get("host"), element["timestamp"], element["value"]

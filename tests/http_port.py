"""The HTTP port without sockets: an aiohttp application on a loop of its own, a clock that stands still."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from januskv.http import HttpConnection, HttpListener

from .conftest import FakeTransport, House

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def request(
    target: str = "/", *headers: str, method: str = "GET", version: str = "1.1", host: str | None = ""
) -> bytes:
    """A request for the server's own host, unless another or none is given."""
    first = [] if host is None else [f"Host: {host or 'localhost:8379'}"]
    return "\r\n".join([f"{method} {target} HTTP/{version}", *first, *headers, "", ""]).encode("latin-1")


def upgrade(*headers: str, target: str = "/", host: str | None = "") -> bytes:
    """A request for a WebSocket."""
    asked = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13")
    return request(target, *asked, *headers, host=host)


class HttpTransport(FakeTransport):
    """A transport whose connection ends when its peer calls ``lose``."""

    def __init__(self, peer: tuple[str, int]) -> None:
        super().__init__(peer)
        self.protocol: Any = None
        self.lost = False
        self.paused = False  # writing

    def is_closing(self) -> bool:
        return self.closed

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def write(self, data: bytes) -> None:
        self.written += data

    def writelines(self, parts: list[bytes]) -> None:
        self.written += b"".join(parts)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """No buffer."""

    def pause_reading(self) -> None:
        """Nothing arrives by itself."""

    resume_reading = pause_reading

    def lose(self) -> None:
        if not self.lost:
            self.lost = self.closed = True
            self.protocol.connection_lost(None)


class Visitor:
    """A client of the HTTP port."""

    def __init__(self, port: HttpPort, peer: tuple[str, int]) -> None:
        self.port = port
        self.transport = HttpTransport(peer)
        self.transport.protocol = HttpConnection(port.listener)
        self.transport.protocol.connection_made(self.transport)

    def send(self, data: bytes) -> bytes:
        """Send bytes; return all that came back."""
        self.transport.written = b""
        if not self.transport.closed:
            self.transport.protocol.data_received(data)
        if getattr(self.transport.protocol, "pages", None) is not None:
            self.port.settle()
        return self.transport.written

    def status(self, data: bytes) -> int:
        """Send a request; return the status of the response, 0 if there is none."""
        words = self.send(data).split(b" ", 2)
        return int(words[1]) if len(words) > 1 else 0

    @property
    def closed(self) -> bool:
        return self.transport.closed


class HttpPort:
    """The HTTP port of a server without sockets."""

    def __init__(self, **config: Any) -> None:
        self.house = House(**{"http_port": 8379, **config})
        self.now_s = 1000.0
        self.loop = asyncio.new_event_loop()
        self.listener = HttpListener(self.house.server, self.house.native, lambda: self.now_s)
        self.loop.run_until_complete(self._start())

    async def _start(self) -> None:
        await self.listener.start()
        await self.listener.load_pages()

    def connect(self, peer: tuple[str, int] = ("127.0.0.1", 50_000)) -> Visitor:
        return self.loop.run_until_complete(self._connect(peer))

    async def _connect(self, peer: tuple[str, int]) -> Visitor:
        return Visitor(self, peer)

    def settle(self) -> None:
        """Run everything that the loop has scheduled for now."""
        self.loop.run_until_complete(self._settle())

    async def _settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Move the clock, run due timers, and then the loop."""
        self.now_s += seconds
        self.listener.run_cron()
        self.settle()

    def close(self) -> None:
        self.loop.run_until_complete(self.listener.stop())
        self.loop.run_until_complete(self._settle())
        self.loop.close()


@contextlib.contextmanager
def open_ports() -> Iterator[Callable[..., HttpPort]]:
    """Gives a function that opens ports, each of a house with its configuration; all are closed at the end."""
    with contextlib.ExitStack() as stack:

        def opened(**config: Any) -> HttpPort:
            port = HttpPort(**config)
            stack.callback(port.close)
            return port

        yield opened

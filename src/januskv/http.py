"""The HTTP port: WebSocket at ``/`` for native JSON, and the pages that operators' tools read.

A connection begins with ``FrontDoor``, which looks at the first request only: a WebSocket upgrade
of ``/`` goes to our own WebSocket connection (a message there costs a fraction of what a general
HTTP framework spends on it), everything else to aiohttp, with all bytes that have arrived.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from .compat.access import basic_or_bearer
from .compat.metrics import exposition
from .compat.native import NativeFace
from .compat.server import Server
from .compat.websocket import WebSocketConnection
from .resp.websocket import HandshakeError, UpgradeRequest

log = logging.getLogger("januskv")

_MAX_HEAD = 16 * 1024


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a log record of aiohttp's tells of a fault of ours: bad requests are answered, not logged."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)


logging.getLogger("aiohttp.server").addFilter(_is_ours)


class FrontDoor(asyncio.Protocol):
    """Reads the head of the first request and hands the connection to the one who serves it."""

    def __init__(self, listener: HttpListener) -> None:
        self.listener = listener
        self.head = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "set_protocol")
        self.transport = transport  # type: ignore[assignment]
        self.listener.waiting.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.listener.waiting.discard(self)
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self.head += data
        end = self.head.find(b"\r\n\r\n")
        if end < 0 and len(self.head) < _MAX_HEAD and not self._surely_plain():
            return
        self.listener.waiting.discard(self)
        transport = self.transport
        assert transport is not None
        upgrade = UpgradeRequest.read(self.head[: end + 4]) if end >= 0 else None
        if upgrade is None:
            successor: Any = self.listener.http_protocol()
        elif upgrade.path.partition("?")[0] == "/websocket":
            successor = self.listener.http_protocol()
        else:
            self._to_websocket(upgrade, self.head[end + 4 :])
            return
        transport.set_protocol(successor)
        successor.connection_made(transport)
        successor.data_received(self.head)

    def _surely_plain(self) -> bool:
        """Whether the request line already shows that this is no upgrade (those are GET)."""
        return len(self.head) >= 4 and not self.head.startswith(b"GET ")

    def _to_websocket(self, upgrade: UpgradeRequest, rest: bytes) -> None:
        transport = self.transport
        assert transport is not None
        server = self.listener.server
        try:
            answer = upgrade.accept(server.config.http_allowed_origins.split())
        except HandshakeError as error:
            transport.write(error.response())
            transport.close()
            return
        connection = WebSocketConnection(server, self.listener.native)
        connection.client.authenticated = basic_or_bearer(server, upgrade.authorization)
        transport.set_protocol(connection)  # type: ignore[arg-type]
        transport.write(answer)
        connection.connection_made(transport)
        if rest:
            connection.data_received(rest)


class HttpListener:
    """Serves the HTTP port of a server."""

    def __init__(self, server: Server, native: NativeFace) -> None:
        self.server = server
        self.native = native
        self.waiting: set[FrontDoor] = set()
        self.application = web.Application(client_max_size=server.config.json_max_payload)
        self.application.router.add_get("/", self.index)
        self.application.router.add_get("/healthz", self.healthz)
        self.application.router.add_get("/readyz", self.readyz)
        self.application.router.add_get("/metrics", self.metrics)
        self._runner = web.AppRunner(self.application, access_log=None, handle_signals=False)

    async def start(self) -> Callable[[], asyncio.Protocol]:
        """Set the application up; give the factory of protocols for new connections."""
        await self._runner.setup()
        return lambda: FrontDoor(self)

    def http_protocol(self) -> Any:
        """A protocol of aiohttp's for one connection."""
        assert self._runner.server is not None
        return self._runner.server()

    async def stop(self) -> None:
        """Close all HTTP connections."""
        for door in list(self.waiting):
            if door.transport is not None:
                door.transport.close()
        await self._runner.cleanup()

    # ------------------------------------------------------------ pages

    async def index(self, request: web.Request) -> web.Response:
        """Say what this port is; native commands come over WebSocket."""
        return web.json_response({"server": "JanusKV", "websocket": "/", "pages": ["/healthz", "/readyz", "/metrics"]})

    async def healthz(self, request: web.Request) -> web.Response:
        """The process lives and its loop turns."""
        return web.Response(text="ok\n")

    async def readyz(self, request: web.Request) -> web.Response:
        """The data is loaded and commands are served."""
        if self.server.loading:
            recovery = self.server.recovery
            share = 0.0 if recovery is None else recovery.share
            return web.Response(text=f"loading {100 * share:.0f} %\n", status=503)
        return web.Response(text="ready\n")

    async def metrics(self, request: web.Request) -> web.Response:
        """Statistics as Prometheus reads them; needs the password where one is set."""
        if not basic_or_bearer(self.server, request.headers.get("Authorization")):
            return web.Response(status=401, text="password needed\n", headers={"WWW-Authenticate": "Basic"})
        return web.Response(body=exposition(self.server), headers={"Content-Type": "text/plain; version=0.0.4"})

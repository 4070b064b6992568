"""The pages of the HTTP port, for operators' tools, served by aiohttp. Loaded when the first one is asked for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from .compat.server.access import basic_or_bearer
from .compat.server.clients import PROTECTED
from .compat.server.hosts import split_target
from .compat.server.stopwatch import now_ns
from .compat.web.metrics import exposition
from .http import HEALTH, HttpConnection, HttpListener, Refusal, unwanted

# So long a body that nobody wants is read before the connection ends: a client that sends one reads the answer afterwards.
_LINGER_S = 1.0
# The metrics of hundreds of commands take tens of milliseconds, which clients do not wait for.
_SLICE_NS = 1_000_000


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a log record of aiohttp's tells of a fault of ours: bad requests are answered, not logged."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError)


logging.getLogger("aiohttp.server").addFilter(_is_ours)


class Pages:
    """Serves the pages of a listener's connections."""

    def __init__(self, listener: HttpListener) -> None:
        self.listener = listener
        self.server = listener.server
        self.application = web.Application(middlewares=[self.admission], client_max_size=1024)
        self.application.router.add_get("/", self.index)
        self.application.router.add_get("/healthz", self.healthz)
        self.application.router.add_get("/readyz", self.readyz)
        self.application.router.add_get("/metrics", self.metrics)
        self._runner = web.AppRunner(
            self.application,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=1.0,
            auto_decompress=False,
            max_headers=64,
            max_field_size=8190,
            lingering_time=_LINGER_S,
        )

    async def start(self) -> None:
        """Set the application up."""
        await self._runner.setup()

    async def stop(self) -> None:
        """End it, with its connections."""
        await self._runner.cleanup()

    def protocol(self, connection: HttpConnection) -> Any:
        """A protocol of aiohttp's for one connection."""
        assert self._runner.server is not None
        protocol = self._runner.server()
        self.listener.by_protocol[protocol] = connection
        return protocol

    @web.middleware
    async def admission(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Serve a request if its Host, its Origin and its sender may come in; the answer settles what was owed."""
        connection = self.listener.by_protocol.get(request.protocol)
        refusal = self.page_refusal(request, connection)
        last = True
        try:
            if refusal is not None:
                self.listener.refused(refusal, None if connection is None else connection.peer)
                response: web.StreamResponse = web.Response(status=refusal.status, text=f"{refusal.text}\n")
            elif request.body_exists:
                response = web.Response(status=413, text="a page takes no body\n")
            else:
                response = await handler(request)
            last = response.status != 200 or request.path in HEALTH or "Upgrade" in request.headers
            if last:
                response.force_close()
            return response
        except web.HTTPException as error:  # there is no such page, or it has no such method
            error.force_close()
            raise
        finally:
            if connection is not None:
                connection.answered(last)

    def page_refusal(self, request: web.Request, connection: HttpConnection | None) -> Refusal | None:
        """Why a request for a page is refused, if it is; what there is no page for may be told to everybody."""
        if request.path in HEALTH or request.match_info.http_exception is not None:
            return None
        if connection is None or self.listener.protects_from(connection):
            return Refusal(403, "protected-mode", PROTECTED)
        authority = split_target(request.raw_path)[0]
        hosts = [*request.headers.getall("Host", [""]), *([] if authority is None else [authority])]
        return unwanted(self.server, hosts, request.headers.getall("Origin", []))

    async def index(self, request: web.Request) -> web.Response:
        """Say what this port is; native commands come over WebSocket."""
        return web.json_response({"server": "JanusKV", "websocket": "/", "pages": ["/healthz", "/readyz", "/metrics"]})

    async def healthz(self, request: web.Request) -> web.Response:
        """The process lives and its loop turns."""
        return web.Response(text="ok\n")

    async def readyz(self, request: web.Request) -> web.Response:
        """The data is loaded and commands are served."""
        if self.server.state.loading:
            recovery = self.server.state.recovery
            share = 0.0 if recovery is None else recovery.share
            return web.Response(text=f"loading {100 * share:.0f} %\n", status=503)
        return web.Response(text="ready\n")

    async def metrics(self, request: web.Request) -> web.Response:
        """Statistics as Prometheus reads them; needs the password where one is set."""
        if not basic_or_bearer(self.server, request.headers.get("Authorization")):
            return web.Response(status=401, text="password needed\n", headers={"WWW-Authenticate": "Basic"})
        lines: list[str] = []
        began = now_ns()
        for line in exposition(self.server):
            lines.append(line)
            if now_ns() - began >= _SLICE_NS:
                await asyncio.sleep(0)  # clients are served
                began = now_ns()
        lines.append("")
        return web.Response(text="\n".join(lines), headers={"Content-Type": "text/plain; version=0.0.4"})

"""The pages of the HTTP port, for operators' tools, served by aiohttp. Loaded for the first request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from .browser import BrowserPage
from .compat.ditto.endpoints import is_ditto
from .compat.server.access import NOBODY_KNOWN, LoginNeeded, refusal_to, user_of_request
from .compat.server.clients import PROTECTED
from .compat.server.faults import LoginsSlowed
from .compat.server.hosts import split_target
from .compat.server.stopwatch import now_ns
from .compat.timely.errors import ApiError
from .compat.web.metrics import exposition
from .ditto_pages import DittoPages
from .http import HEALTH, HttpConnection, HttpListener, Refusal, unwanted
from .timely_pages import TimelyPages, is_api
from .web_api import Turns

# An unwanted body is read up to this size before the connection ends: clients read the response only afterwards.
_LINGER_S = 1.0
# The metrics of hundreds of commands take tens of milliseconds, which must not delay clients.
_SLICE_NS = 1_000_000


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a log record of aiohttp reports a fault of ours: bad requests get responses and are not logged."""
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
        self.turns = Turns()
        self.timely = TimelyPages(listener, listener.timely, self.turns)
        self.timely.add_to(self.application)
        self.ditto = DittoPages(listener, self.turns)
        self.ditto.add_to(self.application)
        self.browser = BrowserPage(listener)
        self.browser.add_to(self.application)
        self._runner = web.AppRunner(
            self.application,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=1.0,
            auto_decompress=False,
            handler_cancellation=True,  # a client that is gone needs no response
            max_headers=64,
            max_field_size=8190,
            lingering_time=_LINGER_S,
        )

    async def start(self) -> None:
        """Start the application."""
        await self._runner.setup()

    async def stop(self) -> None:
        """Stop it, with its connections."""
        await self._runner.cleanup()

    def protocol(self, connection: HttpConnection) -> Any:
        """An aiohttp protocol for one connection."""
        assert self._runner.server is not None
        protocol = self._runner.server()
        self.listener.by_protocol[protocol] = connection
        return protocol

    @web.middleware
    async def admission(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Serve a request if its Host, Origin and sender are allowed; the connection is told when it has been answered."""
        connection = self.listener.by_protocol.get(request.protocol)
        refusal = self.page_refusal(request, connection)
        ditto = is_ditto(request.raw_path)
        api = ditto or is_api(request.path)
        last = True
        try:
            if refusal is not None:
                self.listener.refused(refusal, None if connection is None else connection.peer)
                response = self.refused(request, refusal, api)
            elif ditto:
                response = await handler(request)
            elif api:
                response = await self.timely.serve(request, handler)
            elif request.body_exists:
                response = web.Response(status=413, text="a page takes no body\n")
            else:
                response = await handler(request)
            good = response.status < 500 and response.status != 413 if api else response.status in (200, 304)
            last = refusal is not None or not good or request.path in HEALTH or "Upgrade" in request.headers
            if last:
                response.force_close()
            return response
        except web.HTTPException as error:  # no such page, or method not allowed
            error.force_close()
            raise
        finally:
            if connection is not None:
                connection.answered(last)

    def refused(self, request: web.Request, refusal: Refusal, api: bool) -> web.StreamResponse:
        """The response to a request that is refused."""
        if is_ditto(request.raw_path):
            return self.ditto.refused(request, refusal.status, refusal.text)
        if api:
            return self.timely.refused(request, ApiError(refusal.status, refusal.reason, refusal.text))
        return web.Response(status=refusal.status, text=f"{refusal.text}\n")

    def page_refusal(self, request: web.Request, connection: HttpConnection | None) -> Refusal | None:
        """Why a request for a page is refused, if it is; what there is no page for may be told to everybody."""
        api = is_ditto(request.raw_path) or is_api(request.path)
        asks_before = request.method == "OPTIONS" and api  # a browser, for a page of another origin
        if request.path in HEALTH or (request.match_info.http_exception is not None and not asks_before):
            return None
        if connection is None or self.listener.protects_from(connection):
            return Refusal(403, "protected-mode", PROTECTED)
        authority = split_target(request.raw_path)[0]
        hosts = [*request.headers.getall("Host", [""]), *([] if authority is None else [authority])]
        return unwanted(self.server, hosts, [] if asks_before else request.headers.getall("Origin", []))

    async def index(self, request: web.Request) -> web.Response:
        """The page, for browsers; for others a hint: native commands come over WebSocket."""
        if any("text/html" in each.lower() for each in request.headers.getall("Accept", [])):
            return self.browser.home(request)
        about = {"server": "JanusKV", "websocket": "/", "pages": ["/healthz", "/readyz", "/metrics"]}
        return web.json_response(about, headers={"Vary": "Accept"})

    async def healthz(self, request: web.Request) -> web.Response:
        """The process is alive and its event loop runs."""
        return web.Response(text="ok\n")

    async def readyz(self, request: web.Request) -> web.Response:
        """The data is loaded and commands are served."""
        if self.server.state.loading:
            recovery = self.server.state.recovery
            share = 0.0 if recovery is None else recovery.share
            return web.Response(text=f"loading {100 * share:.0f} %\n", status=503)
        return web.Response(text="ready\n")

    async def metrics(self, request: web.Request) -> web.Response:
        """Statistics in Prometheus' format, for users who may run INFO."""
        connection = self.listener.by_protocol.get(request.protocol)
        visitor = NOBODY_KNOWN if connection is None else connection.visitor
        try:
            user = user_of_request(self.server, request.headers.get("Authorization"), visitor, b"HTTP")
        except LoginNeeded:
            return web.Response(status=401, text="password needed\n", headers={"WWW-Authenticate": "Basic"})
        except LoginsSlowed as error:
            return web.Response(status=429, text=f"{error}\n", headers={"Retry-After": str(error.seconds)})
        refused = refusal_to(self.server, user, b"INFO", visitor.peer)
        if refused:
            return web.Response(status=403, text=f"{refused}\n")
        lines: list[str] = []
        began = now_ns()
        for line in exposition(self.server):
            lines.append(line)
            if now_ns() - began >= _SLICE_NS:
                await asyncio.sleep(0)  # let clients be served
                began = now_ns()
        lines.append("")
        return web.Response(text="\n".join(lines), headers={"Content-Type": "text/plain; version=0.0.4"})

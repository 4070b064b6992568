"""What the HTTP APIs of several faces have in common, around aiohttp: bodies, turns, the log's confirmation, pages of other origins.

Operations and long answers are made in steps, one step a round of the event loop for all requests of all APIs together, so that
other clients wait for a step and not for a query.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiohttp import web

from .compat.server.bodies import BodyTooLong, Unpacker
from .http import web_access

if TYPE_CHECKING:
    from .compat.server.server import Server
    from .http import HttpConnection

T = TypeVar("T")

# Requests of one API whose operations are under way; others wait.
MOST_RUNNING: Final = 16
# Requests that change something look so often whether CLIENT PAUSE is over.
_PAUSE_S: Final = 0.02
# What a client sends within the time for a request, at least, so that it gets that time again.
_WORTH_WAITING: Final = 1 << 16


class NotLogged(Exception):
    """What was changed could not be made safe in the log; the text says why."""


class Unconfirmed:
    """Stands in the gate of the persistence for a request that has changed something, until the log has it."""

    def __init__(self, changes: int) -> None:
        self.changed = changes
        self.passed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def deliver(self, data: bytes, last: bool) -> None:
        """The log has what was changed."""
        if not self.passed.done():
            self.passed.set_result(None)

    def deny(self, data: bytes, text: str) -> None:
        """The log does not have it."""
        if not self.passed.done():
            self.passed.set_exception(NotLogged(text))


async def confirmed(server: Server) -> None:
    """Wait until the log has what was changed. Raises NotLogged if that fails."""
    gate = server.outbox.gate
    if gate is None:
        return
    waiter = Unconfirmed(server.store.feed.changes)
    gate.send(waiter, b"", False)
    await waiter.passed


async def pause_over(server: Server) -> None:
    """Wait while CLIENT PAUSE is in force."""
    while server.pause.until_ms:
        await asyncio.sleep(_PAUSE_S)


async def load(module: str) -> None:
    """Load a big library that the first such request needs in a thread, so that others are served meanwhile."""
    if module not in sys.modules:
        await asyncio.get_running_loop().run_in_executor(None, importlib.import_module, module)


async def read_body(request: web.Request, most: int, connection: HttpConnection | None = None) -> bytes:
    """The body of a request, unpacked. Raises BodyTooLong, before all is there, UnknownCoding and BadPacking."""
    unpacker = Unpacker(request.headers.get("Content-Encoding", ""), most)
    if (request.content_length or 0) > most:
        raise BodyTooLong(most)
    body = bytearray()
    received = 0
    async for chunk in request.content.iter_any():
        received += len(chunk)
        for number, piece in enumerate(unpacker.feed(chunk)):
            body += piece
            if number:
                await asyncio.sleep(0)
        if connection is not None and received >= _WORTH_WAITING:
            connection.goes_on()
            received = 0
    if body or request.body_exists:
        unpacker.end()
    return bytes(body)


class Turns:
    """Lets the steps of all requests take turns."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()  # of one step

    async def drive(self, steps: Generator[Any, None, T], check: Callable[[], object] = lambda: None) -> T:
        """What a generator returns, with other clients served between its steps. ``check`` is called before each: it ends them by raising."""
        try:
            while True:
                check()
                async with self._turn:
                    next(steps)
                await asyncio.sleep(0)
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            steps.close()

    async def step(self, pieces: Generator[bytes, None, None]) -> bytes | None:
        """What the next step of a generator gives, None behind the last."""
        async with self._turn:
            piece = next(pieces, None)
        await asyncio.sleep(0)
        return piece

    async def piece(self, pieces: Generator[bytes, None, None]) -> bytes | None:
        """The next piece that holds something, None behind the last."""
        while True:
            piece = await self.step(pieces)
            if piece is None or piece:
                return piece


def is_trusted(server: Server, request: web.Request) -> bool:
    """Whether a request comes from no page, from one of ours, or from one that is listed itself, and not by ``*``."""
    return web_access(server).trusts(request.headers.get("Origin"), request.headers.get("Host", ""))


def common_headers(server: Server, request: web.Request) -> dict[str, str]:
    """What every response of an API has: how it may be used by pages, and by the one that has asked."""
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Vary": "Origin, Accept-Encoding"}
    origin = request.headers.get("Origin")
    if origin is None or not web_access(server).welcomes(origin, request.headers.get("Host", "")):
        return headers
    if is_trusted(server, request):
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Allow-Credentials"] = "true"
    else:
        headers["Access-Control-Allow-Origin"] = "*"
    return headers


def asks_before(request: web.Request) -> bool:
    """Whether a browser asks what a page may send."""
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers

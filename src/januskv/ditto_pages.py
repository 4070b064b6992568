"""The Ditto API on the HTTP port: aiohttp around what ``compat.ditto`` does, which knows no sockets.

Requests are checked in this order: path, method, credentials, name of the series and headers, media type and size of the body,
parameters and body, Accept, transaction. Answers with events are streams; each has a deadline. A client that goes away ends its query.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import quote, urlencode

from aiohttp import HttpVersion11, web

from .commands.context import Refusal
from .compat.ditto import media
from .compat.ditto.endpoints import (
    CREATE_INDEX,
    DELETE,
    DISTINCT,
    DISTINCT_V1,
    DROP_INDEX,
    INDEXES,
    INSERT,
    OPENAPI,
    QUERY,
    WRITE,
    WRITE_V1,
    Body,
    Operation,
    bad_name,
    decoded_id,
    is_ditto,
    operation_at,
    place_of,
)
from .compat.ditto.errors import DittoError, Form
from .compat.ditto.face import MOST_BODY, MOST_DOCUMENT, DittoFace, path_text, read_path
from .compat.ditto.headers import REQUEST_ID, TRUNCATED, TXN_ID, Headers, read_headers, request_id
from .compat.ditto.openapi import openapi
from .compat.ditto.parameters import pairs_of, read
from .compat.ditto.queries import Answer, plan_of, read_timeout
from .compat.server.accepted import packing
from .compat.server.access import NOBODY_KNOWN
from .compat.server.bodies import BadPacking, BodyTooLong, UnknownCoding
from .compat.server.faults import LoginsSlowed
from .compat.server.hosts import split_target
from .compat.server.json_text import dumps
from .compat.server.permissions import Permissions
from .storage.instants import instant_text
from .web_api import MOST_RUNNING, NotLogged, Turns, asks_before, common_headers, confirmed, load, pause_over, read_body

if TYPE_CHECKING:
    from .http import HttpListener

log = logging.getLogger("januskv")

# An answer is sent once it is complete, or has so many bytes, or this time after the request: what its headers tell of the limit is known in
# the first case only.
_HELD_BYTES: Final = 2 << 20
_HELD_S: Final = 0.25
# An array cannot tell of an error once it has begun, so more of it is held back.
_HELD_ARRAY_BYTES: Final = 8 << 20
# Pieces of a stream have at least so many bytes, unless making more takes longer.
_PIECE: Final = 1 << 16
_PIECE_S: Final = 0.05
# Shorter answers are not packed.
_WORTH_PACKING: Final = 1024
_PACKING_LEVEL: Final = 3
_WINDOW_BITS: Final = {"gzip": 31, "deflate": 15}
_PREFLIGHT_S: Final = 600
_ALLOWED_HEADERS: Final = (
    "authorization, content-type, content-encoding, x-ditto-client-id, x-ditto-txn-id, x-ditto-ensure-insert,"
    " x-ditto-ensure-delete, x-event-ttl-seconds, x-request-id"
)
_EXPOSED_HEADERS: Final = f"{TXN_ID}, {TRUNCATED}, {REQUEST_ID}, Link, Retry-After"


class Cut(Exception):
    """A request has to end: its time is over, or the server ends. The text is what a stream that has begun ends with."""

    def __init__(self, word: str, status: int, message: str) -> None:
        super().__init__(word)
        self.error = DittoError(status, message)


class Asked:
    """A request whose head has been read and may be served."""

    def __init__(
        self, request: web.Request, operation: Operation, name: str, headers: Headers, permissions: Permissions
    ) -> None:
        self.request = request
        self.operation = operation
        self.name = name
        self.headers = headers
        self.permissions = permissions

    @property
    def query(self) -> str:
        """The query of the target, as it was sent."""
        return split_target(self.request.raw_path)[1].partition("#")[0].partition("?")[2]


Handler = Callable[[Asked, bytes], Awaitable[web.StreamResponse]]


class DittoPages:
    """Serves the API on a listener's connections."""

    def __init__(self, listener: HttpListener, turns: Turns) -> None:
        self.listener = listener
        self.server = listener.server
        self.face = DittoFace(listener.server)
        self.turns = turns
        self._running = asyncio.Semaphore(MOST_RUNNING)
        self._handlers: dict[Operation, Handler] = {
            INSERT: self.insert,
            QUERY: self.query,
            DELETE: self.delete,
            DISTINCT: self.distinct,
            DISTINCT_V1: self.distinct,
            INDEXES: self.indexes,
            CREATE_INDEX: self.create_index,
            DROP_INDEX: self.drop_index,
            WRITE: self.write,
            WRITE_V1: self.write,
            OPENAPI: self.openapi,
        }

    def add_to(self, application: web.Application) -> None:
        """Add the paths to an application."""
        application.router.register_resource(_Paths(self.route))

    # ------------------------------------------------------------ requests

    async def route(self, request: web.Request) -> web.StreamResponse:
        """The response to a request for the API. Errors are told; what every response of the API has is there."""
        form = Form.ERROR
        try:
            place = place_of(request.raw_path)
            if request.method == "OPTIONS":
                response: web.StreamResponse = self._options(request, place.endpoint.allow)
            else:
                operation = operation_at(place, request.method)
                form = operation.form
                response = await self._handlers[operation](*await self._admitted(request, operation, place.segment))
        except DittoError as error:
            response = self.error(request, error, form)
        except Cut as cut:
            response = self.error(request, cut.error, form)
        except LoginsSlowed as error:
            response = self.error(request, DittoError(429, str(error), seconds=error.seconds), form)
            response.headers["Retry-After"] = str(error.seconds)
        except web.RequestPayloadError as error:
            response = self.error(request, DittoError(400, f"The body cannot be read: {error}"), form)
        except ConnectionError:
            raise
        except Exception as error:
            log.error("a request to the Ditto API failed: %s", request.method, exc_info=error)
            response = self.error(request, DittoError(500, "Internal error"), form)
        if not response.prepared:
            response.headers.update(self._common_headers(request))
            body = response.body if isinstance(response, web.Response) else None
            if isinstance(body, bytes) and len(body) >= _WORTH_PACKING:
                coding = packing(request.headers.getall("Accept-Encoding", []))
                if coding is not None:
                    response.enable_compression(web.ContentCoding(coding))
        return response

    def refused(self, request: web.Request, status: int, text: str) -> web.StreamResponse:
        """The response to a request that may not come in."""
        response = self.error(request, DittoError(status, text), Form.ERROR)
        response.headers.update(self._common_headers(request))
        return response

    async def _admitted(self, request: web.Request, operation: Operation, segment: str | None) -> tuple[Asked, bytes]:
        """Check a request, and read its body. Raises DittoError."""
        name = None if segment is None else decoded_id(segment)
        permissions = await self._permissions(request, operation, name)
        if segment is not None and name is None:
            raise bad_name()
        needed = operation is INSERT and self.server.config.ditto_require_client_id
        headers = read_headers(lambda each: request.headers.getall(each, []), client_id_needed=needed)
        if operation is INSERT:
            media.has_lines(request.headers.get("Content-Type"))
        elif operation.body is Body.DOCUMENT:
            media.check_json(request.headers.get("Content-Type"))
        body = await self._body(request, MOST_BODY if operation.body is Body.EVENTS else MOST_DOCUMENT)
        connection = self.listener.by_protocol.get(request.protocol)
        if connection is not None:
            connection.heard()
        return Asked(request, operation, name or "", headers, permissions), body

    async def _permissions(self, request: web.Request, operation: Operation, name: str | None) -> Permissions:
        """What the sender of a request may do. Raises DittoError (401, 403)."""
        if operation.open:
            return Permissions()
        header = request.headers.get("Authorization")
        connection = self.listener.by_protocol.get(request.protocol)
        visitor = NOBODY_KNOWN if connection is None else connection.visitor
        if header is not None and self.face.access.takes_tokens:
            await load("jwt")
        permissions = self.face.access.permissions_of(header, visitor)
        wanted = {"read": permissions.read, "write": permissions.write}.get(operation.permission or "")
        more = permissions.delete if operation is DELETE else None
        if (wanted is not None and not wanted.allows(name)) or (more is not None and not more.allows(name)):
            if permissions.user:
                refusal = Refusal("key", (name or "").encode())
                self.server.users.denied(refusal, "toplevel", permissions.user, visitor.peer)
            raise DittoError(403, "This is not allowed")
        return permissions

    async def _body(self, request: web.Request, most: int) -> bytes:
        """The body of a request, unpacked. Raises DittoError (400, 413, 415)."""
        expected = request.headers.get("Expect", "")
        if expected and expected.lower() != "100-continue":
            raise DittoError(417, "The only expectation is 100-continue", header="Expect")
        if expected and request.version == HttpVersion11 and (request.content_length or 0) <= most:
            await _go_on(request)
        try:
            return await read_body(request, most, self.listener.by_protocol.get(request.protocol))
        except UnknownCoding:
            raise DittoError(415, "Bodies may be packed with gzip or deflate", header="Content-Encoding") from None
        except BodyTooLong as error:
            raise DittoError(413, f"A body has {error.most} bytes at most", limit=error.most) from None
        except BadPacking as error:
            raise DittoError(400, f"The body cannot be unpacked: {error}") from None

    def _ready(self, asked: Asked, *, writes: bool = False) -> None:
        """Raise DittoError where a request cannot be served now, or asks for a transaction that has not been."""
        self.face.check_ready(writes=writes)
        asked.headers.check_reached(self.face.last_transaction)

    # ------------------------------------------------------------ time

    def _limit(self, asked: Asked, timeout_ms: int) -> Callable[[], None]:
        """What raises Cut once the time of a request is over, from now on, or the server ends."""
        ends_s = self.listener.now_s() + timeout_ms / 1000
        connection = self.listener.by_protocol.get(asked.request.protocol)

        def check() -> None:
            if self.server.state.ending:
                raise Cut("Shutdown", 503, "The server is ending")
            if self.listener.now_s() >= ends_s:
                raise Cut("Timeout", 408, "The time for the request is over")
            if connection is not None:
                connection.heard()

        return check

    # ------------------------------------------------------------ writing

    async def insert(self, asked: Asked, body: bytes) -> web.StreamResponse:
        """POST of events."""
        self._parameters(asked, b"")
        lines = media.has_lines(asked.request.headers.get("Content-Type"))
        async with self._running:
            self.face.check_ready(writes=False)
            steps = self.face.read_events(asked.name, body, lines=lines, ttl_ms=asked.headers.ttl_ms)
            batch = await self.turns.drive(steps)
        await pause_over(self.server)
        self._ready(asked, writes=True)
        return await self._written(await self.turns.drive(self.face.insert(asked.name, batch)))

    async def delete(self, asked: Asked, body: bytes) -> web.StreamResponse:
        """DELETE of events."""
        given = self._parameters(asked, body)
        check = self._limit(asked, read_timeout(given))
        steps = self.face.delete_steps(asked.name, given)
        next(steps)  # which checks the parameters
        await pause_over(self.server)
        self._ready(asked, writes=True)
        check()
        async with self._running:
            txn = await self.turns.drive(steps, check)
        return await self._written(txn)

    async def _written(self, txn: int) -> web.StreamResponse:
        """The response that tells of a transaction, once the log has it."""
        await self._confirmed()
        return _json({"txn_id": txn}, {TXN_ID: str(txn)})

    async def _confirmed(self) -> None:
        try:
            await confirmed(self.server)
        except NotLogged as error:
            raise DittoError(503, f"The change was not made safe: {error}") from None

    async def write(self, asked: Asked, body: bytes) -> web.StreamResponse:
        """A store call."""
        commands = self.face.commands(self._parameters(asked, body), version=1 if asked.operation is WRITE_V1 else 4)
        await pause_over(self.server)
        self._ready(asked, writes=True)
        results = self.face.do_commands(commands, asked.permissions)
        await self._confirmed()
        return _json({"results": results}, {TXN_ID: str(self.face.last_transaction)})

    # ------------------------------------------------------------ reading

    def _parameters(self, asked: Asked, body: bytes) -> dict[str, Any]:
        return read(asked.operation.parameters, pairs_of(asked.query), body)

    async def query(self, asked: Asked, body: bytes) -> web.StreamResponse:
        """Events of an interval, as a stream."""
        query = self.face.read_query(self._parameters(asked, body))
        check = self._limit(asked, query.timeout_ms)
        kind = media.answer_type(asked.request.headers.getall("Accept", []))
        self._ready(asked)
        headers = {"Content-Type": kind, TXN_ID: asked.headers.txn_text or str(self.face.last_transaction)}
        array = kind == media.JSON
        check()
        if query.describe:
            plan = dumps({"item": plan_of(query)})
            return web.Response(body=b"[" + plan + b"]" if array else plan + b"\n", headers=headers)
        answer = self.face.answer(asked.name, query, array=array)
        return await _Stream(self, asked, answer, headers, check).respond()

    async def distinct(self, asked: Asked, body: bytes) -> web.StreamResponse:
        """Distinct values of members."""
        given = self._parameters(asked, body)
        values = self.face.read_distinct(given, version=1 if asked.operation is DISTINCT_V1 else 2)
        check = self._limit(asked, read_timeout(given))
        self._ready(asked)
        txn = asked.headers.txn_text or str(self.face.last_transaction)
        check()
        async with self._running:
            result = await self.turns.drive(self.face.distinct_steps(asked.name, given, values), check)
        return _json({"item": result}, {TXN_ID: txn})

    # ------------------------------------------------------------ indexes, documents

    async def indexes(self, asked: Asked, body: bytes) -> web.StreamResponse:
        """The indexes of a series."""
        self._parameters(asked, b"")
        self._ready(asked)
        return _json({"indexes": [{"path": path_text(path)} for path in self.face.indexes(asked.name)]})

    async def create_index(self, asked: Asked, body: bytes) -> web.StreamResponse:
        """Index a path of a series."""
        path = read_path(self._parameters(asked, body))
        await pause_over(self.server)
        self._ready(asked, writes=True)
        created = await self.turns.drive(self.face.create_index(asked.name, path))
        await self._confirmed()
        return _json({"path": path_text(path), "created": created})

    async def drop_index(self, asked: Asked, body: bytes) -> web.StreamResponse:
        """Index a path no longer."""
        path = read_path(self._parameters(asked, body))
        await pause_over(self.server)
        self._ready(asked, writes=True)
        dropped = self.face.drop_index(asked.name, path)
        await self._confirmed()
        return _json({"path": path_text(path), "dropped": dropped})

    async def openapi(self, asked: Asked, body: bytes) -> web.StreamResponse:
        """The OpenAPI document."""
        return _json(openapi())

    # ------------------------------------------------------------ responses

    def _options(self, request: web.Request, allow: tuple[str, ...]) -> web.Response:
        """What a path has; to a browser that asks, also what a page may send."""
        headers = {"Allow": ", ".join(allow)}
        if asks_before(request):
            headers |= {
                "Access-Control-Allow-Methods": headers["Allow"],
                "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
                "Access-Control-Max-Age": str(_PREFLIGHT_S),
            }
        return web.Response(status=204, headers=headers)

    def error(self, request: web.Request, error: DittoError, form: Form) -> web.Response:
        """The document of an error, in the form that is wanted."""
        wanted = media.wants_problem(request.headers.getall("Accept", []))
        form = Form.PROBLEM if wanted else form
        kind = media.PROBLEM if wanted else media.JSON
        return _json(error.document(form), error.headers, status=error.status, kind=kind)

    def _common_headers(self, request: web.Request) -> dict[str, str]:
        headers = common_headers(self.server, request)
        headers["Vary"] += ", Accept"
        headers[REQUEST_ID] = request_id(request.headers.get(REQUEST_ID)) or uuid.uuid4().hex
        if "Access-Control-Allow-Origin" in headers:
            headers["Access-Control-Expose-Headers"] = _EXPOSED_HEADERS
        return headers


class _Stream:
    """One answer with events."""

    def __init__(
        self, pages: DittoPages, asked: Asked, answer: Answer, headers: dict[str, str], check: Callable[[], None]
    ) -> None:
        self.pages = pages
        self.request = asked.request
        self.asked = asked
        self.answer = answer
        self.headers = headers
        self.check = check
        self.steps = answer.pieces()
        self.packer: Any = None

    async def respond(self) -> web.StreamResponse:
        """Make the answer and send it. Raises Cut, and what else goes wrong, as long as nothing has been sent."""
        try:
            held, complete = await self._begin()
            if complete:
                self._tell_limit()
            if self.request.method == "HEAD":
                return web.StreamResponse(headers=self.headers)
            if complete and self.answer.array and len(held) <= _PIECE:
                return web.Response(body=held, headers=self.headers)
            response = await self._prepared(len(held), complete)
            try:
                await self._send(response, held, complete)
            except Cut as cut:
                await self._end_with(response, str(cut))
            except (ConnectionError, asyncio.CancelledError):
                raise
            except Exception as error:
                log.error("an answer of the Ditto API failed", exc_info=error)
                await self._end_with(response, "Internal")
            return response
        finally:
            self.steps.close()

    async def _begin(self) -> tuple[bytes, bool]:
        """The first pieces, and whether they are all."""
        now_s = self.pages.listener.now_s
        since_s = now_s()
        most = _HELD_ARRAY_BYTES if self.answer.array else _HELD_BYTES
        held = bytearray()
        async with self.pages._running:
            while True:
                piece = await self._step()
                if piece is None:
                    return bytes(held), True
                held += piece
                if len(held) >= most or (held and not self.answer.array and now_s() - since_s >= _HELD_S):
                    return bytes(held), False

    async def _step(self) -> bytes | None:
        self.check()
        piece = await self.pages.turns.step(self.steps)
        self.check()
        return piece

    def _tell_limit(self) -> None:
        """Say in headers that the limit has cut the result, and where the rest is."""
        if not self.answer.truncated:
            return
        self.headers[TRUNCATED] = "true"
        start = self.answer.next_start
        if start is None or self.request.method not in ("GET", "HEAD") or self.request.body_exists:
            return
        path = "/" + split_target(self.request.raw_path)[1].partition("?")[0].lstrip("/")
        pairs = [pair for pair in pairs_of(self.asked.query) if pair[0] != "start"]
        query = urlencode([("start", instant_text(start)), *pairs], quote_via=quote, safe=":")
        self.headers["Link"] = f'<{path}?{query}>; rel="next"'

    async def _prepared(self, size: int, complete: bool) -> web.StreamResponse:
        """The response, whose head has been sent."""
        coding = packing(self.request.headers.getall("Accept-Encoding", []))
        if coding is not None and (size >= _WORTH_PACKING or not complete):
            self.packer = zlib.compressobj(_PACKING_LEVEL, wbits=_WINDOW_BITS[coding])
            self.headers["Content-Encoding"] = coding
        headers = {**self.headers, **self.pages._common_headers(self.request)}
        response = web.StreamResponse(headers=headers)
        if self.request.version == HttpVersion11:
            response.enable_chunked_encoding()
        await response.prepare(self.request)
        return response

    async def _send(self, response: web.StreamResponse, held: bytes, complete: bool) -> None:
        now_s = self.pages.listener.now_s
        for at in range(0, len(held), _PIECE):
            await self._write(response, held[at : at + _PIECE])
            self.check()
        gathered = bytearray()
        since_s = now_s()
        while not complete:
            piece = await self._step()
            complete = piece is None
            gathered += piece or b""
            if len(gathered) >= _PIECE or (gathered and now_s() - since_s >= _PIECE_S) or (complete and gathered):
                await self._write(response, bytes(gathered))
                gathered.clear()
                since_s = now_s()
        await self._end(response)

    async def _write(self, response: web.StreamResponse, piece: bytes) -> None:
        if self.packer is not None:
            piece = self.packer.compress(piece) + self.packer.flush(zlib.Z_SYNC_FLUSH)
        await response.write(piece)

    async def _end(self, response: web.StreamResponse) -> None:
        if self.packer is not None:
            await response.write(self.packer.flush())
        await response.write_eof()

    async def _end_with(self, response: web.StreamResponse, word: str) -> None:
        """End a stream that has begun by an error: in its last line; an array is cut off."""
        if self.answer.array:
            transport = self.request.transport
            if transport is not None:
                transport.abort()
            return
        await self._write(response, dumps({"error": word}) + b"\n")
        await self._end(response)


# ---------------------------------------------------------------- paths


class _Paths(web.Resource):
    """All paths of the API. They are looked at as they were sent: decoded, a name with a slash would be two segments."""

    def __init__(self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
        super().__init__()
        self._to = self.add_route("*", handler, expect_handler=_later)

    async def resolve(self, request: web.Request) -> tuple[web.UrlMappingMatchInfo | None, set[str]]:
        """The one route there is, for paths of the API."""
        return (web.UrlMappingMatchInfo({}, self._to) if is_ditto(request.raw_path) else None), set()

    @property
    def canonical(self) -> str:
        """Where the router looks for the resource: it may be any path."""
        return "/"

    def raw_match(self, path: str) -> bool:
        """Whether it is this resource by its pattern, of which there is none."""
        return False

    def _match(self, path: str) -> dict[str, str] | None:
        return None

    def get_info(self) -> Any:
        """Nothing that describes the paths."""
        return {}

    def url_for(self, **kwargs: str) -> NoReturn:
        """There is not one URL."""
        raise NotImplementedError

    def add_prefix(self, prefix: str) -> NoReturn:
        """The application is not part of another one."""
        raise NotImplementedError


async def _later(request: web.Request) -> None:
    """Who waits for a word before the body gets it once the head has been found good."""


async def _go_on(request: web.Request) -> None:
    """Tell who waits for it to send the body."""
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0


def _json(
    value: Any, headers: Mapping[str, str] | None = None, status: int = 200, kind: str = media.JSON
) -> web.Response:
    return web.Response(status=status, body=dumps(value), content_type=kind, headers=headers)
